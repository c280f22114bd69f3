//! What every file system offers to those who browse it: look at a path, list a directory, read a file. Symbolic links are
//! followed here, for all of them, and never out of the volume.

use std::collections::{BTreeMap, VecDeque, btree_map::Entry as MapEntry};

use jiff::Timestamp;

use super::{device::WindowError, name};

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
    /// It is there by its name, and what it is cannot be read: [`Unreadable`] says why.
    Unreadable,
}

/// Why something that is there cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// The file system is damaged there.
    Damaged(String),
    /// The file system is well, and this reader does not know what it has there.
    Unsupported(String),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged(why) => write!(f, "the file system is damaged there ({why})"),
            Self::Unsupported(why) => write!(
                f,
                "{why}, which is not supported by this reader; nothing is wrong with the file system"
            ),
        }
    }
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
    /// What its file system finds it again by. Of files with more than one name, what they have in common.
    pub(crate) place: u64,
    /// Names that it has, where its file system tells; 1 else.
    pub(crate) links: u32,
    /// Whether it has attributes, such as access control lists, that are not read here.
    pub(crate) attributes: bool,
    /// Of what is unreadable, why.
    pub(crate) why: Option<Unreadable>,
}

impl Node {
    /// A node of which nothing more is known.
    pub(crate) fn of(kind: Kind) -> Self {
        Self {
            kind,
            size: 0,
            modified: None,
            mode: None,
            owner: None,
            target: None,
            place: 0,
            links: 1,
            attributes: false,
            why: None,
        }
    }

    pub(crate) fn unreadable(why: Unreadable) -> Self {
        Self {
            why: Some(why),
            ..Self::of(Kind::Unreadable)
        }
    }
}

/// Why a file system could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SystemError {
    #[error("{0}")]
    Damaged(String),
    /// Nothing says that it is damaged.
    #[error("{0}")]
    Unsupported(String),
    #[error(transparent)]
    Window(#[from] WindowError),
}

impl SystemError {
    /// What is wrong with one thing alone, so that others can still be read.
    pub(crate) fn of_one(self) -> Result<Unreadable, Self> {
        match self {
            Self::Damaged(why) => Ok(Unreadable::Damaged(why)),
            Self::Unsupported(why) => Ok(Unreadable::Unsupported(why)),
            Self::Window(error @ WindowError::Beyond) => Ok(Unreadable::Damaged(error.to_string())),
            Self::Window(_) => Err(self),
        }
    }
}

/// A path's components, from the volume's root on.
pub(crate) type Components = Vec<Vec<u8>>;

/// A page of a directory.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) entries: Vec<(Vec<u8>, Node)>,
    /// Whether there is more behind it.
    pub(crate) more: bool,
    /// What is wrong with the directory itself: there may be entries that are not told.
    pub(crate) damage: Option<String>,
    /// That this page leaves entries out, because others have their names.
    pub(crate) twice: Option<String>,
}

/// What comes next of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// So many bytes are in the buffer, at least one.
    Data(usize),
    /// So many zeros, at least one, that take no room.
    Hole(u64),
    /// Nothing more.
    End,
}

/// A file system that is open for reading.
pub(crate) trait FileSystem {
    /// Its uppermost directory.
    fn root(&self) -> Result<Node, SystemError>;

    /// What has a name in a directory; `None` if nothing has it.
    fn entry(&self, directory: &Node, name: &[u8]) -> Result<Option<Node>, SystemError>;

    /// Entries of a directory in the order of their bytes, `limit` of those behind `after`.
    fn list(
        &self,
        directory: &Node,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Listed, SystemError>;

    /// What a file has from `offset` on, as much as the buffer takes.
    fn read(&self, file: &Node, offset: u64, buffer: &mut [u8]) -> Result<Piece, SystemError>;
}

/// Follows a path: over symbolic links and `..`, which at the root lead nowhere. A link at the end is followed if `last`
/// says so. Returns the path without any of these, and what is there.
pub(crate) fn resolve(
    system: &dyn FileSystem,
    path: &[Vec<u8>],
    last: bool,
) -> Result<Option<(Components, Node)>, SystemError> {
    let mut ahead: VecDeque<Vec<u8>> = path.iter().cloned().collect();
    let root = system.root()?;
    // The way from the root on, each with its name.
    let mut way: Vec<(Vec<u8>, Node)> = Vec::new();
    let mut length = 0;
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        let at = way.last().map_or(&root, |(_, node)| node);
        if at.kind != Kind::Directory {
            return Ok(None);
        }
        if name == b".." {
            way.pop();
            continue;
        }
        let Some(mut node) = system.entry(at, &name)? else {
            return Ok(None);
        };
        if node.kind != Kind::Symlink || (ahead.is_empty() && !last) {
            way.push((name, node));
            continue;
        }
        let target = node.target.take().unwrap_or_default();
        links += 1;
        length += target.len();
        if links > MOST_LINKS || length > 4 * name::LONGEST_PATH {
            return Ok(None);
        }
        if target.first() == Some(&b'/') {
            way.clear();
        }
        for name in name::split(&target).into_iter().rev() {
            ahead.push_front(name);
        }
    }
    let node = way
        .last()
        .map_or_else(|| root.clone(), |(_, node)| node.clone());
    Ok(Some((
        way.into_iter().map(|(name, _)| name).collect(),
        node,
    )))
}

/// The part of a directory that is wanted, kept while the directory goes by: as much memory as a page takes, however many
/// entries there are.
pub(crate) struct Page<'a, T> {
    after: Option<&'a [u8]>,
    limit: usize,
    kept: BTreeMap<Vec<u8>, T>,
    more: bool,
    /// Entries that are left out, because the one before has the same name.
    twice: u64,
}

/// What of a directory is on a page.
pub(crate) struct Finished<T> {
    pub(crate) entries: Vec<(Vec<u8>, T)>,
    /// Whether there is more behind it.
    pub(crate) more: bool,
    /// As [`Listed::twice`].
    pub(crate) twice: Option<String>,
}

impl<'a, T> Page<'a, T> {
    pub(crate) fn new(after: Option<&'a [u8]>, limit: usize) -> Self {
        Self {
            after,
            limit: limit.max(1),
            kept: BTreeMap::new(),
            more: false,
            twice: 0,
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
        match self.kept.entry(name.to_vec()) {
            MapEntry::Vacant(free) => {
                free.insert(entry);
            }
            MapEntry::Occupied(_) => self.twice += 1,
        }
        if self.kept.len() > self.limit {
            self.kept.pop_last();
            self.more = true;
        }
    }

    pub(crate) fn finish(self) -> Finished<T> {
        let twice = (self.twice > 0).then(|| {
            format!(
                "entries that have the name of another one: {} of them cannot be reached",
                self.twice
            )
        });
        Finished {
            entries: self.kept.into_iter().collect(),
            more: self.more,
            twice,
        }
    }
}
