//! What a snapshot in the vault carries of its recovery point, so that the point can be made again from the vault alone, by a
//! state that is older than the vault.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kluis_policy::Tags;
use kluis_vault::{DiskFormat, Unknown};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rows::{Consistency, Hardened, Item, MadeBy, Origin, Point, PointDisk};
use crate::core::VaultKey;

/// The newest form of what is carried.
const FORM: u32 = 1;

/// A point as its snapshot carries it, and the machine that it is of.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Carried {
    form: u32,
    vm_id: String,
    resource_group: String,
    /// Whether the vault's immutability was locked: a state that is older must not take that back.
    #[serde(default)]
    locked: bool,
    /// Where the point is, is not in it.
    point: Point,
}

/// What the snapshot of this point is to carry.
pub(super) fn of(item: &Item, point: &Point, locked: bool) -> Option<Value> {
    let carried = Carried {
        form: FORM,
        locked,
        vm_id: item.vm_id.clone(),
        resource_group: item.resource_group.clone(),
        point: Point {
            instant: None,
            hardened: None,
            ..point.clone()
        },
    };
    serde_json::to_value(carried).ok()
}

/// Whether a snapshot says that its vault was locked.
pub(super) fn is_of_locked(found: &Unknown) -> bool {
    read(found).is_some_and(|carried| carried.locked)
}

/// The machine that a snapshot is of: its resource group and its name.
pub(super) fn machine(found: &Unknown) -> Option<(String, String)> {
    if let Some(carried) = read(found) {
        return Some((carried.resource_group, carried.point.vm));
    }
    // Older snapshots have the machine's id in their description: `/subscriptions/…/resourceGroups/GROUP/…/NAME in VAULT`.
    let id = found.snapshot.description.split(" in ").next()?;
    let mut segments = id
        .split('/')
        .skip_while(|segment| !segment.eq_ignore_ascii_case("resourceGroups"));
    let group = segments.nth(1)?;
    let name = segments.last()?;
    Some((group.to_owned(), name.to_owned()))
}

/// The point that a complete snapshot is: as it carries it, else as far as a snapshot of an older version tells. Of what is not
/// known the most cautious is said: crash consistent, and kept by every tier that the policy has.
pub(super) fn point(found: &Unknown, vault: &VaultKey, item: &Item) -> Option<Point> {
    let snapshot = &found.snapshot;
    let name = snapshot.tag("rp")?.to_owned();
    let hardened = Some(Hardened {
        snapshot: snapshot.saved.snapshot.clone(),
        logical: snapshot.saved.logical,
        read: snapshot.saved.read,
        stored: snapshot.saved.stored,
        // What an image has recorded since then is not believed on an old word.
        tracked: Vec::new(),
        checkpoints: BTreeMap::new(),
        incremental: Vec::new(),
        turn: 0,
    });
    let key = crate::store::Row::key(item);
    let known = read(found).filter(|carried| carried.point.name == name);
    if let Some(mut carried) = known {
        for disk in &mut carried.point.disks {
            let stored = found.disks.iter().find(|(name, _)| *name == disk.name);
            disk.size = disk.size.or(stored.map(|(_, size)| *size));
        }
        return Some(Point {
            vault: vault.clone(),
            item: key,
            hardened,
            removing: false,
            damaged: None,
            lost: None,
            ..carried.point
        });
    }
    Some(Point {
        vault: vault.clone(),
        item: key,
        name,
        time: snapshot.time,
        origin: unknown_origin(snapshot.time),
        consistency: Consistency::Crash,
        made_by: MadeBy::default(),
        instant: None,
        hardened,
        job: snapshot.tag("job").unwrap_or_default().to_owned(),
        enhanced: false,
        vm: found.vm.clone(),
        vm_size: String::new(),
        windows: false,
        shape: None,
        disks: found.disks.iter().zip(0..).map(disk).collect(),
        excluded: Vec::new(),
        removing: false,
        stale: Vec::new(),
        damaged: None,
        lost: None,
    })
}

fn read(found: &Unknown) -> Option<Carried> {
    let about = found.snapshot.about.clone()?;
    let carried: Carried = serde_json::from_value(about).ok()?;
    (carried.form <= FORM).then_some(carried)
}

fn unknown_origin(time: Timestamp) -> Origin {
    Origin::Schedule {
        due: time,
        tags: Tags {
            weekly: true,
            monthly: true,
            yearly: true,
        },
    }
}

/// A disk by its place in the snapshot: the OS disk is the first.
fn disk(((name, size), place): (&(String, u64), u32)) -> PointDisk {
    PointDisk {
        name: name.clone(),
        lun: place.checked_sub(1),
        sku: "StandardSSD_LRS".to_owned(),
        size: Some(*size),
        os: None,
        format: DiskFormat::Raw,
    }
}
