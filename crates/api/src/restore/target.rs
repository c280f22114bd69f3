//! Where a restore goes: new disks, a new machine, the machine itself, or files beside it.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::naming;

/// The target: exactly one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.disks), has(self.newVM), has(self.inPlace), has(self.files)].filter(x, x).size() == 1").message("to has exactly one of disks, newVM, inPlace and files"))]
pub struct RestoreTo {
    /// New disks in a resource group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<RestoreToDisks>,
    /// A new virtual machine. The one that was backed up may be gone.
    #[serde(rename = "newVM", default, skip_serializing_if = "Option::is_none")]
    pub new_vm: Option<RestoreNewVm>,
    /// The machine itself: its disks are replaced. The vault has to allow it, the present disks become a recovery point first, and they
    /// are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_place: Option<RestoreInPlace>,
    /// Single files and folders, straight out of the vault. `kluis service` offers this; Azure has no call for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<RestoreToFiles>,
}

/// New disks in a resource group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.luns) || !has(self.osDiskOnly)").message("to.disks has at most one of luns and osDiskOnly; without both every disk comes back"))]
pub struct RestoreToDisks {
    /// The resource group that gets them.
    #[schemars(length(min = 1, max = 90))]
    #[x_kube(validation = Rule::new(naming::GROUP).message(naming::GROUP_SAYS))]
    pub resource_group: String,
    /// The storage account that the restore passes through. When left out, the first one in the machine's region is taken, by
    /// resource group and name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staging_account: Option<StagingAccount>,
    /// The LUNs of the data disks to bring back, with the OS disk; every disk when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(range(max = 63)))]
    pub luns: Option<Vec<u32>>,
    /// The OS disk alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self").message("to.disks.osDiskOnly is true or left out"))]
    pub os_disk_only: Option<bool>,
    /// The availability zone of what is made, of those that the vault's region has; that of the machine when left out (rule 29).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1), regex(pattern = r"^[123]$"))]
    pub zone: Option<String>,
}

/// A storage account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StagingAccount {
    /// Its resource group.
    #[schemars(length(min = 1, max = 90))]
    #[x_kube(validation = Rule::new(naming::GROUP).message(naming::GROUP_SAYS))]
    pub resource_group: String,
    /// Its name.
    #[schemars(length(min = 3, max = 24), regex(pattern = r"^[a-z0-9]+$"))]
    pub name: String,
}

/// A new virtual machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreNewVm {
    /// The resource group that gets it.
    #[schemars(length(min = 1, max = 90))]
    #[x_kube(validation = Rule::new(naming::GROUP).message(naming::GROUP_SAYS))]
    pub resource_group: String,
    /// Its name, which must not be taken.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new(naming::NEW_MACHINE).message(naming::NEW_MACHINE_SAYS))]
    pub name: String,
    /// The virtual network it is put in, of the vault's region (rule 27).
    #[schemars(length(min = 2, max = 64))]
    #[x_kube(validation = Rule::new(naming::NETWORK).message(naming::NETWORK_SAYS))]
    pub virtual_network: String,
    /// The virtual network's resource group; the new machine's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 90))]
    #[x_kube(validation = Rule::new(naming::GROUP).message(naming::GROUP_SAYS))]
    pub network_resource_group: Option<String>,
    /// The subnet it is put in.
    #[schemars(length(min = 1, max = 80))]
    #[x_kube(validation = Rule::new(naming::SUBNET).message(naming::SUBNET_SAYS))]
    pub subnet: String,
    /// The storage account that the restore passes through. When left out, the first one in the machine's region is taken, by
    /// resource group and name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staging_account: Option<StagingAccount>,
    /// The availability zone of what is made, of those that the vault's region has; that of the machine when left out (rule 29).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1), regex(pattern = r"^[123]$"))]
    pub zone: Option<String>,
}

/// The machine's own disks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.osDiskOnly) || !has(self.disks) || self.disks.size() == 0").message("to.inPlace has at most one of disks and osDiskOnly; without both every disk of the recovery point is put back"))]
pub struct RestoreInPlace {
    /// The LUNs of the data disks to replace, without the OS disk; every disk of the recovery point, with the OS disk, when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(range(max = 63)))]
    pub disks: Vec<u32>,
    /// The OS disk alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self").message("to.inPlace.osDiskOnly is true or left out"))]
    pub os_disk_only: Option<bool>,
    /// The storage account that the restore passes through. When left out, the first one in the machine's region is taken, by
    /// resource group and name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staging_account: Option<StagingAccount>,
}

/// Some files of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreToFiles {
    /// The files and folders, by their absolute paths on the volume; folders come with all that is in them.
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 4096)))]
    #[x_kube(
        validation = Rule::new("self.all(path, path.startsWith('/'))").message("each of to.files.paths begins with a slash: it is a path on the volume"),
        validation = Rule::new("self.all(path, !path.matches('(^|/)[.][.](/|$)'))").message("to.files.paths has no '..' in it")
    )]
    pub paths: Vec<String>,
    /// The volume they are on, as `kluis ls` names it; the one with the system when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub volume: Option<String>,
    /// The resource group that gets them, in a folder of this object's name; the machine's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 90))]
    #[x_kube(validation = Rule::new(naming::GROUP).message(naming::GROUP_SAYS))]
    pub resource_group: Option<String>,
}

impl RestoreTo {
    /// Where it goes, in a few words. `name` is the Restore's.
    pub fn in_words(&self, name: &str) -> String {
        match self {
            Self {
                disks: Some(disks), ..
            } => format!("disks in {}", disks.resource_group),
            Self {
                new_vm: Some(vm), ..
            } => format!("machine {}/{}", vm.resource_group, vm.name),
            Self {
                in_place: Some(_), ..
            } => "in place".to_owned(),
            Self {
                files: Some(files), ..
            } => match &files.resource_group {
                Some(group) => format!("files in {group}/{name}"),
                None => format!("files in {name}"),
            },
            Self { .. } => String::new(),
        }
    }
}
