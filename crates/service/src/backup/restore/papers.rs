//! The papers that a restore leaves beside its disks, and where they can be read.
//!
//! Azure puts them into the staging account and gives their addresses there. This service has no such account: they are
//! files below the resource group's folder of restored disks, and their addresses are the service's own.

use serde_json::Value;

use super::super::rows::{Goal, Job, Paper, Papers, Work};
use super::wanted::Wanted;
use super::{Asked, template};
use crate::core::{Context, Request};
use crate::inventory::same;
use crate::store::{StoreError, Tx};

/// Has the job leave papers, where its disks stay beside the machine they were of.
pub(super) fn write(
    request: &Request,
    wanted: &Wanted,
    asked: &Asked<'_>,
    job: &mut Job,
    ctx: &Context<'_>,
) {
    let id = job.id.clone();
    let Work::Restore(work) = &mut job.work else {
        return;
    };
    if matches!(work.goal, Goal::InPlace(_)) {
        return;
    }
    let point = asked.point;
    let plain: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
    let container = format!("{}-{plain}", point.vm.to_lowercase());
    let folder = ctx
        .inventory
        .restored
        .join(&work.resource_group)
        .join(&container);
    let disk_id = |name: &str| {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/disks/{name}",
            ctx.subscription, work.resource_group
        )
    };
    let zone = work.zone.as_deref();
    let template = template::template(&work.disks, point, &work.location, zone);
    let config = template::config(&work.disks, point, &work.vm_id, &work.location, disk_id);
    let paper = |name: String, of: &Value| Paper {
        path: folder.join(&name),
        name,
        text: format!("{of:#}\n"),
        written: false,
    };
    work.papers = Some(Papers {
        account: wanted.staging.name.to_string(),
        template: paper(format!("azuredeploy{id}.json"), &template),
        config: paper(format!("config-{}-{id}.json", point.vm), &config),
        container,
        origin: request.origin.clone(),
    });
}

/// The paper at `…/blobs/{account}/{container}/{name}`, once it is written; its name ends in the id of its job.
///
/// # Errors
/// When the store fails.
pub(in crate::backup) fn read(
    account: &str,
    container: &str,
    name: &str,
    tx: &Tx<'_>,
) -> Result<Option<Value>, StoreError> {
    const GUID: usize = 36;
    let stem = name.strip_suffix(".json").unwrap_or_default();
    let id = stem.len().checked_sub(GUID).and_then(|at| stem.get(at..));
    let Some(job) = id.map(|id| Job::find(tx, id)).transpose()?.flatten() else {
        return Ok(None);
    };
    let papers = match &job.work {
        Work::Restore(work) if work.done => work.papers.as_ref(),
        _ => None,
    };
    Ok(papers
        .filter(|papers| same(&papers.account, account) && papers.container == container)
        .and_then(|papers| papers.all().into_iter().find(|paper| paper.name == name))
        .and_then(|paper| serde_json::from_str(&paper.text).ok()))
}
