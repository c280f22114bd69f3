//! `kluis restore`: disks, a new machine or the machine's own disks by a Restore object; files and folders straight from the
//! vault to here.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kluis_api::{
    ItemKind, ItemRef, Restore, RestoreFrom, RestoreInPlace, RestoreNewVm, RestoreSpec, RestoreTo,
    RestoreToDisks, StagingAccount,
};
use kluis_vault::restore_files::Received;
use kube::Api;
use serde::Serialize;

use super::connection::cluster;
use super::extension::Browser;
use super::follow::{self, Ended, by};
use super::named::Which;
use super::points::reach_point;
use super::{download, download::Wanted, paths};
use crate::answer;
use crate::args::RestoreArgs;
use crate::output::{self, Format};

/// Who owns what this writes.
const FIELD_MANAGER: &str = "kluis-restore";

/// The exit code of a restore that left out some of what was asked for.
const INCOMPLETE: u8 = 3;

/// Does it; the code is not 0 when it did not succeed.
pub(crate) async fn restore(args: &RestoreArgs, out: &mut impl Write) -> Result<ExitCode> {
    if !args.files.is_empty() {
        return files(args, out).await;
    }
    Ok(if by_object(args, out).await? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
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
    if let Some(again) = &args.again {
        let word = (kluis_plan::RESTORE_AGAIN.to_owned(), again.clone());
        restore.metadata.annotations = Some([word].into());
    }
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
    directories: u64,
    bytes: u64,
    /// What was asked for and is not here: the three that follow.
    left_out: u64,
    /// Damaged, or refused by the file system here.
    damaged: u64,
    /// Well, and not read by the service.
    unsupported: u64,
    /// Devices, sockets and pipes.
    special: u64,
    /// What was left out or is otherwise than it was, and why; at most a hundred.
    remarks: &'a [String],
    recovery_point: String,
    into: &'a Path,
}

async fn files(args: &RestoreArgs, out: &mut impl Write) -> Result<ExitCode> {
    let (arm, point) = reach_point(&args.point, &args.connection).await?;
    let browser = Browser::of(&arm, &point).await?;
    let paths: Vec<String> = args.files.iter().map(|path| paths::text(path)).collect();
    let wanted = Wanted {
        volume: args.volume.as_deref(),
        paths: &paths,
        keep_paths: args.keep_paths,
        into: &args.into,
    };
    let received = download::bring(&browser, &wanted).await?;
    let Received {
        files,
        directories,
        bytes,
        damaged,
        unsupported,
        special,
        ref remarks,
        more,
    } = received;
    for remark in remarks {
        answer::tell(output::shown(remark));
    }
    if more > 0 {
        answer::tell(format_args!("{more} more remarks like these"));
    }
    let came = Came {
        files,
        directories,
        bytes,
        left_out: damaged + unsupported + special,
        damaged,
        unsupported,
        special,
        remarks,
        recovery_point: point.name.to_string(),
        into: &args.into,
    };
    tell(&came, args.wait.output, out)?;
    Ok(if damaged + unsupported > 0 {
        ExitCode::from(INCOMPLETE)
    } else {
        ExitCode::SUCCESS
    })
}

fn tell(came: &Came<'_>, format: Format, out: &mut impl Write) -> Result<()> {
    if format != Format::Table {
        return output::value(came, format, out);
    }
    let mut left_out = String::new();
    for (count, what) in [
        (came.special, "devices, sockets and pipes left out"),
        (
            came.damaged,
            "files or folders left out as damaged or refused here",
        ),
        (
            came.unsupported,
            "left out as not supported by the service's reader",
        ),
    ] {
        if count > 0 {
            left_out.push_str(&format!("; {count} {what}"));
        }
    }
    writeln!(
        out,
        "{} files, {}, from the recovery point {} into {}{left_out}",
        came.files,
        output::bytes(came.bytes),
        came.recovery_point,
        output::shown(&came.into.display().to_string())
    )?;
    Ok(())
}
