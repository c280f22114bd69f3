//! What the superblock of an ext says of its shape, and the superblock as it is when nothing has to be recovered.

use super::{
    super::{
        device::Bytes,
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

/// Compatible features: that there is a journal, that two groups alone have copies of the superblock.
const HAS_JOURNAL: u32 = 0x4;
const TWO_COPIES: u32 = 0x200;

/// Features that a reader has to know: that the journal is unfinished, that descriptors lie in their groups, that addresses
/// have 64 bits, that the seed of the sums is in the superblock, that directories may be large.
const NEEDS_RECOVERY: u32 = 0x4;
const JOURNAL_DEVICE: u32 = 0x8;
const SCATTERED_DESCRIPTORS: u32 = 0x10;
const LONG_ADDRESSES: u32 = 0x80;
const SEED: u32 = 0x2000;
const LARGE_DIRECTORIES: u32 = 0x4000;
/// Types in directories, recovery, scattered descriptors, extents, 64 bits, protection against two mounts, flexible groups,
/// large attributes, data in entries, the seed, large directories, content within inodes, encryption, folded names.
const KNOWN: u32 = 0x2
    | 0x4
    | 0x10
    | 0x40
    | 0x80
    | 0x100
    | 0x200
    | 0x400
    | 0x1000
    | 0x2000
    | 0x4000
    | 0x8000
    | 0x1_0000
    | 0x2_0000;

/// Features of writers: copies of the superblock in some groups, metadata that carries sums.
const FEW_COPIES: u32 = 0x1;
const METADATA_SUMS: u32 = 0x400;

/// The superblock's own sum is its last field.
const SUM: usize = LENGTH - 4;

/// The part of a superblock that leads to inodes.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// Bytes.
    pub(super) block: usize,
    first_block: u32,
    blocks_per_group: u32,
    inodes: u32,
    inodes_per_group: u32,
    pub(super) inode_size: u16,
    /// Bytes of a group's descriptor.
    descriptor: u16,
    /// The journal's inode; 0 if it is on another device.
    pub(super) journal: u32,
    /// Whether the journal has to be replayed before anything is believed.
    pub(super) needs_recovery: bool,
    /// What the sums of metadata begin with, where there are any.
    pub(super) sums: Option<u32>,
    pub(super) large_directories: bool,
    /// From this number on, blocks of descriptors lie in the groups that they describe.
    scattered_from: Option<u32>,
    copies: Copies,
}

/// Which groups begin with a copy of the superblock.
#[derive(Debug, Clone, Copy)]
enum Copies {
    All,
    /// The first two, and the powers of 3, 5 and 7.
    Powers,
    These([u32; 2]),
}

impl Shape {
    pub(super) fn of(superblock: &[u8; LENGTH]) -> Result<Self, SystemError> {
        let bits = u32_at(superblock, 0x18);
        if bits > 6 {
            return Err(damaged("it has no size of blocks that can be"));
        }
        let (compatible, needed, writers) = (
            u32_at(superblock, 0x5c),
            u32_at(superblock, 0x60),
            u32_at(superblock, 0x64),
        );
        if needed & JOURNAL_DEVICE != 0 {
            return Err(SystemError::Unsupported(
                "it is the journal of another file system".to_owned(),
            ));
        }
        if needed & !KNOWN != 0 {
            return Err(SystemError::Unsupported(format!(
                "it has features that are not known here (0x{:x})",
                needed & !KNOWN
            )));
        }
        let sums = (writers & METADATA_SUMS != 0).then(|| {
            if needed & SEED != 0 {
                u32_at(superblock, 0x270)
            } else {
                crc32c(u32::MAX, &superblock[0x68..0x78])
            }
        });
        let shape = Self {
            block: 1024 << bits,
            first_block: u32_at(superblock, 0x14),
            blocks_per_group: u32_at(superblock, 0x20),
            inodes: u32_at(superblock, 0x0),
            inodes_per_group: u32_at(superblock, 0x28),
            inode_size: match u32_at(superblock, 0x4c) {
                0 => 128,
                _ => u16_at(superblock, 0x58),
            },
            descriptor: if needed & LONG_ADDRESSES != 0 {
                u16_at(superblock, 0xfe)
            } else {
                32
            },
            journal: u32_at(superblock, 0xe0),
            needs_recovery: compatible & HAS_JOURNAL != 0 && needed & NEEDS_RECOVERY != 0,
            sums,
            large_directories: needed & LARGE_DIRECTORIES != 0,
            scattered_from: (needed & SCATTERED_DESCRIPTORS != 0)
                .then(|| u32_at(superblock, 0x104)),
            copies: if compatible & TWO_COPIES != 0 {
                Copies::These([u32_at(superblock, 0x24c), u32_at(superblock, 0x250)])
            } else if writers & FEW_COPIES != 0 {
                Copies::Powers
            } else {
                Copies::All
            },
        };
        let fits =
            usize::from(shape.inode_size) <= shape.block && (32..=1024).contains(&shape.descriptor);
        if shape.inodes_per_group == 0 || shape.inode_size < 128 || !fits {
            return Err(damaged("its inodes cannot be"));
        }
        Ok(shape)
    }

    /// Where an inode is, in bytes of the volume.
    pub(super) fn place_of(&self, inode: u32, volume: &impl Bytes) -> Result<u64, SystemError> {
        let number = inode
            .checked_sub(1)
            .filter(|_| inode <= self.inodes)
            .ok_or_else(|| damaged("it refers to an inode that is none"))?;
        let (group, within) = (
            number / self.inodes_per_group,
            number % self.inodes_per_group,
        );
        let descriptor = self.descriptor_of(group)?;
        let low = u32::from_le_bytes(volume.take(descriptor + 0x8)?);
        let high = if self.descriptor >= 64 {
            u32::from_le_bytes(volume.take(descriptor + 0x28)?)
        } else {
            0
        };
        let table = u64::from(low) | u64::from(high) << 32;
        table
            .checked_mul(self.block as u64)
            .and_then(|at| at.checked_add(u64::from(within) * u64::from(self.inode_size)))
            .ok_or_else(|| damaged("its inodes cannot be where they are said to be"))
    }

    /// Where a group's descriptor is, in bytes of the volume.
    fn descriptor_of(&self, group: u32) -> Result<u64, SystemError> {
        let (block, size) = (self.block as u64, u64::from(self.descriptor));
        let in_a_block = block / size;
        let number = u64::from(group) / in_a_block;
        let within = u64::from(group) % in_a_block * size;
        let scattered = self
            .scattered_from
            .is_some_and(|first| number >= u64::from(first));
        let at = if scattered {
            let first = in_a_block * number;
            let group = u32::try_from(first).map_err(|_| damaged("its groups cannot be"))?;
            let mut copy = u64::from(self.has_copy(group));
            if self.block == 1024 && number == 0 && self.first_block == 0 {
                copy += 1;
            }
            copy + u64::from(self.first_block) + first * u64::from(self.blocks_per_group)
        } else {
            // Behind the superblock, which in blocks of 1 KiB is the second one also where clusters begin with the first.
            let superblock = if self.block == 1024 {
                1
            } else {
                self.first_block
            };
            u64::from(superblock) + 1 + number
        };
        at.checked_mul(block)
            .and_then(|at| at.checked_add(within))
            .ok_or_else(|| damaged("its groups cannot be where they are said to be"))
    }

    fn has_copy(&self, group: u32) -> bool {
        match self.copies {
            _ if group == 0 => true,
            Copies::All => true,
            Copies::These(groups) => groups.contains(&group),
            Copies::Powers => {
                let is_power = |base: u32| {
                    let mut left = group;
                    while left.is_multiple_of(base) {
                        left /= base;
                    }
                    left == 1
                };
                [3, 5, 7].into_iter().any(is_power)
            }
        }
    }
}

/// Refuses more block groups than there can be, and a superblock that does not agree with its sum.
pub(super) fn check(superblock: &[u8; LENGTH]) -> Result<(), SystemError> {
    let blocks = u64::from(u32_at(superblock, 0x4)) | u64::from(u32_at(superblock, 0x150)) << 32;
    let per_group = u64::from(u32_at(superblock, 0x20));
    if per_group == 0 || blocks.div_ceil(per_group) > u64::from(MOST_GROUPS) {
        return Err(SystemError::Damaged(format!(
            "{blocks} blocks in groups of {per_group} cannot be"
        )));
    }
    if is_summed(superblock) && sum(superblock) != u32_at(superblock, SUM) {
        return Err(damaged("its superblock does not agree with its sum"));
    }
    Ok(())
}

/// The superblock without the word that it needs recovery; its sum is right then if it was before.
pub(super) fn recovered(mut superblock: [u8; LENGTH]) -> Result<[u8; LENGTH], SystemError> {
    check(&superblock)?;
    superblock[0x60] &= !(NEEDS_RECOVERY as u8);
    if is_summed(&superblock) {
        let sum = sum(&superblock);
        superblock[SUM..].copy_from_slice(&sum.to_le_bytes());
    }
    Ok(superblock)
}

fn is_summed(superblock: &[u8; LENGTH]) -> bool {
    u32_at(superblock, 0x64) & METADATA_SUMS != 0
}

fn sum(superblock: &[u8; LENGTH]) -> u32 {
    crc32c(u32::MAX, &superblock[..SUM])
}

fn damaged(why: &str) -> SystemError {
    SystemError::Damaged(why.to_owned())
}
