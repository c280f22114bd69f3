//! Files of ours in a vault, beside restic's: sealed with the vault's key, replaced whole. restic passes over them.

use std::{fs, fs::File, io::ErrorKind, path::PathBuf};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{error::VaultError, repository::Vault, store};

/// When each pack was read last, by the scrubs.
pub(crate) const JOURNAL: &str = "scrub";

/// What is known to be damaged.
pub(crate) const DAMAGE: &str = "damage";

/// Reads a file; `None` where there is none.
///
/// # Errors
/// [`VaultError::Damaged`] if it is not what was written.
pub(crate) fn read<T: DeserializeOwned>(
    vault: &Vault,
    name: &str,
) -> Result<Option<T>, VaultError> {
    let path = path_of(vault, name);
    let mut sealed = match fs::read(&path) {
        Ok(sealed) => sealed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(VaultError::io("read", path, source)),
    };
    let json = vault.decoder()?.open_file(&mut sealed);
    json.and_then(|json| serde_json::from_slice(&json).ok())
        .map(Some)
        .ok_or_else(|| VaultError::Damaged(format!("its file {name} is not what was written")))
}

/// Writes a file in the place of the one that is there.
pub(crate) fn write<T: Serialize>(vault: &Vault, name: &str, value: &T) -> Result<(), VaultError> {
    let json = serde_json::to_vec(value)
        .map_err(|_| VaultError::Internal("a file of the vault that is no JSON"))?;
    let sealed = vault.encoder()?.seal_file(&json)?;
    let staged = vault.store().stage(&sealed)?;
    staged.publish_at(&path_of(vault, name))?;
    store::sync_directory(vault.path())
}

/// Removes a file, if it is there.
pub(crate) fn remove(vault: &Vault, name: &str) -> Result<(), VaultError> {
    let path = path_of(vault, name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|source| VaultError::io("remove", path, source)),
    }
}

/// Holds off everybody else who changes one of these files, for as long as it lives. The vault's own lock is another: those
/// who share that one change these.
pub(crate) fn hold(vault: &Vault) -> Result<File, VaultError> {
    let path = vault.path();
    let directory = File::open(path).map_err(|source| VaultError::io("open", path, source))?;
    loop {
        match flock(&directory, FlockOperation::LockExclusive) {
            Err(Errno::INTR) => {}
            done => {
                done.map_err(|errno| VaultError::io("lock", path, errno))?;
                return Ok(directory);
            }
        }
    }
}

fn path_of(vault: &Vault, name: &str) -> PathBuf {
    vault.path().join(name)
}
