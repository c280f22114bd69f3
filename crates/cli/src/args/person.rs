//! The arguments of a person's shortcuts.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use jiff::Timestamp;

use crate::output::Format;
use crate::person::named::{ItemName, ObjectName, PointName};

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// Files, folders, or - for standard input.
    #[arg(short, long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    pub(crate) filename: Vec<PathBuf>,
    /// What is printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

/// Where the item is and who asks: a cluster's objects, or a service alone.
#[derive(Debug, Args)]
pub(crate) struct ConnectionArgs {
    /// The namespace of the item; the current context's when left out.
    #[arg(short, long, conflicts_with = "credentials")]
    pub(crate) namespace: Option<String>,
    /// The kubeconfig's context.
    #[arg(long, conflicts_with = "credentials")]
    pub(crate) context: Option<String>,
    /// Where the operator runs: a service's client secret is read from there.
    #[arg(long, default_value = "kluis-system", env = "KLUIS_NAMESPACE")]
    pub(crate) operator_namespace: String,
    /// Ask a service without a cluster: its credentials.json. An item is VAULT-GROUP/VAULT/VM-GROUP/VM then.
    #[arg(long, value_name = "FILE", env = "KLUIS_CREDENTIALS")]
    pub(crate) credentials: Option<PathBuf>,
    /// With --credentials: the service's CA; ca.pem beside the credentials when left out.
    #[arg(long, value_name = "FILE", requires = "credentials")]
    pub(crate) ca: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PointsArgs {
    /// A ProtectedVM: NAME or NAMESPACE/NAME.
    pub(crate) item: ItemName,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// What is printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct JobsArgs {
    /// A ProtectedVM: NAME or NAMESPACE/NAME; every one of the namespace when left out. Azure allows 150 reads of jobs an hour.
    pub(crate) item: Option<ItemName>,
    /// The jobs of every item in the vault.
    #[arg(long)]
    pub(crate) all: bool,
    /// Cancel this job, and wait until it has ended: a backup can be until its snapshots are taken, a restore until it is done. Exit 1
    /// when it could not be.
    #[arg(long, value_name = "JOB", requires = "item")]
    pub(crate) cancel: Option<String>,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// What is printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// A ProtectedVM: NAME or NAMESPACE/NAME.
    pub(crate) item: ItemName,
    /// Until when to keep the recovery point: 2027-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = kluis_api::date_time::parse)]
    pub(crate) retain_until: Option<Timestamp>,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// A BackupPolicy, ProtectedVM or Vault: NAME or NAMESPACE/NAME, after policy/, vm/ or vault/ where several have the name.
    #[arg(value_name = "OBJECT")]
    pub(crate) object: ObjectName,
    /// Write the line into the object. With manifests in Git, add it there instead, so that it is reviewed.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// What is printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// Make the object and don't wait for what becomes of it.
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// What is printed at the end.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("target").required(true).args(["to_disks", "new_vm", "in_place", "files"])))]
pub(crate) struct RestoreArgs {
    /// A ProtectedVM and a recovery point: NAME (the newest one), NAME@POINT, or NAME@TIME (the newest one not younger).
    pub(crate) point: PointName,
    /// Make the disks anew in this resource group.
    #[arg(long, value_name = "GROUP")]
    pub(crate) to_disks: Option<String>,
    /// Make a new machine.
    #[arg(long, value_name = "GROUP/NAME", requires_all = ["network", "subnet"])]
    pub(crate) new_vm: Option<GroupAndName>,
    /// Replace the machine's own disks; the vault has to allow it.
    #[arg(long)]
    pub(crate) in_place: bool,
    /// With --in-place: although another restore in place came first, which is named by the job or recovery point that the refusal tells.
    #[arg(long, value_name = "NAME", requires = "in_place")]
    pub(crate) again: Option<String>,
    /// Files and folders, by their paths in the machine.
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "no_wait")]
    pub(crate) files: Vec<OsString>,
    /// With --files: by their paths below the folder, and not by their names alone.
    #[arg(long, requires = "files")]
    pub(crate) keep_paths: bool,
    /// With --to-disks: the OS disk, and of the data disks those at these LUNs. With --in-place: these data disks alone.
    #[arg(long, value_name = "LUN", value_delimiter = ',', conflicts_with_all = ["new_vm", "files"])]
    pub(crate) luns: Vec<u32>,
    /// With --to-disks or --in-place: the OS disk alone.
    #[arg(long, conflicts_with_all = ["luns", "new_vm", "files"])]
    pub(crate) os_disk_only: bool,
    /// With --to-disks or --new-vm: the availability zone, when it is not to be the machine's.
    #[arg(long, value_parser = ["1", "2", "3"], conflicts_with_all = ["in_place", "files"])]
    pub(crate) zone: Option<String>,
    /// The storage account that it passes through; the first in the vault's region when left out.
    #[arg(long, value_name = "GROUP/NAME", conflicts_with = "files")]
    pub(crate) staging_account: Option<GroupAndName>,
    /// With --new-vm: the virtual network.
    #[arg(long, requires = "new_vm")]
    pub(crate) network: Option<String>,
    /// With --new-vm: the network's resource group, when it is not the machine's.
    #[arg(long, value_name = "GROUP", requires = "new_vm")]
    pub(crate) network_group: Option<String>,
    /// With --new-vm: the subnet.
    #[arg(long, requires = "new_vm")]
    pub(crate) subnet: Option<String>,
    /// With --files: the folder that gets them, here.
    #[arg(long, value_name = "DIR", default_value = ".", requires = "files")]
    pub(crate) into: PathBuf,
    /// With --files: DISK or DISK/PARTITION; the system's own when left out.
    #[arg(long, requires = "files")]
    pub(crate) volume: Option<String>,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// A ProtectedVM and a recovery point: NAME (the newest one), NAME@POINT, or NAME@TIME.
    pub(crate) point: PointName,
    /// The folder or file; the volumes are listed when left out.
    pub(crate) path: Option<OsString>,
    /// DISK or DISK/PARTITION; the system's own when left out.
    #[arg(long)]
    pub(crate) volume: Option<String>,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// What is printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

/// A resource group and a name in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupAndName {
    pub(crate) group: String,
    pub(crate) name: String,
}

impl FromStr for GroupAndName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((group, name)) if !group.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self {
                    group: group.to_owned(),
                    name: name.to_owned(),
                })
            }
            _ => Err("it is GROUP/NAME".to_owned()),
        }
    }
}
