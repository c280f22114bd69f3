//! What is known to be damaged in a vault: remembered in the vault itself, believed by nobody, until it is repaired.
//!
//! Whoever finds damage writes it down here: a scrub, a restore, a backup, somebody who browses. An index leaves out what is
//! written here, so that a backup stores it again. The list goes where the vault goes: a service whose state is put back to
//! an older one forgets none of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    sync::atomic::Ordering,
};

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::{
    error::{VaultError, describe},
    id::Id,
    own_file::{self, DAMAGE, JOURNAL},
    repository::Vault,
};

/// The damaged packs of a vault.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Damage {
    pub(crate) packs: BTreeMap<Id, DamagedPack>,
}

/// A pack that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DamagedPack {
    pub(crate) defect: Defect,
    /// The blobs that are lost; `None` if all are. None are, where the pack's header alone is damaged.
    pub(crate) blobs: Option<BTreeSet<Id>>,
}

/// What is wrong with a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Defect {
    Missing,
    Truncated,
    Unreadable,
    Altered,
}

impl Defect {
    /// What an error while a pack is read says of the pack; nothing if it says something of the process or its rights.
    pub(crate) fn of(error: &std::io::Error) -> Option<Self> {
        match error.kind() {
            ErrorKind::NotFound => Some(Self::Missing),
            ErrorKind::UnexpectedEof => Some(Self::Truncated),
            _ => {
                (error.raw_os_error() == Some(Errno::IO.raw_os_error())).then_some(Self::Unreadable)
            }
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Missing => "is gone",
            Self::Truncated => "is not of its size",
            Self::Unreadable => "cannot be read",
            Self::Altered => "is not what was written",
        }
    }
}

impl Damage {
    /// What is known. A list that is itself damaged is an empty one: the next scrub begins from the first byte again.
    pub(crate) fn load(vault: &Vault) -> Self {
        Self::read(vault).unwrap_or_else(|error| {
            tracing::warn!(vault = %vault.path().display(), error = %describe(&error), "the list of the vault's damage cannot be read; a scrub will find it again");
            Self::default()
        })
    }

    /// As [`Damage::load`], for a caller that has to know when the list is lost.
    pub(crate) fn read(vault: &Vault) -> Result<Self, VaultError> {
        Ok(own_file::read(vault, DAMAGE)?.unwrap_or_default())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packs.is_empty()
    }

    /// Whether the copy of a blob that is in this pack is lost.
    pub(crate) fn has(&self, pack: &Id, blob: &Id) -> bool {
        self.packs.get(pack).is_some_and(|damaged| {
            let blobs = damaged.blobs.as_ref();
            blobs.is_none_or(|blobs| blobs.contains(blob))
        })
    }

    fn add(&mut self, pack: Id, found: DamagedPack) -> bool {
        let Some(known) = self.packs.get_mut(&pack) else {
            self.packs.insert(pack, found);
            return true;
        };
        let before = known.clone();
        known.blobs = match (known.blobs.take(), found.blobs) {
            (Some(mut known), Some(more)) => {
                known.extend(more);
                Some(known)
            }
            _ => None,
        };
        *known != before
    }
}

/// Remembers damage, for good, before anything is made of it.
pub(crate) fn note(vault: &Vault, pack: Id, found: DamagedPack) -> Result<(), VaultError> {
    vault.noted.store(true, Ordering::Relaxed);
    change(vault, |damage| damage.add(pack, found))
}

/// Says of a pack that was read again how it is now: as it was written, or damaged in this way and no other.
pub(crate) fn settle(vault: &Vault, pack: &Id, now: Option<DamagedPack>) -> Result<(), VaultError> {
    change(vault, |damage| match now {
        Some(now) => damage.packs.insert(*pack, now.clone()) != Some(now),
        None => damage.packs.remove(pack).is_some(),
    })
}

fn change(vault: &Vault, change: impl FnOnce(&mut Damage) -> bool) -> Result<(), VaultError> {
    let _held = own_file::hold(vault)?;
    let mut damage = match Damage::read(vault) {
        // With the list, that some packs are damaged was lost: that they were read says nothing any more.
        Err(VaultError::Damaged(_)) => {
            own_file::remove(vault, JOURNAL)?;
            Damage::default()
        }
        read => read?,
    };
    if change(&mut damage) {
        own_file::write(vault, DAMAGE, &damage)?;
    }
    Ok(())
}

/// Remembers that a blob is lost, as well as that can be done: the job fails by the damage, not by what keeps the note from
/// being written.
pub(crate) fn note_blob(vault: &Vault, pack: &Id, blob: &Id, defect: Defect) {
    let blobs = (defect != Defect::Missing).then(|| BTreeSet::from([*blob]));
    if let Err(error) = note(vault, *pack, DamagedPack { defect, blobs }) {
        tracing::warn!(%pack, error = %describe(&error), "damage that was found could not be written down");
    }
}
