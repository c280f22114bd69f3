//! FAT12, FAT16 and FAT32, with long names: read by hand, because all it takes is following numbers in a table.
//!
//! Whatever the table says, a chain has no more clusters than the volume. FAT knows local times without a zone: they are
//! told as UTC. It has no owners, modes or symbolic links.

use std::cell::{Cell, OnceCell};

use super::{
    device::{Bytes, Window},
    fat_names::{Entries, Entry},
    partition::{u16_at, u32_at},
    system::{FileSystem, Kind, Listed, Node, Page, Piece, SystemError, Unreadable},
};

/// Bytes of a directory's entry.
pub(crate) const ENTRY: usize = 32;

/// Entries that a directory may have, as its specification has it.
const MOST_ENTRIES: usize = 1 << 16;

/// Bytes of a file that are read at once, if its clusters lie side by side.
const RUN: u64 = 256 << 10;

/// An open file system. Offsets and sizes are in bytes.
pub(crate) struct Fat {
    window: Window,
    width: Width,
    cluster: u64,
    clusters: u32,
    table: u64,
    data: u64,
    root: Root,
    /// The table, for the two small kinds of it: some 128 KiB at most.
    small: OnceCell<Vec<u8>>,
    /// The file that was read last by its first cluster, the number of the cluster in it that was read last, and that.
    last: Cell<Option<(u32, u64, u32)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Twelve,
    Sixteen,
    ThirtyTwo,
}

#[derive(Debug, Clone, Copy)]
enum Root {
    Fixed { start: u64, size: u64 },
    Chain(u32),
}

fn damaged<T>(why: impl Into<String>) -> Result<T, SystemError> {
    Err(SystemError::Damaged(why.into()))
}

impl Fat {
    pub(crate) fn open(window: Window) -> Result<Self, SystemError> {
        let head: [u8; 512] = window.take(0)?;
        let sector = u64::from(u16_at(&head, 11));
        let cluster = sector * u64::from(head[13]);
        if sector == 0 || cluster == 0 {
            return damaged("its sectors or clusters have no size");
        }
        let either =
            |short: u16, long: u32| u64::from(if short == 0 { long } else { short.into() });
        let fat = either(u16_at(&head, 22), u32_at(&head, 36)) * sector;
        let total = either(u16_at(&head, 19), u32_at(&head, 32)) * sector;
        let table = u64::from(u16_at(&head, 14)) * sector;
        let root = table + u64::from(head[16]) * fat;
        let fixed = (u64::from(u16_at(&head, 17)) * ENTRY as u64).next_multiple_of(sector);
        let data = root + fixed;
        let clusters = total.saturating_sub(data) / cluster;
        let width = match clusters {
            _ if u16_at(&head, 22) == 0 => Width::ThirtyTwo,
            0..4_085 => Width::Twelve,
            4_085..65_525 => Width::Sixteen,
            _ => return damaged("it has more clusters than its table could tell"),
        };
        let clusters = u32::try_from(clusters)
            .map_err(|_| SystemError::Damaged("it has too many clusters".to_owned()))?;
        let root = if width == Width::ThirtyTwo {
            Root::Chain(u32_at(&head, 44))
        } else {
            Root::Fixed {
                start: root,
                size: fixed,
            }
        };
        window.progressed();
        Ok(Self {
            window,
            width,
            cluster,
            clusters,
            table,
            data,
            root,
            small: OnceCell::new(),
            last: Cell::new(None),
        })
    }

    /// The cluster that follows; `None` at a chain's end.
    fn after(&self, cluster: u32) -> Result<Option<u32>, SystemError> {
        let (next, end) = match self.width {
            Width::ThirtyTwo => {
                let raw: [u8; 4] = self.window.take(self.table + u64::from(cluster) * 4)?;
                (u32::from_le_bytes(raw) & 0x0fff_ffff, 0x0fff_fff8)
            }
            Width::Sixteen => (u16_at(self.small()?, cluster as usize * 2).into(), 0xfff8),
            Width::Twelve => {
                let pair = u16_at(self.small()?, cluster as usize * 3 / 2);
                let next = if cluster.is_multiple_of(2) {
                    pair & 0xfff
                } else {
                    pair >> 4
                };
                (next.into(), 0xff8)
            }
        };
        if next >= end {
            return Ok(None);
        }
        self.check(next).map(Some)
    }

    fn small(&self) -> Result<&[u8], SystemError> {
        if let Some(table) = self.small.get() {
            return Ok(table);
        }
        let entries = u64::from(self.clusters) + 2;
        let bytes = if self.width == Width::Twelve {
            (entries * 3).div_ceil(2)
        } else {
            entries * 2
        };
        // One byte more: an entry of twelve bits is read as two bytes.
        let mut table = vec![0; bytes as usize + 1];
        self.window.read(self.table, &mut table[..bytes as usize])?;
        Ok(self.small.get_or_init(|| table))
    }

    fn check(&self, cluster: u32) -> Result<u32, SystemError> {
        if (2..self.clusters.saturating_add(2)).contains(&cluster) {
            return Ok(cluster);
        }
        damaged(format!("cluster {cluster} is none of it"))
    }

