//! Where the volumes of a disk are: by a GPT, by an MBR with its logical partitions, or one volume that is the whole disk.
//!
//! Read by hand, because both are a page of arithmetic and whatever a disk says must neither panic nor take memory that
//! it asks for. A damaged GPT is read from its copy at the disk's end.

use super::device::{Bytes as _, Window, WindowError};

/// A partition, in bytes from the disk's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Partition {
    /// As the table numbers it, and Linux after it: `sda3` is 3.
    pub(crate) number: u32,
    pub(crate) start: u64,
    pub(crate) size: u64,
}

/// More entries than any table has that a tool would write.
const MOST_ENTRIES: u32 = 1024;

/// More logical partitions than any disk has: their list is a chain that could be a circle.
const MOST_LOGICAL: u32 = 128;

/// The partitions of a disk, by their numbers; `None` if it has no table.
pub(crate) fn partitions(disk: &Window) -> Result<Option<Vec<Partition>>, WindowError> {
    if disk.size() < 1024 {
        return Ok(None);
    }
    let first: [u8; 512] = disk.take(0)?;
    let signed = first[510..] == [0x55, 0xaa];
    let entries = mbr_entries(&first);
    if !signed {
        return gpt(disk);
    }
    if entries.iter().any(|entry| entry.kind == 0xee)
        && let Some(found) = gpt(disk)?
    {
        return Ok(Some(found));
    }
    // The first sector of a FAT or NTFS volume is signed as well, and has code where the entries would be.
    let plausible = entries.iter().all(|entry| {
        matches!(entry.status, 0 | 0x80)
            && (entry.kind == 0
                || (entry.sectors > 0 && u64::from(entry.start) * 512 < disk.size()))
    });
    let any = entries
        .iter()
        .any(|entry| entry.kind != 0 && entry.start > 0);
    if plausible && any {
        mbr(disk, &entries).map(Some)
    } else {
        Ok(None)
    }
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    status: u8,
    kind: u8,
    /// Sectors of 512 bytes, from what the kind of table counts from.
    start: u32,
    sectors: u32,
}

fn mbr_entries(sector: &[u8; 512]) -> [Entry; 4] {
    [446, 462, 478, 494].map(|at| Entry {
        status: sector[at],
        kind: sector[at + 4],
        start: u32_at(sector, at + 8),
        sectors: u32_at(sector, at + 12),
    })
}

fn mbr(disk: &Window, entries: &[Entry; 4]) -> Result<Vec<Partition>, WindowError> {
    let mut found = Vec::new();
    for (number, entry) in (1..).zip(entries) {
        match entry.kind {
            0 => {}
            0x05 | 0x0f | 0x85 => logical(disk, u64::from(entry.start), &mut found)?,
            _ => found.push(Partition {
                number,
                start: u64::from(entry.start) * 512,
                size: u64::from(entry.sectors) * 512,
            }),
        }
    }
    found.sort_by_key(|partition| partition.number);
    Ok(found)
}

/// The logical partitions: a chain of tables, each with a partition, counted from the table, and the next table, counted
/// from the first.
fn logical(disk: &Window, first: u64, found: &mut Vec<Partition>) -> Result<(), WindowError> {
    let mut table = first;
    for number in 5..5 + MOST_LOGICAL {
        let sector: [u8; 512] = match disk.take(table * 512) {
            Ok(sector) => sector,
            // A chain that leaves the disk ends there.
            Err(WindowError::Beyond) => return Ok(()),
            Err(error) => return Err(error),
        };
        let [entry, next, ..] = mbr_entries(&sector);
        if sector[510..] != [0x55, 0xaa] {
            return Ok(());
        }
        if entry.kind != 0 && entry.sectors > 0 {
            found.push(Partition {
                number,
                start: (table + u64::from(entry.start)) * 512,
                size: u64::from(entry.sectors) * 512,
            });
        }
        if next.kind == 0 || next.start == 0 {
            return Ok(());
        }
        table = first + u64::from(next.start);
    }
    Ok(())
}

/// The GPT, for sectors of 512 bytes and of 4 KiB; its copy if the first is damaged.
fn gpt(disk: &Window) -> Result<Option<Vec<Partition>>, WindowError> {
    for sector in [512, 4096] {
        for header in [sector, disk.size().saturating_sub(sector) / sector * sector] {
            match gpt_at(disk, header, sector) {
                Ok(None) | Err(WindowError::Beyond) => {}
                found => return found,
            }
        }
    }
    Ok(None)
}

fn gpt_at(disk: &Window, at: u64, sector: u64) -> Result<Option<Vec<Partition>>, WindowError> {
    let mut header: [u8; 92] = disk.take(at)?;
    if header[..8] != *b"EFI PART" || u32_at(&header, 12) != 92 {
        return Ok(None);
    }
    let told = u32_at(&header, 16);
    header[16..20].fill(0);
    let (table, count, size) = (
        u64_at(&header, 72),
        u32_at(&header, 80),
        u32_at(&header, 84),
    );
    let sound = crc32(&header) == told && count <= MOST_ENTRIES && (128..=1024).contains(&size);
    let Some(table) = table.checked_mul(sector).filter(|_| sound) else {
        return Ok(None);
    };
    let mut entries = vec![0; (count * size) as usize];
    disk.read(table, &mut entries)?;
    if crc32(&entries) != u32_at(&header, 88) {
        return Ok(None);
    }
    let used = (1..)
        .zip(entries.chunks_exact(size as usize))
        .filter(|(_, entry)| entry[..16] != [0; 16]);
    let partitions = used.filter_map(|(number, entry)| {
        let (first, last) = (u64_at(entry, 32), u64_at(entry, 40));
        Some(Partition {
            number,
            start: first.checked_mul(sector)?,
            size: last
                .checked_sub(first)?
                .checked_add(1)?
                .checked_mul(sector)?,
        })
    });
    Ok(Some(partitions.collect()))
}

/// CRC-32 as GPT has it, of at most a megabyte.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = 0_u32.wrapping_sub(crc & 1);
            crc = (crc >> 1) ^ (0xEDB8_8320 & carry);
        }
    }
    !crc
}

/// The number of two bytes at `at`, the least first; 0 beyond the end. So for the two below.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let pair = bytes.get(at..at + 2).and_then(|pair| pair.try_into().ok());
    pair.map_or(0, u16::from_le_bytes)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map_or(0, u32::from_le_bytes)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let eight = bytes
        .get(at..at + 8)
        .and_then(|eight| eight.try_into().ok());
    eight.map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_that_everybody_knows() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }
}
