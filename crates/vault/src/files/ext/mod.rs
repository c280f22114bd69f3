//! ext2, ext3 and ext4, read by hand: an unfinished journal is taken into account without being written back.
//!
//! Libraries for it refuse what e2fsck finds nothing wrong with (times before 1970, large holes on ext2 and ext3, content
//! within inodes) and give up a whole directory for one entry. What is damaged here is told of and left out, by the smallest
//! part: an entry, a block of a directory, a file. What is not read says that it is not supported: encrypted files, journals on
//! other devices or with fast commits.

mod blocks;
mod crc;
mod directory;
mod inline;
mod inode;
mod journal;
mod replay;
mod runs;
mod shape;

use super::{
    device::{Bytes, Window},
    system::{FileSystem, Kind, Listed, Node, Page, Piece, SystemError, Unreadable},
};
use blocks::run_at;
use inode::Inode;
use replay::Replayed;

/// The inode of the uppermost directory.
const ROOT: u32 = 2;

/// The longest target of a symbolic link, in bytes, and the longest that stands in the place of addresses.
const LONGEST_TARGET: u64 = 4096;
const SHORT_TARGET: u64 = 59;

/// An open file system.
pub(crate) struct Ext {
    volume: Replayed,
    window: Window,
}

impl Ext {
    pub(crate) fn open(window: Window) -> Result<Self, SystemError> {
        let volume = Replayed::new(window.clone())?;
        window.progressed();
        let ext = Self { volume, window };
        if ext.inode(ROOT)?.kind != Kind::Directory {
            return damaged("its root is no directory");
        }
        Ok(ext)
    }

    fn inode(&self, number: u32) -> Result<Inode, SystemError> {
        Inode::load(number, &self.volume.shape, &self.volume)
    }

    /// The inode of a node.
    fn inode_of(&self, node: &Node) -> Result<Inode, SystemError> {
        self.inode(node.place as u32)
    }

    fn node(&self, number: u32) -> Result<Node, SystemError> {
        let inode = self.inode(number)?;
        let target = match inode.kind {
            Kind::Symlink => Some(self.target(&inode)?),
            _ => None,
        };
        Ok(Node {
            size: if inode.kind == Kind::File {
                inode.size
            } else {
                0
            },
            modified: inode.modified,
            mode: Some(inode.mode),
            owner: Some(inode.owner),
            target,
            place: number.into(),
            links: inode.links,
            attributes: inline::has_attributes(&inode),
            ..Node::of(inode.kind)
        })
    }

    /// What stands behind a name: what cannot be read is a node, too.
    fn named(&self, number: u32) -> Result<Node, SystemError> {
        match self.node(number) {
            Ok(node) => Ok(node),
            Err(error) => error.of_one().map(Node::unreadable),
        }
    }

    fn target(&self, inode: &Inode) -> Result<Vec<u8>, SystemError> {
        if inode.encrypted {
            return Err(encrypted());
        }
        if !(1..=LONGEST_TARGET).contains(&inode.size) {
            return damaged(&format!("a symbolic link of {} bytes", inode.size));
        }
        if !inode.inline && !inode.in_extents && inode.size <= SHORT_TARGET {
            return Ok(inode.root()[..inode.size as usize].to_vec());
        }
        let mut target = vec![0; inode.size as usize];
        let mut filled = 0;
        while filled < target.len() {
            match self.content(inode, filled as u64, &mut target[filled..])? {
                Piece::Data(count) => filled += count,
                Piece::Hole(_) | Piece::End => return damaged("a symbolic link has holes"),
            }
        }
        Ok(target)
    }

