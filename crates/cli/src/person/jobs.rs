//! `kluis jobs`: what a vault did and is doing, as the service tells it; and the end of a job before its work is done.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use kluis_arm::api_version::SENT;
use kluis_arm::id::{ItemId, Name};
use kluis_arm::job::{Job, JobDetail, JobStatus, VmJob};
use kluis_arm::operation::OperationState;
use kluis_client::{Arm, ArmClient, ArmRequest, Method, list, operation};
use serde::Serialize;

use super::connection::{Reached, reach, reach_all};
use crate::args::JobsArgs;
use crate::output::{self, Format};

/// How long it is waited for that a job ends which is cancelled, where the service says nothing of it: ten minutes.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
const MOST_LOOKS: u32 = 300;

/// A job as it is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    name: String,
    machine: String,
    operation: String,
    status: String,
    started: String,
    duration: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
}

/// Prints the jobs, the newest first, or cancels one; `Ok(false)` when that could not be.
pub(crate) async fn jobs(args: &JobsArgs, out: &mut impl Write) -> Result<bool> {
    let vaults = match &args.item {
        Some(item) => {
            let reached = reach(item, &args.connection).await?;
            if let Some(job) = &args.cancel {
                let (job, was_cancelled) = cancelled(&reached, job, args.all).await?;
                match args.output {
                    Format::Table => table(vec![job], out)?,
                    Format::Json | Format::Yaml => output::value(&job, args.output, out)?,
                }
                return Ok(was_cancelled);
            }
            vec![(reached.arm, vec![reached.item])]
        }
        None => reach_all(&args.connection).await?,
    };
    let mut jobs = Vec::new();
    for (arm, items) in &vaults {
        jobs.extend(of_vault(arm, items, args.all).await?);
    }
    jobs.sort_by(|one, other| other.started.cmp(&one.started));
    match args.output {
        Format::Table => table(jobs, out)?,
        Format::Json | Format::Yaml => output::value(&jobs, args.output, out)?,
    }
    Ok(true)
}

/// The jobs of these items of one vault, or of whatever is in it.
async fn of_vault(arm: &ArmClient, items: &[ItemId], all: bool) -> Result<Vec<Listed>> {
    let Some(vault) = items.first().map(ItemId::vault) else {
        return Ok(Vec::new());
    };
    let request = ArmRequest::get(format!("{vault}/backupJobs"), SENT)
        .with_query("$filter", "backupManagementType eq 'AzureIaasVM'");
    let found = list(arm, request)
        .await
        .with_context(|| format!("listing the jobs of the vault {}", vault.name))?;
    let mut jobs = Vec::new();
    for value in found {
        let job: Job = serde_json::from_value(value).context("reading a job")?;
        let JobDetail::VirtualMachine(detail) = job.properties else {
            continue;
        };
        if all || items.iter().any(|item| is_of(item, &detail)) {
            jobs.push(listed(job.name.unwrap_or_default(), &detail));
        }
    }
    Ok(jobs)
}

/// Asks for the end of a job and waits for it: the job as it is then, and whether it ended so.
async fn cancelled(reached: &Reached, name: &str, any: bool) -> Result<(Listed, bool)> {
    let vault = reached.item.vault();
    let name = Name::new(name).with_context(|| format!("reading the name '{name}' of a job"))?;
    let id = vault.job(name);
    let read = || async {
        let answer = reached
            .arm
            .call(&ArmRequest::get(id.to_string(), SENT))
            .await;
        let answer = answer.with_context(|| format!("reading the job {}", id.name))?;
        let job: Job = serde_json::from_value(answer.body.unwrap_or_default())
            .with_context(|| format!("reading the job {}", id.name))?;
        match job.properties {
            JobDetail::VirtualMachine(detail) => Ok(detail),
            JobDetail::Other(_) => bail!("{} is no job of a virtual machine", id.name),
        }
    };
    let detail = read().await?;
    if !any && !is_of(&reached.item, &detail) {
        bail!(
            "{} is a job of {}: name that item, or add --all",
            id.name,
            detail.entity_friendly_name.unwrap_or_default()
        );
    }
    let request = ArmRequest::new(Method::Post, format!("{id}/cancel"), SENT);
    let answer = reached.arm.call(&request).await;
    let answer = answer.with_context(|| format!("cancelling the job {}", id.name))?;
    if let Some(url) = answer.location.or(answer.async_operation) {
        until_settled(&reached.arm, &url).await?;
    }
    let detail = read().await?;
    let was_cancelled = detail.status == Some(JobStatus::Cancelled);
    Ok((listed(id.name.to_string(), &detail), was_cancelled))
}

/// Waits until the service knows what came of the cancelling. That it was too late is known, too.
async fn until_settled(arm: &ArmClient, url: &str) -> Result<()> {
    for _ in 0..MOST_LOOKS {
        match operation(arm, url).await {
            Ok(reading) if reading.document.status == Some(OperationState::InProgress) => {
                let wait = reading.retry_after.and_then(|wait| wait.try_into().ok());
                tokio::time::sleep(wait.unwrap_or(BETWEEN_LOOKS)).await;
            }
            Ok(_) => return Ok(()),
            Err(failure) if failure.status() == Some(400) => return Ok(()),
            Err(failure) => return Err(failure).context("asking what came of the cancelling"),
        }
    }
    bail!("the service has not said what came of it; look again with `kluis jobs`")
}

fn is_of(item: &ItemId, job: &VmJob) -> bool {
    let machine = item.container.name.to_string().to_lowercase();
    let name = job.container_name.as_deref();
    name.is_some_and(|name| machine.ends_with(&name.to_lowercase()))
}

fn table(jobs: Vec<Listed>, out: &mut impl Write) -> Result<()> {
    let rows: Vec<Vec<String>> = jobs
        .into_iter()
        .map(|job| {
            let error = job.errors.into_iter().next().unwrap_or_default();
            vec![
                job.name,
                job.machine,
                job.operation,
                job.status,
                job.started,
                job.duration,
                error,
            ]
        })
        .collect();
    output::table(
        &[
            "JOB",
            "MACHINE",
            "OPERATION",
            "STATUS",
            "STARTED",
            "DURATION",
            "MESSAGE",
        ],
        &rows,
        out,
    )
}

fn listed(name: String, job: &VmJob) -> Listed {
    let text = |word: Option<String>| word.unwrap_or_default();
    Listed {
        name,
        machine: text(job.entity_friendly_name.clone()),
        operation: text(job.operation.as_ref().map(ToString::to_string)),
        status: text(job.status.as_ref().map(ToString::to_string)),
        started: text(job.start_time.as_ref().map(|time| time.as_str().to_owned())),
        duration: text(job.duration.clone()),
        errors: job
            .error_details
            .iter()
            .flatten()
            .filter_map(|error| error.error_string.clone())
            .collect(),
    }
}
