//! What a restore has left: read back from ARM, against what was there before it was meant. The job's word alone is no evidence, but for
//! files, which ARM does not list: there the job says what it counted after reading them again.

use jiff::Timestamp;
use kluis_api::RestoredFiles;
use kluis_arm::id::{DiskId, VmId};
use kluis_arm::job::VmJob;

use super::goal::Goal;
use crate::bounded::{self, Evidence};
use crate::gate::Target;
use crate::point;
use crate::waiting::Waiting;
use crate::world::{DiskFact, Observed, RestoreWorld, VmFact, Want};

/// What was found.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) disks: Vec<String>,
    pub(super) template: Option<String>,
    pub(super) vm: Option<String>,
    pub(super) point_before: Option<String>,
    pub(super) files: Option<RestoredFiles>,
}

/// What has to be read before an intent, to tell afterwards what is new.
pub(super) fn wants_before(world: &RestoreWorld, goal: &Goal<'_>) -> Option<Want> {
    match goal {
        Goal::Disks { group, .. } => world.disks.is_none().then(|| Want::Disks(group.clone())),
        // Its disks are read by the preflight; of a new machine it shows that there is none.
        Goal::InPlace { .. } | Goal::NewVm { .. } | Goal::Files { .. } => None,
    }
}

/// What is there already and could be taken for the restore's work, by name.
pub(super) fn there_before(world: &RestoreWorld, goal: &Goal<'_>, now: Timestamp) -> Vec<String> {
    match goal {
        Goal::Disks { .. } => disks_since(world, now)
            .map(|disk| disk.id.name.to_string())
            .collect(),
        Goal::InPlace { vm: id, .. } => {
            let vm = world.vms.get(id).and_then(Observed::found);
            let disks = vm.into_iter().flat_map(managed);
            disks.map(|disk| disk.name.to_string()).collect()
        }
        Goal::NewVm { .. } | Goal::Files { .. } => Vec::new(),
    }
}

/// What has to be read once the job has ended well.
pub(super) fn wants_after(world: &RestoreWorld, target: &Target<'_>, goal: &Goal<'_>) -> Vec<Want> {
    let disks = |group| world.disks.is_none().then_some(Want::Disks(group));
    let vm = |id: &VmId| (!world.vms.contains_key(id)).then(|| Want::Vm(id.clone()));
    match goal {
        Goal::Disks { group, .. } => {
            let points = world.work.points.is_none();
            let points = points.then(|| Want::Points(target.item.clone()));
            disks(group.clone()).into_iter().chain(points).collect()
        }
        Goal::NewVm { vm: id, .. } => vm(id).into_iter().chain(disks(id.group())).collect(),
        Goal::InPlace { vm: id, .. } => {
            let points = world.work.points.is_none();
            let points = points.then(|| Want::Points(target.item.clone()));
            vm(id).into_iter().chain(points).collect()
        }
        Goal::Files { .. } => Vec::new(),
    }
}

/// What the job has left, and what to say of it.
pub(super) fn of(
    world: &RestoreWorld,
    goal: &Goal<'_>,
    detail: &VmJob,
) -> (Evidence, Option<Findings>) {
    let unknown = unread(world);
    let found = match goal {
        Goal::Disks { group, luns, .. } => disks(world, detail, luns.as_deref()).map(|findings| {
            let message = format!("Restored {} into {}.", names(&findings.disks), group.name);
            (message, findings)
        }),
        Goal::NewVm { vm, .. } => new_vm(world, detail, vm).map(|findings| {
            let message = format!(
                "Made the machine {}/{} with {}.",
                vm.resource_group,
                vm.name,
                names(&findings.disks)
            );
            (message, findings)
        }),
        Goal::InPlace { vm, luns, .. } => in_place(world, detail, vm, *luns).map(|findings| {
            let message = format!(
                "{}/{} now has {}; what was on its disks before is the recovery point {}.",
                vm.resource_group,
                vm.name,
                names(&findings.disks),
                findings.point_before.as_deref().unwrap_or_default()
            );
            (message, findings)
        }),
        Goal::Files { .. } => files(detail),
    };
    match (found, unknown) {
        (Some((message, findings)), _) => (Evidence::Seen { message }, Some(findings)),
        (None, Some(waiting)) => (Evidence::Unknown(waiting), None),
        (None, None) => (Evidence::NotSeen, None),
    }
}

/// The disks in the target group that are not older than the job and were not there before it was meant: those that the job names, else
/// all of them, if they are as many as the point holds of what was asked for. A service that names none (Azure's) leaves two restores
/// into one group at one time with each other's disks: a disk does not say which job made it.
fn disks(world: &RestoreWorld, detail: &VmJob, luns: Option<&[u32]>) -> Option<Findings> {
    let mut made: Vec<&DiskId> = disks_since(world, bounded::from(detail)?)
        .map(|disk| &disk.id)
        .filter(|disk| !was_there(world, disk))
        .collect();
    made.sort();
    let count = match detail.told("Restored Disks") {
        Some(names) => {
            let names: Vec<&str> = names.split(',').map(str::trim).collect();
            made.retain(|disk| names.iter().any(|name| disk.name == **name));
            names.len()
        }
        None => slots(world).map_or(1, |held| {
            let is_meant = |lun: &Option<u32>| match (luns, lun) {
                (Some(luns), Some(lun)) => luns.contains(lun),
                _ => true,
            };
            held.iter().filter(|lun| is_meant(lun)).count().max(1)
        }),
    };
    (made.len() >= count).then(|| Findings {
        disks: made.iter().map(ToString::to_string).collect(),
        template: template(detail),
        ..Findings::default()
    })
}

