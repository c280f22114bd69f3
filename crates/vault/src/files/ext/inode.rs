//! An inode: what a file is, and whose, and when it was changed.

use jiff::Timestamp;

use super::{
    super::{
        device::Bytes,
        partition::{u16_at, u32_at},
        system::{Kind, SystemError},
    },
    crc::crc32c,
    shape::Shape,
};

/// What an inode of the first kind has, in bytes.
const OLD: usize = 128;

const ENCRYPTED: u32 = 0x800;
const IN_EXTENTS: u32 = 0x8_0000;
const INLINE: u32 = 0x1000_0000;

/// Where the two halves of its sum are.
const SUM_LOW: usize = 0x7c;
const SUM_HIGH: usize = 0x82;

#[derive(Debug, Clone)]
pub(super) struct Inode {
    pub(super) kind: Kind,
    /// Permission bits.
    pub(super) mode: u32,
    /// Bytes.
    pub(super) size: u64,
    pub(super) owner: (u32, u32),
    pub(super) modified: Option<Timestamp>,
    pub(super) links: u32,
    pub(super) encrypted: bool,
    pub(super) in_extents: bool,
    /// Whether its content is in itself.
    pub(super) inline: bool,
    /// What the sums of its blocks begin with, where there are any.
    pub(super) sums: Option<u32>,
    raw: Vec<u8>,
    extra: usize,
}

impl Inode {
    pub(super) fn load(
        number: u32,
        shape: &Shape,
        volume: &impl Bytes,
    ) -> Result<Self, SystemError> {
        let mut raw = vec![0; shape.inode_size.into()];
        volume.read(shape.place_of(number, volume)?, &mut raw)?;
        let extra = if raw.len() > OLD {
            usize::from(u16_at(&raw, 0x80)).min(raw.len() - OLD)
        } else {
            0
        };
        let generation = u32_at(&raw, 0x64);
        let sums = shape.sums.map(|seed| {
            crc32c(
                crc32c(seed, &number.to_le_bytes()),
                &generation.to_le_bytes(),
            )
        });
        if let Some(seed) = sums
            && !agrees(&raw, extra, seed)
        {
            return Err(damaged("an inode does not agree with its sum"));
        }
        let mode = u16_at(&raw, 0);
        let kind = match mode >> 12 {
            0x1 => Kind::Fifo,
            0x2 | 0x6 => Kind::Device,
            0x4 => Kind::Directory,
            0x8 => Kind::File,
            0xa => Kind::Symlink,
            0xc => Kind::Socket,
            _ => return Err(damaged("an inode is of no kind")),
        };
        let links = u32::from(u16_at(&raw, 0x1a));
        if links == 0 && kind != Kind::Directory {
            return Err(damaged("an inode that is free is still named"));
        }
        let low = u64::from(u32_at(&raw, 0x4));
        // The upper half of a directory's size was something else once.
        let long = kind != Kind::Directory || shape.large_directories;
        let high = if long { u32_at(&raw, 0x6c) } else { 0 };
        let flags = u32_at(&raw, 0x20);
        Ok(Self {
            kind,
            mode: u32::from(mode & 0o7777),
            size: low | u64::from(high) << 32,
            owner: (
                u32::from(u16_at(&raw, 0x2)) | u32::from(u16_at(&raw, 0x78)) << 16,
                u32::from(u16_at(&raw, 0x18)) | u32::from(u16_at(&raw, 0x7a)) << 16,
            ),
            modified: modified(&raw, extra),
            links,
            encrypted: flags & ENCRYPTED != 0,
            in_extents: flags & IN_EXTENTS != 0,
            inline: flags & INLINE != 0,
            sums,
            raw,
            extra,
        })
    }

    /// Where its content is told of: addresses, extents, or the content itself.
    pub(super) fn root(&self) -> &[u8] {
        &self.raw[0x28..0x64]
    }

    /// What follows its fields: attributes, as far as they fit.
    pub(super) fn behind(&self) -> &[u8] {
        self.raw.get(OLD + self.extra..).unwrap_or_default()
    }

    /// The block of its attributes, 0 if it has none.
    pub(super) fn attributes(&self) -> u64 {
        u64::from(u32_at(&self.raw, 0x68)) | u64::from(u16_at(&self.raw, 0x76)) << 32
    }
}

/// The time of the last change: 32 bits of seconds with a sign, and where the inode has room two more, and nanoseconds.
fn modified(raw: &[u8], extra: usize) -> Option<Timestamp> {
    let seconds = i64::from(u32_at(raw, 0x10).cast_signed());
    let more = if extra >= 0x8c - OLD {
        u32_at(raw, 0x88)
    } else {
        0
    };
    let nanoseconds = i32::try_from(more >> 2)
        .ok()
        .filter(|ns| *ns < 1_000_000_000);
    Timestamp::new(
        seconds + (i64::from(more & 3) << 32),
        nanoseconds.unwrap_or_default(),
    )
    .ok()
}

/// Whether an inode agrees with its sum, which counts itself as zeros.
fn agrees(raw: &[u8], extra: usize, seed: u32) -> bool {
    let zeros = [0; 2];
    let mut sum = crc32c(seed, &raw[..SUM_LOW]);
    sum = crc32c(sum, &zeros);
    sum = crc32c(sum, &raw[SUM_LOW + 2..OLD]);
    let low = u32::from(u16_at(raw, SUM_LOW));
    if raw.len() == OLD {
        return sum & 0xffff == low;
    }
    let is_wide = extra >= SUM_HIGH + 2 - OLD;
    sum = crc32c(sum, &raw[OLD..SUM_HIGH]);
    if is_wide {
        sum = crc32c(sum, &zeros);
        sum = crc32c(sum, &raw[SUM_HIGH + 2..]);
        sum == low | u32::from(u16_at(raw, SUM_HIGH)) << 16
    } else {
        sum = crc32c(sum, &raw[SUM_HIGH..]);
        sum & 0xffff == low
    }
}

fn damaged(why: &str) -> SystemError {
    SystemError::Damaged(why.to_owned())
}
