//! The file that a disk is restored to: hidden until it is complete, never in the place of anything else.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, RenameFlags, XattrFlags},
    io::Errno,
};

use crate::{error::VaultError, id::Id, store};

/// The extended attribute that says which job made a file, where the file system keeps such.
pub(crate) const MADE_BY: &str = "user.kluis.job";

/// What is at a target's path.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing: the disk can be written.
    Nothing { path: PathBuf, directory: PathBuf },
    /// The disk, as this job finished it before it was interrupted.
    Ours { path: PathBuf },
}

impl Found {
    /// Refuses a path where there is anything that this job did not make.
    pub(crate) fn at(path: &Path, job: &str) -> Result<Self, VaultError> {
        let (Some(directory), Some(_)) = (path.parent(), path.file_name()) else {
            return Err(VaultError::InvalidJob(format!(
                "{} cannot be a disk's path",
                path.display()
            )));
        };
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                store::make_directory(directory)?;
                Ok(Self::Nothing {
                    path: path.to_owned(),
                    directory: directory.to_owned(),
                })
            }
            Err(source) => Err(VaultError::io("look at", path, source)),
            Ok(metadata)
                if metadata.is_file() && made_by(path).as_deref() == Some(job.as_bytes()) =>
            {
                Ok(Self::Ours {
                    path: path.to_owned(),
                })
            }
            Ok(_) => Err(VaultError::TargetTaken(path.to_owned())),
        }
    }
}

/// An open target.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    /// The hidden name, until it has its own.
    hidden: Option<PathBuf>,
}

impl Target {
    /// Opens the file under its hidden name, `size` bytes long and all of it a hole; or the finished one.
    pub(crate) fn open(found: Found, size: u64, job: &str) -> Result<Self, VaultError> {
        let (path, directory) = match found {
            Found::Ours { path } => {
                let file =
                    File::open(&path).map_err(|source| VaultError::io("open", &path, source))?;
                return Ok(Self {
                    file,
                    path,
                    hidden: None,
                });
            }
            Found::Nothing { path, directory } => (path, directory),
        };
        let hidden = directory.join(hidden_name(path.file_name().unwrap_or_default(), job));
        match fs::remove_file(&hidden) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(VaultError::io("remove", hidden, error));
            }
            _ => {}
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&hidden);
        let file = file.map_err(|source| VaultError::io("create", &hidden, source))?;
        let target = Self {
            file,
            path,
            hidden: Some(hidden),
        };
        target
            .file
            .set_len(size)
            .map_err(|source| VaultError::io("size", &target.path, source))?;
        // Not every file system keeps attributes. Without it, a job that is interrupted after it finished a disk finds
        // the disk's place taken when it is run again: an error, and nothing lost.
        let _ = rustix::fs::fsetxattr(&target.file, MADE_BY, job.as_bytes(), XattrFlags::empty());
        Ok(target)
    }

    /// Where the file is now.
    pub(crate) fn place(&self) -> &Path {
        self.hidden.as_deref().unwrap_or(&self.path)
    }

    /// Whether the disk is still to be written; otherwise it is only compared.
    pub(crate) fn is_new(&self) -> bool {
        self.hidden.is_some()
    }

    /// Gives the file its name, unless something has it, and makes that durable.
    pub(crate) fn keep(&mut self) -> Result<(), VaultError> {
        let Some(hidden) = &self.hidden else {
            return Ok(());
        };
        let named =
            match rustix::fs::renameat_with(CWD, hidden, CWD, &self.path, RenameFlags::NOREPLACE) {
                // A file system without that flag: a link is refused where there is something, too.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                    fs::hard_link(hidden, &self.path).and_then(|()| fs::remove_file(hidden))
                }
                named => named.map_err(io::Error::from),
            };
        named.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => VaultError::TargetTaken(self.path.clone()),
            _ => VaultError::io("name", &self.path, source),
        })?;
        self.hidden = None;
        self.path.parent().map_or(Ok(()), store::sync_directory)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(hidden) = &self.hidden {
            let _ = fs::remove_file(hidden);
        }
    }
}

/// Where a job writes a file until it is complete; `None` if nothing can be at `path`.
pub(crate) fn hidden_path(path: &Path, job: &str) -> Option<PathBuf> {
    let (directory, name) = (path.parent()?, path.file_name()?);
    Some(directory.join(hidden_name(name, job)))
}

/// Removes what a job that was killed, and will not be run again, left beside a disk's place.
pub(crate) fn remove_hidden(path: &Path, job: &str) -> Result<(), VaultError> {
    let Some(hidden) = hidden_path(path, job) else {
        return Ok(());
    };
    match fs::remove_file(&hidden) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(VaultError::io("remove", hidden, error))
        }
        _ => Ok(()),
    }
}

/// Removes a finished file, if this job made it, and its folder, if that is empty then.
pub(crate) fn discard(path: &Path, job: &str) -> Result<(), VaultError> {
    remove_hidden(path, job)?;
    if made_by(path).as_deref() != Some(job.as_bytes()) {
        return Ok(());
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(VaultError::io("remove", path, error))
        }
        _ => {
            // Refused while anything is in it, which is what is wanted.
            let _ = path.parent().map(fs::remove_dir);
            Ok(())
        }
    }
}

pub(crate) fn made_by(path: &Path) -> Option<Vec<u8>> {
    let mut value = [0_u8; 256];
    let length = rustix::fs::lgetxattr(path, MADE_BY, &mut value[..]).ok()?;
    value.get(..length).map(<[u8]>::to_vec)
}

/// One for each target and job: two jobs never meet in it, and a job that is run again finds its own.
pub(crate) fn hidden_name(name: &OsStr, job: &str) -> OsString {
    let id = Id::of(&[name.as_encoded_bytes(), b"/", job.as_bytes()].concat()).to_string();
    OsString::from(format!(".{}.partial", &id[..24]))
}
