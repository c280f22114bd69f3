//! What there is now: which machines and disks exist, and which files a machine's disks have.
//!
//! The inventory says what a person wrote down, and is never written. Restores add to it, as rows: machines and disks they
//! made, and disks that took the place of a machine's own. Here both become one answer. What a restore made is there for
//! as long as its files are: whoever removes a restored disk's file has removed the disk.
//!
//! It does not know how a restore comes about, nor how Azure shows what there is.

mod disk;
mod machine;
mod swap;

use std::borrow::Cow;

use crate::core::Context;
use crate::inventory::{Os, VirtualMachine, same};
use crate::store::{StoreError, Tx};

pub use disk::{Attached, Placed, RestoredDisk};
pub use machine::MadeMachine;
pub use swap::{Slot, Swap};

/// The machine by its names in any case, with the disks that it has now.
///
/// # Errors
/// When the store fails; so for every function here.
pub fn vm(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    resource_group: &str,
    name: &str,
) -> Result<Option<VirtualMachine>, StoreError> {
    let listed = ctx.inventory.vm(resource_group, name).cloned();
    let found = match listed {
        Some(vm) => Some(vm),
        None => made(ctx, tx, resource_group, name)?.map(|made| made.machine()),
    };
    let Some(vm) = found else {
        return Ok(None);
    };
    let swap = Swap::of(tx, &vm.resource_group, &vm.name)?;
    Ok(Some(swap::applied(vm, swap.as_ref())))
}

/// What a machine runs; `None` where there is none of these names.
pub fn system(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    resource_group: &str,
    name: &str,
) -> Result<Option<Os>, StoreError> {
    if let Some(vm) = ctx.inventory.vm(resource_group, name) {
        return Ok(Some(vm.os));
    }
    Ok(made(ctx, tx, resource_group, name)?.map(|made| made.os))
}

/// The machine of these names, if a restore made it and the inventory has none of them.
pub fn made(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    resource_group: &str,
    name: &str,
) -> Result<Option<MadeMachine>, StoreError> {
    if ctx.inventory.vm(resource_group, name).is_some() {
        return Ok(None);
    }
    let found = tx.get::<MadeMachine>(&MadeMachine::key_of(resource_group, name))?;
    Ok(found.filter(|made| made.is_there(ctx)))
}

/// Every machine with the disks that it has now: those of the inventory in its order, then those that restores made.
pub fn vms(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Vec<VirtualMachine>, StoreError> {
    Ok(with_swaps(ctx, tx)?.into_iter().map(|(vm, _)| vm).collect())
}

/// Every machine by its names and its region; the disks of those of the inventory are as it lists them.
pub fn known_vms<'a>(
    ctx: &Context<'a>,
    tx: &Tx<'_>,
) -> Result<Vec<Cow<'a, VirtualMachine>>, StoreError> {
    let listed = ctx.inventory.vms().map(Cow::Borrowed);
    let made = MadeMachine::all(tx)?.into_iter().filter(|made| {
        let listed = ctx.inventory.vm(&made.resource_group, &made.name);
        listed.is_none() && made.is_there(ctx)
    });
    let made = made.map(|made| Cow::Owned(made.machine()));
    Ok(listed.chain(made).collect())
}

fn with_swaps(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<Vec<(VirtualMachine, Option<Swap>)>, StoreError> {
    let swaps = Swap::all(tx)?;
    let machines = known_vms(ctx, tx)?.into_iter();
    Ok(machines
        .map(|vm| {
            let vm = vm.into_owned();
            let swap = swaps.iter().find(|swap| swap.is_of(&vm)).cloned();
            (swap::applied(vm, swap.as_ref()), swap)
        })
        .collect())
}

/// Every managed disk: those that machines have, originals that a restore in place took out, and what restores made.
pub fn disks(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Vec<Placed>, StoreError> {
    let restored: Vec<RestoredDisk> = tx.all()?;
    let mut found = Vec::new();
    for (vm, swap) in with_swaps(ctx, tx)?.iter().filter(|(vm, _)| vm.managed) {
        for disk in &vm.disks {
            let row = restored.iter().find(|row| row.path == disk.path);
            found.push(Placed::attached(vm, disk, row));
        }
        let replaced = swap.iter().flat_map(|swap| &swap.slots);
        let replaced = replaced.filter(|slot| slot.is_in(vm));
        found.extend(replaced.map(|slot| Placed::taken_out(vm, &slot.replaced)));
    }
    for row in restored {
        let known = found.iter().any(|placed| placed.path == row.path);
        if !known && ctx.facts.exists(&row.path) {
            found.push(Placed::made(row));
        }
    }
    Ok(found)
}

/// The managed disk of these names in any case. Disks are restored under the names they had: in the resource group of the
/// machine they are of, one that was restored beside its original is the one that is meant.
pub fn disk(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    resource_group: &str,
    name: &str,
) -> Result<Option<Placed>, StoreError> {
    let mut found = disks(ctx, tx)?.into_iter().rev();
    Ok(found.find(|placed| placed.is(resource_group, name)))
}

/// The disk of these names that a restore made, if its file is there.
pub fn restored(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    resource_group: &str,
    name: &str,
) -> Result<Option<RestoredDisk>, StoreError> {
    let found = tx.get::<RestoredDisk>(&RestoredDisk::key_of(resource_group, name))?;
    Ok(found.filter(|disk| ctx.facts.exists(&disk.path)))
}

/// What the inventory knows of a network and a subnet in it.
#[must_use]
pub fn network(ctx: &Context<'_>, resource_group: &str, network: &str, subnet: &str) -> Network {
    let Some(group) = ctx.inventory.resource_group(resource_group) else {
        return Network::Missing;
    };
    let mut networks = group.virtual_networks.iter();
    match networks.find(|(name, _)| same(name, network)) {
        None => Network::Missing,
        Some((_, subnets)) if subnets.iter().any(|known| same(known, subnet)) => Network::Found {
            location: group.location.clone(),
        },
        Some(_) => Network::WithoutSubnet,
    }
}

/// What is known of a network that a machine is to be in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// The inventory has no network of this name in this group.
    Missing,
    /// It has, but without this subnet.
    WithoutSubnet,
    /// It has both.
    Found {
        /// The network's region.
        location: String,
    },
}
