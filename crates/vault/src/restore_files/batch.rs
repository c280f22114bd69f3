//! What was written and is not proved yet: a bounded number of files, which are brought to disk together, read back and
//! compared, and only then given their modes and times.

use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    rc::Rc,
};

use rustix::{
    fs::{
        Advice, AtFlags, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, fchmod, fchown, fstat,
        futimens,
    },
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use super::{sum::sum_of, tell::Told};
use crate::{error::VaultError, files::Node};

/// How directories are opened: for reading, and never by a link.
pub(crate) const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Files that are open at once at most: one for each directory within directories, and those of a batch.
const MOST_OPEN: u64 = 4096;

/// When a batch is full.
const FILES: usize = 512;
const DIRECTORIES: usize = 64;
const BYTES: u64 = 64 << 20;

/// An open directory that is written to.
pub(crate) type Directory = Rc<OwnedFd>;

pub(crate) enum Item {
    /// A file in a directory, with the sum of what was written.
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
    pub(crate) fn prove(
        &mut self,
        root: &OwnedFd,
        root_path: &Path,
        told: &Told,
    ) -> Result<(), VaultError> {
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
                    let file = open(&at, &name)
                        .map_err(|errno| VaultError::io("read back", &path, errno))?;
                    let _ = rustix::fs::fadvise(&file, 0, None, Advice::DontNeed);
                    let found = sum_of(&file)
                        .map_err(|source| VaultError::io("read back", &path, source))?;
                    if found != (node.size, sum) {
                        return Err(VaultError::TargetDamaged {
                            path,
                            how: "its bytes are not those that were written".to_owned(),
                        });
                    }
                    finish(&file, &path, &node, told)?;
                }
                Item::Directory { itself, path, node } => finish(&*itself, &path, &node, told)?,
            }
        }
        Ok(())
    }
}

/// A file for reading, which must be one.
pub(crate) fn open(at: &OwnedFd, name: &[u8]) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::openat(at, name, flags, Mode::empty()).map(File::from)
}

/// Lets this process have as many files open as a restore takes, as far as the system lets it.
pub(crate) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(MOST_OPEN).min(MOST_OPEN);
    if limit.current.is_some_and(|may| may < most) {
        let raised = Rlimit {
            current: Some(most),
            maximum: limit.maximum,
        };
        // Where it may not, a deep directory ends the restore with that as its error.
        let _ = setrlimit(Resource::Nofile, raised);
    }
}

/// Gives a file or a directory its owner, its mode and its time, in this order: each would undo those after it. What the
/// place has no room for is told of.
pub(crate) fn finish(
    what: impl AsFd,
    path: &Path,
    node: &Node,
    told: &Told,
) -> Result<(), VaultError> {
    if let Some((uid, gid)) = node.owner
        && is_root()
    {
        let owner = fchown(&what, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        can_miss(owner, "owner", path, told)?;
    }
    if let Some(mode) = node.mode {
        can_miss(fchmod(&what, mode_of(mode)), "mode", path, told)?;
    }
    if let Some(times) = times(node) {
        can_miss(futimens(&what, &times), "time", path, told)?;
        let stat = fstat(&what).map_err(|errno| VaultError::io("finish", path, errno))?;
        check_time(&stat, &times, path, told);
    }
    if node.attributes {
        told.note(format!(
            "{} is without its extended attributes and access control list, which are not restored.",
            path.display()
        ));
    }
    Ok(())
}

/// The same for a symbolic link, which has no mode.
pub(crate) fn finish_link(
    at: &OwnedFd,
    name: &[u8],
    path: &Path,
    node: &Node,
    told: &Told,
) -> Result<(), VaultError> {
    if let Some((uid, gid)) = node.owner
        && is_root()
    {
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        let owner = rustix::fs::chownat(at, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW);
        can_miss(owner, "owner", path, told)?;
    }
    if let Some(times) = times(node) {
        let time = rustix::fs::utimensat(at, name, &times, AtFlags::SYMLINK_NOFOLLOW);
        can_miss(time, "time", path, told)?;
        let stat = rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| VaultError::io("finish", path, errno))?;
        check_time(&stat, &times, path, told);
    }
    Ok(())
}

/// What a place refuses on principle is missed, and told; anything else is an error of it.
fn can_miss(
    done: Result<(), Errno>,
    what: &str,
    path: &Path,
    told: &Told,
) -> Result<(), VaultError> {
    match done {
        Ok(()) => Ok(()),
        Err(errno @ (Errno::PERM | Errno::INVAL | Errno::OPNOTSUPP | Errno::OVERFLOW)) => {
            told.note(format!(
                "{} is without its {what}, which cannot be set here ({}).",
                path.display(),
                std::io::Error::from(errno)
            ));
            Ok(())
        }
        Err(errno) => Err(VaultError::io("finish", path, errno)),
    }
}

/// A time that the place cannot tell becomes another one without a word.
fn check_time(stat: &Stat, times: &Timestamps, path: &Path, told: &Told) {
    let wanted = times.last_modification;
    if stat.st_mtime != wanted.tv_sec {
        told.note(format!(
            "{} has another time than it had, because the place it is restored to cannot tell that one.",
            path.display()
        ));
    }
}

/// A program that runs as its owner must not run as us, because we are not the owner it had.
fn mode_of(mode: u32) -> Mode {
    Mode::from_raw_mode(mode & if is_root() { 0o7777 } else { 0o1777 })
}

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn times(node: &Node) -> Option<Timestamps> {
    let modified = node.modified?;
    // Of a time before 1970 the second is the one below, and its nanoseconds count up from there.
    let (second, nanosecond) = (modified.as_second(), modified.subsec_nanosecond());
    let (second, nanosecond) = if nanosecond < 0 {
        (second - 1, nanosecond + 1_000_000_000)
    } else {
        (second, nanosecond)
    };
    let time = Timespec {
        tv_sec: second,
        tv_nsec: nanosecond.into(),
    };
    Some(Timestamps {
        last_access: time,
        last_modification: time,
    })
}
