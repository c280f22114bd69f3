//! Disks that a restore in place put where a machine's own were.
//!
//! One row a machine, written in one transaction: a machine has all of its old disks or all of its new ones. The row names
//! the disk that each new one replaced, as the inventory has it. Where a person gives the machine another image there
//! later, the inventory's word holds again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::disk::Attached;
use crate::inventory::{Disk, VirtualMachine, same};
use crate::store::{Row, StoreError, Tx};

const PREFIX: &str = "estate/swap/";

/// The disks of a machine that restores in place replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Swap {
    /// The machine's resource group, in the inventory's case.
    pub resource_group: String,
    /// The machine's name, in the inventory's case.
    pub vm: String,
    /// A disk that was replaced, each with what is there now.
    pub slots: Vec<Slot>,
    /// When this was last done.
    pub when: Timestamp,
}

/// One place of a machine for a disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Slot {
    /// The disk that the inventory has there. It stays, unattached.
    pub replaced: Attached,
    /// The disk that is there.
    pub disk: Attached,
}

impl Row for Swap {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        Self::key_of(&self.resource_group, &self.vm)
    }

    fn vault(&self) -> String {
        String::new()
    }
}

impl Swap {
    fn key_of(resource_group: &str, vm: &str) -> String {
        format!(
            "{PREFIX}{}/{}",
            resource_group.to_lowercase(),
            vm.to_lowercase()
        )
    }

    /// What was replaced in a machine, if anything.
    pub(crate) fn of(
        tx: &Tx<'_>,
        resource_group: &str,
        vm: &str,
    ) -> Result<Option<Self>, StoreError> {
        tx.get(&Self::key_of(resource_group, vm))
    }

    pub(super) fn all(tx: &Tx<'_>) -> Result<Vec<Self>, StoreError> {
        tx.starting(PREFIX)
    }

    pub(super) fn is_of(&self, vm: &VirtualMachine) -> bool {
        same(&self.resource_group, &vm.resource_group) && same(&self.vm, &vm.name)
    }

    /// Puts disks where a machine has others now; `vm` is as the estate gives it. A disk whose place the machine doesn't
    /// have is left out. Written in the caller's transaction, all of it or nothing.
    pub(crate) fn put(
        tx: &mut Tx<'_>,
        vm: &VirtualMachine,
        disks: &[Attached],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut swap = Self::of(tx, &vm.resource_group, &vm.name)?.unwrap_or_else(|| Self {
            resource_group: vm.resource_group.clone(),
            vm: vm.name.clone(),
            slots: Vec::new(),
            when: now,
        });
        swap.when = now;
        // A place whose disk the inventory changed since is as if it had never been replaced.
        swap.slots.retain(|slot| slot.is_in(vm));
        for disk in disks {
            let known = swap.slots.iter_mut().find(|slot| slot.disk.lun == disk.lun);
            if let Some(slot) = known {
                slot.disk = disk.clone();
            } else if let Some(old) = vm.disks.iter().find(|old| old.lun == disk.lun) {
                swap.slots.push(Slot {
                    replaced: old.into(),
                    disk: disk.clone(),
                });
            }
        }
        tx.put(&swap)
    }
}

impl Slot {
    /// Whether the machine, as the estate gives it, has this slot's disk.
    pub(super) fn is_in(&self, vm: &VirtualMachine) -> bool {
        vm.disks
            .iter()
            .any(|disk| disk.lun == self.disk.lun && disk.path == self.disk.path)
    }
}

/// The machine with its replaced disks.
pub(super) fn applied(mut vm: VirtualMachine, swap: Option<&Swap>) -> VirtualMachine {
    for slot in swap.iter().flat_map(|swap| &swap.slots) {
        let old = vm.disks.iter_mut().find(|disk| {
            disk.lun == slot.replaced.lun
                && disk.name == slot.replaced.name
                && disk.path == slot.replaced.path
        });
        if let Some(disk) = old {
            *disk = Disk {
                in_use: disk.in_use,
                ..Disk::from(&slot.disk)
            };
        }
    }
    vm
}
