//! The storage account that a restore passes through: the one that is named, else the first in the vault's region that the namespace
//! may use. It has to be there, in the vault's region, and of a kind that disks can be staged in: Azure looks for it only when the restore
//! is asked for.

use kluis_arm::id::StorageAccountId;

use super::goal::Goal;
use super::preflight::known;
use crate::gate::{self, Target};
use crate::ids;
use crate::vault::is_same_location;
use crate::waiting::{StagingFault, Waiting};
use crate::world::{RestoreWorld, StorageAccountFact, Want};

/// What has to be read to choose one. Files pass through none.
pub(super) fn want(world: &RestoreWorld, target: &Target<'_>, goal: &Goal<'_>) -> Option<Want> {
    let is_needed = !matches!(goal, Goal::Files { .. });
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
    let region = &target.vault.spec.location;
    let accounts = known(world.accounts.as_ref(), "the list of storage accounts")?;
    let mut accounts = accounts.into_iter().flatten();
    if let Some(named) = goal.staging() {
        let group = ids::group_id(target.service, &named.resource_group)?;
        let id = StorageAccountId {
            subscription: group.subscription,
            resource_group: group.name,
            name: ids::name("stagingAccount.name", &named.name)?,
        };
        let found = accounts.find(|account| account.id == id);
        is_usable(&id, found, region, goal.staging_field())?;
        return Ok(Some(id));
    }
    let may_use = |group: &str| {
        let named = &target.vault.spec.service_ref.name;
        let access = &world.work.access;
        gate::consents(target.service, access, named, world.namespace(), group).is_ok()
    };
    let near = accounts.filter(|account| {
        is_same_location(&account.location, region)
            && has_page_blobs(account)
            && may_use(account.id.resource_group.as_str())
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

/// Whether a restore can pass through the account that is named.
fn is_usable(
    id: &StorageAccountId,
    found: Option<&StorageAccountFact>,
    region: &str,
    field: &'static str,
) -> Result<(), Waiting> {
    let account = format!("{}/{}", id.resource_group, id.name);
    let why = match found {
        None => StagingFault::Missing,
        Some(found) if !is_same_location(&found.location, region) => StagingFault::Elsewhere {
            found: found.location.clone(),
            vault: region.to_owned(),
        },
        Some(found) if !has_page_blobs(found) => StagingFault::Kind {
            kind: found.kind.clone().unwrap_or_default(),
        },
        Some(_) => return Ok(()),
    };
    Err(Waiting::StagingUnusable {
        account,
        field,
        why,
    })
}

/// Disks are staged as page blobs, which accounts of these kinds do not have.
fn has_page_blobs(account: &StorageAccountFact) -> bool {
    const WITHOUT: [&str; 3] = ["BlobStorage", "BlockBlobStorage", "FileStorage"];
    let kind = account.kind.as_deref();
    !kind.is_some_and(|kind| WITHOUT.iter().any(|other| other.eq_ignore_ascii_case(kind)))
}
