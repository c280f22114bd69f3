//! The call that starts a restore.

use kluis_arm::files::FilesRestoreRequest;
use kluis_arm::id::RecoveryPointId;
use kluis_arm::resource::Resource;
use kluis_arm::restore::{RestoreRequest, VmRestoreRequest};

use super::goal::Goal;
use super::preflight::known;
use super::repetition;
use super::staging;
use crate::gate::Target;
use crate::plan::Basis;
use crate::step::{Action, Slot, Step};
use crate::waiting::Waiting;
use crate::world::RestoreWorld;

/// What to call.
pub(super) fn of(
    world: &RestoreWorld,
    target: &Target<'_>,
    goal: &Goal<'_>,
    point: RecoveryPointId,
) -> Result<Action, Waiting> {
    let region = &target.vault.region();
    let (vm, account) = (&target.vm, staging::account(world, target, goal)?);
    let staged = || {
        account.as_ref().ok_or_else(|| Waiting::StagingNotFound {
            region: region.clone(),
            field: goal.staging_field(),
        })
    };
    let request = match goal {
        Goal::Disks { group, luns, .. } => {
            let luns = luns.as_deref().map(on_wire);
            VmRestoreRequest::disks(&point, vm, group, staged()?, region, luns)
        }
        Goal::NewVm {
            vm: new,
            network,
            subnet,
            ..
        } => VmRestoreRequest::new_vm(&point, vm, new, network, subnet, staged()?, region),
        Goal::InPlace { luns, .. } => {
            let luns = luns.map(on_wire);
            VmRestoreRequest::in_place(&point, vm, staged()?, region, luns)
        }
        Goal::Files {
            group,
            name,
            paths,
            volume,
        } => {
            let prefix = known(world.files.as_ref(), "what the service offers")?;
            let request = FilesRestoreRequest {
                paths: Some(paths.to_vec()),
                volume: volume.map(str::to_owned),
                target_resource_group: Some(group.name.to_string()),
                name: Some(name.to_string()),
                ..FilesRestoreRequest::default()
            };
            return Ok(Action::StartFilesRestore {
                point,
                prefix: prefix.cloned().unwrap_or_default(),
                body: Box::new(Resource::body(request)),
            });
        }
    };
    let request = VmRestoreRequest {
        zones: goal.zone().map(|zone| vec![zone.to_owned()]),
        ..request
    };
    let body = Box::new(Resource::body(RestoreRequest::from(request)));
    Ok(Action::StartRestore {
        point,
        body,
        request_id: matches!(goal, Goal::InPlace { .. })
            .then(|| repetition::request_id(world, target)),
    })
}

/// The step that calls it, while the item is as it was read.
pub(super) fn step(
    world: &RestoreWorld,
    basis: &Basis,
    target: &Target<'_>,
    action: Action,
) -> Step {
    Step {
        action,
        guard: world.work.guard(basis, &target.item),
        slot: Some(Slot::Operation),
    }
}

fn on_wire(luns: &[u32]) -> Vec<i32> {
    luns.iter()
        .filter_map(|lun| i32::try_from(*lun).ok())
        .collect()
}
