//! Directories of a snapshot: how a machine's disks are named there, and how their chunks are found again.
//!
//! `/<vm>/<disk>.raw` is the disk up to 64 GiB; a larger one is a directory of that name with a file for each 64 GiB,
//! `0000`, `0001`, … A file's content is the list of its chunks' ids, all of 1 MiB but the disk's last.

use std::{
    io::{self, BufWriter, Write},
    ops::Range,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    blob_reader,
    block_map::ZeroIds,
    codec::Decoder,
    error::VaultError,
    id::{Hasher, Id},
    index::Index,
    layout::{self, SEGMENT_CHUNKS},
    pack::{Blob, Kind},
    repository::Vault,
};

/// Go's `os.ModeDir`, which restic's format uses for a directory's type.
const MODE_DIRECTORY: u32 = 1 << 31;

/// A tree blob's document.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
}

/// A file or a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    mode: u32,
    #[serde(default = "epoch")]
    mtime: Timestamp,
    #[serde(default = "epoch")]
    atime: Timestamp,
    #[serde(default = "epoch")]
    ctime: Timestamp,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    links: u64,
    #[serde(default)]
    pub(crate) content: Option<Vec<Id>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subtree: Option<Id>,
}

impl Node {
    fn file(name: String, mtime: Timestamp, size: u64, content: Vec<Id>) -> Self {
        Self {
            size,
            links: 1,
            content: Some(content),
            ..Self::new(name, "file", 0o600, mtime)
        }
    }

    fn directory(name: String, mtime: Timestamp, subtree: Id) -> Self {
        Self {
            subtree: Some(subtree),
            ..Self::new(name, "dir", MODE_DIRECTORY | 0o700, mtime)
        }
    }

    fn new(name: String, kind: &str, mode: u32, mtime: Timestamp) -> Self {
        let kind = kind.to_owned();
        let (atime, ctime) = (mtime, mtime);
        Self {
            name,
            kind,
            mode,
            mtime,
            atime,
            ctime,
            uid: 0,
            gid: 0,
            size: 0,
            links: 0,
            content: None,
            subtree: None,
        }
    }
}

impl Tree {
    /// Writes the blob's bytes as restic does: with a newline at the end. A large disk's are 67 MiB for each TiB, which is
    /// why they are never all there at once.
    pub(crate) fn write(&self, mut to: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut to, self)?;
        to.write_all(b"\n")
    }

    /// The blob's id, and its length in bytes.
    pub(crate) fn identify(&self) -> Result<(Id, u64), VaultError> {
        let internal = |_| VaultError::Internal("a tree that is no JSON");
        let mut buffered = BufWriter::with_capacity(64 << 10, Hasher::default());
        self.write(&mut buffered).map_err(internal)?;
        let hasher = buffered
            .into_inner()
            .map_err(|error| internal(error.into()))?;
        let length = hasher.length;
        Ok((hasher.id(), length))
    }

    /// Reads a tree blob.
    pub(crate) fn load(
        vault: &Vault,
        index: &Index,
        decoder: &mut Decoder,
        id: &Id,
    ) -> Result<Self, VaultError> {
        let mut sealed = Vec::new();
        let plain = blob_reader::read_one(vault, index, (Kind::Tree, id), decoder, &mut sealed)?;
        serde_json::from_slice(plain).map_err(|error| {
            VaultError::Damaged(format!("the tree {id} cannot be understood ({error})"))
        })
    }
}

/// A disk in a snapshot.
#[derive(Debug)]
pub(crate) struct StoredDisk {
    pub(crate) size: u64,
    /// The ids of its chunks, in order.
    pub(crate) ids: Vec<Id>,
    /// When its file was last written, as of the backup.
    pub(crate) mtime: Timestamp,
}

impl StoredDisk {
    /// A disk of zeros.
    pub(crate) fn zeros(size: u64, mtime: Timestamp) -> Self {
        let zeros = ZeroIds::new();
        let mut ids = vec![zeros.full; layout::chunk_count(size) as usize];
        if let Some(last) = ids.last_mut() {
            *last = zeros.of_length(layout::last_chunk_length(size));
        }
        Self { size, ids, mtime }
    }

    /// The chunks that are not all zeros, as sorted runs that do not touch.
    pub(crate) fn data(&self) -> Vec<Range<u64>> {
        let zeros = ZeroIds::new();
        let last = zeros.of_length(layout::last_chunk_length(self.size));
        let end = (self.ids.len() as u64).saturating_sub(1);
        let mut runs: Vec<Range<u64>> = Vec::new();
        for (number, id) in (0..).zip(&self.ids) {
            if *id == (if number == end { last } else { zeros.full }) {
                continue;
            }
            match runs.last_mut() {
                Some(run) if run.end == number => run.end += 1,
                _ => runs.push(number..number + 1),
            }
        }
        runs
    }
}

