//! The entries of a directory, block by block. An index of hashes over them looks like entries that are free, and so is passed
//! over; names of folded case are stored as they were written.

use super::{
    super::partition::{u16_at, u32_at},
    crc::crc32c,
};

/// What an entry has before its name.
const HEADER: usize = 8;

/// An entry that carries its block's sum: of no inode, of this length, of no name, of this type.
const SUM_LENGTH: usize = 12;
const SUM_TYPE: u8 = 0xde;

/// Goes through the entries of a block, but for `.` and `..`: each with its name and its inode.
///
/// # Errors
/// What is wrong with the block. Entries that can be told in spite of it are told before.
pub(super) fn entries(
    block: &[u8],
    sums: Option<u32>,
    each: &mut dyn FnMut(&[u8], u32),
) -> Result<(), &'static str> {
    let mut at = 0;
    while at < block.len() {
        let rest = &block[at..];
        let length = length_of(u16_at(rest, 4), block.len());
        let name = rest.get(HEADER..HEADER + rest.get(6).map_or(0, |length| usize::from(*length)));
        let (Some(name), true, true) = (
            name,
            length >= HEADER && length.is_multiple_of(4),
            length <= rest.len(),
        ) else {
            return Err("an entry in it is not of its length");
        };
        let inode = u32_at(rest, 0);
        if inode != 0 {
            if HEADER + name.len() > length {
                return Err("a name in it is longer than its entry");
            }
            if name != b"." && name != b".." {
                each(name, inode);
            }
        }
        at += length;
    }
    match sums {
        Some(seed) if !is_index(block) && !agrees(block, seed) => {
            Err("it does not agree with its sum")
        }
        _ => Ok(()),
    }
}

/// A length of 16 bits in a block of up to 64 KiB, as Linux packs it.
fn length_of(raw: u16, block: usize) -> usize {
    let raw = usize::from(raw);
    if block < 1 << 16 {
        return raw;
    }
    match raw {
        0 | 0xffff => block,
        _ => (raw & 0xfffc) | (raw & 3) << 16,
    }
}

/// Whether a block is one of the index: one free entry, or `.` and a `..` that takes the rest of the block.
fn is_index(block: &[u8]) -> bool {
    let spans = |at: usize| {
        length_of(u16_at(block.get(at..).unwrap_or_default(), 4), block.len()) + at == block.len()
    };
    let is_free = u32_at(block, 0) == 0 && spans(0);
    let is_root =
        block.get(6..9) == Some(&[1, 2, b'.']) && block.get(12 + 6) == Some(&2) && spans(12);
    is_free || is_root
}

fn agrees(block: &[u8], seed: u32) -> bool {
    let Some((entries, tail)) = block.split_last_chunk::<SUM_LENGTH>() else {
        return false;
    };
    u32_at(tail, 0) == 0
        && usize::from(u16_at(tail, 4)) == SUM_LENGTH
        && tail[6] == 0
        && tail[7] == SUM_TYPE
        && crc32c(seed, entries) == u32_at(tail, 8)
}
