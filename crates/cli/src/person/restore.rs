//! `kluis restore`: disks, a new machine or the machine's own disks by a Restore object; files and folders straight from the
//! vault to here.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kluis_api::{
    ItemKind, ItemRef, Restore, RestoreFrom, RestoreInPlace, RestoreNewVm, RestoreSpec, RestoreTo,
    RestoreToDisks, StagingAccount,
};
use kube::Api;
use serde::Serialize;

use super::connection::cluster;
use super::extension::Browser;
use super::follow::{self, Ended, by};
use super::named::Which;
use super::points::reach_point;
use super::{download, download::Brought};
use crate::args::RestoreArgs;
use crate::output::{self, Format};

/// Who owns what this writes.
const FIELD_MANAGER: &str = "kluis-restore";

/// Does it; `Ok(false)` when it did not succeed.
pub(crate) async fn restore(args: &RestoreArgs, out: &mut impl Write) -> Result<bool> {
    if args.files.is_empty() {
        by_object(args, out).await
    } else {
        files(args, out).await.map(|()| true)
    }
}

async fn by_object(args: &RestoreArgs, out: &mut impl Write) -> Result<bool> {
    let cluster = cluster(&args.connection, FIELD_MANAGER).await?;
    let (namespace, name) = cluster.object(&args.point.item)?;
    let spec = RestoreSpec {
        item: ItemRef {
            kind: ItemKind::ProtectedVM,
            name: name.to_owned(),
        },
        from: from(&args.point.which),
        to: to(args)?,
    };
    let mut restore = Restore::new("", spec);
    restore.metadata.name = None;
    restore.metadata.generate_name = Some(format!("{name}-"));
    let api: Api<Restore> = Api::namespaced(cluster.client.clone(), namespace);
    let made = api
        .create(&by(FIELD_MANAGER), &restore)
        .await
        .with_context(|| format!("making a Restore of {namespace}/{name}"))?;
    if args.wait.no_wait {
        return follow::told(&made, args.wait.output, out);
    }
    let ended = follow::to_its_end(&api, &made, &args.point.item, &args.connection).await?;
    let succeeded = matches!(ended, Ended::Succeeded(_));
    follow::told(ended.object(), args.wait.output, out)?;
    Ok(succeeded)
}

fn from(which: &Which) -> RestoreFrom {
    match which {
        Which::Latest => RestoreFrom {
            latest: Some(true),
            ..RestoreFrom::default()
        },
        Which::Named(name) => RestoreFrom {
            recovery_point: Some(name.clone()),
            ..RestoreFrom::default()
        },
        Which::At(time) => RestoreFrom {
            point_in_time: Some(Time(*time)),
            ..RestoreFrom::default()
        },
    }
}

fn to(args: &RestoreArgs) -> Result<RestoreTo> {
    let luns = || (!args.luns.is_empty()).then(|| args.luns.clone());
    let staging = || {
        args.staging_account.as_ref().map(|account| StagingAccount {
            resource_group: account.group.clone(),
            name: account.name.clone(),
        })
    };
    if let Some(group) = &args.to_disks {
        return Ok(RestoreTo {
            disks: Some(RestoreToDisks {
                resource_group: group.clone(),
                staging_account: staging(),
                luns: luns(),
                os_disk_only: args.os_disk_only.then_some(true),
                zone: args.zone.clone(),
            }),
            ..RestoreTo::default()
        });
    }
    if let (Some(machine), Some(network), Some(subnet)) =
        (&args.new_vm, &args.network, &args.subnet)
    {
        return Ok(RestoreTo {
            new_vm: Some(RestoreNewVm {
                resource_group: machine.group.clone(),
                name: machine.name.clone(),
                virtual_network: network.clone(),
                network_resource_group: args.network_group.clone(),
                subnet: subnet.clone(),
                zone: args.zone.clone(),
                staging_account: staging(),
            }),
            ..RestoreTo::default()
        });
    }
    if args.in_place {
        return Ok(RestoreTo {
            in_place: Some(RestoreInPlace {
                disks: args.luns.clone(),
                os_disk_only: args.os_disk_only.then_some(true),
                staging_account: staging(),
            }),
            ..RestoreTo::default()
        });
    }
    bail!("a restore needs --to-disks, --new-vm, --in-place or --files")
}

/// What came, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Came<'a> {
    files: u64,
    bytes: u64,
    /// Devices, sockets and pipes.
    left_out: u64,
    recovery_point: String,
    into: &'a Path,
}

async fn files(args: &RestoreArgs, out: &mut impl Write) -> Result<()> {
    let (arm, point) = reach_point(&args.point, &args.connection).await?;
    let browser = Browser::of(&arm, &point).await?;
    let mut came = Came {
        files: 0,
        bytes: 0,
        left_out: 0,
        recovery_point: point.name.to_string(),
        into: &args.into,
    };
    for path in &args.files {
        let Brought {
            files,
            bytes,
            left_out,
        } = download::bring(&browser, args.volume.as_deref(), path, &args.into).await?;
        came.files += files;
        came.bytes += bytes;
        came.left_out += left_out;
    }
    tell(&came, args.wait.output, out)
}

fn tell(came: &Came<'_>, format: Format, out: &mut impl Write) -> Result<()> {
    if format != Format::Table {
        return output::value(came, format, out);
    }
    let left_out = match came.left_out {
        0 => String::new(),
        some => format!("; {some} devices, sockets and pipes left out"),
    };
    writeln!(
        out,
        "{} files, {}, from the recovery point {} into {}{left_out}",
        came.files,
        output::bytes(came.bytes),
        came.recovery_point,
        came.into.display()
    )?;
    Ok(())
}
