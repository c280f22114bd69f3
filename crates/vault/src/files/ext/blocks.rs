//! Where the blocks of a file lie: on ext4 its inode has a tree of extents, on ext2 and ext3 blocks of addresses. Holes, and
//! what was set aside and never written, read as zeros.

use super::{
    super::{
        device::Bytes,
        partition::{u16_at, u32_at},
        system::SystemError,
    },
    crc::crc32c,
    inode::Inode,
    shape::Shape,
};

/// Levels of a tree of extents, as Linux has it.
const DEEPEST: u16 = 5;

/// An extent of more blocks than this is of so many fewer, which were never written.
const LONGEST: u16 = 0x8000;

/// Blocks that a file can have.
const MOST: u64 = 1 << 32;

/// Blocks that follow each other both in the file and on the volume, or that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Where the first is, in blocks of the volume; `None` for zeros.
    pub(super) at: Option<u64>,
    /// At least one.
    pub(super) count: u64,
}

/// The run that begins with a file's block `number`.
pub(super) fn run_at(
    inode: &Inode,
    number: u64,
    shape: &Shape,
    volume: &impl Bytes,
) -> Result<Run, SystemError> {
    let found = if inode.in_extents {
        in_extents(inode, number, shape, volume)?
    } else {
        in_addresses(inode.root(), number, shape, volume)?
    };
    Ok(Run {
        count: found.count.max(1),
        ..found
    })
}

fn in_extents(
    inode: &Inode,
    number: u64,
    shape: &Shape,
    volume: &impl Bytes,
) -> Result<Run, SystemError> {
    let mut node = inode.root().to_vec();
    let mut depth = None;
    let mut end = MOST;
    loop {
        let (magic, count, deep) = (u16_at(&node, 0), u16_at(&node, 2), u16_at(&node, 6));
        let fits = (usize::from(count) + 1) * 12 <= node.len();
        let follows = depth.is_none_or(|depth: u16| depth == deep + 1);
        if magic != 0xf30a || !fits || deep > DEEPEST || !follows {
            return Err(damaged("a tree of extents is damaged"));
        }
        let first = |entry: &[u8]| u64::from(u32_at(entry, 0));
        let mut here: Option<&[u8]> = None;
        let mut last = None;
        for entry in node.chunks_exact(12).skip(1).take(count.into()) {
            if last.is_some_and(|last| first(entry) <= last) {
                return Err(damaged("extents are not in their order"));
            }
            last = Some(first(entry));
            if first(entry) <= number {
                here = Some(entry);
            } else {
                end = end.min(first(entry));
                break;
            }
        }
        let hole = Run {
            at: None,
            count: end.saturating_sub(number),
        };
        let Some(entry) = here else { return Ok(hole) };
        if deep == 0 {
            let length = u16_at(entry, 4);
            let written = length <= LONGEST;
            let length = u64::from(if written { length } else { length - LONGEST });
            let into = number - first(entry);
            if into >= length {
                return Ok(hole);
            }
            let at = u64::from(u32_at(entry, 8)) | u64::from(u16_at(entry, 6)) << 32;
            return Ok(Run {
                at: written.then_some(at + into),
                count: length - into,
            });
        }
        let at = u64::from(u32_at(entry, 4)) | u64::from(u16_at(entry, 8)) << 32;
        depth = Some(deep);
        node = block(at, shape, volume)?;
        // Behind as many entries as it has room for.
        let sum = 12 * (usize::from(u16_at(&node, 4)) + 1);
        if let Some(seed) = inode.sums
            && node.get(..sum).map(|node| crc32c(seed, node)) != Some(u32_at(&node, sum))
        {
            return Err(damaged("a tree of extents does not agree with its sum"));
        }
    }
}

fn in_addresses(
    root: &[u8],
    number: u64,
    shape: &Shape,
    volume: &impl Bytes,
) -> Result<Run, SystemError> {
    let per_block = (shape.block / 4) as u64;
    if number < 12 {
        return Ok(run_in(&root[..48], number));
    }
    let mut within = number - 12;
    for level in 1..=3_u32 {
        let span = per_block.pow(level);
        if within >= span {
            within -= span;
            continue;
        }
        let mut address = u32_at(root, 44 + level as usize * 4);
        let mut span = span;
        for _ in 0..level {
            if address == 0 {
                return Ok(Run {
                    at: None,
                    count: span - within,
                });
            }
            span /= per_block;
            let below = block(address.into(), shape, volume)?;
            if span == 1 {
                return Ok(run_in(&below, within));
            }
            address = u32_at(&below, (within / span) as usize * 4);
            within %= span;
        }
    }
    Err(damaged(
        "a file has more blocks than there can be addresses",
    ))
}

/// What follows each other in one block of addresses.
fn run_in(addresses: &[u8], number: u64) -> Run {
    let rest = addresses.get(number as usize * 4..).unwrap_or_default();
    let first = u32_at(rest, 0);
    let follows = |(entry, by): &(&[u8], u32)| {
        let expected = if first == 0 {
            0
        } else {
            first.wrapping_add(*by)
        };
        u32_at(entry, 0) == expected
    };
    let count = rest.chunks_exact(4).zip(0..).take_while(follows).count();
    Run {
        at: (first != 0).then_some(first.into()),
        count: count as u64,
    }
}

fn block(at: u64, shape: &Shape, volume: &impl Bytes) -> Result<Vec<u8>, SystemError> {
    let offset = at
        .checked_mul(shape.block as u64)
        .ok_or_else(|| damaged("a block is where none can be"))?;
    let mut block = vec![0; shape.block];
    volume.read(offset, &mut block)?;
    Ok(block)
}

fn damaged(why: &str) -> SystemError {
    SystemError::Damaged(why.to_owned())
}
