//! What a document must say about itself to be stored.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The tables there are, all of one form. A row's `TABLE` is one of these.
pub const TABLES: [&str; 9] = [
    "vaults",
    "policies",
    "containers",
    "items",
    "points",
    "jobs",
    "operations",
    "restored",
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
}
