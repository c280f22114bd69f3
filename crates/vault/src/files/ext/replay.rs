//! A journal replayed: not written back, but read instead of what it would replace.
//!
//! A file system in use has in its journal what is not yet at its place. Transactions count from where the journal begins to
//! the first that has no end: that one never happened. A block that a transaction takes back is not replaced by what it or
//! one before it says of it, for it may be a file's by now.

use std::collections::BTreeMap;

use super::{
    super::{
        device::{Bytes, Window, WindowError},
        system::SystemError,
    },
    journal::{self, Journal, Kind, Summed, Tag},
    runs::Runs,
    shape::{self, Shape},
};

/// Blocks that a journal may replace, and that a transaction may take back, which is what memory goes to: those of the
/// largest journal that mke2fs makes by itself, four times.
const MOST: usize = 1 << 20;

/// A file system as it is with what its journal says.
pub(super) struct Replayed {
    window: Window,
    /// Bytes.
    block: u64,
    replaced: Replaced,
    /// It no longer says that there is something to replay.
    superblock: Option<Box<[u8; shape::LENGTH]>>,
    pub(super) shape: Shape,
}

/// The blocks of the file system whose content is in the journal.
type Replaced = BTreeMap<u64, Content>;

/// Where a block's content is, in bytes of the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Content {
    at: u64,
    /// Whether it begins with the journal's magic number, for which zeros are there.
    escaped: bool,
}

impl Replayed {
    pub(super) fn new(window: Window) -> Result<Self, SystemError> {
        let mut superblock = window.take(shape::AT)?;
        let shape = Shape::of(&superblock)?;
        let mut replayed = Self {
            window,
            block: shape.block as u64,
            replaced: Replaced::new(),
            superblock: None,
            shape: shape.clone(),
        };
        if shape.needs_recovery {
            let runs = Runs::of_journal(&replayed.window, &shape)?;
            let replaced = match Journal::open(&replayed.window, &runs, shape.block)? {
                Some(journal) => replay(&journal, shape.block)?,
                None => Replaced::new(),
            };
            drop(runs);
            replayed.replaced = replaced;
            replayed.read(shape::AT, &mut superblock)?;
            superblock = shape::recovered(superblock)?;
            replayed.superblock = Some(Box::new(superblock));
        }
        shape::check(&superblock)?;
        replayed.shape = Shape::of(&superblock)?;
        Ok(replayed)
    }
}

impl Bytes for Replayed {
    fn read(&self, start: u64, buffer: &mut [u8]) -> Result<(), WindowError> {
        self.window.read(start, buffer)?;
        let end = start + buffer.len() as u64;
        if buffer.is_empty() {
            return Ok(());
        }
        let touched = start / self.block..=(end - 1) / self.block;
        for (number, content) in self.replaced.range(touched) {
            let first = number * self.block;
            let (from, to) = (first.max(start), (first + self.block).min(end));
            let piece = &mut buffer[(from - start) as usize..(to - start) as usize];
            self.window.read(content.at + (from - first), piece)?;
            if content.escaped {
                lay_over(piece, from, &journal::MAGIC.to_be_bytes(), first);
            }
        }
        if let Some(superblock) = &self.superblock {
            lay_over(buffer, start, &**superblock, shape::AT);
        }
        Ok(())
    }
}

/// Replaces in bytes that begin at `start` those that begin at `at`, as far as they meet.
fn lay_over(bytes: &mut [u8], start: u64, over: &[u8], at: u64) {
    let from = start.max(at);
    let to = (start + bytes.len() as u64).min(at + over.len() as u64);
    if from < to {
        let within = |origin: u64| (from - origin) as usize..(to - origin) as usize;
        bytes[within(start)].copy_from_slice(&over[within(at)]);
    }
}

/// A transaction that is being read.
#[derive(Default)]
struct Open {
    replaced: Vec<(u64, Content)>,
    revoked: Vec<u64>,
}

/// Reads a journal to its end.
fn replay(journal: &Journal<'_>, block: usize) -> Result<Replaced, SystemError> {
    let mut replaced = Replaced::new();
    let (mut at, mut sequence) = (journal.start, journal.sequence);
    let mut left = journal.length();
    let mut buffer = vec![0; block];
    let mut open = Open::default();
    let mut summed = Summed::new(journal, sequence);
    while left > 0 {
        let kind = journal.read(at, sequence, &mut buffer)?;
        (at, left) = (journal.behind(at, 1), left - 1);
        match kind {
            Some(Kind::Descriptor) if journal.agrees(&buffer) => {
                let tags = journal.tags(&buffer);
                let count = tags.len() as u32;
                if count > left {
                    break;
                }
                summed.descriptor(&buffer);
                for (tag, by) in tags.into_iter().zip(0..) {
                    let offset = journal.offset(journal.behind(at, by))?;
                    summed.content(tag, offset)?;
                    open.replaced.push((tag.block, content(tag, offset)));
                }
                (at, left) = (journal.behind(at, count), left - count);
            }
            Some(Kind::Revoke) if journal.agrees(&buffer) => {
                open.revoked.extend(journal.revoked(&buffer)?);
            }
            Some(Kind::Commit) if summed.agrees(&buffer) => {
                let Open {
                    replaced: newer,
                    revoked,
                } = std::mem::take(&mut open);
                replaced.extend(newer);
                for block in revoked {
                    replaced.remove(&block);
                }
                sequence = sequence.wrapping_add(1);
                summed = Summed::new(journal, sequence);
            }
            Some(Kind::Commit) => {
                // One that was cut off is the last. What is followed by another was whole once.
                if journal
                    .read(at, sequence.wrapping_add(1), &mut buffer)?
                    .is_some()
                {
                    let why = "its unfinished journal does not agree with its sums";
                    return Err(SystemError::Damaged(why.to_owned()));
                }
                break;
            }
            _ => break,
        }
        if replaced.len() + open.replaced.len() > MOST || open.revoked.len() > MOST {
            let why = "its unfinished journal is larger than any that is read here";
            return Err(SystemError::Unsupported(why.to_owned()));
        }
    }
    Ok(replaced)
}

fn content(tag: Tag, at: u64) -> Content {
    Content {
        at,
        escaped: tag.escaped,
    }
}
