//! A journal's own words: its superblock, and what its blocks say. Unlike the file system it is big-endian.
//!
//! There are three kinds of sums: none, as on ext3; one over a whole transaction (`journal_checksum`); and one for each block,
//! in tags of two sizes (v2, v3), as on ext4 with `metadata_csum`. Addresses have 32 or 64 bits.

use super::{
    super::{
        device::{Bytes as _, Window},
        system::SystemError,
    },
    crc::{crc32_be, crc32c},
    runs::Runs,
};

/// What each of a journal's own blocks begins with.
pub(super) const MAGIC: u32 = 0xc03b_3998;

/// Kinds of blocks; the two last are superblocks, the first of which knows no features.
const DESCRIPTOR: u32 = 1;
const COMMIT: u32 = 2;
const OLD_SUPERBLOCK: u32 = 3;
const SUPERBLOCK: u32 = 4;
const REVOKE: u32 = 5;

/// Features that a reader may leave aside, and those that it has to know.
const SUM_OF_ALL: u32 = 0x1;
const REVOKES: u32 = 0x1;
const LONG_ADDRESSES: u32 = 0x2;
const ASYNC_COMMIT: u32 = 0x4;
const SUMS_V2: u32 = 0x8;
const SUMS_V3: u32 = 0x10;
const FAST_COMMIT: u32 = 0x20;

/// Flags of a tag.
const ESCAPED: u32 = 0x1;
const SAME_UUID: u32 = 0x2;
const LAST: u32 = 0x8;

/// Bytes that each of its own blocks begins with.
const HEADER: usize = 12;

/// A journal that has something in it.
pub(super) struct Journal<'a> {
    window: &'a Window,
    runs: &'a Runs<'a>,
    block: usize,
    /// The ring's first block, and the one behind its last.
    ring: std::ops::Range<u32>,
    /// Where it begins, and what the first transaction's number is.
    pub(super) start: u32,
    pub(super) sequence: u32,
    long: bool,
    sums: Sums,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sums {
    None,
    Whole,
    Each {
        /// The bytes of a sum in a tag: two or four.
        wide: bool,
        seed: u32,
    },
}

/// A block of the journal's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Descriptor,
    Revoke,
    Commit,
}

/// A descriptor's word on one of the blocks that follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    /// The block of the file system whose new content follows.
    pub(super) block: u64,
    /// Whether that content began with the journal's magic number, which was taken out.
    pub(super) escaped: bool,
    sum: u32,
}

impl<'a> Journal<'a> {
    /// Opens it; `None` if nothing is in it.
    pub(super) fn open(
        window: &'a Window,
        runs: &'a Runs<'a>,
        block: usize,
    ) -> Result<Option<Self>, SystemError> {
        let superblock: [u8; 1024] = window.take(runs.offset(0)?)?;
        let word = |at| word(&superblock, at);
        let kind = word(0x4);
        if word(0) != MAGIC || !matches!(kind, OLD_SUPERBLOCK | SUPERBLOCK) {
            return Err(damaged("its journal has no superblock"));
        }
        let (all, needed) = match kind {
            OLD_SUPERBLOCK => (0, 0),
            _ => (word(0x24), word(0x28)),
        };
        check_features(needed)?;
        let seed = crc32c(u32::MAX, &superblock[0x30..0x40]);
        let sums = match (needed & (SUMS_V2 | SUMS_V3), all & SUM_OF_ALL) {
            (0, 0) => Sums::None,
            (0, _) => Sums::Whole,
            (kind, _) => Sums::Each {
                wide: kind & SUMS_V3 != 0,
                seed,
            },
        };
        if matches!(sums, Sums::Each { .. }) && without(&superblock, 0xfc, u32::MAX) != word(0xfc) {
            return Err(damaged(
                "its journal's superblock does not agree with its sum",
            ));
        }
        let (ring, start) = (word(0x14)..word(0x10), word(0x1c));
        if start == 0 {
            return Ok(None);
        }
        if word(0xc) as usize != block || ring.end > runs.count || ring.start == 0 {
            return Err(damaged("its journal is not of its size"));
        }
        if !ring.contains(&start) {
            return Err(damaged("its journal begins outside of itself"));
        }
        Ok(Some(Self {
            window,
            runs,
            block,
            ring,
            start,
            sequence: word(0x18),
            long: needed & LONG_ADDRESSES != 0,
            sums,
        }))
    }

    /// Blocks of the ring.
    pub(super) fn length(&self) -> u32 {
        self.ring.end - self.ring.start
    }

    /// The ring's block that is `by` blocks behind another.
    pub(super) fn behind(&self, number: u32, by: u32) -> u32 {
        let within = u64::from(number - self.ring.start) + u64::from(by);
        self.ring.start + (within % u64::from(self.length())) as u32
    }

    /// Where a block of it is, in bytes of the volume.
    pub(super) fn offset(&self, number: u32) -> Result<u64, SystemError> {
        self.runs.offset(number)
    }

    /// Reads a block, and says what it is if it is one of the journal's own of this transaction.
    pub(super) fn read(
        &self,
        number: u32,
        sequence: u32,
        block: &mut [u8],
    ) -> Result<Option<Kind>, SystemError> {
        self.window.read(self.offset(number)?, block)?;
        if word(block, 0) != MAGIC || word(block, 8) != sequence {
            return Ok(None);
        }
        Ok(match word(block, 4) {
            DESCRIPTOR => Some(Kind::Descriptor),
            REVOKE => Some(Kind::Revoke),
            COMMIT => Some(Kind::Commit),
            _ => None,
        })
    }

