//! Single files and directories straight out of a vault: no mounting, no root, no copy of the disk.
//!
//! An [`Explorer`] reads the file systems on the disks of one snapshot as if they were mounted: it fetches the chunks that
//! hold a directory or a file, each proved by its id, and keeps a few. A path leads nowhere out of its volume, whatever
//! symbolic links and `..` say. A file system is somebody else's bytes: however damaged, it is an error and neither a panic
//! nor an endless read. It knows nothing of who may read what: whoever holds the vault's key reads everything.

mod device;
mod explorer;
mod ext;
mod fat;
mod fat_names;
mod mounted;
mod name;
mod partition;
mod probe;
mod stored;
mod system;

use jiff::Timestamp;

pub use explorer::Explorer;
pub use name::{bytes, text};
pub use system::{Kind, Unreadable};
pub(crate) use {
    mounted::Mounted,
    name::{can_be, components, join},
    system::{Components, Node, Piece},
};

/// A partition with what is on it, or a disk that has no partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// `web-1-os/1` is the first partition of the disk `web-1-os`; a disk without a table is a volume by its own name.
    pub name: String,
    pub disk: String,
    /// As the partition table numbers it.
    pub partition: Option<u32>,
    /// Its name, such as `ext4`, `FAT32` or `XFS`; `empty` or `unknown` where there is none.
    pub file_system: String,
    /// Whether its files can be read here.
    pub readable: bool,
    /// Bytes.
    pub size: u64,
    pub label: Option<String>,
}

/// Something in a directory, or at a path.
///
/// Names and paths are text. Bytes that are not UTF-8 are characters of the private range U+10FF80 to U+10FFFF, which are
/// taken back as those bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Empty for the root.
    pub name: String,
    /// From the volume's root on.
    pub path: String,
    pub kind: Kind,
    /// Bytes of a file's content; 0 for anything else.
    pub size: u64,
    pub modified: Option<Timestamp>,
    /// Permission bits; `None` where the file system has none, as on FAT. So for the owners.
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// Where a symbolic link points.
    pub target: Option<String>,
    /// Of what is unreadable, why.
    pub why: Option<Unreadable>,
}

/// A page of a directory, in the order of the names' bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub entries: Vec<Entry>,
    /// The name after which the next page begins; `None` at the end.
    pub next: Option<String>,
    /// What is wrong with the directory itself: there may be entries that are not told.
    pub damage: Option<String>,
}

impl Entry {
    pub(crate) fn new(path: &[Vec<u8>], node: Node) -> Self {
        let (uid, gid) = node.owner.unzip();
        Self {
            name: path.last().map(|name| text(name)).unwrap_or_default(),
            path: text(&join(path)),
            kind: node.kind,
            size: node.size,
            modified: node.modified,
            mode: node.mode,
            uid,
            gid,
            target: node.target.map(|target| text(&target)),
            why: node.why,
        }
    }
}
