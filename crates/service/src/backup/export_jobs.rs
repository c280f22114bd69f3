//! Exporting jobs: Azure writes a workbook into a storage account of its own; here the result lists the jobs.

use serde_json::json;

use super::job_reads;
use crate::core::{Answer, Context, Request, VaultPath};
use crate::operations::{self, Scope};
use crate::store::Tx;

/// `POST V/backupJobsExport[?$filter=…]`: 202, and under `Location` the ids of the jobs that the filter lets through.
pub(super) fn export(
    request: &Request,
    at: &VaultPath,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let jobs: Vec<String> = job_reads::filtered(request, at, tx)?
        .into_iter()
        .map(|job| job.id)
        .collect();
    let result = json!({
        "operation": { "objectType": "OperationResultInfo", "jobList": jobs },
        "headers": {},
    });
    let operation = operations::done(tx, ctx, &at.key, None, Some(result))?;
    Ok((operation.accepted(request, at, Scope::Export), Vec::new()))
}
