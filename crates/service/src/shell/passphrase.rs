//! The passphrase of all vaults: `DIR/passphrase` with a copy in `DIR/copies/passphrase`, or a file that a person named.
//!
//! The service's own file is put back from its copy, or from memory while the service runs, when it is lost or empty. One
//! that a person has replaced is left as it is, and told: at the next start it would be the one that counts.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{ServiceError, private};

/// The passphrase in memory, and where it is kept.
pub(super) struct Passphrase {
    text: Zeroizing<String>,
    file: PathBuf,
    /// The copy of the service's own; a person's file is that person's to copy.
    copy: Option<PathBuf>,
}

/// What is wrong with the passphrase's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A person's file is gone, or holds nothing.
    Missing,
    /// The file holds another passphrase.
    Replaced,
    /// It can't be read, or not be put back.
    Unreadable,
}

impl Passphrase {
    /// Reads the passphrase, or makes one where there are no vaults yet.
    pub(super) fn load(dir: &Path, given: Option<&Path>) -> Result<Self, ServiceError> {
        let own = dir.join("passphrase");
        let copy = given.is_none().then(|| dir.join("copies/passphrase"));
        let file = given.map_or(own, Path::to_owned);
        let read =
            |path: &Path| read(path).map_err(ServiceError::io("read the passphrase in", path));
        let found = match (read(&file)?, &copy) {
            (Some(text), _) => Some(text),
            (None, Some(copy)) => read(copy)?.inspect(|_| {
                tracing::warn!(file = %file.display(), copy = %copy.display(), "the passphrase was missing or empty; it is put back from its copy");
            }),
            (None, None) => None,
        };
        let vaults = dir.join("vaults");
        let text = match (found, given) {
            (Some(text), _) => text,
            (None, Some(_)) => {
                let message = "there is no such file, or nothing is in it; write the passphrase into it, or leave out --passphrase-file"
                    .to_owned();
                return Err(ServiceError::Unusable {
                    path: file,
                    message,
                });
            }
            (None, None) if has_repositories(&vaults) => {
                return Err(ServiceError::NoPassphrase { file, vaults });
            }
            (None, None) => Zeroizing::new(private::secret()),
        };
        Ok(Self { text, file, copy })
    }

    /// The passphrase in the copy, and where that is, when it is another one.
    pub(super) fn other(&self) -> Option<(&Path, Zeroizing<String>)> {
        let copy = self.copy.as_deref()?;
        let other = read(copy).ok().flatten()?;
        (*other != *self.text).then_some((copy, other))
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Reads the file and its copy back, and writes again what is missing.
    pub(super) fn check(&self) -> Option<Trouble> {
        match read(&self.file) {
            Ok(Some(text)) if *text != *self.text => return Some(Trouble::Replaced),
            Ok(None) if self.copy.is_none() => return Some(Trouble::Missing),
            Err(_) => return Some(Trouble::Unreadable),
            Ok(_) => {}
        }
        self.keep(false).err().map(|error| {
            tracing::error!(%error, file = %self.file.display(), "the passphrase's file could not be put back");
            Trouble::Unreadable
        })
    }

    /// Whether a file holds it from which the next start would have it. A person's file is that person's to keep.
    pub(super) fn is_kept(&self) -> bool {
        let Some(copy) = &self.copy else {
            return true;
        };
        [&self.file, copy].into_iter().any(|file| {
            let found = read(file).ok().flatten();
            found.is_some_and(|text| *text == *self.text)
        })
    }

    /// Writes the file and its copy, where they are missing; a copy that holds another passphrase when this one is `proved`,
    /// for it has opened a vault.
    pub(super) fn keep(&self, proved: bool) -> std::io::Result<()> {
        let Some(copy) = &self.copy else {
            return Ok(());
        };
        for file in [copy, &self.file] {
            if read(file)?.is_some_and(|text| *text == *self.text || !proved) {
                continue;
            }
            if let Some(folder) = file.parent() {
                private::folder(folder)?;
            }
            tracing::info!(file = %file.display(), "writing the passphrase");
            private::write(file, self.text.as_bytes())?;
        }
        Ok(())
    }
}

/// The passphrase in a file, as restic takes it from there; `None` when there is none.
fn read(path: &Path) -> std::io::Result<Option<Zeroizing<String>>> {
    let text = private::read(path)?.map(Zeroizing::new);
    Ok(text
        .map(|text| Zeroizing::new(text.trim().to_owned()))
        .filter(|text| !text.is_empty()))
}

/// Whether there is any repository below `vaults/<resource group>/<vault>`, or below `vaults/.deleted/<name>`.
fn has_repositories(vaults: &Path) -> bool {
    let folders = |path: &Path| {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let groups = folders(vaults).into_iter().filter(|group| {
        let name = group.file_name().unwrap_or_default().as_encoded_bytes();
        !name.starts_with(super::repositories::REMOVED.as_bytes())
    });
    groups
        .flat_map(|group| folders(&group))
        .any(|vault| vault.join("config").exists() || vault.join("copies/config").exists())
}
