//! A FAT directory's entries: short ones, and the pieces of long names that stand before them.

use jiff::{Timestamp, civil};

use super::{
    partition::{u16_at, u32_at},
    system::{Kind, Node},
};

const VOLUME: u8 = 0x08;
const DIRECTORY: u8 = 0x10;
const LONG: u8 = 0x0f;

/// A file or a directory.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The long name if it has one, else the short one in the case it was written in.
    pub(crate) name: Vec<u8>,
    attributes: u8,
    /// The first cluster; 0 if there is none.
    pub(crate) cluster: u32,
    /// Bytes.
    pub(crate) size: u32,
    modified: Option<Timestamp>,
}

impl Entry {
    pub(crate) fn is_directory(&self) -> bool {
        self.attributes & DIRECTORY != 0
    }

    /// FAT tells no upper from lower case.
    pub(crate) fn is_called(&self, name: &[u8]) -> bool {
        self.name == name || {
            let fold = |name| str::from_utf8(name).map(str::to_lowercase);
            matches!((fold(&self.name), fold(name)), (Ok(a), Ok(b)) if a == b)
        }
    }

    pub(crate) fn node(&self) -> Node {
        let (kind, size) = if self.is_directory() {
            (Kind::Directory, 0)
        } else {
            (Kind::File, self.size.into())
        };
        Node {
            size,
            modified: self.modified,
            // A directory is found by its cluster; an empty file has none, and no two files have one in common.
            place: self.cluster.into(),
            ..Node::of(kind)
        }
    }
}

/// Puts the pieces of long names together.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// UTF-16, as far as its pieces have come: they come last piece first.
    long: Vec<u16>,
    checksum: u8,
    /// The number of the piece that has to come next; 0 when the name is complete.
    next: u8,
}

impl Entries {
    /// Takes the next 32 bytes of a directory; an entry, if they are the end of one that people see.
    pub(crate) fn take(&mut self, raw: &[u8]) -> Option<Entry> {
        let attributes = *raw.get(11)?;
        if raw[0] == 0xe5 {
            self.long.clear();
            return None;
        }
        if attributes & 0x3f == LONG {
            self.piece(raw);
            return None;
        }
        let whole = self.next == 0 && self.checksum == checksum(&raw[..11]);
        let long = std::mem::take(&mut self.long);
        if attributes & VOLUME != 0
            || raw.starts_with(b".          ")
            || raw.starts_with(b"..         ")
        {
            return None;
        }
        let name = if whole && !long.is_empty() {
            wide(&long)
        } else {
            short(raw)
        };
        Some(Entry {
            name,
            attributes,
            cluster: u32::from(u16_at(raw, 20)) << 16 | u32::from(u16_at(raw, 26)),
            size: u32_at(raw, 28),
            modified: time(u16_at(raw, 24), u16_at(raw, 22)),
        })
    }

    fn piece(&mut self, raw: &[u8]) {
        let number = raw[0] & 0x3f;
        if raw[0] & 0x40 != 0 {
            self.long.clear();
            self.checksum = raw[13];
            self.next = number;
        }
        if number == 0 || number > 20 || number != self.next || raw[13] != self.checksum {
            // Not the next piece of this name: the short one has to do.
            self.long.clear();
            self.next = u8::MAX;
            return;
        }
        let units = (1..11)
            .step_by(2)
            .chain((14..26).step_by(2))
            .chain([28, 30]);
        let piece: Vec<u16> = units
            .map(|at| u16_at(raw, at))
            .take_while(|unit| *unit != 0)
            .collect();
        self.long.splice(0..0, piece);
        self.next -= 1;
    }
}

/// UTF-16 as bytes; half a pair becomes the three bytes that its number would have, which are not UTF-8 and so stay apart.
fn wide(units: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(units.len());
    for unit in char::decode_utf16(units.iter().copied()) {
        match unit {
            Ok(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(half) => {
                let half = half.unpaired_surrogate();
                bytes.extend([
                    0xe0 | (half >> 12) as u8,
                    0x80 | (half >> 6 & 0x3f) as u8,
                    0x80 | (half & 0x3f) as u8,
                ]);
            }
        }
    }
    bytes
}

/// `NAME    EXT` as `NAME.EXT`, in lower case where the entry says so. Characters beyond ASCII are of a code page that the
/// volume does not tell: they stay the bytes they are.
fn short(raw: &[u8]) -> Vec<u8> {
    let case = raw[12];
    let part = |bytes: &[u8], lower: bool| {
        let end = bytes
            .iter()
            .rposition(|byte| *byte != b' ')
            .map_or(0, |at| at + 1);
        let mut part = bytes[..end].to_vec();
        if lower {
            part.make_ascii_lowercase();
        }
        part
    };
    let mut name = part(&raw[..8], case & 0x08 != 0);
    if name.first() == Some(&0x05) {
        name[0] = 0xe5;
    }
    let extension = part(&raw[8..11], case & 0x10 != 0);
    if !extension.is_empty() {
        name.push(b'.');
        name.extend(extension);
    }
    name
}

fn checksum(short: &[u8]) -> u8 {
    short
        .iter()
        .fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte))
}

fn time(date: u16, time: u16) -> Option<Timestamp> {
    let part = |bits: u16, shift: u16, mask: u16| i8::try_from(bits >> shift & mask).ok();
    let year = i16::try_from(1980 + (date >> 9)).ok()?;
    let at = civil::DateTime::new(
        year,
        part(date, 5, 0xf)?,
        part(date, 0, 0x1f)?,
        part(time, 11, 0x1f)?,
        part(time, 5, 0x3f)?,
        part(time, 0, 0x1f)? * 2,
        0,
    );
    at.ok()?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|zoned| zoned.timestamp())
}
