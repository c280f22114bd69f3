//! What an image was when a dirty bitmap was begun in it, and whether the bitmap can be believed later.
//!
//! A bitmap knows of the writes of guests that QEMU heard of, and of nothing else. Whoever resizes the image, goes back to a
//! snapshot in it, puts another file in its place, clears the bitmap or begins another one by its name changes the disk
//! without a bit of it. So each of these must show elsewhere: in the file, in the image's header, or in the marks.
//!
//! Marks are bits that the bitmap has from its beginning: a few at random places, and that of the disk's last bytes. A bitmap
//! that was cleared, or made anew, lacks them; one whose image was shrunk and grown again lacks the last.

use std::{fs::Metadata, ops::Range, os::unix::fs::MetadataExt, time::UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::{error::VaultError, key, layout::CHUNK};

/// Bytes of a disk that one bit of a bitmap stands for: qcow2's own cluster.
pub(crate) const GRANULARITY: u64 = 65536;

/// Marks beside that of the disk's last bytes, in the chunks before its last: there they would stand in for it, as a bitmap is
/// read by chunks.
const AT_RANDOM: usize = 3;

/// An image at the moment at which a dirty bitmap was begun in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// The image's file.
    pub file: FileId,
    /// What of the image's header no write of a guest changes.
    pub header: ImageHeader,
    /// Where the bitmap says from its beginning that the disk was written to: offsets in bytes.
    pub marks: Vec<u64>,
}

/// Which file it is that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileId {
    /// Its number in its file system. That of a block device says nothing: 0.
    pub inode: u64,
    /// When it was made, in nanoseconds since 1970, where the file system knows.
    #[serde(default)]
    pub born: Option<u64>,
}

/// The fields of a qcow2 header that stay as they are for as long as guests alone write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageHeader {
    pub version: u32,
    /// The disk's logical size in bytes.
    pub size: u64,
    pub cluster_bits: u32,
    pub l1_entries: u32,
    pub l1_offset: u64,
    pub snapshots: u32,
    pub snapshots_offset: u64,
    /// Without the bits that say how the image was closed.
    pub incompatible: u64,
}

impl FileId {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        if !metadata.is_file() {
            return Self {
                inode: 0,
                born: None,
            };
        }
        let born = metadata.created().ok();
        let born = born.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Self {
            inode: metadata.ino(),
            born: born.and_then(|since| u64::try_from(since.as_nanos()).ok()),
        }
    }
}

impl Checkpoint {
    /// What keeps a bitmap that was begun at this checkpoint from being believed of an image as it is now; `file` is not known
    /// of what is no copy of an image.
    pub(crate) fn refuted_by(
        &self,
        file: Option<FileId>,
        header: &ImageHeader,
    ) -> Option<&'static str> {
        let before = &self.header;
        Some(if file.is_some_and(|file| file != self.file) {
            "another file was put in the image's place"
        } else if header.size != before.size {
            "the image was resized"
        } else if (header.snapshots, header.snapshots_offset)
            != (before.snapshots, before.snapshots_offset)
        {
            "the image's internal snapshots changed"
        } else if header != before {
            "the image's header changed"
        } else {
            return None;
        })
    }

    /// Whether a bitmap has all the marks: `dirty` are the chunks that it says were written to, in order.
    pub(crate) fn is_marked_in(&self, dirty: &[Range<u64>]) -> bool {
        self.marks.iter().all(|mark| {
            let chunk = mark / CHUNK;
            dirty.iter().any(|run| run.contains(&chunk))
        })
    }
}

/// The places of the marks of a disk of `size` bytes.
pub(crate) fn marks(size: u64) -> Result<Vec<u64>, VaultError> {
    let mut random = [0; AT_RANDOM * 8];
    key::fill_random(&mut random)?;
    Ok(marks_by(size, &random))
}

fn marks_by(size: u64, random: &[u8]) -> Vec<u64> {
    let granules = size.div_ceil(GRANULARITY).max(1);
    let before_the_last_chunk = size.saturating_sub(1) / CHUNK * (CHUNK / GRANULARITY);
    let (numbers, _) = random.as_chunks::<8>();
    let numbers = numbers
        .iter()
        .filter_map(|bytes| u64::from_le_bytes(*bytes).checked_rem(before_the_last_chunk));
    let mut marks: Vec<u64> = numbers.chain([granules - 1]).collect();
    marks.sort_unstable();
    marks.dedup();
    marks.iter().map(|granule| granule * GRANULARITY).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mark beside the last one would hide that an image was shrunk by less than a chunk and grown back.
    #[test]
    fn the_last_chunk_has_no_mark_but_the_last() {
        for size in [512, CHUNK, CHUNK + 1, 2 * CHUNK, 16 * CHUNK + 512] {
            for random in 0..=255 {
                let marks = marks_by(size, &[random; 24]);
                let last = (size - 1) / CHUNK;
                let in_last = marks.iter().filter(|mark| *mark / CHUNK == last);
                assert_eq!(in_last.count(), 1, "{size}: {marks:?}");
            }
        }
    }

    #[test]
    fn the_last_bytes_are_always_marked() {
        for size in [512, 65536, 65537, 1 << 20, (1 << 30) + 512] {
            let marks = marks_by(size, &[0x5a; 24]);
            assert!(marks.iter().all(|mark| *mark < size), "{size}: {marks:?}");
            assert!(size - marks.last().unwrap() <= GRANULARITY);
        }
    }
}
