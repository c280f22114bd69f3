//! A protected item: a virtual machine in a vault.

use jiff::Timestamp;
use kluis_policy::{Event, State};
use serde::{Deserialize, Serialize};

use super::Fault;
use crate::core::VaultKey;
use crate::store::Row;

/// A virtual machine that a vault protects, or still has data of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Item {
    pub(crate) vault: VaultKey,
    /// The machine's resource group, in the inventory's case.
    pub(crate) resource_group: String,
    /// The machine's name, in the inventory's case.
    pub(crate) vm: String,
    /// The machine's ARM id.
    pub(crate) vm_id: String,
    #[serde(with = "StateForm")]
    pub(crate) state: State,
    /// The policy's name; empty when protection has stopped.
    pub(crate) policy: String,
    /// The number by which Azure knows the item's data; nothing but a label here.
    pub(crate) data_id: String,
    /// Which disks are backed up, when not all.
    pub(crate) disks: Option<DiskChoice>,
    /// Every run of the schedule up to here has been dealt with. Protecting, resuming and another policy start it anew.
    pub(crate) handled: Timestamp,
    /// A run that is due but cannot start yet.
    pub(crate) waiting: Option<Waiting>,
    /// When to look at it next; `None` when that has to be found out anew.
    #[serde(default)]
    pub(crate) next: Option<Timestamp>,
    /// The latest backup that ended, whatever came of it.
    pub(crate) last_backup: Option<LastBackup>,
    /// The time of the newest recovery point.
    pub(crate) last_point: Option<Timestamp>,
}

/// The disks that are backed up besides the OS disk, which has no LUN and always is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DiskChoice {
    pub(crate) luns: Vec<u32>,
    /// Whether `luns` are the ones to take; otherwise they are the ones to leave out.
    pub(crate) inclusion: bool,
}

impl DiskChoice {
    /// Whether the disk at this LUN is backed up.
    pub(crate) fn takes(&self, lun: Option<u32>) -> bool {
        lun.is_none_or(|lun| self.luns.contains(&lun) == self.inclusion)
    }
}

/// A run that is due while another operation holds the item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Waiting {
    /// When it was due.
    pub(crate) due: Timestamp,
    /// The job that holds the item.
    pub(crate) job: String,
}

/// How a backup ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastBackup {
    pub(crate) began: Timestamp,
    /// Why it failed; `None` when it made a recovery point.
    pub(crate) fault: Option<Fault>,
}

/// The stored form of [`State`].
#[derive(Serialize, Deserialize)]
#[serde(remote = "State", rename_all = "camelCase")]
pub(super) enum StateForm {
    IrPending,
    Protected,
    Stopped {
        since: Timestamp,
        recoverable: bool,
    },
    Suspended {
        since: Timestamp,
        recoverable: bool,
    },
    SoftDeleted {
        since: Timestamp,
        days: u16,
        recoverable: bool,
    },
}

impl Row for Item {
    const TABLE: &'static str = "items";

    fn key(&self) -> String {
        Self::key_of(&self.vault, &self.resource_group, &self.vm)
    }

    fn vault(&self) -> String {
        self.vault.as_str().to_owned()
    }

    fn subject(&self) -> Option<String> {
        Some(Self::machine_of(&self.resource_group, &self.vm))
    }

    /// When a run or the end of soft-deleted data is due. At once, where nobody has found out yet: forgetting to is late by
    /// a tick, and not for ever.
    fn moment(&self) -> Option<Timestamp> {
        let unknown = if self.state.is_scheduled() {
            Some(Timestamp::UNIX_EPOCH)
        } else {
            self.state.purge_at()
        };
        self.next.filter(|_| unknown.is_some()).or(unknown)
    }
}

impl Item {
    /// What the items of a machine are about, whatever their vaults.
    pub(crate) fn machine_of(resource_group: &str, vm: &str) -> String {
        format!("{}/{}", resource_group.to_lowercase(), vm.to_lowercase())
    }

    /// The key of the item of a machine in a vault, whether it exists or not.
    pub(crate) fn key_of(vault: &VaultKey, resource_group: &str, vm: &str) -> String {
        format!(
            "{vault}/{}/{}",
            resource_group.to_lowercase(),
            vm.to_lowercase()
        )
    }

    /// `iaasvmcontainerv2;group;vm`: what containers, items and jobs are called after.
    pub(crate) fn short_name(&self) -> String {
        format!("iaasvmcontainerv2;{};{}", self.resource_group, self.vm)
    }

    pub(crate) fn container_name(&self) -> String {
        format!("IaasVMContainer;{}", self.short_name())
    }

    pub(crate) fn item_name(&self) -> String {
        format!("VM;{}", self.short_name())
    }

    pub(crate) fn is_soft_deleted(&self) -> bool {
        matches!(self.state, State::SoftDeleted { .. })
    }

    /// Its schedule counts from `now` on: no run is due for the time before.
    pub(crate) fn schedule_anew(&mut self, now: Timestamp) {
        self.handled = now;
        self.waiting = None;
        self.next = None;
    }

    /// Records that a point of `time` is in the vault.
    pub(crate) fn has_point(&mut self, time: Timestamp) {
        if let Ok(Some(state)) = State::after(Some(self.state), Event::FirstPoint, time) {
            self.state = state;
        }
        self.last_point = self.last_point.max(Some(time));
    }
}
