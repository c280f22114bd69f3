//! What every file system offers to those who browse it: look at a path, list a directory, read a file. Symbolic links are
//! followed here, for all of them, and never out of the volume.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::{device::WindowError, name};
use crate::error::VaultError;

/// Symbolic links that one path may lead over, as Linux has it.
const MOST_LINKS: usize = 40;

/// What something in a file system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    File,
    Directory,
    Symlink,
    /// A block or a character device.
    Device,
    Fifo,
    Socket,
    /// It is there by its name, and what it is cannot be read: the file system is damaged there.
    Unreadable,
}

/// Something in a file system, as its directory knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Bytes of a file's content; 0 for anything else.
    pub(crate) size: u64,
    pub(crate) modified: Option<Timestamp>,
    /// Permission bits. `None` where the file system has none.
    pub(crate) mode: Option<u32>,
    pub(crate) owner: Option<(u32, u32)>,
    /// Where a symbolic link points.
    pub(crate) target: Option<Vec<u8>>,
}

impl Node {
    pub(crate) fn unreadable() -> Self {
        Self {
            kind: Kind::Unreadable,
            size: 0,
            modified: None,
            mode: None,
            owner: None,
            target: None,
        }
    }
}

/// Why a file system could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SystemError {
    #[error("{0}")]
    Damaged(String),
    #[error(transparent)]
    Window(#[from] WindowError),
    /// Whoever takes the bytes wants no more.
    #[error(transparent)]
    Out(VaultError),
}

/// A path's components, from the volume's root on.
pub(crate) type Components = Vec<Vec<u8>>;

/// Takes a file's bytes, piece by piece.
pub(crate) type Sink<'a> = dyn FnMut(&[u8]) -> Result<(), VaultError> + 'a;

/// A page of a directory, and whether there is more behind it.
pub(crate) type Listed = (Vec<(Vec<u8>, Node)>, bool);

/// A file system that is open for reading. Paths are components from its root on, none of them a symbolic link but the
/// last.
pub(crate) trait FileSystem {
    /// What is at a path; `None` if there is nothing.
    fn look(&self, path: &[Vec<u8>]) -> Result<Option<Node>, SystemError>;

    /// Entries of a directory in the order of their bytes, `limit` of those behind `after`.
    fn list(
        &self,
        path: &[Vec<u8>],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Listed, SystemError>;

    /// The bytes of a file from `offset` on, at most `length`; fewer if it ends.
    fn read(
        &self,
        path: &[Vec<u8>],
        offset: u64,
        length: u64,
        out: &mut Sink<'_>,
    ) -> Result<(), SystemError>;
}

/// Follows a path: over symbolic links and `..`, which at the root lead nowhere. A link at the end is followed if `last`
/// says so. Returns the path without any of these, and what is there.
pub(crate) fn resolve(
    system: &dyn FileSystem,
    path: &[Vec<u8>],
    last: bool,
) -> Result<Option<(Components, Node)>, SystemError> {
    let mut ahead: VecDeque<Vec<u8>> = path.iter().cloned().collect();
    let mut at = Components::new();
    let Some(mut node) = system.look(&at)? else {
        return Ok(None);
    };
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if node.kind != Kind::Directory {
            return Ok(None);
        }
        let up = name == b"..";
        if up {
            at.pop();
        } else {
            at.push(name);
        }
        let Some(found) = system.look(&at)? else {
            return Ok(None);
        };
        node = found;
        if node.kind != Kind::Symlink || (ahead.is_empty() && !last) {
            continue;
        }
        let target = node.target.take().unwrap_or_default();
        links += 1;
        if links > MOST_LINKS || name::join(&at).len() + target.len() > 4 * name::LONGEST_PATH {
            return Ok(None);
        }
        at.pop();
        if target.first() == Some(&b'/') {
            at.clear();
        }
        for name in name::split(&target).into_iter().rev() {
            ahead.push_front(name);
        }
        let Some(parent) = system.look(&at)? else {
            return Ok(None);
        };
        node = parent;
    }
    Ok(Some((at, node)))
}

/// The part of a directory that is wanted, kept while the directory goes by: as much memory as a page takes, however many
/// entries there are.
pub(crate) struct Page<'a, T> {
    after: Option<&'a [u8]>,
    limit: usize,
    kept: BTreeMap<Vec<u8>, T>,
    more: bool,
}

impl<'a, T> Page<'a, T> {
    pub(crate) fn new(after: Option<&'a [u8]>, limit: usize) -> Self {
        Self {
            after,
            limit: limit.max(1),
            kept: BTreeMap::new(),
            more: false,
        }
    }

    pub(crate) fn offer(&mut self, name: &[u8], entry: T) {
        if self.after.is_some_and(|after| name <= after) {
            return;
        }
        let full = self.kept.len() >= self.limit;
        let behind = self
            .kept
            .last_key_value()
            .is_some_and(|(last, _)| name > last.as_slice());
        if full && behind {
            self.more = true;
            return;
        }
        self.kept.insert(name.to_vec(), entry);
        if self.kept.len() > self.limit {
            self.kept.pop_last();
            self.more = true;
        }
    }

    pub(crate) fn finish(self) -> (Vec<(Vec<u8>, T)>, bool) {
        (self.kept.into_iter().collect(), self.more)
    }
}
