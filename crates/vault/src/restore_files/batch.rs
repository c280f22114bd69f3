//! What was written and is not proved yet: a bounded number of files, which are brought to disk together, read back and
//! compared, and only then given their modes and times.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    rc::Rc,
};

use rustix::fs::{
    Advice, AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid, fchmod, fchown, futimens,
};
use sha2::{Digest, Sha256};

use crate::{error::VaultError, files::Node};

/// When a batch is full.
const FILES: usize = 512;
const DIRECTORIES: usize = 64;
const BYTES: u64 = 64 << 20;

/// An open directory that is written to.
pub(crate) type Directory = Rc<OwnedFd>;

pub(crate) enum Item {
    /// A file in a directory, with the SHA-256 of what was written.
    File {
        at: Directory,
        name: Vec<u8>,
        path: PathBuf,
        sum: [u8; 32],
        node: Node,
    },
    /// A directory, after all that is in it.
    Directory {
        itself: Directory,
        path: PathBuf,
        node: Node,
    },
}

#[derive(Default)]
pub(crate) struct Batch {
    items: Vec<Item>,
    directories: usize,
    bytes: u64,
}

impl Batch {
    /// Takes an item; whether it is time to prove them.
    pub(crate) fn add(&mut self, item: Item) -> bool {
        match &item {
            Item::File { node, .. } => self.bytes += node.size,
            Item::Directory { .. } => self.directories += 1,
        }
        self.items.push(item);
        self.items.len() >= FILES || self.directories >= DIRECTORIES || self.bytes >= BYTES
    }

    /// Brings the items to disk, compares them, and finishes them in their order.
    pub(crate) fn prove(&mut self, root: &OwnedFd, root_path: &Path) -> Result<(), VaultError> {
        rustix::fs::syncfs(root).map_err(|errno| VaultError::io("write", root_path, errno))?;
        self.bytes = 0;
        self.directories = 0;
        for item in self.items.drain(..) {
            match item {
                Item::File {
                    at,
                    name,
                    path,
                    sum,
                    node,
                } => {
                    let file = open(&at, &name, &path)?;
                    let _ = rustix::fs::fadvise(&file, 0, None, Advice::DontNeed);
                    if sum_of(&file, &path)? != (node.size, sum) {
                        return Err(VaultError::TargetDamaged {
                            path,
                            how: "its bytes are not those that were written".to_owned(),
                        });
                    }
                    finish(&file, &path, &node)?;
                }
                Item::Directory { itself, path, node } => finish(&*itself, &path, &node)?,
            }
        }
        Ok(())
    }
}

/// A file for reading, which must be one.
pub(crate) fn open(at: &OwnedFd, name: &[u8], path: &Path) -> Result<File, VaultError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::openat(at, name, flags, Mode::empty())
        .map(File::from)
        .map_err(|errno| VaultError::io("read back", path, errno))
}

/// A file's size and its SHA-256, as a reader sees it.
pub(crate) fn sum_of(mut file: &File, path: &Path) -> Result<(u64, [u8; 32]), VaultError> {
    let (mut size, mut hash) = (0, Sha256::new());
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((size, hash.finalize().into())),
            Ok(length) => {
                size += length as u64;
                hash.update(&buffer[..length]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(source) => return Err(VaultError::io("read back", path, source)),
        }
    }
}

/// Gives a file or a directory its owner, its mode and its time, in this order: each would undo those after it.
pub(crate) fn finish(
    what: impl std::os::fd::AsFd,
    path: &Path,
    node: &Node,
) -> Result<(), VaultError> {
    let io = |errno| VaultError::io("finish", path, errno);
    let root = is_root();
    if let Some((uid, gid)) = node.owner
        && root
    {
        fchown(&what, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).map_err(io)?;
    }
    if let Some(mode) = node.mode {
        fchmod(&what, mode_of(mode)).map_err(io)?;
    }
    if let Some(times) = times(node) {
        futimens(&what, &times).map_err(io)?;
    }
    Ok(())
}

/// The same for a symbolic link, which has no mode.
pub(crate) fn finish_link(
    at: &OwnedFd,
    name: &[u8],
    path: &Path,
    node: &Node,
) -> Result<(), VaultError> {
    let io = |errno| VaultError::io("finish", path, errno);
    if let Some((uid, gid)) = node.owner
        && is_root()
    {
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        rustix::fs::chownat(at, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW).map_err(io)?;
    }
    if let Some(times) = times(node) {
        rustix::fs::utimensat(at, name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(io)?;
    }
    Ok(())
}

/// A program that runs as its owner must not run as us, because we are not the owner it had.
fn mode_of(mode: u32) -> Mode {
    Mode::from_raw_mode(mode & if is_root() { 0o7777 } else { 0o1777 })
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn times(node: &Node) -> Option<Timestamps> {
    let modified = node.modified?;
    let time = Timespec {
        tv_sec: modified.as_second(),
        tv_nsec: modified.subsec_nanosecond().into(),
    };
    Some(Timestamps {
        last_access: time,
        last_modification: time,
    })
}
