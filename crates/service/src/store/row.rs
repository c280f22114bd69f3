//! What a document must say about itself to be stored.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The tables there are, all of one form. A row's `TABLE` is one of these.
pub const TABLES: [&str; 11] = [
    "vaults",
    "policies",
    "containers",
    "items",
    "points",
    "jobs",
    "operations",
    "restored",
    "cleanups",
    "deleted",
    "meta",
];

/// A typed document of a table.
///
/// Keys are compared as they are: a row whose key comes from a client's path makes it lower case first.
pub trait Row: Serialize + DeserializeOwned {
    /// One of [`TABLES`].
    const TABLE: &'static str;

    /// The document's key, unique in its table. Lists come in the order of the keys (bytewise).
    fn key(&self) -> String;

    /// What it is listed and removed by: the key of its vault ([`crate::core::VaultKey::as_str`]), or the empty string.
    fn vault(&self) -> String;

    /// What it is about, when it is looked for by that; need not be unique.
    fn subject(&self) -> Option<String> {
        None
    }

    /// When something is due for it, or when it was, when it is looked for by that.
    fn moment(&self) -> Option<Timestamp> {
        None
    }
}

/// A moment as its column holds it: microseconds since 1970, rounded up, so that nothing is due too early.
pub(super) fn micros(at: Timestamp) -> i64 {
    let whole = at.as_microsecond();
    let more = at.subsec_nanosecond() % 1_000 > 0;
    whole.saturating_add(i64::from(more))
}
