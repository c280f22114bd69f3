//! The directory that files are restored to: hidden until it is complete, never in the place of anything else.

use std::{
    fs, io,
    os::fd::OwnedFd,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, XattrFlags};

use super::batch;
use crate::{
    error::VaultError,
    store,
    target::{self, MADE_BY},
};

/// What is at the target's path.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Found {
    /// Nothing, or an empty directory.
    Nothing,
    /// The files, as this job finished them before it was interrupted.
    Ours,
}

impl Found {
    /// Refuses a path where there is anything that this job did not make.
    pub(crate) fn at(path: &Path, job: &str) -> Result<Self, VaultError> {
        split(path)?;
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::Nothing),
            Err(source) => Err(VaultError::io("look at", path, source)),
            Ok(metadata) if !metadata.is_dir() => Err(VaultError::TargetTaken(path.to_owned())),
            Ok(_) if target::made_by(path).as_deref() == Some(job.as_bytes()) => Ok(Self::Ours),
            Ok(_) => {
                let mut entries =
                    fs::read_dir(path).map_err(|source| VaultError::io("list", path, source))?;
                match entries.next() {
                    None => Ok(Self::Nothing),
                    Some(_) => Err(VaultError::TargetTaken(path.to_owned())),
                }
            }
        }
    }
}

/// The hidden directory. Dropped without [`Place::keep`], it is removed with all that is in it.
#[derive(Debug)]
pub(crate) struct Place {
    hidden: PathBuf,
    target: PathBuf,
    kept: bool,
}

impl Place {
    /// Makes it, empty: what an earlier run of the job left in it is removed.
    pub(crate) fn make(target: &Path, job: &str) -> Result<Self, VaultError> {
        let (parent, name) = split(target)?;
        store::make_directory(parent)?;
        let hidden = parent.join(target::hidden_name(name, job));
        remove_tree(&hidden)?;
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&hidden)
            .map_err(|source| VaultError::io("create", &hidden, source))?;
        // Without attributes, a job that is interrupted at its very end finds its place taken: an error, and nothing lost.
        let _ = rustix::fs::setxattr(&hidden, MADE_BY, job.as_bytes(), XattrFlags::empty());
        Ok(Self {
            hidden,
            target: target.to_owned(),
            kept: false,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.hidden
    }

    /// Gives it the target's name, unless something has that, and makes that durable.
    pub(crate) fn keep(mut self) -> Result<(), VaultError> {
        // A directory takes the place of an empty one and of nothing else.
        rustix::fs::renameat(CWD, &self.hidden, CWD, &self.target).map_err(|errno| {
            let error = io::Error::from(errno);
            match error.kind() {
                io::ErrorKind::DirectoryNotEmpty
                | io::ErrorKind::AlreadyExists
                | io::ErrorKind::NotADirectory => VaultError::TargetTaken(self.target.clone()),
                _ => VaultError::io("name", &self.target, error),
            }
        })?;
        self.kept = true;
        self.target.parent().map_or(Ok(()), store::sync_directory)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.kept {
            let _ = remove_tree(&self.hidden);
        }
    }
}

/// Removes what a job that was killed left half done beside its target.
pub(crate) fn remove_hidden(target: &Path, job: &str) -> Result<(), VaultError> {
    let (parent, name) = split(target)?;
    remove_tree(&parent.join(target::hidden_name(name, job)))
}

/// Removes the finished files, if this job made them.
pub(crate) fn discard(target: &Path, job: &str) -> Result<(), VaultError> {
    remove_hidden(target, job)?;
    match Found::at(target, job) {
        Ok(Found::Ours) => remove_tree(target),
        _ => Ok(()),
    }
}

/// Refuses to begin what cannot end: whether there is room for `bytes` where the target goes.
pub(crate) fn preflight(target: &Path, bytes: u64) -> Result<(), VaultError> {
    let (parent, _) = split(target)?;
    store::make_directory(parent)?;
    let volume =
        rustix::fs::statvfs(parent).map_err(|errno| VaultError::io("look at", parent, errno))?;
    let free = volume.f_bavail.saturating_mul(volume.f_frsize);
    if free < bytes {
        return Err(VaultError::TooSmall {
            path: parent.to_owned(),
            needed: bytes,
            free,
        });
    }
    Ok(())
}

fn split(target: &Path) -> Result<(&Path, &std::ffi::OsStr), VaultError> {
    target.parent().zip(target.file_name()).ok_or_else(|| {
        VaultError::InvalidJob(format!(
            "{} cannot be a directory that files are restored to",
            target.display()
        ))
    })
}

/// Removes a directory and all below it, also what was given modes that forbid it. Links are removed, not followed.
pub(super) fn remove_tree(path: &Path) -> Result<(), VaultError> {
    let failed = |source| VaultError::io("remove", path, source);
    match fs::remove_dir_all(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(_) => {
            open_up(path).map_err(failed)?;
            fs::remove_dir_all(path).map_err(failed)
        }
    }
}

/// Lets its owner into a directory and all below it, however deep that is.
fn open_up(directory: &Path) -> io::Result<()> {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    open_up_below(&rustix::fs::open(
        directory,
        batch::DIRECTORY,
        Mode::empty(),
    )?)
}

fn open_up_below(directory: &OwnedFd) -> io::Result<()> {
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let found = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(found.st_mode).is_dir() {
            rustix::fs::chmodat(directory, name, Mode::RWXU, AtFlags::empty())?;
            open_up_below(&rustix::fs::openat(
                directory,
                name,
                batch::DIRECTORY,
                Mode::empty(),
            )?)?;
        }
    }
    Ok(())
}