    /// What is at `offset` of a file, of a long symbolic link or of a directory.
    fn content(&self, inode: &Inode, offset: u64, buffer: &mut [u8]) -> Result<Piece, SystemError> {
        if offset >= inode.size || buffer.is_empty() {
            return Ok(Piece::End);
        }
        if inode.inline {
            let Some(content) = inline::content(inode) else {
                return damaged("content within an inode is not all there");
            };
            let rest = content.get(offset as usize..).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            return Ok(Piece::Data(count));
        }
        let block = self.volume.shape.block as u64;
        let run = run_at(inode, offset / block, &self.volume.shape, &self.volume)?;
        let left = (run.count.saturating_mul(block) - offset % block).min(inode.size - offset);
        let Some(at) = run.at else {
            return Ok(Piece::Hole(left));
        };
        let count = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let start = at
            .checked_mul(block)
            .and_then(|start| start.checked_add(offset % block))
            .ok_or_else(|| SystemError::Damaged("a block is where none can be".to_owned()))?;
        self.volume.read(start, &mut buffer[..count])?;
        Ok(Piece::Data(count))
    }

    /// Goes through a directory's entries; what is wrong with it, if something is.
    fn entries(
        &self,
        directory: &Node,
        each: &mut dyn FnMut(&[u8], u32),
    ) -> Result<Option<String>, SystemError> {
        let inode = self.inode_of(directory)?;
        if inode.kind != Kind::Directory {
            return damaged("a directory is none");
        }
        if inode.encrypted {
            return Err(encrypted());
        }
        let mut wrong = None;
        let mut note = |why: &str| {
            wrong.get_or_insert_with(|| format!("in a block of the directory: {why}"));
        };
        if inode.inline {
            let Some(content) = inline::content(&inode) else {
                return damaged("content within an inode is not all there");
            };
            for piece in inline::directory(&content) {
                if let Err(why) = directory::entries(piece, None, each) {
                    note(why);
                }
            }
            return Ok(wrong);
        }
        let mut block = vec![0; self.volume.shape.block];
        let mut offset = 0;
        while offset < inode.size {
            match self.content(&inode, offset, &mut block) {
                Ok(Piece::Data(count)) => {
                    if let Err(why) = directory::entries(&block[..count], inode.sums, each) {
                        note(why);
                    }
                    offset += count as u64;
                }
                Ok(Piece::Hole(count)) => {
                    note("it is not there");
                    offset += count;
                }
                Ok(Piece::End) => break,
                Err(error) => match error.of_one()? {
                    Unreadable::Damaged(why) | Unreadable::Unsupported(why) => {
                        note(&why);
                        offset += block.len() as u64;
                    }
                },
            }
            // A directory that was read to here is no circle; one of more blocks than the volume has is.
            if offset > self.window.size() {
                return damaged("a directory is larger than its volume");
            }
        }
        Ok(wrong)
    }
}

impl FileSystem for Ext {
    fn root(&self) -> Result<Node, SystemError> {
        self.node(ROOT)
    }

    fn entry(&self, directory: &Node, name: &[u8]) -> Result<Option<Node>, SystemError> {
        let mut found = None;
        self.entries(directory, &mut |known, inode| {
            if known == name {
                found = Some(inode);
            }
        })?;
        self.window.progressed();
        found.map(|inode| self.named(inode)).transpose()
    }

    fn list(
        &self,
        directory: &Node,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Listed, SystemError> {
        let mut page = Page::new(after, limit);
        let damage = self.entries(directory, &mut |name, inode| page.offer(name, inode))?;
        let found = page.finish();
        let mut entries = Vec::with_capacity(found.entries.len());
        for (name, inode) in found.entries {
            let node = self.named(inode)?;
            self.window.progressed();
            entries.push((name, node));
        }
        Ok(Listed {
            entries,
            more: found.more,
            damage,
            twice: found.twice,
        })
    }

    fn read(&self, file: &Node, offset: u64, buffer: &mut [u8]) -> Result<Piece, SystemError> {
        let inode = self.inode_of(file)?;
        if inode.encrypted {
            return Err(encrypted());
        }
        let piece = self.content(&inode, offset, buffer)?;
        self.window.progressed();
        Ok(piece)
    }
}

fn encrypted() -> SystemError {
    SystemError::Unsupported("it is encrypted by the system that wrote it (fscrypt)".to_owned())
}

fn damaged<T>(why: &str) -> Result<T, SystemError> {
    Err(SystemError::Damaged(why.to_owned()))
}
