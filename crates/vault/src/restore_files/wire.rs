//! The steps of a restore on a wire: each is a line of JSON, and the bytes of a file's piece follow theirs.
//!
//! Names and paths are text that [`files::bytes`](crate::files::bytes) takes back as the bytes they were.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    frame::{Frame, Omitted, Reason},
    reader::Cursor,
};
use crate::files::{Kind, Node, bytes, text};

/// A line; `data` is followed by so many bytes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "camelCase")]
pub(super) enum Line {
    Enter {
        name: String,
        #[serde(flatten)]
        node: Told,
    },
    Leave,
    File {
        name: String,
        #[serde(flatten)]
        node: Told,
    },
    Data {
        offset: u64,
        length: usize,
    },
    Done,
    HardLink {
        name: String,
        #[serde(flatten)]
        node: Told,
    },
    Symlink {
        name: String,
        #[serde(flatten)]
        node: Told,
    },
    Omitted {
        path: String,
        reason: Reason,
        why: String,
    },
    /// There is more from here on: the last line of an answer.
    More {
        after: Cursor,
    },
    /// That was all: the last line of the last answer.
    End,
}

/// What is told of a node.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    #[serde(default)]
    size: u64,
    /// RFC 3339, to the nanosecond.
    modified: Option<String>,
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// What names of one file have in common.
    #[serde(default)]
    id: u64,
    #[serde(default = "one")]
    links: u32,
    #[serde(default)]
    attributes: bool,
}

fn one() -> u32 {
    1
}

impl From<&Node> for Told {
    fn from(node: &Node) -> Self {
        Self {
            size: node.size,
            modified: node.modified.map(|time| time.to_string()),
            mode: node.mode,
            uid: node.owner.map(|(uid, _)| uid),
            gid: node.owner.map(|(_, gid)| gid),
            target: node.target.as_deref().map(text),
            id: node.place,
            links: node.links,
            attributes: node.attributes,
        }
    }
}

impl Told {
    fn node(self, kind: Kind) -> Node {
        Node {
            size: self.size,
            modified: self
                .modified
                .and_then(|time| time.parse::<Timestamp>().ok()),
            mode: self.mode,
            owner: self.uid.zip(self.gid),
            target: self.target.as_deref().map(bytes),
            place: self.id,
            links: self.links,
            attributes: self.attributes,
            ..Node::of(kind)
        }
    }
}

impl Line {
    pub(super) fn of(frame: &Frame<'_>) -> Self {
        match frame {
            Frame::Enter { name, node } => Self::Enter {
                name: text(name),
                node: node.into(),
            },
            Frame::Leave => Self::Leave,
            Frame::File { name, node } => Self::File {
                name: text(name),
                node: node.into(),
            },
            Frame::Data { offset, bytes } => Self::Data {
                offset: *offset,
                length: bytes.len(),
            },
            Frame::Done => Self::Done,
            Frame::HardLink { name, node } => Self::HardLink {
                name: text(name),
                node: node.into(),
            },
            Frame::Symlink { name, node } => Self::Symlink {
                name: text(name),
                node: node.into(),
            },
            Frame::Omitted(omitted) => Self::Omitted {
                path: text(&omitted.path),
                reason: omitted.reason,
                why: omitted.why.clone(),
            },
        }
    }

    /// The step that it is, with the bytes that follow it; an error is the last line of an answer.
    pub(super) fn frame(self, data: &[u8]) -> Result<Frame<'_>, Last> {
        Ok(match self {
            Self::Enter { name, node } => Frame::Enter {
                name: bytes(&name),
                node: node.node(Kind::Directory),
            },
            Self::Leave => Frame::Leave,
            Self::File { name, node } => Frame::File {
                name: bytes(&name),
                node: node.node(Kind::File),
            },
            Self::Data { offset, .. } => Frame::Data {
                offset,
                bytes: Cow::Borrowed(data),
            },
            Self::Done => Frame::Done,
            Self::HardLink { name, node } => Frame::HardLink {
                name: bytes(&name),
                node: node.node(Kind::File),
            },
            Self::Symlink { name, node } => Frame::Symlink {
                name: bytes(&name),
                node: node.node(Kind::Symlink),
            },
            Self::Omitted { path, reason, why } => Frame::Omitted(Omitted {
                path: bytes(&path),
                reason,
                why,
            }),
            Self::More { after } => return Err(Last::More(after)),
            Self::End => return Err(Last::End),
        })
    }
}

/// How an answer ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Last {
    More(Cursor),
    End,
}
