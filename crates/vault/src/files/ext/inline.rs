//! Content that is in an inode itself: its first 60 bytes in the place of addresses, the rest as an attribute behind the
//! inode's fields.

use super::{
    super::partition::{u16_at, u32_at},
    inode::Inode,
};

const MAGIC: u32 = 0xea02_0000;

/// Bytes of an attribute's entry before its name.
const HEADER: usize = 16;

/// `system.` in front of a name is told by this number; the content's attribute is called `data` there.
const SYSTEM: u8 = 7;
const DATA: &[u8] = b"data";

/// The content of a file, or of a directory in its own form; `None` if it is not all there.
pub(super) fn content(inode: &Inode) -> Option<Vec<u8>> {
    let mut content = inode.root().to_vec();
    let rest = attributes(inode).find(Attribute::is_content);
    content.extend_from_slice(rest.map_or(Some([].as_slice()), |rest| rest.value)?);
    let size = usize::try_from(inode.size).ok()?;
    (size <= content.len()).then(|| {
        content.truncate(size);
        content
    })
}

/// Whether it has attributes beside its content, such as access control lists.
pub(super) fn has_attributes(inode: &Inode) -> bool {
    inode.attributes() != 0 || attributes(inode).any(|attribute| !attribute.is_content())
}

/// The inode's own directory: the parent's number, and then entries in two pieces.
pub(super) fn directory(content: &[u8]) -> [&[u8]; 2] {
    let (own, behind) = content.split_at(content.len().min(60));
    [own.get(4..).unwrap_or_default(), behind]
}

struct Attribute<'a> {
    prefix: u8,
    name: &'a [u8],
    value: Option<&'a [u8]>,
}

impl Attribute<'_> {
    fn is_content(&self) -> bool {
        self.prefix == SYSTEM && self.name == DATA
    }
}

/// The attributes behind an inode's fields.
fn attributes(inode: &Inode) -> impl Iterator<Item = Attribute<'_>> {
    let behind = inode.behind();
    let found = (u32_at(behind, 0) == MAGIC).then(|| behind.get(4..).unwrap_or_default());
    let all = found.unwrap_or_default();
    let mut at = 0;
    std::iter::from_fn(move || {
        let entry = all.get(at..at + HEADER)?;
        if u32_at(entry, 0) == 0 {
            return None;
        }
        let (length, value, size) = (
            usize::from(entry[0]),
            usize::from(u16_at(entry, 2)),
            u32_at(entry, 8) as usize,
        );
        let name = all.get(at + HEADER..at + HEADER + length)?;
        at += (HEADER + length).next_multiple_of(4);
        // A value may be an inode of its own.
        let elsewhere = u32_at(entry, 4) != 0;
        Some(Attribute {
            prefix: entry[1],
            name,
            value: all
                .get(value..value.saturating_add(size))
                .filter(|_| !elsewhere),
        })
    })
}
