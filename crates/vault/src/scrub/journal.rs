//! When each pack of a vault was read last, by the vault's own time. It lies in the vault, as the list of its damage does.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::KnownPack;
use crate::{
    error::{VaultError, describe},
    id::Id,
    own_file::{self, JOURNAL},
    repository::Vault,
};

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Journal {
    /// In seconds since 1970.
    packs: BTreeMap<Id, Entry>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Entry {
    /// When the pack was read; of one that never was, when it was first seen: its writer has read it back then, or before.
    at: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unread: bool,
}

impl Journal {
    /// What is written down. If that cannot be read, nothing is known to have been read.
    pub(super) fn load(vault: &Vault) -> Self {
        let read = own_file::read(vault, JOURNAL);
        read.unwrap_or_else(|error| {
            tracing::warn!(vault = %vault.path().display(), error = %describe(&error), "nobody knows any more when the vault was read; all of it is read again");
            None
        })
        .unwrap_or_default()
    }

    pub(super) fn keep(&self, vault: &Vault) -> Result<(), VaultError> {
        let _held = own_file::hold(vault)?;
        own_file::write(vault, JOURNAL, self)
    }

    /// Forgets packs that are gone, and takes in those that are new, or that were read at a time that is still to come.
    pub(super) fn keep_only(&mut self, packs: &BTreeMap<Id, KnownPack>, now: Timestamp) {
        self.packs.retain(|pack, _| packs.contains_key(pack));
        let seen = Entry {
            at: now.as_second(),
            unread: true,
        };
        for pack in packs.keys() {
            let entry = self.packs.entry(*pack).or_insert(seen);
            if entry.at > seen.at {
                // By a clock that has been put back since: nobody knows when it was read.
                *entry = seen;
            }
        }
    }

    pub(super) fn read(&mut self, pack: Id, now: Timestamp) {
        let entry = Entry {
            at: now.as_second(),
            unread: false,
        };
        self.packs.insert(pack, entry);
    }

    /// The time that decides when a pack is read next.
    pub(super) fn last(&self, pack: &Id) -> i64 {
        self.packs.get(pack).map_or(i64::MIN, |entry| entry.at)
    }

    pub(super) fn has_unread(&self) -> bool {
        self.packs.values().any(|entry| entry.unread)
    }

    /// Since when the oldest byte has not been read; `None` in an empty vault.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        let oldest = self.packs.values().map(|entry| entry.at).min()?;
        Timestamp::from_second(oldest).ok()
    }
}
