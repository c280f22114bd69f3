//! `kluis backup`: one backup now, as a BackupJob object, followed to its recovery point.

use std::io::Write;

use anyhow::{Context, Result};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kluis_api::{BackupJob, BackupJobSpec, ItemKind, ItemRef};
use kube::Api;

use super::connection::cluster;
use super::follow::{self, Ended, by};
use crate::args::BackupArgs;

/// Who owns what this writes.
const FIELD_MANAGER: &str = "kluis-backup";

/// A week, as the definition's own default.
const KEEP_OBJECT_SECONDS: u32 = 7 * 24 * 3600;

/// Makes the object and, unless told not to, waits; `Ok(false)` when it did not succeed.
pub(crate) async fn backup(args: &BackupArgs, out: &mut impl Write) -> Result<bool> {
    let cluster = cluster(&args.connection, FIELD_MANAGER).await?;
    let (namespace, name) = cluster.object(&args.item)?;
    let spec = BackupJobSpec {
        item: ItemRef {
            kind: ItemKind::ProtectedVM,
            name: name.to_owned(),
        },
        type_: None,
        retain_until: args.retain_until.map(Time),
        ttl_seconds_after_finished: KEEP_OBJECT_SECONDS,
    };
    let mut job = BackupJob::new("", spec);
    job.metadata.name = None;
    job.metadata.generate_name = Some(format!("{name}-"));
    let api: Api<BackupJob> = Api::namespaced(cluster.client.clone(), namespace);
    let made = api
        .create(&by(FIELD_MANAGER), &job)
        .await
        .with_context(|| format!("making a BackupJob for {namespace}/{name}"))?;
    if args.wait.no_wait {
        return follow::told(&made, args.wait.output, out);
    }
    let ended = follow::to_its_end(&api, &made, &args.item, &args.connection).await?;
    let succeeded = matches!(ended, Ended::Succeeded(_));
    follow::told(ended.object(), args.wait.output, out)?;
    Ok(succeeded)
}
