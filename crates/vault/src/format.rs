//! What an image's file is: the disk itself, a qcow2 image, or something that is not read.
//!
//! Decided by the file's first bytes, never by its name. A qcow2 image that refers to other files is refused: what a disk's
//! image names is not what whoever protects the machine has agreed to have read, and a copy of it would not be the disk.

use std::{fs::File, io, os::unix::fs::FileExt};

use crate::checkpoint::ImageHeader;

/// Bytes of a qcow2 header that are looked at.
const HEADER: usize = 104;

/// A file as its first bytes show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Raw,
    Qcow2(Qcow2Header),
    /// Something else, in words: stored as it is, it would come back as a disk that it is not.
    Unreadable(&'static str),
}

/// What a qcow2 image says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Qcow2Header {
    /// The disk's logical size in bytes.
    pub(crate) size: u64,
    /// Whether the image can keep dirty bitmaps: those of version 2 cannot.
    pub(crate) keeps_bitmaps: bool,
    /// What no write of a guest changes.
    pub(crate) header: ImageHeader,
}

impl Qcow2Header {
    /// Whether it is the header of a disk of the same size in an image of the same kind.
    pub(crate) fn is_of_the_same_disk(&self, other: &Self) -> bool {
        (self.size, self.keeps_bitmaps) == (other.size, other.keeps_bitmaps)
    }
}

/// Looks at the first bytes of a file.
pub(crate) fn of(file: &File) -> io::Result<Kind> {
    const MAGIC: [(usize, &[u8], &str); 5] = [
        (0, b"vhdxfile", "a VHDX image"),
        (0, b"conectix", "a VHD image"),
        (0, b"KDMV", "a VMDK image"),
        (0, b"COWD", "a VMDK image"),
        (64, &[0x7f, 0x10, 0xda, 0xbe], "a VDI image"),
    ];
    let mut head = [0; HEADER];
    let mut length = 0;
    while length < HEADER {
        match file.read_at(&mut head[length..], length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let head = &head[..length];
    let is = |(start, magic, _): &&(usize, &[u8], &str)| {
        head.get(*start..start + magic.len()) == Some(*magic)
    };
    Ok(if head.starts_with(b"QFI\xfb") {
        qcow2(head)
    } else if let Some((_, _, what)) = MAGIC.iter().find(is) {
        Kind::Unreadable(what)
    } else {
        Kind::Raw
    })
}

/// By the published description of the format, versions 2 and 3.
fn qcow2(head: &[u8]) -> Kind {
    /// The image was not closed, so that its reference counts may be off.
    const DIRTY: u64 = 1;
    const CORRUPT: u64 = 1 << 1;
    const EXTERNAL_DATA: u64 = 1 << 2;
    let u32_at = |at: usize| {
        head.get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u32::from_be_bytes)
    };
    let u64_at = |at: usize| {
        head.get(at..at + 8)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u64::from_be_bytes)
    };
    let (Some(version), Some(backing), Some(size), Some(encryption)) =
        (u32_at(4), u64_at(8), u64_at(24), u32_at(32))
    else {
        return Kind::Unreadable("a qcow2 image that is cut off");
    };
    let features = match version {
        2 => Some(0),
        3 => u64_at(72),
        _ => return Kind::Unreadable("a qcow2 image of an unknown version"),
    };
    let Some(features) = features else {
        return Kind::Unreadable("a qcow2 image that is cut off");
    };
    if backing != 0 {
        return Kind::Unreadable("a qcow2 image with a backing file");
    }
    if encryption != 0 {
        return Kind::Unreadable("an encrypted qcow2 image");
    }
    if features & EXTERNAL_DATA != 0 {
        return Kind::Unreadable("a qcow2 image with its data in another file");
    }
    if features & CORRUPT != 0 {
        return Kind::Unreadable("a qcow2 image that is marked corrupt");
    }
    let (
        Some(cluster_bits),
        Some(l1_entries),
        Some(l1_offset),
        Some(snapshots),
        Some(snapshots_offset),
    ) = (u32_at(20), u32_at(36), u64_at(40), u32_at(60), u64_at(64))
    else {
        return Kind::Unreadable("a qcow2 image that is cut off");
    };
    Kind::Qcow2(Qcow2Header {
        size,
        keeps_bitmaps: version == 3,
        header: ImageHeader {
            version,
            size,
            cluster_bits,
            l1_entries,
            l1_offset,
            snapshots,
            snapshots_offset,
            incompatible: features & !DIRTY,
        },
    })
}