    fn place(&self, cluster: u32) -> u64 {
        self.data + u64::from(cluster - 2) * self.cluster
    }

    /// The stretches of the volume that a chain is.
    fn runs(
        &self,
        first: u32,
        each: &mut dyn FnMut(u64, u64) -> Result<bool, SystemError>,
    ) -> Result<(), SystemError> {
        let mut at = Some(self.check(first)?);
        let mut seen = 0;
        let mut run: Option<(u64, u64)> = None;
        while let Some(cluster) = at {
            seen += 1;
            if seen > self.clusters {
                return damaged("a chain of clusters has no end");
            }
            let place = self.place(cluster);
            run = match run {
                Some((start, length)) if start + length == place && length < RUN => {
                    Some((start, length + self.cluster))
                }
                Some((start, length)) => {
                    if !each(start, length)? {
                        return Ok(());
                    }
                    Some((place, self.cluster))
                }
                None => Some((place, self.cluster)),
            };
            at = self.after(cluster)?;
        }
        if let Some((start, length)) = run {
            each(start, length)?;
        }
        Ok(())
    }

    /// The entries of a directory, each with its whole name; until `each` has enough.
    fn entries(
        &self,
        directory: Root,
        each: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), SystemError> {
        let mut reader = Entries::default();
        let mut buffer = Vec::new();
        let mut seen = 0;
        let mut take = |start: u64, length: u64| -> Result<bool, SystemError> {
            buffer.resize(length as usize, 0);
            self.window.read(start, &mut buffer)?;
            for raw in buffer.chunks_exact(ENTRY) {
                seen += 1;
                if raw[0] == 0 || seen > MOST_ENTRIES {
                    return Ok(false);
                }
                if let Some(entry) = reader.take(raw)
                    && !each(entry)
                {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        match directory {
            Root::Fixed { start, size } => take(start, size).map(|_| ()),
            Root::Chain(first) => self.runs(first, &mut take),
        }
    }

    /// Where a directory's entries are.
    fn directory(&self, node: &Node) -> Result<Root, SystemError> {
        match node.place as u32 {
            0 => Ok(self.root),
            cluster => self.check(cluster).map(Root::Chain),
        }
    }

    fn node(&self, entry: &Entry) -> Node {
        // The root alone has no cluster, and a directory that pretends to be it would hold itself.
        if entry.is_directory() && self.check(entry.cluster).is_err() {
            return Node::unreadable(Unreadable::Damaged(
                "a directory is in no cluster".to_owned(),
            ));
        }
        entry.node()
    }
}

impl FileSystem for Fat {
    fn root(&self) -> Result<Node, SystemError> {
        Ok(Node::of(Kind::Directory))
    }

    fn entry(&self, directory: &Node, name: &[u8]) -> Result<Option<Node>, SystemError> {
        let mut found = None;
        self.entries(self.directory(directory)?, &mut |entry| {
            if entry.is_called(name) {
                found = Some(entry);
            }
            found.is_none()
        })?;
        self.window.progressed();
        Ok(found.map(|entry| self.node(&entry)))
    }

    fn list(
        &self,
        directory: &Node,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Listed, SystemError> {
        let mut page = Page::new(after, limit);
        let gone = self.entries(self.directory(directory)?, &mut |entry| {
            page.offer(&entry.name, self.node(&entry));
            true
        });
        let damage = match gone {
            Ok(()) => None,
            Err(SystemError::Damaged(why)) => Some(why),
            Err(error) => return Err(error),
        };
        self.window.progressed();
        let found = page.finish();
        Ok(Listed {
            entries: found.entries,
            more: found.more,
            damage,
            twice: found.twice,
        })
    }

    fn read(&self, file: &Node, offset: u64, buffer: &mut [u8]) -> Result<Piece, SystemError> {
        let end = offset.saturating_add(buffer.len() as u64).min(file.size);
        if offset >= end {
            return Ok(Piece::End);
        }
        let first = file.place as u32;
        let wanted = offset / self.cluster;
        // From where the last reading stopped, if that was before, in this file.
        let (mut at, mut cluster) = match self.last.get() {
            Some((file, at, cluster)) if file == first && at <= wanted => (at, cluster),
            _ => (0, self.check(first)?),
        };
        let mut filled = 0;
        let mut position = offset;
        while position < end {
            while at < position / self.cluster {
                if at > u64::from(self.clusters) {
                    return damaged("a chain of clusters has no end");
                }
                let Some(next) = self.after(cluster)? else {
                    return damaged("a file ends before its size says");
                };
                (at, cluster) = (at + 1, next);
            }
            let within = position % self.cluster;
            let now = (self.cluster - within).min(end - position) as usize;
            let piece = &mut buffer[filled..filled + now];
            self.window.read(self.place(cluster) + within, piece)?;
            filled += now;
            position += now as u64;
        }
        self.last.set(Some((first, at, cluster)));
        self.window.progressed();
        Ok(Piece::Data(filled))
    }
}