    /// Whether a descriptor or a revoke block agrees with its sum, if it has one.
    pub(super) fn agrees(&self, block: &[u8]) -> bool {
        let end = self.block - 4;
        match self.sums {
            Sums::None | Sums::Whole => true,
            Sums::Each { seed, .. } => without(block, end, seed) == word(block, end),
        }
    }

    /// The bytes of a descriptor or a revoke block that are not its sum.
    fn room(&self) -> usize {
        match self.sums {
            Sums::None | Sums::Whole => self.block,
            Sums::Each { .. } => self.block - 4,
        }
    }

    /// A descriptor's tags.
    pub(super) fn tags(&self, block: &[u8]) -> Vec<Tag> {
        // In v2 a sum of two bytes has its place, and two more were added for it all the same.
        let size = match (self.sums, self.long) {
            (Sums::Each { wide: true, .. }, _) => 16,
            (Sums::Each { wide: false, .. }, true) => 14,
            (Sums::Each { wide: false, .. }, false) => 10,
            (_, true) => 12,
            (_, false) => 8,
        };
        let mut tags = Vec::new();
        let mut at = HEADER;
        while at + size <= self.room() {
            let (flags, sum) = match self.sums {
                Sums::Each { wide: true, .. } => (word(block, at + 4), word(block, at + 12)),
                _ => {
                    let both = word(block, at + 4);
                    (both & 0xffff, both >> 16)
                }
            };
            let high = if self.long { word(block, at + 8) } else { 0 };
            tags.push(Tag {
                block: u64::from(high) << 32 | u64::from(word(block, at)),
                escaped: flags & ESCAPED != 0,
                sum,
            });
            if flags & LAST != 0 {
                break;
            }
            at += size + if flags & SAME_UUID == 0 { 16 } else { 0 };
        }
        tags
    }

    /// The blocks that a revoke block takes back.
    pub(super) fn revoked(&self, block: &[u8]) -> Result<Vec<u64>, SystemError> {
        let end = word(block, HEADER) as usize;
        let listed = block.get(HEADER + 4..end).filter(|_| end <= self.room());
        let listed = listed.ok_or_else(|| damaged("its journal takes back what cannot be"))?;
        let short = |entry: &[u8]| u64::from(word(entry, 0));
        Ok(if self.long {
            let long = |entry: &[u8]| short(entry) << 32 | u64::from(word(entry, 4));
            listed.chunks_exact(8).map(long).collect()
        } else {
            listed.chunks_exact(4).map(short).collect()
        })
    }
}

/// Sums up a transaction as it goes by.
pub(super) struct Summed<'a> {
    journal: &'a Journal<'a>,
    sequence: u32,
    whole: u32,
    right: bool,
    content: Vec<u8>,
}

impl<'a> Summed<'a> {
    pub(super) fn new(journal: &'a Journal<'a>, sequence: u32) -> Self {
        Self {
            journal,
            sequence,
            whole: u32::MAX,
            right: true,
            content: Vec::new(),
        }
    }

    pub(super) fn descriptor(&mut self, block: &[u8]) {
        if self.journal.sums == Sums::Whole {
            self.whole = crc32_be(self.whole, block);
        }
    }

    /// A block's new content, which is read for its sum only.
    pub(super) fn content(&mut self, tag: Tag, offset: u64) -> Result<(), SystemError> {
        if self.journal.sums == Sums::None {
            return Ok(());
        }
        self.content.resize(self.journal.block, 0);
        self.journal.window.read(offset, &mut self.content)?;
        if let Sums::Each { wide, seed } = self.journal.sums {
            let sum = crc32c(seed, &self.sequence.to_be_bytes());
            let sum = crc32c(sum, &self.content);
            self.right &= tag.sum == if wide { sum } else { sum & 0xffff };
        } else {
            self.whole = crc32_be(self.whole, &self.content);
        }
        Ok(())
    }

    /// Whether the transaction is as it was written, by the block that ends it.
    pub(super) fn agrees(&self, commit: &[u8]) -> bool {
        let sum = word(commit, 0x10);
        match self.journal.sums {
            Sums::None => true,
            // A sum of the kind 1 and four bytes, or none.
            Sums::Whole => match commit.get(0xc..0xe) {
                Some([1, 4]) => sum == self.whole,
                kind => kind == Some(&[0, 0]) && sum == 0,
            },
            Sums::Each { seed, .. } => self.right && without(commit, 0x10, seed) == sum,
        }
    }
}

fn check_features(needed: u32) -> Result<(), SystemError> {
    let known = REVOKES | LONG_ADDRESSES | ASYNC_COMMIT | SUMS_V2 | SUMS_V3;
    let why = match needed & !known {
        0 => return Ok(()),
        FAST_COMMIT => "fast_commit".to_owned(),
        other => format!("incompatible 0x{other:x}"),
    };
    Err(SystemError::Unsupported(format!(
        "it was in use, and its unfinished journal has a feature that is not read here ({why})"
    )))
}

/// The CRC-32C of a block in which the sum at `at` is zero.
fn without(block: &[u8], at: usize, seed: u32) -> u32 {
    let (before, behind) = block.split_at_checked(at).unwrap_or((block, &[]));
    let sum = crc32c(crc32c(seed, before), &[0; 4]);
    crc32c(sum, behind.get(4..).unwrap_or_default())
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map_or(0, u32::from_be_bytes)
}

fn damaged(why: &str) -> SystemError {
    SystemError::Damaged(why.to_owned())
}
