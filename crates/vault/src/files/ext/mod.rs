//! ext2, ext3 and ext4, by the crate ext4-view: an unfinished journal is taken into account without being written back.
//!
//! The journal is read by us: the crate knows one of its forms, leaves out what lies behind the ring's end, and believes what
//! was taken back. What the crate would believe of a damaged file system is looked at before: how many block groups there
//! are, which it takes memory for, and how long a symbolic link is. It follows none: paths have none in them. What is not
//! read says so: encrypted directories, content within inodes, journals on other devices or with fast commits, times before
//! 1970 and after 2038, and on ext2 and ext3 holes of more than a whole indirect block.

mod crc;
mod journal;
mod replay;
mod runs;
mod shape;

use std::error::Error;

use ext4_view::{Ext4, Ext4Error, Ext4Read, FileType, Metadata, PathBuf};
use jiff::Timestamp;

use replay::Replayed;

use super::{
    device::Window,
    name,
    system::{FileSystem, Kind, Listed, Node, Page, Sink, SystemError},
};

/// The longest target of a symbolic link, in bytes.
const LONGEST_TARGET: u64 = 4096;

/// Bytes that are read of a file at a time.
const PIECE: usize = 256 << 10;

/// An open file system.
pub(crate) struct Ext {
    system: Ext4,
    window: Window,
}

struct Reader(Replayed);

impl Ext4Read for Reader {
    fn read(
        &mut self,
        start_byte: u64,
        dst: &mut [u8],
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.0.read(start_byte, dst).map_err(Into::into)
    }
}

impl Ext {
    pub(crate) fn open(window: Window) -> Result<Self, SystemError> {
        let replayed = Replayed::new(window.clone())?;
        let system = Ext4::load(Box::new(Reader(replayed))).map_err(refused)?;
        window.progressed();
        Ok(Self { system, window })
    }

    fn node(&self, path: &[u8], metadata: &Metadata) -> Result<Node, SystemError> {
        let kind = match metadata.file_type() {
            FileType::Regular => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink,
            FileType::BlockDevice | FileType::CharacterDevice => Kind::Device,
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
        };
        let target = if kind == Kind::Symlink {
            if metadata.len() > LONGEST_TARGET {
                return Err(SystemError::Damaged(format!(
                    "a symbolic link of {} bytes",
                    metadata.len()
                )));
            }
            let target = self.system.read_link(path).map_err(refused)?;
            Some(<[u8]>::to_vec(target.as_ref()))
        } else {
            None
        };
        let modified = metadata.modified();
        Ok(Node {
            kind,
            size: if kind == Kind::File {
                metadata.len()
            } else {
                0
            },
            modified: Timestamp::new(
                modified.seconds(),
                i32::try_from(modified.nanoseconds()).unwrap_or_default(),
            )
            .ok(),
            mode: Some(u32::from(metadata.mode())),
            owner: Some((metadata.uid(), metadata.gid())),
            target,
        })
    }
}

impl FileSystem for Ext {
    fn look(&self, path: &[Vec<u8>]) -> Result<Option<Node>, SystemError> {
        let path = name::join(path);
        let Ok(plain) = PathBuf::try_from(path.as_slice()) else {
            return Ok(None);
        };
        match self.system.symlink_metadata(&plain) {
            Ok(metadata) => self.node(&path, &metadata).map(Some),
            Err(Ext4Error::NotFound | Ext4Error::NotADirectory | Ext4Error::PathTooLong) => {
                Ok(None)
            }
            Err(error) => Err(refused(error)),
        }
    }

    fn list(
        &self,
        path: &[Vec<u8>],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Listed, SystemError> {
        let path = name::join(path);
        let mut page = Page::new(after, limit);
        for entry in self.system.read_dir(path.as_slice()).map_err(refused)? {
            let entry = entry.map_err(refused)?;
            let name = entry.file_name();
            let bytes: &[u8] = name.as_ref();
            if bytes != b"." && bytes != b".." {
                page.offer(bytes, entry.clone());
            }
        }
        let (entries, more) = page.finish();
        let nodes = entries.into_iter().map(|(name, entry)| {
            let full = entry.path();
            let known = entry
                .metadata()
                .map_err(refused)
                .and_then(|metadata| self.node(full.as_ref(), &metadata));
            let node = match known {
                Ok(node) => node,
                Err(SystemError::Damaged(_)) => Node::unreadable(),
                Err(error) => return Err(error),
            };
            self.window.progressed();
            Ok((name, node))
        });
        Ok((nodes.collect::<Result<_, _>>()?, more))
    }

    fn read(
        &self,
        path: &[Vec<u8>],
        offset: u64,
        length: u64,
        out: &mut Sink<'_>,
    ) -> Result<(), SystemError> {
        let mut file = self
            .system
            .open(name::join(path).as_slice())
            .map_err(refused)?;
        if offset >= file.metadata().len() {
            return Ok(());
        }
        file.seek_to(offset).map_err(refused)?;
        let mut left = length;
        let mut buffer = vec![0; PIECE.min(usize::try_from(length).unwrap_or(PIECE))];
        while left > 0 {
            let wanted = buffer.len().min(usize::try_from(left).unwrap_or(PIECE));
            let mut filled = 0;
            while filled < wanted {
                match file
                    .read_bytes(&mut buffer[filled..wanted])
                    .map_err(refused)?
                {
                    0 => break,
                    read => filled += read,
                }
            }
            if filled == 0 {
                return Ok(());
            }
            self.window.progressed();
            out(&buffer[..filled]).map_err(SystemError::Out)?;
            left -= filled as u64;
        }
        Ok(())
    }
}

/// What the crate says, as one of ours. What the window refused is kept there, and asked for by whoever tells of it.
fn refused(error: Ext4Error) -> SystemError {
    match error {
        Ext4Error::Io(source) => match source.downcast::<super::device::WindowError>() {
            Ok(window) => SystemError::Window(*window),
            Err(source) => SystemError::Damaged(source.to_string()),
        },
        error => SystemError::Damaged(error.to_string()),
    }
}
