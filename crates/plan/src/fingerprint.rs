//! A short stand-in for what was observed, so that execution can tell whether it still holds.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::errand::detail;
use crate::world::{Fact, Observed};

/// The first 16 hexadecimal digits of the SHA-256 of a fact. It is made and compared by the same program, never stored: its form may
/// change from one version to the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of what was read.
    pub fn of(fact: &Fact) -> Self {
        let digest = Sha256::digest(said(fact).as_bytes());
        Self(hex::encode(digest.get(..8).unwrap_or_default()))
    }
}

/// What the fact says. How many items a policy protects is none of what it says: a thousand that begin to use it would each find it changed.
/// Nor is how far a job is, which is another at every read: how it stands is, and what can be done to it.
fn said(fact: &Fact) -> String {
    if let Fact::Job(Observed::Found(job)) = fact
        && let Some(detail) = detail(job)
    {
        return format!(
            "{:?} {:?} {:?}",
            job.name, detail.status, detail.actions_info
        );
    }
    if let Fact::Policy(Observed::Found(policy)) = fact
        && let Ok(mut document) = serde_json::to_value(policy)
    {
        if let Some(properties) = document["properties"].as_object_mut() {
            properties.remove("protectedItemsCount");
        }
        return document.to_string();
    }
    format!("{fact:?}")
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
