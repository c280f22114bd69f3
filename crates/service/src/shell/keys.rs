//! The vaults' keys: one passphrase opens them all, and opening one takes a third of a second and 128 MiB, so it is done once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use kluis_vault::{MasterKey, VaultError, repository};

use super::{ServiceError, private};

/// The passphrase, and the keys it has opened.
pub(super) struct Keys {
    passphrase: String,
    opened: Mutex<HashMap<PathBuf, MasterKey>>,
}

impl Keys {
    /// Reads the passphrase, or makes one where there are no vaults yet; then sees whether it opens those there are.
    ///
    /// One vault is tried: all are made with the same passphrase, and each try costs scrypt's time.
    pub(super) fn load(dir: &Path, given: Option<&Path>) -> Result<Self, ServiceError> {
        let file = given.map_or_else(|| dir.join("passphrase"), Path::to_owned);
        let vaults = dir.join("vaults");
        let first =
            first_vault(&vaults).map_err(ServiceError::io("look for vaults in", &vaults))?;
        let passphrase = match private::read(&file)
            .map_err(ServiceError::io("read the passphrase in", &file))?
        {
            // As restic takes it from the same file.
            Some(text) => text.trim().to_owned(),
            None if first.is_some() => return Err(ServiceError::NoPassphrase { file, vaults }),
            None if given.is_some() => {
                let message = "there is no such file; write the passphrase into it, or leave out --passphrase-file".to_owned();
                return Err(ServiceError::Unusable {
                    path: file,
                    message,
                });
            }
            None => {
                let made = private::secret();
                private::write(&file, made.as_bytes()).map_err(ServiceError::io("write", &file))?;
                made
            }
        };
        if passphrase.is_empty() {
            let message = "it is empty; a passphrase has at least one character".to_owned();
            return Err(ServiceError::Unusable {
                path: file,
                message,
            });
        }
        let keys = Self {
            passphrase,
            opened: Mutex::default(),
        };
        if let Some(vault) = first {
            match keys.of(&vault) {
                Err(VaultError::WrongPassphrase(_)) => {
                    return Err(ServiceError::WrongPassphrase { file, vault });
                }
                // Another trouble is that one vault's alone; its jobs will tell.
                Err(error) => {
                    tracing::error!(vault = %vault.display(), error = %kluis_vault::error::describe(&error), "a vault can't be opened");
                }
                Ok(_) => {}
            }
        }
        Ok(keys)
    }

    /// The key of the vault at this path.
    pub(super) fn of(&self, vault: &Path) -> Result<MasterKey, VaultError> {
        if let Some(key) = self.known().get(vault) {
            return Ok(key.clone());
        }
        let key = repository::open(vault, &self.passphrase)?;
        self.known().insert(vault.to_owned(), key.clone());
        Ok(key)
    }

    /// Makes a vault's repository, or finds it made by an earlier attempt.
    pub(super) fn create(&self, vault: &Path) -> Result<(), VaultError> {
        let key = match repository::create(vault, &self.passphrase) {
            Err(VaultError::VaultExists(_)) => repository::open(vault, &self.passphrase)?,
            made => made?,
        };
        self.known().insert(vault.to_owned(), key);
        Ok(())
    }

    /// Forgets the key of a vault that is gone.
    pub(super) fn forget(&self, vault: &Path) {
        self.known().remove(vault);
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, MasterKey>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Any repository below `vaults/<resource group>/<vault>`, or below `vaults/.deleted/<name>`.
fn first_vault(vaults: &Path) -> std::io::Result<Option<PathBuf>> {
    if !vaults.exists() {
        return Ok(None);
    }
    for group in std::fs::read_dir(vaults)? {
        let group = group?;
        if !group.file_type()?.is_dir()
            || group
                .file_name()
                .as_encoded_bytes()
                .starts_with(super::repositories::REMOVED.as_bytes())
        {
            continue;
        }
        for vault in std::fs::read_dir(group.path())? {
            let vault = vault?.path();
            if vault.join("config").exists() {
                return Ok(Some(vault));
            }
        }
    }
    Ok(None)
}