fn template(detail: &VmJob) -> Option<String> {
    detail
        .told("Template Blob Uri")
        .map(|told| told.trim().to_owned())
}

/// The slots of the disks that the chosen recovery point holds, where it is still listed and says so.
fn slots(world: &RestoreWorld) -> Option<Vec<Option<u32>>> {
    let chosen = world.chosen()?;
    let mut points = world.work.known_points().iter();
    let from = points.find(|point| point.name.as_deref() == Some(chosen.name.as_str()));
    from.and_then(point::slots)
}

/// The machine, which was not there before, and each of its disks.
fn new_vm(world: &RestoreWorld, detail: &VmJob, id: &VmId) -> Option<Findings> {
    let vm = world.vms.get(id)?.found()?;
    let listed = world.disks.as_ref()?.found()?;
    let exists = |id: &DiskId| listed.iter().any(|disk| disk.id == *id);
    let disks: Vec<&DiskId> = managed(vm).collect();
    let whole = !disks.is_empty() && disks.iter().all(|disk| exists(disk));
    whole.then(|| Findings {
        disks: disks.iter().map(ToString::to_string).collect(),
        vm: Some(vm.id.to_string()),
        template: template(detail),
        ..Findings::default()
    })
}

/// The machine's disks, of which those that were to be replaced are others than before; and the recovery point of what they held. A disk
/// that the point does not hold is not replaced: it was left out of the backup, or attached since.
fn in_place(
    world: &RestoreWorld,
    detail: &VmJob,
    id: &VmId,
    luns: Option<&[u32]>,
) -> Option<Findings> {
    let vm = world.vms.get(id)?.found()?;
    let held = slots(world);
    let is_meant = |lun: Option<u32>| match (luns, &held) {
        (Some([]), _) => lun.is_none(),
        (Some(luns), _) => lun.is_some_and(|lun| luns.contains(&lun)),
        (None, Some(held)) => held.contains(&lun),
        (None, None) => true,
    };
    let meant = vm.disks.iter().filter(|disk| is_meant(disk.lun));
    let meant: Option<Vec<&DiskId>> = meant.map(|disk| disk.disk.as_ref()).collect();
    let meant = meant.filter(|disks| !disks.is_empty())?;
    if meant.iter().any(|disk| was_there(world, disk)) {
        return None;
    }
    let began = bounded::from(detail)?;
    let mut points = world.work.known_points().iter();
    let before = match detail.told("Recovery Point Before") {
        Some(name) => points.find(|point| point.name.as_deref() == Some(name.trim()))?,
        None => points.find(|point| point::time(point).is_some_and(|time| time >= began))?,
    };
    Some(Findings {
        disks: managed(vm).map(ToString::to_string).collect(),
        vm: Some(vm.id.to_string()),
        point_before: before.name.clone(),
        ..Findings::default()
    })
}

fn files(detail: &VmJob) -> Option<(String, Findings)> {
    let number = |what| {
        detail
            .told(what)
            .and_then(|told| told.trim().parse::<u64>().ok())
    };
    let count = number("Restored Files")?;
    let path = detail.told("Target Path").map(str::to_owned);
    let into = path
        .as_ref()
        .map(|path| format!(" into {path}"))
        .unwrap_or_default();
    let plural = if count == 1 { "" } else { "s" };
    let files = RestoredFiles {
        count,
        bytes: number("Restored Bytes"),
        left_out: number("Files Left Out"),
        path,
    };
    let findings = Findings {
        files: Some(files),
        ..Findings::default()
    };
    Some((format!("Restored {count} file{plural}{into}."), findings))
}

/// What could not be read, if that is why nothing is seen.
fn unread(world: &RestoreWorld) -> Option<Waiting> {
    fn failure<T>(fact: Option<&Observed<T>>) -> Option<Waiting> {
        match fact {
            Some(Observed::Unknown(failure)) => Some(Waiting::Arm(failure.clone())),
            _ => None,
        }
    }
    failure(world.disks.as_ref())
        .or_else(|| world.vms.values().find_map(|vm| failure(Some(vm))))
        .or_else(|| failure(world.work.points.as_ref()))
}

fn was_there(world: &RestoreWorld, disk: &DiskId) -> bool {
    let before = world.operation().map(|meant| meant.before.as_slice());
    let mut before = before.unwrap_or_default().iter();
    before.any(|known| disk.name == *known.as_str())
}

fn managed(vm: &VmFact) -> impl Iterator<Item = &DiskId> {
    vm.disks.iter().filter_map(|disk| disk.disk.as_ref())
}

fn disks_since(world: &RestoreWorld, since: Timestamp) -> impl Iterator<Item = &DiskFact> {
    let disks = world.disks.as_ref().and_then(Observed::found);
    let disks = disks.into_iter().flatten();
    disks.filter(move |disk| disk.created.is_some_and(|created| created >= since))
}

/// The last parts of ids, as a person says them.
fn names(ids: &[String]) -> String {
    let names = ids.iter().map(|id| id.rsplit('/').next().unwrap_or(id));
    names.collect::<Vec<_>>().join(", ")
}
