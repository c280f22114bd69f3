//! Restores: what is asked for is checked as far as it can be before the first byte; a mover makes files; and only what it
//! has shown to be there becomes disks, a machine, or a machine's new disks, all of it in one transaction.
//!
//! A restore that fails or is cancelled leaves nothing: no row was written, and its files are removed.

pub(super) mod abandon;
mod besides;
mod choice;
mod evidence;
pub(super) mod files;
mod in_place;
mod machine;
mod papers;
pub(super) mod preflight;
mod references;
mod task;
mod template;
mod wanted;
mod zone;

pub(super) use evidence::{files_restored, left_out, restored, written};
pub(super) use papers::read as read_paper;
pub(super) use task::{files as files_task, images, next, waits};

use kluis_arm::restore::TriggerRestore;

use super::items::Named;
use super::rows::{Goal, Item, Job, Kind, Point, PointDisk, RestoreWork, Work};
use super::{job_words, jobs, points, queue};
use crate::core::{Answer, Context, Refusal, Request, VaultPath};
use crate::estate;
use crate::inventory::VirtualMachine;
use crate::operations::{self, Scope};
use crate::store::{Row as _, Tx};
use crate::vaults::VaultRow;

use wanted::{Luns, Target, Wanted};

/// `POST item/recoveryPoints/{point}/restore`.
pub(super) fn trigger(
    request: &Request,
    named: &Named,
    point: &str,
    at: &VaultPath,
    vault: &VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let body = request.parse::<TriggerRestore>()?.properties;
    let wanted = wanted::read(body, named, point, vault, ctx)?;
    references::exist(&wanted, vault, ctx)?;
    let item = named.item(at, tx)?;
    let in_place = matches!(wanted.target, Target::InPlace);
    preflight::item(&item, in_place, tx)?;
    let point = points::find(&item, point, tx)?;
    preflight::point(&point, tx)?;
    let source = estate::vm(ctx, tx, &item.resource_group, &item.vm)?;
    preflight::encryption(&wanted, &point, source.as_ref(), ctx)?;
    if let Some(details) = &wanted.encryption {
        besides::encryption(details, &point, source.as_ref(), ctx)?;
    }
    zone::there(&wanted.zone, &vault.location)?;
    let asked = Asked {
        item: &item,
        point: &point,
        source: source.as_ref(),
        vault,
    };
    let work = planned(&wanted, &asked, ctx, tx)?;
    preflight::damage(&point, &work, ctx)?;
    preflight::targets(&work, ctx, tx)?;
    let job = queued(request, &wanted, &asked, work, ctx, tx)?;
    let effects = queue::dispatch(ctx, tx)?;
    let operation = operations::done(tx, ctx, &at.key, Some(&job.id), None)?;
    let scope = Scope::Item(&item.container_name(), &item.item_name());
    Ok((operation.accepted(request, at, scope), effects))
}

/// What the job of a restore in place is called.
const REPLACE: &str = "Replace disks";

/// What a restore is of.
struct Asked<'a> {
    item: &'a Item,
    point: &'a Point,
    /// The machine, if it still is.
    source: Option<&'a VirtualMachine>,
    vault: &'a VaultRow,
}

fn planned(
    wanted: &Wanted,
    asked: &Asked<'_>,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<RestoreWork, Refusal> {
    let (group, disks, goal) = match &wanted.target {
        Target::Disks { group } => {
            let name = group
                .as_ref()
                .map_or(asked.item.resource_group.as_str(), |name| name.as_str());
            let group = preflight::group(name, ctx)?;
            let chosen = choice::with_the_os_disk(&wanted.luns, asked.point)?;
            let chosen = choice::of_one_kind(chosen, asked);
            let name = |disk: &PointDisk, tail: &str| format!("{}{tail}", disk.name);
            let first = std::iter::once(String::new());
            let disks = choice::free(&chosen, &group, first, name, ctx, tx)?;
            (group, disks, Goal::Disks)
        }
        Target::Machine { .. } => machine::planned(wanted, asked, ctx, tx)?,
        Target::InPlace => in_place::planned(wanted, asked, ctx, tx)?,
    };
    Ok(RestoreWork {
        point: asked.point.key(),
        vm: asked.point.vm.clone(),
        vm_id: asked.item.vm_id.clone(),
        time: asked.point.time,
        resource_group: group,
        location: asked.vault.location.clone(),
        zone: zone::of(wanted, asked),
        disks,
        chosen: wanted.luns != Luns::All,
        goal,
        papers: None,
        done: false,
    })
}

/// Writes the job down, and before it the backup that one in place waits for.
fn queued(
    request: &Request,
    wanted: &Wanted,
    asked: &Asked<'_>,
    mut work: RestoreWork,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Job, Refusal> {
    let (kind, target_vm) = match &mut work.goal {
        // Azure's own word where no machine is made.
        Goal::Disks => ("Recover disks", "vmName".to_owned()),
        Goal::Machine(made) => ("Create virtual machine", made.name.clone()),
        Goal::InPlace(replacing) => {
            replacing.before = in_place::backup_before(asked.item, ctx, tx)?;
            (REPLACE, asked.item.vm.clone())
        }
    };
    let network = match &wanted.target {
        Target::Machine { subnet, .. } => Some(subnet.network.name.to_string()),
        Target::Disks { .. } | Target::InPlace => None,
    };
    let makes_disks = matches!(work.goal, Goal::Disks);
    let group = work.resource_group.clone();
    let kinds = choice::remark(&work.disks, asked.point);
    let mut job = jobs::for_item(
        ctx,
        tx,
        asked.item,
        Kind::Restore,
        Work::Restore(Box::new(work)),
    )?;
    // A client that gives its request an id of its own recognises the job by it, also when it has forgotten the rest.
    if let Some(id) = request.header("x-ms-client-request-id")
        && kind == REPLACE
        && is_uuid(id)
    {
        job.activity = id.to_lowercase();
    }
    job.state("Job Type", kind);
    job.state("Target VM Name", target_vm);
    if !makes_disks {
        job.state("Original VM Name", asked.item.vm.clone());
    }
    if let Some(network) = network {
        job.state("Target VNet Name", network);
    }
    job.state(
        "Target Storage Account Name",
        wanted.staging.name.to_string(),
    );
    job.state("Target resource group", group);
    let ran = asked.source.and_then(in_place::remark);
    if let Some(remark) = kinds.or(ran.filter(|_| kind == REPLACE)) {
        job.state("Notes", remark);
    }
    say_when(&mut job, asked.point);
    papers::write(request, wanted, asked, &mut job, ctx);
    job.keep(tx)?;
    Ok(job)
}

/// The point's time, under the name that Azure gives it, which ends in a blank, and under the one that people look for.
fn say_when(job: &mut Job, point: &Point) {
    let time = job_words::moment(point.time);
    job.state("Recovery point time ", time.clone());
    job.state("Recovery point time", time);
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.concat().bytes().all(|byte| byte.is_ascii_hexdigit())
}
