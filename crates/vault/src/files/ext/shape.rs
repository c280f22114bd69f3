//! What the superblock of an ext says of its shape, and the superblock as it is when nothing has to be recovered.

use super::{
    super::{
        partition::{u16_at, u32_at},
        system::SystemError,
    },
    crc::crc32c,
};

/// Block groups that a file system may have: 128 TiB in those of 128 MiB.
const MOST_GROUPS: u32 = 1 << 20;

/// Where a superblock is, and how long, in bytes.
pub(super) const AT: u64 = 1024;
pub(super) const LENGTH: usize = 1024;

/// Features: that there is a journal, that it is unfinished, that addresses have 64 bits, that metadata carries sums.
const HAS_JOURNAL: u32 = 0x4;
const NEEDS_RECOVERY: u32 = 0x4;
const LONG_ADDRESSES: u32 = 0x80;
const METADATA_SUMS: u32 = 0x400;

/// The superblock's own sum is its last field.
const SUM: usize = LENGTH - 4;

/// The part of a superblock that leads to the journal.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// Bytes.
    pub(super) block: usize,
    pub(super) first_block: u32,
    pub(super) inodes_per_group: u32,
    pub(super) inode_size: u16,
    /// Bytes of a group's descriptor.
    pub(super) descriptor: u16,
    /// The journal's inode; 0 if it is on another device.
    pub(super) journal: u32,
    /// Whether the journal has to be replayed before anything is believed.
    pub(super) needs_recovery: bool,
}

impl Shape {
    pub(super) fn of(superblock: &[u8; LENGTH]) -> Result<Self, SystemError> {
        let bits = u32_at(superblock, 0x18);
        if bits > 6 {
            return Err(SystemError::Damaged(
                "it has no size of blocks that can be".to_owned(),
            ));
        }
        let has = |field: usize, feature: u32| u32_at(superblock, field) & feature != 0;
        Ok(Self {
            block: 1024 << bits,
            first_block: u32_at(superblock, 0x14),
            inodes_per_group: u32_at(superblock, 0x28),
            inode_size: match u32_at(superblock, 0x4c) {
                0 => 128,
                _ => u16_at(superblock, 0x58),
            },
            descriptor: if has(0x60, LONG_ADDRESSES) {
                u16_at(superblock, 0xfe)
            } else {
                32
            },
            journal: u32_at(superblock, 0xe0),
            needs_recovery: has(0x5c, HAS_JOURNAL) && has(0x60, NEEDS_RECOVERY),
        })
    }
}

/// Refuses more block groups than there can be: the reader takes memory for each.
pub(super) fn check_groups(superblock: &[u8; LENGTH]) -> Result<(), SystemError> {
    let blocks = u64::from(u32_at(superblock, 0x4)) | u64::from(u32_at(superblock, 0x150)) << 32;
    let per_group = u64::from(u32_at(superblock, 0x20));
    if per_group == 0 || blocks.div_ceil(per_group) > u64::from(MOST_GROUPS) {
        return Err(SystemError::Damaged(format!(
            "{blocks} blocks in groups of {per_group} cannot be"
        )));
    }
    Ok(())
}

/// The superblock without the word that it needs recovery; its sum is right then if it was before.
pub(super) fn recovered(mut superblock: [u8; LENGTH]) -> Result<[u8; LENGTH], SystemError> {
    let summed = u32_at(&superblock, 0x64) & METADATA_SUMS != 0;
    let sum = |superblock: &[u8; LENGTH]| crc32c(u32::MAX, &superblock[..SUM]);
    if summed && sum(&superblock) != u32_at(&superblock, SUM) {
        return Err(SystemError::Damaged(
            "its superblock does not agree with its sum".to_owned(),
        ));
    }
    superblock[0x60] &= !(NEEDS_RECOVERY as u8);
    if summed {
        let sum = sum(&superblock);
        superblock[SUM..].copy_from_slice(&sum.to_le_bytes());
    }
    Ok(superblock)
}
