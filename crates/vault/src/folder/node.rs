//! A file, a directory or anything else in a tree, in restic's words.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use rustix::fs::{FileType, Stat};
use serde::{Deserialize, Serialize};

use crate::{
    blob_reader,
    codec::Decoder,
    error::VaultError,
    files::{self, Kind as Files},
    id::Id,
    index::Index,
    pack::Kind,
    repository::Vault,
};

/// Go's bits for what Unix has in the four lowest octal digits' neighbours.
const BITS: [(u32, u32); 3] = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];

/// A tree blob's document.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
}

/// As restic writes it; the order of the fields is its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Node {
    /// Quoted as Go does: see [`quoted`].
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    mode: u32,
    mtime: Timestamp,
    atime: Timestamp,
    ctime: Timestamp,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    inode: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    device_id: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    links: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    linktarget: Option<String>,
    /// In base64, where the target is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    linktarget_raw: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extended_attributes: Option<Vec<Attribute>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    device: u64,
    #[serde(default)]
    pub(super) content: Option<Vec<Id>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subtree: Option<Id>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Attribute {
    name: String,
    /// In base64.
    value: Option<String>,
}

impl Node {
    /// What a `stat` tells of something called `name`.
    pub(super) fn new(name: &[u8], stat: &Stat) -> Self {
        let (kind, mut mode) = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => ("file", 0),
            FileType::Directory => ("dir", 1 << 31),
            FileType::Symlink => ("symlink", 1 << 27),
            FileType::BlockDevice => ("dev", 1 << 26),
            FileType::CharacterDevice => ("chardev", (1 << 26) | (1 << 21)),
            FileType::Fifo => ("fifo", 1 << 25),
            FileType::Socket => ("socket", 1 << 24),
            FileType::Unknown => ("irregular", 1 << 19),
        };
        mode |= stat.st_mode & 0o777;
        for (unix, go) in BITS {
            if stat.st_mode & unix != 0 {
                mode |= go;
            }
        }
        let time = |seconds: i64, nanoseconds| {
            let nanoseconds = i32::try_from(nanoseconds).unwrap_or_default();
            Timestamp::new(seconds, nanoseconds).unwrap_or(Timestamp::UNIX_EPOCH)
        };
        let is_device = matches!(kind, "dev" | "chardev");
        Self {
            name: quoted(name),
            kind: kind.to_owned(),
            mode,
            mtime: time(stat.st_mtime, stat.st_mtime_nsec),
            // Reading changes it, and with it every tree up to the root.
            atime: time(stat.st_mtime, stat.st_mtime_nsec),
            ctime: time(stat.st_ctime, stat.st_ctime_nsec),
            uid: stat.st_uid,
            gid: stat.st_gid,
            inode: stat.st_ino,
            device_id: stat.st_dev,
            size: if kind == "file" {
                u64::try_from(stat.st_size).unwrap_or_default()
            } else {
                0
            },
            links: stat.st_nlink,
            linktarget: None,
            linktarget_raw: None,
            extended_attributes: None,
            device: if is_device { stat.st_rdev } else { 0 },
            content: None,
            subtree: None,
        }
    }

    /// The directory that a snapshot's files are in.
    pub(super) fn top(name: &str, itself: &Self, subtree: Id) -> Self {
        Self {
            name: quoted(name.as_bytes()),
            subtree: Some(subtree),
            ..itself.clone()
        }
    }

    /// The directory once its tree is stored.
    pub(super) fn with_tree(&self, tree: Id) -> Self {
        Self {
            subtree: Some(tree),
            ..self.clone()
        }
    }

    pub(super) fn name(&self) -> Option<Vec<u8>> {
        let name = unquoted(&self.name)?;
        let plain = !name.is_empty()
            && name != b"."
            && name != b".."
            && !name.contains(&b'/')
            && !name.contains(&0);
        plain.then_some(name)
    }

    pub(super) fn set_target(&mut self, target: &[u8]) {
        self.linktarget = Some(String::from_utf8_lossy(target).into_owned());
        self.linktarget_raw = str::from_utf8(target)
            .is_err()
            .then(|| STANDARD.encode(target));
    }

    pub(super) fn set_attributes(&mut self, attributes: &[(Vec<u8>, Vec<u8>)]) {
        let attributes = attributes.iter().map(|(name, value)| Attribute {
            name: String::from_utf8_lossy(name).into_owned(),
            value: Some(STANDARD.encode(value)),
        });
        self.extended_attributes =
            Some(attributes.collect()).filter(|some: &Vec<_>| !some.is_empty());
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = (&str, Vec<u8>)> {
        let attributes = self.extended_attributes.iter().flatten();
        attributes.filter_map(|attribute| {
            let value = attribute.value.as_deref().unwrap_or_default();
            Some((attribute.name.as_str(), STANDARD.decode(value).ok()?))
        })
    }

    /// Whether this can stand for `before`'s content: the same file, untouched as far as its times tell.
    pub(super) fn is_untouched(&self, before: &Self) -> bool {
        let same = |node: &Self| (node.size, node.mtime, node.ctime, node.inode);
        self.is_file() && before.is_file() && same(self) == same(before)
    }

    pub(super) fn is_file(&self) -> bool {
        self.kind == "file"
    }

    pub(super) fn is_called(&self, name: &Self) -> bool {
        self.name == name.name
    }

    /// What a restore makes of it.
    pub(super) fn plain(&self) -> files::Node {
        let kind = match self.kind.as_str() {
            "file" => Files::File,
            "dir" => Files::Directory,
            "symlink" => Files::Symlink,
            "dev" | "chardev" => Files::Device,
            "fifo" => Files::Fifo,
            "socket" => Files::Socket,
            _ => Files::Unreadable,
        };
        let mut mode = self.mode & 0o777;
        for (unix, go) in BITS {
            if self.mode & go != 0 {
                mode |= unix;
            }
        }
        let raw = self.linktarget_raw.as_deref();
        let raw = raw.and_then(|raw| STANDARD.decode(raw).ok());
        let target = raw.or_else(|| {
            self.linktarget
                .as_ref()
                .map(|text| text.as_bytes().to_vec())
        });
        files::Node {
            size: self.size,
            modified: Some(self.mtime),
            mode: Some(mode),
            owner: Some((self.uid, self.gid)),
            target,
            ..files::Node::of(kind)
        }
    }
}

