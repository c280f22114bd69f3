//! A vault's files on a local file system: written whole, to disk, under their name only when all of them is there.
//!
//! rustic_core is given this instead of a backend of its own, because a listing that leaves out what it could not read
//! would make prune delete what is still needed: here it is an error. Files are 0600, directories 0700; a file appears by
//! rename after fsync and after it was read back; what a crash leaves behind lies in `tmp/`, which restic never looks at.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustic_core::FileType;
use rustix::fs::Advice;

use crate::{error::VaultError, id::Id, key};

const TEMPORARY: &str = "tmp";

#[derive(Debug, Clone)]
pub(crate) struct Store {
    root: PathBuf,
}

impl Store {
    pub(crate) fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The directories of an empty vault.
    pub(crate) fn make_directories(&self) -> Result<(), VaultError> {
        let plain = ["data", "index", "keys", "locks", "snapshots", TEMPORARY]
            .map(|name| self.root.join(name));
        let packs = (0..=255_u8).map(|first| self.root.join("data").join(hex::encode([first])));
        plain
            .into_iter()
            .chain(packs)
            .try_for_each(|path| make_directory(&path))
    }

    pub(crate) fn path(&self, kind: FileType, id: &Id) -> PathBuf {
        match kind {
            FileType::Config => self.root.join("config"),
            _ => self.directory(kind, id).join(id.to_string()),
        }
    }

    fn directory(&self, kind: FileType, id: &Id) -> PathBuf {
        match kind {
            FileType::Config => self.root.clone(),
            FileType::Pack => self.root.join("data").join(hex::encode([id.bytes()[0]])),
            _ => self.root.join(kind.dirname()),
        }
    }

