//! Where a disk is cut: chunks of 1 MiB, segments of 64 GiB. Pure arithmetic over sizes and ranges.
//!
//! Fixed offsets, because a virtual disk's blocks stay where they are: an edit changes the chunks it touches and no
//! others, and a list of changed blocks translates into chunks without reading anything.

use std::ops::Range;

use crate::{error::VaultError, job::Extent};

/// Bytes of a chunk; the last one of a disk may be shorter.
pub(crate) const CHUNK: u64 = 1 << 20;

/// Chunks of a segment: 64 GiB. A disk up to that size is one file in the snapshot, a larger one a directory of segments.
pub(crate) const SEGMENT_CHUNKS: u64 = (64 << 30) / CHUNK;

/// The largest disk: a segment's name has four digits.
pub(crate) const LARGEST_DISK: u64 = 10_000 * SEGMENT_CHUNKS * CHUNK;

/// A full chunk of zeros, to compare with.
pub(crate) static ZEROS: [u8; CHUNK as usize] = [0; CHUNK as usize];

/// How many chunks a disk of `size` bytes has.
pub(crate) fn chunk_count(size: u64) -> u64 {
    size.div_ceil(CHUNK)
}

/// Bytes of chunk `number` of a disk of `size` bytes.
pub(crate) fn chunk_length(size: u64, number: u64) -> usize {
    size.saturating_sub(number * CHUNK).min(CHUNK) as usize
}

/// Bytes of a disk's last chunk.
pub(crate) fn last_chunk_length(size: u64) -> usize {
    chunk_length(size, chunk_count(size).saturating_sub(1))
}

/// Chunks of a disk, collected from extents in bytes that come in order: sorted runs that neither touch nor overlap. As
/// many as a disk has gaps of a chunk and more, however small the extents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Runs {
    size: u64,
    runs: Vec<Range<u64>>,
}

impl Runs {
    /// None yet, of a disk of `size` bytes.
    pub(crate) fn new(size: u64) -> Self {
        Self {
            size,
            runs: Vec::new(),
        }
    }

    /// The chunks that an extent touches. What lies beyond the disk is left out; one that lies before the last one added
    /// begins where that did.
    pub(crate) fn add(&mut self, offset: u64, length: u64) {
        let end = offset.saturating_add(length).min(self.size);
        if offset >= end {
            return;
        }
        let run = offset / CHUNK..end.div_ceil(CHUNK);
        match self.runs.last_mut() {
            Some(last) if run.start <= last.end => last.end = last.end.max(run.end),
            _ => self.runs.push(run),
        }
    }

    pub(crate) fn into_ranges(self) -> Vec<Range<u64>> {
        self.runs
    }
}

/// The chunks that `extents` touch, in whatever order they come, as sorted ranges that neither touch nor overlap.
pub(crate) fn chunks_of(extents: &[Extent], size: u64) -> Vec<Range<u64>> {
    let mut sorted = extents.to_vec();
    sorted.sort_unstable();
    let mut runs = Runs::new(size);
    for Extent { offset, length } in sorted {
        runs.add(offset, length);
    }
    runs.into_ranges()
}

/// The ranges merged: sorted, none touching another.
pub(crate) fn union(mut runs: Vec<Range<u64>>) -> Vec<Range<u64>> {
    runs.sort_unstable_by_key(|run| run.start);
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(runs.len());
    for run in runs {
        match merged.last_mut() {
            Some(last) if run.start <= last.end => last.end = last.end.max(run.end),
            _ => merged.push(run),
        }
    }
    merged
}

/// The chunks of `runs` that are in none of `others`; both sorted, none touching another.
pub(crate) fn difference(runs: &[Range<u64>], others: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut left = Vec::new();
    let mut others = others.iter().peekable();
    for run in runs {
        let mut start = run.start;
        while let Some(other) = others.peek() {
            if other.end <= start {
                others.next();
                continue;
            }
            if other.start >= run.end {
                break;
            }
            if other.start > start {
                left.push(start..other.start);
            }
            start = other.end;
            if start >= run.end {
                break;
            }
        }
        if start < run.end {
            left.push(start..run.end);
        }
    }
    left
}

/// Bytes of all chunks in `runs` of a disk of `size` bytes.
pub(crate) fn bytes_in(runs: &[Range<u64>], size: u64) -> u64 {
    runs.iter()
        .map(|run| (run.end * CHUNK).min(size) - (run.start * CHUNK).min(size))
        .sum()
}

/// Refuses a name of a machine or a disk that could not be a file's name everywhere a snapshot may be looked at.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), VaultError> {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | '\\' | '"') || c == ' ';
    if name.is_empty()
        || name.len() > 200
        || name == "."
        || name == ".."
        || !name.chars().all(plain)
    {
        return Err(VaultError::InvalidJob(format!(
            "the {what}'s name {name:?} must be 1 to 200 printable ASCII characters without / \\ and \""
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_changed_byte_is_in_a_chunk_that_is_read(
            size in 1..50 * CHUNK,
            extents in prop::collection::vec((0..60 * CHUNK, 0..3 * CHUNK), 0..20),
        ) {
            let extents: Vec<_> = extents.into_iter().map(|(offset, length)| Extent { offset, length }).collect();
            let runs = chunks_of(&extents, size);
            for pair in runs.windows(2) {
                prop_assert!(pair[0].end < pair[1].start);
            }
            for number in 0..chunk_count(size) {
                let chunk = number * CHUNK..number * CHUNK + chunk_length(size, number) as u64;
                let touched = extents.iter().any(|e| e.length > 0 && e.offset < chunk.end && e.offset + e.length > chunk.start);
                prop_assert_eq!(runs.iter().any(|run| run.contains(&number)), touched);
            }
            prop_assert!(runs.last().is_none_or(|run| run.end <= chunk_count(size)));
        }
    }
}