impl Tree {
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, VaultError> {
        let mut bytes =
            serde_json::to_vec(self).map_err(|_| VaultError::Internal("a tree that is no JSON"))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    pub(super) fn load(
        vault: &Vault,
        index: &Index,
        decoder: &mut Decoder,
        id: &Id,
    ) -> Result<Self, VaultError> {
        let mut sealed = Vec::new();
        let plain = blob_reader::read_one(vault, index, (Kind::Tree, id), decoder, &mut sealed)?;
        serde_json::from_slice(plain).map_err(|error| {
            VaultError::Damaged(format!("the tree {id} cannot be understood ({error})"))
        })
    }
}

/// A name as restic keeps it: a string of Go's without its quotes, in which every byte can be written.
fn quoted(name: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => text.extend(['\\', c]),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                c if c.is_ascii_control() => {
                    let _ = write!(text, "\\x{:02x}", u32::from(c));
                }
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// The bytes of a quoted name, whichever of Go's escapes it was written with.
fn unquoted(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let push = |bytes: &mut Vec<u8>, c: char| {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        };
        if c != '\\' {
            push(&mut bytes, c);
            continue;
        }
        let escape = rest.next()?;
        let mut number = |digits: usize| {
            let text: String = rest.by_ref().take(digits).collect();
            u32::from_str_radix(&text, 16).ok()
        };
        match escape {
            '\\' | '"' | '\'' => push(&mut bytes, escape),
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            't' => bytes.push(b'\t'),
            'n' => bytes.push(b'\n'),
            'v' => bytes.push(11),
            'f' => bytes.push(12),
            'r' => bytes.push(b'\r'),
            'x' => bytes.push(u8::try_from(number(2)?).ok()?),
            'u' => push(&mut bytes, char::from_u32(number(4)?)?),
            'U' => push(&mut bytes, char::from_u32(number(8)?)?),
            _ => return None,
        }
    }
    Some(bytes)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_name_survives_its_quotes(name in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(unquoted(&quoted(&name)), Some(name));
        }
    }

    #[test]
    fn names_are_quoted_as_go_does() {
        assert_eq!(quoted(b"a \"b\\ \xff \n"), r#"a \"b\\ \xff \n"#);
        assert_eq!(
            unquoted(r"\u00e9\x41\a"),
            Some("éA\x07".as_bytes().to_vec())
        );
        assert_eq!(unquoted("\\"), None);
    }
}