    /// Writes `bytes` to disk under a temporary name. Dropped without [`Staged::publish`], the file is removed.
    pub(crate) fn stage(&self, bytes: &[u8]) -> Result<Staged, VaultError> {
        let mut name = [0; 16];
        key::fill_random(&mut name)?;
        let path = self.root.join(TEMPORARY).join(hex::encode(name));
        let open = || {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
        };
        let file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_directory(&self.root.join(TEMPORARY))?;
                open()
            }
            opened => opened,
        };
        let file = file.map_err(|source| VaultError::io("create", &path, source))?;
        let mut staged = Staged {
            file,
            path,
            published: false,
        };
        staged
            .file
            .write_all(bytes)
            .and_then(|()| staged.file.sync_data())
            .map_err(|source| VaultError::io("write", &staged.path, source))?;
        Ok(staged)
    }

    /// Writes a file, reads it back, and makes it durable under its name.
    pub(crate) fn write(&self, kind: FileType, id: &Id, bytes: &[u8]) -> Result<(), VaultError> {
        let staged = self.stage(bytes)?;
        staged.forget_cache();
        let mut read = vec![0; bytes.len()];
        staged.read_exact_at(&mut read, 0)?;
        if read != bytes {
            return Err(VaultError::Damaged(format!(
                "{} {id} does not read back as it was written",
                kind.dirname()
            )));
        }
        staged.publish(self, kind, id)?;
        self.sync_directory(kind, id)
    }

    /// Makes durable that the directory of this file has it, or has it no more.
    pub(crate) fn sync_directory(&self, kind: FileType, id: &Id) -> Result<(), VaultError> {
        sync_directory(&self.directory(kind, id))
    }

    pub(crate) fn read(&self, kind: FileType, id: &Id) -> Result<Vec<u8>, VaultError> {
        let path = self.path(kind, id);
        fs::read(&path).map_err(|source| VaultError::io("read", path, source))
    }

    pub(crate) fn open(&self, kind: FileType, id: &Id) -> Result<File, VaultError> {
        let path = self.path(kind, id);
        File::open(&path).map_err(|source| VaultError::io("open", path, source))
    }

    /// Removes a file; whether it was there.
    pub(crate) fn remove(&self, kind: FileType, id: &Id) -> Result<bool, VaultError> {
        let path = self.path(kind, id);
        match fs::remove_file(&path) {
            Ok(()) => self.sync_directory(kind, id).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(VaultError::io("remove", path, source)),
        }
    }

    /// Every file of a kind with its size in bytes. A directory that cannot be read whole is an error.
    pub(crate) fn list(&self, kind: FileType) -> Result<Vec<(Id, u64)>, VaultError> {
        let root = self.root.join(kind.dirname());
        let mut found = Vec::new();
        if kind == FileType::Pack {
            for entry in entries(&root)? {
                let entry = entry.map_err(|source| VaultError::io("list", &root, source))?;
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    list_into(&entry.path(), &mut found)?;
                }
            }
        } else {
            list_into(&root, &mut found)?;
        }
        Ok(found)
    }

    /// Removes what crashed writers left. Only for a caller that holds the vault alone.
    pub(crate) fn remove_temporaries(&self) -> Result<(), VaultError> {
        let root = self.root.join(TEMPORARY);
        match entries(&root) {
            Ok(entries) => entries.flatten().try_for_each(|entry| {
                fs::remove_file(entry.path())
                    .map_err(|source| VaultError::io("remove", entry.path(), source))
            }),
            Err(VaultError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Bytes of all files that hold the vault's content.
    pub(crate) fn size(&self) -> Result<u64, VaultError> {
        let mut size = 0;
        for kind in [FileType::Pack, FileType::Index, FileType::Snapshot] {
            size += self.list(kind)?.iter().map(|(_, size)| size).sum::<u64>();
        }
        Ok(size)
    }
}

/// A file that is on disk and does not have its name yet.
#[derive(Debug)]
pub(crate) struct Staged {
    file: File,
    path: PathBuf,
    published: bool,
}

impl Staged {
    /// Asks the kernel to drop what it has cached of the file, so that what is read next comes from the disk. It is a
    /// wish: some file systems keep their pages.
    pub(crate) fn forget_cache(&self) {
        let _ = rustix::fs::fadvise(&self.file, 0, None, Advice::DontNeed);
    }

    pub(crate) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), VaultError> {
        self.file
            .read_exact_at(buffer, offset)
            .map_err(|source| VaultError::io("read back", &self.path, source))
    }

    /// Gives the file its name. Durable after [`Store::sync_directory`].
    pub(crate) fn publish(self, store: &Store, kind: FileType, id: &Id) -> Result<(), VaultError> {
        self.publish_at(&store.path(kind, id))
    }

    /// Gives the file this name. Durable once its directory is.
    pub(crate) fn publish_at(mut self, path: &Path) -> Result<(), VaultError> {
        let rename = || fs::rename(&self.path, path);
        let renamed = match rename() {
            // restic makes a pack's directory when it needs it, and so a vault may lack some.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_directory(path.parent().unwrap_or(path))?;
                rename()
            }
            renamed => renamed,
        };
        renamed.map_err(|source| VaultError::io("name", path, source))?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes a directory that only its owner can enter, and those above it.
pub(crate) fn make_directory(path: &Path) -> Result<(), VaultError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| VaultError::io("create", path, source))
}

/// Makes durable what was created, renamed or removed in a directory.
pub(crate) fn sync_directory(path: &Path) -> Result<(), VaultError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| VaultError::io("sync", path, source))
}

fn entries(path: &Path) -> Result<fs::ReadDir, VaultError> {
    fs::read_dir(path).map_err(|source| VaultError::io("list", path, source))
}

fn list_into(path: &Path, found: &mut Vec<(Id, u64)>) -> Result<(), VaultError> {
    for entry in entries(path)? {
        let entry = entry.map_err(|source| VaultError::io("list", path, source))?;
        // What has no id for a name is not of the format: restic ignores it as well.
        let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        match entry.metadata() {
            Ok(metadata) => found.push((id, metadata.len())),
            // Removed by another job since the directory was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(VaultError::io("look at", entry.path(), source)),
        }
    }
    Ok(())
}