/// The disks of a machine in a snapshot, by the names that their files have there.
pub(crate) fn machine(
    vault: &Vault,
    index: &Index,
    decoder: &mut Decoder,
    root: &Id,
    vm: &str,
) -> Result<Tree, VaultError> {
    let root = Tree::load(vault, index, decoder, root)?;
    match root
        .nodes
        .iter()
        .find(|node| node.name == vm)
        .and_then(|node| node.subtree)
    {
        Some(subtree) => Tree::load(vault, index, decoder, &subtree),
        None => Ok(Tree::default()),
    }
}

/// The disk called `name` of a machine's tree. Its chunks must be of the length that their place asks for.
pub(crate) fn disk(
    vault: &Vault,
    index: &Index,
    decoder: &mut Decoder,
    machine: &Tree,
    name: &str,
) -> Result<Option<StoredDisk>, VaultError> {
    let file = file_name(name);
    let Some(node) = machine.nodes.iter().find(|node| node.name == file) else {
        return Ok(None);
    };
    let segments = match node.subtree {
        Some(subtree) => Tree::load(vault, index, decoder, &subtree)?.nodes,
        None => vec![node.clone()],
    };
    let (mtime, size) = (
        node.mtime,
        segments.iter().map(|segment| segment.size).sum(),
    );
    let ids: Vec<Id> = segments
        .into_iter()
        .flat_map(|segment| segment.content.unwrap_or_default())
        .collect();
    let disk = StoredDisk { size, ids, mtime };
    check(&disk.ids, size, |id| {
        index
            .find(Kind::Data, id)
            .map(|(_, blob)| Blob::plain_length(blob))
    })
    .map_err(|why| VaultError::Damaged(format!("disk {name}: {why}")))?;
    Ok(Some(disk))
}

/// Whether `ids` are all of a disk of `size` bytes, given the length of each chunk that is known. An id that is not known
/// is not looked at here: reading it says more.
pub(crate) fn check(
    ids: &[Id],
    size: u64,
    length_of: impl Fn(&Id) -> Option<u32>,
) -> Result<(), String> {
    if ids.len() as u64 != layout::chunk_count(size) {
        return Err(format!("{} chunks do not make {size} bytes", ids.len()));
    }
    for (number, id) in ids.iter().enumerate() {
        let expected = layout::chunk_length(size, number as u64);
        if length_of(id).is_some_and(|length| length as usize != expected) {
            return Err(format!("chunk {number} is not of {expected} bytes"));
        }
    }
    Ok(())
}

/// The names of a machine's disks.
pub(crate) fn disk_names(machine: &Tree) -> impl Iterator<Item = &str> {
    machine
        .nodes
        .iter()
        .filter_map(|node| node.name.strip_suffix(".raw"))
}

/// A disk's name in the snapshot.
pub(crate) fn file_name(disk: &str) -> String {
    format!("{disk}.raw")
}

/// A disk as a node of its machine's directory; `add` stores a tree and returns its id.
pub(crate) fn disk_node(
    name: &str,
    disk: StoredDisk,
    add: &mut impl FnMut(&Tree) -> Result<Id, VaultError>,
) -> Result<Node, VaultError> {
    let StoredDisk {
        size,
        mut ids,
        mtime,
    } = disk;
    let count = layout::chunk_count(size).div_ceil(SEGMENT_CHUNKS);
    if count <= 1 {
        return Ok(Node::file(file_name(name), mtime, size, ids));
    }
    let mut nodes = Vec::new();
    // From the end, so that the list shrinks as its segments take over from it.
    for number in (0..count).rev() {
        let start = number * SEGMENT_CHUNKS * layout::CHUNK;
        let length = (size - start).min(SEGMENT_CHUNKS * layout::CHUNK);
        let segment = ids.split_off((number * SEGMENT_CHUNKS) as usize);
        ids.shrink_to_fit();
        nodes.push(Node::file(format!("{number:04}"), mtime, length, segment));
    }
    nodes.reverse();
    let subtree = add(&Tree { nodes })?;
    Ok(Node::directory(file_name(name), mtime, subtree))
}

/// Stores a machine's directory in the snapshot's top directory, and returns the latter's id.
pub(crate) fn root(
    vm: &str,
    mut machine: Tree,
    add: &mut impl FnMut(&Tree) -> Result<Id, VaultError>,
) -> Result<Id, VaultError> {
    machine.nodes.sort_by(|a, b| a.name.cmp(&b.name));
    // As old as the newest of its disks, so that unchanged disks make an unchanged tree.
    let mtime = machine
        .nodes
        .iter()
        .map(|node| node.mtime)
        .max()
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let subtree = add(&machine)?;
    add(&Tree {
        nodes: vec![Node::directory(vm.to_owned(), mtime, subtree)],
    })
}

fn epoch() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
fn is_zero(size: &u64) -> bool {
    *size == 0
}
