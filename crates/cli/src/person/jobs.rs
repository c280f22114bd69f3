//! `kluis jobs`: what a vault did and is doing, as the service tells it.

use std::io::Write;

use anyhow::{Context, Result};
use kluis_arm::api_version::SENT;
use kluis_arm::job::{Job, JobDetail, VmJob};
use kluis_client::{ArmRequest, list};
use serde::Serialize;

use super::connection::reach;
use crate::args::JobsArgs;
use crate::output::{self, Format};

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

/// Prints the jobs, the newest first.
pub(crate) async fn jobs(args: &JobsArgs, out: &mut impl Write) -> Result<()> {
    let reached = reach(&args.item, &args.connection).await?;
    let vault = reached.item.vault();
    let request = ArmRequest::get(format!("{vault}/backupJobs"), SENT)
        .with_query("$filter", "backupManagementType eq 'AzureIaasVM'");
    let found = list(&reached.arm, request)
        .await
        .with_context(|| format!("listing the jobs of the vault {}", vault.name))?;
    let machine = reached.item.container.name.clone();
    let mut jobs = Vec::new();
    for value in found {
        let job: Job = serde_json::from_value(value).context("reading a job")?;
        let JobDetail::VirtualMachine(detail) = job.properties else {
            continue;
        };
        let is_of_item = detail.container_name.as_deref().is_some_and(|name| {
            machine
                .to_string()
                .to_lowercase()
                .ends_with(&name.to_lowercase())
        });
        if args.all || is_of_item {
            jobs.push(listed(job.name.unwrap_or_default(), &detail));
        }
    }
    jobs.sort_by(|one, other| other.started.cmp(&one.started));
    if args.output != Format::Table {
        return output::value(&jobs, args.output, out);
    }
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
