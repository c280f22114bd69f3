//! Single files and folders out of a recovery point: the job of it. Which files there are, and how they are read, is the
//! vault's business; who may ask is the extension's.

use kluis_arm::error::code;
use kluis_arm::id::Name;

use super::super::rows::{FilesWork, Item, Job, Kind, Point, Work};
use super::super::{jobs, queue, refusals};
use super::{preflight, say_when, task};
use crate::core::{Answer, Context, Refusal, Request, VaultPath};
use crate::estate;
use crate::operations::{self, Scope};
use crate::store::{Row as _, Tx};
use crate::vaults::VaultRow;

/// The body of `POST …/restoreFiles`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesRequest {
    /// Absolute paths on the volume, at least one.
    pub paths: Vec<String>,
    /// The volume, as the point's volumes are named; `None` is the one with the system's root.
    pub volume: Option<String>,
    /// The resource group below whose folder the files go.
    pub target_resource_group: String,
    /// The folder's name: `restored/<resource group>/<name>`.
    pub name: String,
}

/// `POST …/recoveryPoints/{point}/restoreFiles`: 202, and a job that a client follows like that of any restore.
///
/// # Errors
/// A refusal in ARM's form: the item is soft-deleted or held, the point is going or not in the vault yet, the machine is
/// encrypted, the group does not exist, the folder is taken.
#[expect(
    clippy::too_many_arguments,
    reason = "the route hands over what it looked up"
)]
pub(crate) fn trigger(
    request: &Request,
    at: &VaultPath,
    _vault: &VaultRow,
    item: &Item,
    point: &Point,
    wanted: FilesRequest,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    preflight::item(item, false, tx)?;
    preflight::point(point, tx)?;
    let source = estate::vm(ctx, tx, &item.resource_group, &item.vm)?;
    preflight::files(point, source.as_ref())?;
    if point.hardened.is_none() && task::images(point).is_none() {
        return Err(Refusal::conflict(
            "RecoveryPointNotInVault",
            format!(
                "The recovery point '{}' is a snapshot of qcow2 images that is not in the vault yet; wait until its backup has ended.",
                point.name
            ),
        ));
    }
    let group = preflight::group(&wanted.target_resource_group, ctx)?;
    let name = Name::new(wanted.name.as_str())
        .ok()
        .filter(|name| !name.as_str().starts_with('.'))
        .ok_or_else(|| {
            refusals::invalid_input(format!("'{}' can't name a folder.", wanted.name))
        })?;
    let to = ctx.inventory.restored.join(&group).join(name.as_str());
    let promised = Job::active(tx)?
        .iter()
        .any(|job| matches!(&job.work, Work::Files(work) if work.to == to));
    if promised || preflight::is_there(&to, ctx, tx)? {
        return Err(Refusal::conflict(
            code::TARGET_FOLDER_EXISTS,
            format!(
                "'{}' is already in resource group '{group}', or being written there. Choose another name, or remove it first.",
                wanted.name
            ),
        ));
    }
    let target_path = to.display().to_string();
    let work = FilesWork {
        point: point.key(),
        vm: point.vm.clone(),
        volume: wanted.volume,
        paths: wanted.paths,
        to,
        made: None,
    };
    let mut job = jobs::for_item(ctx, tx, item, Kind::Restore, Work::Files(work))?;
    job.state("Job Type", "Recover files");
    job.state("Target resource group", group);
    job.state("Target Path", target_path);
    say_when(&mut job, point);
    job.keep(tx)?;
    let effects = queue::dispatch(ctx, tx)?;
    let operation = operations::done(tx, ctx, &at.key, Some(&job.id), None)?;
    let scope = Scope::Item(&item.container_name(), &item.item_name());
    Ok((operation.accepted(request, at, scope), effects))
}
