//! Where the blocks of a journal lie: it is a file without a name, of which the superblock names the inode. On ext4 its inode
//! has a tree of extents, on ext3 blocks of addresses.

use super::{
    super::{
        device::Window,
        partition::{u16_at, u32_at},
        system::SystemError,
    },
    shape::Shape,
};

/// Pieces that a journal may lie in, which is what memory goes to. Usually there is one.
const MOST_RUNS: usize = 1 << 20;

/// Blocks of a journal; mke2fs makes none of more than 10,240,000.
const MOST_BLOCKS: u64 = 1 << 24;

/// Blocks that tell of pieces, so that a tree that leads in circles ends.
const MOST_NODES: u32 = 1 << 17;

/// Levels of a tree of extents, as Linux has it.
const DEEPEST: u16 = 5;

const IS_IN_EXTENTS: u32 = 0x8_0000;

/// A file's blocks, in order.
#[derive(Debug)]
pub(super) struct Runs {
    runs: Vec<Run>,
    /// Blocks of the file.
    pub(super) count: u32,
    block: usize,
}

/// Blocks that follow each other both in the file and on the volume.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: u32,
    count: u32,
    at: u64,
}

impl Runs {
    /// The journal's.
    pub(super) fn of_journal(window: &Window, shape: &Shape) -> Result<Self, SystemError> {
        let inode = inode(window, shape)?;
        let size = u64::from(u32_at(&inode, 0x4)) | u64::from(u32_at(&inode, 0x6c)) << 32;
        let count = size / shape.block as u64;
        if u16_at(&inode, 0) & 0xf000 != 0x8000 || !(2..=MOST_BLOCKS).contains(&count) {
            return Err(damaged("its journal is no file"));
        }
        let mut walk = Walk {
            window,
            runs: Self {
                runs: Vec::new(),
                count: count as u32,
                block: shape.block,
            },
            next: 0,
            nodes: 0,
        };
        let root = &inode[0x28..0x64];
        if u32_at(&inode, 0x20) & IS_IN_EXTENTS != 0 {
            walk.extents(root, None)?;
        } else {
            for slot in 0..15 {
                let level = u32::saturating_sub(slot, 11);
                walk.address(u32_at(root, slot as usize * 4), level)?;
            }
        }
        Ok(walk.runs)
    }

    /// Where a block of the file begins, in bytes of the volume.
    pub(super) fn offset(&self, number: u32) -> Result<u64, SystemError> {
        let behind = self.runs.partition_point(|run| run.first <= number);
        let run = behind.checked_sub(1).and_then(|at| self.runs.get(at));
        run.filter(|run| number - run.first < run.count)
            .and_then(|run| (run.at + u64::from(number - run.first)).checked_mul(self.block as u64))
            .ok_or_else(|| damaged("its journal has holes"))
    }
}

/// The journal's inode, as far as files are told of in it.
fn inode(window: &Window, shape: &Shape) -> Result<[u8; 128], SystemError> {
    let number = shape
        .journal
        .checked_sub(1)
        .ok_or_else(|| damaged("its unfinished journal is on another device"))?;
    if shape.inodes_per_group == 0 || shape.inode_size < 128 || shape.descriptor < 32 {
        return Err(damaged("its inodes cannot be"));
    }
    let (group, within) = (
        number / shape.inodes_per_group,
        number % shape.inodes_per_group,
    );
    let block = shape.block as u64;
    let descriptors = (u64::from(shape.first_block) + 1) * block;
    let descriptor = descriptors + u64::from(group) * u64::from(shape.descriptor);
    let low = u32::from_le_bytes(window.take(descriptor + 0x8)?);
    let high = if shape.descriptor >= 64 {
        u32::from_le_bytes(window.take(descriptor + 0x28)?)
    } else {
        0
    };
    let table = u64::from(low) | u64::from(high) << 32;
    let offset = table
        .checked_mul(block)
        .and_then(|at| at.checked_add(u64::from(within) * u64::from(shape.inode_size)))
        .ok_or_else(|| damaged("its inodes cannot be where they are said to be"))?;
    Ok(window.take(offset)?)
}

struct Walk<'a> {
    window: &'a Window,
    runs: Runs,
    /// The next of the file's blocks that an address is of.
    next: u64,
    nodes: u32,
}

impl Walk<'_> {
    /// A node of a tree of extents; `depth` is what the one above has it be.
    fn extents(&mut self, node: &[u8], depth: Option<u16>) -> Result<(), SystemError> {
        let (magic, count, deep) = (u16_at(node, 0), u16_at(node, 2), u16_at(node, 6));
        let fits = (usize::from(count) + 1) * 12 <= node.len();
        if magic != 0xf30a || !fits || deep > DEEPEST || depth.is_some_and(|depth| depth != deep) {
            return Err(damaged("its journal's extents are damaged"));
        }
        for entry in node.chunks_exact(12).skip(1).take(count.into()) {
            if deep == 0 {
                let at = u64::from(u32_at(entry, 8)) | u64::from(u16_at(entry, 6)) << 32;
                // A count beyond this is of blocks that were not written by a file's writer.
                let count = u16_at(entry, 4);
                let count = if count > 0x8000 {
                    count - 0x8000
                } else {
                    count
                };
                self.add(u32_at(entry, 0), count.into(), at)?;
            } else {
                let at = u64::from(u32_at(entry, 4)) | u64::from(u16_at(entry, 8)) << 32;
                let below = self.node(at)?;
                self.extents(&below, Some(deep - 1))?;
            }
        }
        Ok(())
    }

    /// An address of a block, or of one that has addresses, `level` times.
    fn address(&mut self, at: u32, level: u32) -> Result<(), SystemError> {
        let count = u64::from(self.runs.count);
        if self.next >= count {
            return Ok(());
        }
        if at == 0 {
            // A hole; whether it matters shows when it is read.
            self.next += ((self.runs.block / 4) as u64).pow(level);
        } else if level == 0 {
            self.add(self.next as u32, 1, at.into())?;
            self.next += 1;
        } else {
            let below = self.node(at.into())?;
            for entry in below.chunks_exact(4) {
                self.address(u32_at(entry, 0), level - 1)?;
            }
        }
        Ok(())
    }

    fn node(&mut self, at: u64) -> Result<Vec<u8>, SystemError> {
        self.nodes += 1;
        let offset = at.checked_mul(self.runs.block as u64);
        let Some(offset) = offset.filter(|_| self.nodes <= MOST_NODES) else {
            return Err(damaged("where its journal lies leads to no end"));
        };
        let mut node = vec![0; self.runs.block];
        self.window.read(offset, &mut node)?;
        Ok(node)
    }

    fn add(&mut self, first: u32, count: u32, at: u64) -> Result<(), SystemError> {
        let runs = &mut self.runs.runs;
        if let Some(last) = runs.last_mut() {
            let end = u64::from(last.first) + u64::from(last.count);
            if u64::from(first) < end || runs.len() >= MOST_RUNS {
                return Err(damaged("its journal's pieces cannot be"));
            }
            if let Some(last) = runs.last_mut()
                && u64::from(first) == end
                && at == last.at + u64::from(last.count)
            {
                last.count = last.count.saturating_add(count);
                return Ok(());
            }
        }
        runs.push(Run { first, count, at });
        Ok(())
    }
}

fn damaged(why: &str) -> SystemError {
    SystemError::Damaged(why.to_owned())
}
