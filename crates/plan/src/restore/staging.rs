//! The storage account that a restore passes through: the one that is named, else the first in the vault's region that the namespace
//! may use.

use kluis_arm::id::StorageAccountId;

use super::goal::Goal;
use super::preflight::known;
use crate::gate::{self, Target};
use crate::ids;
use crate::vault::is_same_location;
use crate::waiting::Waiting;
use crate::world::{RestoreWorld, Want};

/// What has to be read to choose one. Files pass through none.
pub(super) fn want(world: &RestoreWorld, target: &Target<'_>, goal: &Goal<'_>) -> Option<Want> {
    let is_needed = goal.staging().is_none() && !matches!(goal, Goal::Files { .. });
    (is_needed && world.accounts.is_none()).then(|| Want::StorageAccounts {
        subscription: target.vault_id.subscription.to_string(),
    })
}

/// The storage account; None where none is needed.
pub(super) fn account(
    world: &RestoreWorld,
    target: &Target<'_>,
    goal: &Goal<'_>,
) -> Result<Option<StorageAccountId>, Waiting> {
    if matches!(goal, Goal::Files { .. }) {
        return Ok(None);
    }
    if let Some(named) = goal.staging() {
        let group = ids::group_id(target.service, &named.resource_group)?;
        return Ok(Some(StorageAccountId {
            subscription: group.subscription,
            resource_group: group.name,
            name: ids::name("stagingAccount.name", &named.name)?,
        }));
    }
    let region = &target.vault.spec.location;
    let may_use = |group: &str| {
        let named = &target.vault.spec.service_ref.name;
        let access = &world.work.access;
        gate::consents(target.service, access, named, world.namespace(), group).is_ok()
    };
    let accounts = known(world.accounts.as_ref(), "the list of storage accounts")?;
    let near = accounts.into_iter().flatten().filter(|account| {
        is_same_location(&account.location, region) && may_use(account.id.resource_group.as_str())
    });
    let first =
        near.min_by_key(|account| (account.id.resource_group.clone(), account.id.name.clone()));
    match first {
        Some(account) => Ok(Some(account.id.clone())),
        None => Err(Waiting::StagingNotFound {
            region: region.clone(),
            field: goal.staging_field(),
        }),
    }
}
