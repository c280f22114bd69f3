//! What the core is told about the world besides the request: the time, new ids, the inventory and a few facts about files.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::{ClockTrust, VaultKey};
use crate::inventory::Inventory;

/// Makes the names of things that are new: GUIDs in the service, a counter in tests.
pub trait Ids {
    /// A GUID in its usual form (`8-4-4-4-12` lower-case hex digits), never given before.
    fn guid(&self) -> String;
}

/// What the core may ask about the file system before it promises something (a restore's preflight). Reads only.
pub trait Facts {
    /// Whether something is there, whatever it is.
    fn exists(&self, path: &Path) -> bool;
    /// The size in bytes of a file's content (for a disk image: of the disk inside); `None` when it can't be read.
    fn size(&self, path: &Path) -> Option<u64>;
    /// What the audit trail's file does not have, while it can't be written.
    fn audit_gap(&self) -> Option<AuditGap> {
        None
    }
    /// Whether an image is one of qcow2; by its name, where nobody can look into it.
    fn is_qcow2(&self, path: &Path) -> bool {
        path.extension()
            .is_some_and(|extension| extension == "qcow2")
    }
}

/// A time for which the audit trail's file has no lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditGap {
    /// When the first line could not be written.
    pub since: Timestamp,
    /// Why the last one could not be.
    pub why: String,
    /// Whether nothing is changed meanwhile.
    pub required: bool,
}

/// How many backups on demand a machine may have within 24 hours (rule 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnDemand {
    /// Beyond so many a job warns.
    pub advised: usize,
    /// Beyond so many none is taken.
    pub most: usize,
}

impl Default for OnDemand {
    /// Azure's own numbers.
    fn default() -> Self {
        Self {
            advised: 3,
            most: 9,
        }
    }
}

/// How the vaults are scrubbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scrub {
    /// The time within which every byte of a vault is read; `None` where none is.
    pub period: Option<SignedDuration>,
    /// How fast that is done at the most; `None` for no bound.
    pub bytes_per_second: Option<u64>,
}

impl Scrub {
    /// No byte is ever read again by itself.
    pub const OFF: Self = Self {
        period: None,
        bytes_per_second: None,
    };
}

impl Default for Scrub {
    /// Thirty days, and 64 MiB a second.
    fn default() -> Self {
        Self {
            period: Some(SignedDuration::from_hours(30 * 24)),
            bytes_per_second: Some(64 << 20),
        }
    }
}

/// What instant restores come from where the file system can't share the blocks of a disk's image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InstantRestore {
    /// The vault: the disks are read straight into it, once.
    #[default]
    Vault,
    /// Copies of the disks, from which the vault is filled: the machine's scripts hold it up for no longer than a copy takes.
    Copy,
}

/// Everything a decision may depend on that is neither in the request nor in the store.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The service's time: the machine's clock or the virtual one.
    pub now: Timestamp,
    /// How far that can be trusted. What is destroyed follows [`Context::is_over`].
    pub clock: &'a ClockTrust,
    /// The one subscription that the service answers for.
    pub subscription: &'a str,
    /// The one tenant.
    pub tenant: &'a str,
    /// What there is to be protected.
    pub inventory: &'a Inventory,
    /// The folder that holds the service's state; vaults are in `vaults/` below it.
    pub data_dir: &'a Path,
    /// How many movers may run at once.
    pub max_jobs: usize,
    /// How many backups on demand are taken.
    pub on_demand: OnDemand,
    /// Within how many backups in a row all that is called unchanged of a disk is read and compared.
    pub compared_within: u32,
    /// How the vaults are scrubbed.
    pub scrub: Scrub,
    /// What a snapshot is where it can't be a moment's work.
    pub instant_restore: InstantRestore,
    /// Questions about files.
    pub facts: &'a dyn Facts,
    /// Where new ids come from.
    pub ids: &'a dyn Ids,
}

impl Context<'_> {
    /// Whether something that began or was made at `since` and that is kept until `end` has certainly had its time. Every removal asks this,
    /// and none asks `now`.
    #[must_use]
    pub fn is_over(&self, since: Timestamp, end: Timestamp) -> bool {
        end <= self.clock.proven(self.now, since)
    }

    /// A new GUID.
    #[must_use]
    pub fn new_id(&self) -> String {
        self.ids.guid()
    }

    /// Where a vault's repository is: `DIR/vaults/<resource group>/<vault>`, as the vault was named when it was made.
    ///
    /// The names were validated when the vault was made (no separators, no dots alone), so that this stays below the folder.
    #[must_use]
    pub fn vault_path(&self, resource_group: &str, vault: &str) -> PathBuf {
        self.data_dir
            .join("vaults")
            .join(resource_group)
            .join(vault)
    }

    /// Where the repository of a soft-deleted vault is: `DIR/vaults/.deleted/<name>`, on the file system of the others, so
    /// that it is moved at one stroke. No resource group has a name that begins with a dot.
    #[must_use]
    pub fn deleted_vault_path(&self, name: &str) -> PathBuf {
        self.data_dir.join("vaults").join(".deleted").join(name)
    }

    /// The folder of all snapshot files: `DIR/snapshots/<resource group>/<vault>/<recovery point>/`.
    #[must_use]
    pub fn snapshots_path(&self) -> PathBuf {
        self.data_dir.join("snapshots")
    }

    /// The canonical id of a vault: `/subscriptions/…/resourceGroups/…/providers/Microsoft.RecoveryServices/vaults/…`.
    #[must_use]
    pub fn vault_id(&self, resource_group: &str, vault: &str) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{resource_group}/providers/Microsoft.RecoveryServices/vaults/{vault}",
            self.subscription
        )
    }

    /// The key by which the store knows a vault.
    #[must_use]
    pub fn vault_key(&self, resource_group: &str, vault: &str) -> VaultKey {
        VaultKey::new(resource_group, vault)
    }
}
