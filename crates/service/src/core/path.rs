//! Paths of requests: decoded segments, and the vault that a path lies in.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

/// How the store names a vault: `<resource group>/<vault>`, lower case, because ARM compares names without case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VaultKey(String);

impl VaultKey {
    /// The key of a vault, from its names in any case.
    #[must_use]
    pub fn new(resource_group: &str, vault: &str) -> Self {
        Self(format!(
            "{}/{}",
            resource_group.to_lowercase(),
            vault.to_lowercase()
        ))
    }

    /// The key as the store keeps it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A path at or below a vault that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultPath {
    /// The vault's key.
    pub key: VaultKey,
    /// The vault's canonical ARM id, in the case it was made with.
    pub id: String,
    /// Its resource group, in the case it was made with.
    pub resource_group: String,
    /// Its name, in the case it was made with.
    pub name: String,
    /// The decoded segments after the vault's name, in the client's case.
    pub rest: Vec<String>,
}

impl VaultPath {
    /// The segments after the vault's name in lower case, to match on: `["backupfabrics", "azure", …]`.
    #[must_use]
    pub fn lower(&self) -> Vec<String> {
        self.rest
            .iter()
            .map(|segment| segment.to_lowercase())
            .collect()
    }
}

/// Splits a path into its decoded segments. `None` when one is not UTF-8 once decoded, is empty in the middle, hides a
/// separator or a control character, or is `.` or `..`: nothing that we serve has such a name.
#[must_use]
pub fn decode(path: &str) -> Option<Vec<String>> {
    path.trim_matches('/')
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| {
            let text = percent_decode_str(segment).decode_utf8().ok()?.into_owned();
            let refused = text == "."
                || text == ".."
                || text
                    .chars()
                    .any(|c| c == '/' || c == '\\' || c.is_control());
            (!refused).then_some(text)
        })
        .collect()
}
