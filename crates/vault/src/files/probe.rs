//! What is on a volume, by its first bytes: which file system, and what it is called.
//!
//! What we cannot read is told by its name, so that a person knows that it is there and why it stays closed.

use super::{
    device::{Bytes as _, Window, WindowError},
    partition::{u16_at, u32_at},
};

/// What a volume holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probed {
    pub(crate) format: Format,
    /// The volume's label, if it has one.
    pub(crate) label: Option<String>,
}

/// A format, with the name that people know it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// ext2, ext3 or ext4.
    Ext(&'static str),
    Fat(&'static str),
    /// It has a name, and we do not read it.
    Closed(&'static str),
    /// Zeros as far as we looked.
    Empty,
    Unknown,
}

impl Format {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ext(name) | Self::Fat(name) | Self::Closed(name) => name,
            Self::Empty => "empty",
            Self::Unknown => "unknown",
        }
    }

    pub(crate) fn is_read(self) -> bool {
        matches!(self, Self::Ext(_) | Self::Fat(_))
    }
}

/// Offsets, what stands there, and what it means.
const MAGIC: [(u64, &[u8], &str); 17] = [
    (0, b"XFSB", "XFS"),
    (0x1_0040, b"_BHRfS_M", "btrfs"),
    (3, b"NTFS    ", "NTFS"),
    (3, b"EXFAT   ", "exFAT"),
    (3, b"-FVE-FS-", "BitLocker"),
    (3, b"ReFS\0\0\0\0", "ReFS"),
    (0, b"LUKS\xba\xbe", "LUKS"),
    (512, b"LABELONE", "LVM2"),
    (0, b"LABELONE", "LVM2"),
    (0xff6, b"SWAPSPACE2", "swap"),
    (0xff6, b"SWAP-SPACE", "swap"),
    (0x1000, &[0xfc, 0x4e, 0x2b, 0xa9], "Linux RAID"),
    (0x400, &[0x10, 0x20, 0xf5, 0xf2], "F2FS"),
    (0, b"hsqs", "SquashFS"),
    (0x8001, b"CD001", "ISO 9660"),
    (0x400, b"H+\0\x04", "HFS+"),
    (32, b"NXSB", "APFS"),
];

/// Looks at a volume.
pub(crate) fn probe(volume: &Window) -> Result<Probed, WindowError> {
    let mut head = vec![0; volume.size().min(0x1_0100) as usize];
    volume.read(0, &mut head)?;
    let at = |offset: u64, length: usize| {
        let start = offset as usize;
        head.get(start..start.saturating_add(length))
    };
    if at(0x438, 2) == Some(&[0x53, 0xef]) {
        let (compatible, incompatible) = (u32_at(&head, 0x45c), u32_at(&head, 0x460));
        let name = match (incompatible & 0x02c0 != 0, compatible & 0x4 != 0) {
            (true, _) => "ext4",
            (false, true) => "ext3",
            (false, false) => "ext2",
        };
        let label = at(0x478, 16).and_then(plain_label);
        return Ok(Probed {
            format: Format::Ext(name),
            label,
        });
    }
    let known = MAGIC
        .iter()
        .find(|(offset, magic, _)| at(*offset, magic.len()) == Some(*magic));
    if let Some((_, _, name)) = known {
        return Ok(Probed {
            format: Format::Closed(name),
            label: None,
        });
    }
    if let Some(name) = fat_name(&head) {
        let label = at(if name == "FAT32" { 0x47 } else { 0x2b }, 11)
            .and_then(plain_label)
            .filter(|label| label != "NO NAME");
        return Ok(Probed {
            format: Format::Fat(name),
            label,
        });
    }
    let format = if head.iter().all(|byte| *byte == 0) {
        Format::Empty
    } else {
        Format::Unknown
    };
    Ok(Probed {
        format,
        label: None,
    })
}

/// Which FAT it is, if the parameters in the first sector can be those of one. As Linux decides: only FAT32 has no short
/// length of its table, and the other two differ by their count of clusters. The name in the sector is for people.
fn fat_name(head: &[u8]) -> Option<&'static str> {
    let sector = u32::from(u16_at(head, 11));
    let per_cluster = u32::from(*head.get(13)?);
    let reserved = u32::from(u16_at(head, 14));
    let fats = u32::from(*head.get(16)?);
    let sound = matches!(head.first(), Some(0xeb | 0xe9))
        && head.get(510..512) == Some(&[0x55, 0xaa])
        && matches!(sector, 512 | 1024 | 2048 | 4096)
        && per_cluster.is_power_of_two()
        && reserved > 0
        && (1..=2).contains(&fats);
    if !sound {
        return None;
    }
    let either = |short: u16, long: u32| if short == 0 { long } else { u32::from(short) };
    let fat = u64::from(either(u16_at(head, 22), u32_at(head, 36)));
    let total = u64::from(either(u16_at(head, 19), u32_at(head, 32)));
    let root = u64::from(u16_at(head, 17)) * 32;
    let taken = u64::from(reserved) + u64::from(fats) * fat + root.div_ceil(u64::from(sector));
    let clusters = total.checked_sub(taken)? / u64::from(per_cluster);
    Some(match clusters {
        _ if u16_at(head, 22) == 0 => "FAT32",
        0..4_085 => "FAT12",
        _ => "FAT16",
    })
}

/// A label of fixed width, without what fills it up.
fn plain_label(bytes: &[u8]) -> Option<String> {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    let label = String::from_utf8_lossy(bytes.get(..end)?).trim().to_owned();
    (!label.is_empty()).then_some(label)
}
