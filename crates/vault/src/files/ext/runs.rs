//! Where the blocks of a journal lie: it is a file without a name, of which the superblock names the inode.

use std::cell::Cell;

use super::{
    super::{
        device::Window,
        system::{Kind, SystemError},
    },
    blocks::{Run, run_at},
    inode::Inode,
    shape::Shape,
};

/// Blocks of a journal; mke2fs makes none of more than 10,240,000.
const MOST_BLOCKS: u64 = 1 << 24;

/// A journal's blocks, in order.
pub(super) struct Runs<'a> {
    inode: Inode,
    shape: &'a Shape,
    window: &'a Window,
    /// Blocks of the file.
    pub(super) count: u32,
    /// The run that was found last, and the block that it begins with: blocks are asked for one after the other.
    last: Cell<(u64, Run)>,
}

impl<'a> Runs<'a> {
    pub(super) fn of_journal(window: &'a Window, shape: &'a Shape) -> Result<Self, SystemError> {
        if shape.journal == 0 {
            return Err(SystemError::Unsupported(
                "its unfinished journal is on another device".to_owned(),
            ));
        }
        let inode = Inode::load(shape.journal, shape, window)?;
        let count = inode.size / shape.block as u64;
        if inode.kind != Kind::File || !(2..=MOST_BLOCKS).contains(&count) {
            return Err(damaged("its journal is no file"));
        }
        let last = Cell::new((0, run_at(&inode, 0, shape, window)?));
        Ok(Self {
            inode,
            shape,
            window,
            count: count as u32,
            last,
        })
    }

    /// Where a block of the file begins, in bytes of the volume.
    pub(super) fn offset(&self, number: u32) -> Result<u64, SystemError> {
        let number = u64::from(number);
        let (mut first, mut run) = self.last.get();
        if number < first || number - first >= run.count {
            (first, run) = (
                number,
                run_at(&self.inode, number, self.shape, self.window)?,
            );
            self.last.set((first, run));
        }
        run.at
            .and_then(|at| (at + (number - first)).checked_mul(self.shape.block as u64))
            .ok_or_else(|| damaged("its journal has holes"))
    }
}

fn damaged(why: &str) -> SystemError {
    SystemError::Damaged(why.to_owned())
}
