//! Which recovery point comes back: chosen once, by the spec, among those that something can come back from.

use jiff::Timestamp;
use kluis_api::{ProtectionState, RestoreFrom, RestoredPoint, StorageTier};
use kluis_arm::recovery_point::RecoveryPoint;

use super::encryption;
use super::goal::Goal;
use crate::conditions::moment;
use crate::gate::Target;
use crate::key::{Kind, ObjectKey};
use crate::point;
use crate::seen::Seen;
use crate::waiting::Waiting;
use crate::world::{Observed, RestoreWorld, Want};

/// What has to be read to know whether the recovery point that the spec names can come back.
pub(super) fn wants(world: &RestoreWorld, goal: &Goal<'_>) -> Vec<Want> {
    match named(world) {
        Ok((_, point)) if world.chosen().is_none() => encryption::wants(world, point, goal),
        _ => Vec::new(),
    }
}

/// The recovery point that the spec names, if what is asked for can come back from it.
pub(super) fn of(
    world: &RestoreWorld,
    target: &Target<'_>,
    goal: &Goal<'_>,
) -> Result<RestoredPoint, Waiting> {
    if let Some(chosen) = world.chosen() {
        return Ok(chosen.clone());
    }
    let (time, point) = named(world)?;
    if point::tier(point) == Some(StorageTier::Archive) {
        return Err(Waiting::NotOfferedYet {
            what: "A restore of a recovery point that is in the archive".to_owned(),
        });
    }
    holds(point, goal)?;
    can_be_called(point, goal)?;
    encryption::check(world, point, target, goal)?;
    Ok(RestoredPoint {
        name: point.name.clone().unwrap_or_default(),
        time: moment(time),
    })
}

fn named(world: &RestoreWorld) -> Result<(Timestamp, &RecoveryPoint), Waiting> {
    let mut candidates: Vec<(Timestamp, &RecoveryPoint)> = points(world)?
        .iter()
        .filter(|point| point::is_usable(point))
        .filter_map(|point| Some((point::time(point)?, point)))
        .collect();
    candidates.sort_by_key(|(time, _)| *time);
    // What a restore in place replaced is what somebody wanted to be rid of.
    let wanted = || {
        candidates
            .iter()
            .rev()
            .filter(|(_, point)| !point::is_before_replacing(point))
    };
    let (found, wanted) = match &world.restore.spec.from {
        RestoreFrom {
            recovery_point: Some(name),
            ..
        } => {
            let named = candidates.iter().find(|(_, point)| {
                point
                    .name
                    .as_deref()
                    .is_some_and(|own| own.eq_ignore_ascii_case(name))
            });
            (named, name.clone())
        }
        RestoreFrom {
            point_in_time: Some(at),
            ..
        } => {
            let before = wanted().find(|(time, _)| *time <= at.0);
            (before, format!("at or before {}", at.0))
        }
        RestoreFrom { .. } => (wanted().next(), "of this item".to_owned()),
    };
    found.copied().ok_or(Waiting::PointNotFound { wanted })
}

/// The points of an item that can be restored.
fn points(world: &RestoreWorld) -> Result<&[RecoveryPoint], Waiting> {
    let not_protected = |state: String| Waiting::ItemNotProtected {
        item: ObjectKey::new(
            Kind::ProtectedVM,
            world.namespace(),
            world.restore.spec.item.name.clone(),
        ),
        state,
    };
    match (&world.work.points, &world.work.arm) {
        (_, Some(Observed::Absent)) => Err(not_protected("not in the vault".to_owned())),
        (_, Some(Observed::Unknown(failure))) | (Some(Observed::Unknown(failure)), _) => {
            Err(Waiting::Arm(failure.clone()))
        }
        (_, Some(Observed::Found(item)))
            if Seen::of(item).is_some_and(|seen| seen.state == ProtectionState::SoftDeleted) =>
        {
            // Azure restores nothing that is softly deleted: it has to be declared again first.
            Err(not_protected(ProtectionState::SoftDeleted.to_string()))
        }
        (None, _) | (_, None) => Err(Waiting::StillProvisioning {
            what: "the list of recovery points".to_owned(),
        }),
        (Some(Observed::Found(points)), _) => Ok(points.as_slice()),
        (Some(Observed::Absent), _) => Ok(&[]),
    }
}

/// Windows knows no machine by a longer name.
const LONGEST_OF_WINDOWS: usize = 15;

fn can_be_called(point: &RecoveryPoint, goal: &Goal<'_>) -> Result<(), Waiting> {
    match goal {
        Goal::NewVm { vm, .. }
            if point::is_of_windows(point) && vm.name.as_str().len() > LONGEST_OF_WINDOWS =>
        {
            Err(Waiting::InvalidName {
                what: "to.newVM.name",
                message: format!(
                    "{} has {} characters, and a machine with Windows has at most {LONGEST_OF_WINDOWS}: choose a shorter one",
                    vm.name,
                    vm.name.as_str().len()
                ),
            })
        }
        _ => Ok(()),
    }
}

/// Whether the point holds the disks that are asked for, where it tells which it holds.
fn holds(point: &RecoveryPoint, goal: &Goal<'_>) -> Result<(), Waiting> {
    let asked: &[u32] = match goal {
        Goal::Disks { luns, .. } => luns.as_deref().unwrap_or_default(),
        Goal::InPlace { luns, .. } => luns.unwrap_or_default(),
        Goal::NewVm { .. } | Goal::Files { .. } => &[],
    };
    let Some(held) = point::luns(point) else {
        return Ok(());
    };
    match asked.iter().find(|lun| !held.contains(lun)) {
        Some(lun) => Err(Waiting::DiskNotInPoint {
            point: point.name.clone().unwrap_or_default(),
            lun: *lun,
            held,
        }),
        None => Ok(()),
    }
}
