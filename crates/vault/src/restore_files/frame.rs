//! What a restore of files consists of, one after the other: read on one side, written on the other. Both sides are in one
//! process, or there is a wire between them.

use std::borrow::Cow;

use crate::files::Node;

/// The next step of a restore. Names are bytes, and of one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A directory begins; what follows is in it.
    Enter {
        name: Vec<u8>,
        node: Node,
    },
    /// The innermost directory is complete.
    Leave,
    /// A file begins; its content follows.
    File {
        name: Vec<u8>,
        node: Node,
    },
    /// Bytes of the file that is open. What lies between them are zeros.
    Data {
        offset: u64,
        bytes: Cow<'a, [u8]>,
    },
    /// The file that is open is complete.
    Done,
    /// Another name of a file that was complete before.
    HardLink {
        name: Vec<u8>,
        node: Node,
    },
    Symlink {
        name: Vec<u8>,
        node: Node,
    },
    /// Something is not restored; if a file is open, it is that one.
    Omitted(Omitted),
}

/// Something that is not restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Omitted {
    /// From the volume's root on.
    pub(crate) path: Vec<u8>,
    pub(crate) reason: Reason,
    /// Goes on behind a colon.
    pub(crate) why: String,
}

/// Whose fault it is that something is not restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Reason {
    /// Nobody's: devices and the like never are.
    Special,
    /// The reader's: the file system is well.
    Unsupported,
    /// The file system's, which is damaged there.
    Damaged,
    /// The vault's, which is damaged there.
    Vault,
    /// The place's that it was to be restored to.
    Target,
}
