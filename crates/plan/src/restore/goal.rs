//! Where a restore goes, in Azure's terms; whether its owners let it; and which job can be ours.

use kluis_api::{RestoreTo, RestoredPoint, StagingAccount};
use kluis_arm::id::{Name, ResourceGroupId, VirtualNetworkId, VmId};
use kluis_arm::job::VmJob;

use crate::errand::tells_another_moment;
use crate::gate::{self, Target};
use crate::ids;
use crate::waiting::Waiting;
use crate::world::RestoreWorld;

/// What is to be there in the end.
pub(super) enum Goal<'a> {
    Disks {
        group: ResourceGroupId,
        /// The data disks that come with the OS disk; every disk when None.
        luns: Option<Vec<u32>>,
        zone: Option<&'a str>,
        staging: Option<&'a StagingAccount>,
    },
    NewVm {
        vm: VmId,
        network: VirtualNetworkId,
        subnet: Name,
        zone: Option<&'a str>,
        staging: Option<&'a StagingAccount>,
    },
    InPlace {
        vm: VmId,
        /// Exactly these data disks, of none the OS disk alone; every disk of the point when None.
        luns: Option<&'a [u32]>,
        staging: Option<&'a StagingAccount>,
    },
    Files {
        group: ResourceGroupId,
        /// The folder that gets them.
        name: Name,
        paths: &'a [String],
        volume: Option<&'a str>,
    },
}

impl<'a> Goal<'a> {
    /// What the spec says.
    pub(super) fn of(world: &'a RestoreWorld, target: &Target<'_>) -> Result<Self, Waiting> {
        let service = target.service;
        match &world.restore.spec.to {
            RestoreTo {
                disks: Some(to), ..
            } => Ok(Self::Disks {
                group: ids::group_id(service, &to.resource_group)?,
                luns: to
                    .luns
                    .clone()
                    .or_else(|| to.os_disk_only.unwrap_or_default().then(Vec::new)),
                zone: to.zone.as_deref(),
                staging: to.staging_account.as_ref(),
            }),
            RestoreTo {
                new_vm: Some(to), ..
            } => {
                let group = ids::group_id(service, &to.resource_group)?;
                let home = to.network_resource_group.as_ref();
                let home = ids::group_id(service, home.unwrap_or(&to.resource_group))?;
                Ok(Self::NewVm {
                    vm: VmId {
                        subscription: group.subscription,
                        resource_group: group.name,
                        name: ids::name("to.newVM.name", &to.name)?,
                    },
                    network: VirtualNetworkId {
                        subscription: home.subscription,
                        resource_group: home.name,
                        name: ids::name("to.newVM.virtualNetwork", &to.virtual_network)?,
                    },
                    subnet: ids::name("to.newVM.subnet", &to.subnet)?,
                    zone: to.zone.as_deref(),
                    staging: to.staging_account.as_ref(),
                })
            }
            RestoreTo {
                in_place: Some(to), ..
            } => Ok(Self::InPlace {
                vm: target.vm.clone(),
                luns: match (to.os_disk_only, to.disks.as_slice()) {
                    (Some(true), _) => Some(&[]),
                    (_, []) => None,
                    (_, luns) => Some(luns),
                },
                staging: to.staging_account.as_ref(),
            }),
            RestoreTo {
                files: Some(to), ..
            } => {
                let group = match &to.resource_group {
                    Some(group) => ids::group_id(service, group)?,
                    None => target.vm.group(),
                };
                let own = world.restore.metadata.name.as_deref().unwrap_or_default();
                Ok(Self::Files {
                    group,
                    name: ids::name("metadata.name", own)?,
                    paths: &to.paths,
                    volume: to.volume.as_deref(),
                })
            }
            RestoreTo {
                disks: None,
                new_vm: None,
                in_place: None,
                files: None,
            } => Err(Waiting::NotOfferedYet {
                what: "A restore to nowhere".to_owned(),
            }),
        }
    }

    /// Whether the vault's owner and the service's let it: in place only where the vault says so, and into no resource group that the
    /// namespace may not use, the network's included.
    pub(super) fn is_allowed(
        &self,
        world: &RestoreWorld,
        target: &Target<'_>,
    ) -> Result<(), Waiting> {
        let groups: Vec<&Name> = match self {
            Self::Disks { group, .. } | Self::Files { group, .. } => vec![&group.name],
            Self::NewVm { vm, network, .. } => vec![&vm.resource_group, &network.resource_group],
            Self::InPlace { .. } if !target.vault.spec.allow_in_place_restore => {
                return Err(Waiting::InPlaceNotAllowed {
                    vault: ids::qualified(&target.vault.metadata),
                });
            }
            Self::InPlace { vm, .. } => vec![&vm.resource_group],
        };
        let staging = self
            .staging()
            .map(|account| account.resource_group.as_str());
        let mut groups = groups.into_iter().map(Name::as_str).chain(staging);
        groups.try_for_each(|group| {
            gate::consents(
                target.service,
                &world.work.access,
                &target.vault.spec.service_ref.name,
                world.namespace(),
                group,
            )
        })
    }

    /// The zone that the spec names.
    pub(super) fn zone(&self) -> Option<&'a str> {
        match self {
            Self::Disks { zone, .. } | Self::NewVm { zone, .. } => *zone,
            Self::InPlace { .. } | Self::Files { .. } => None,
        }
    }

    /// The storage account that the spec names.
    pub(super) fn staging(&self) -> Option<&'a StagingAccount> {
        match self {
            Self::Disks { staging, .. }
            | Self::NewVm { staging, .. }
            | Self::InPlace { staging, .. } => *staging,
            Self::Files { .. } => None,
        }
    }

    /// Where the spec names it. Files pass through none.
    pub(super) fn staging_field(&self) -> &'static str {
        match self {
            Self::Disks { .. } | Self::Files { .. } => "to.disks.stagingAccount",
            Self::NewVm { .. } => "to.newVM.stagingAccount",
            Self::InPlace { .. } => "to.inPlace.stagingAccount",
        }
    }

    /// Whether the job says of itself that it does something else: another kind of restore, of another point, to another place. What a
    /// service does not tell, tells nothing.
    pub(super) fn is_anothers(&self, detail: &VmJob, chosen: &RestoredPoint) -> bool {
        let differs = |what: &str, own: &Name| detail.told(what).is_some_and(|told| *own != *told);
        let another_kind = detail.told("Job Type").is_some_and(|told| {
            KINDS
                .iter()
                .any(|kind| kind.eq_ignore_ascii_case(told.trim()) && *kind != self.job_type())
        });
        let another_place = match self {
            Self::Disks { group, .. } => differs("Target resource group", group_name(group)),
            Self::NewVm { vm, .. } => {
                differs("Target resource group", &vm.resource_group)
                    || differs("Target VM Name", &vm.name)
            }
            Self::InPlace { .. } => false,
            Self::Files { group, name, .. } => {
                let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
                differs("Target resource group", group_name(group))
                    || detail
                        .told("Target Path")
                        .is_some_and(|path| *name != *last(path).as_str())
            }
        };
        another_kind
            || another_place
            || tells_another_moment(detail, "Recovery point time", chosen.time.0)
    }

    /// What a job of this kind says that it is.
    fn job_type(&self) -> &'static str {
        match self {
            Self::Disks { .. } => "Recover disks",
            Self::NewVm { .. } => "Create virtual machine",
            Self::InPlace { .. } => "Replace disks",
            Self::Files { .. } => "Recover files",
        }
    }
}

/// What jobs that restore say that they are. The first is Azure's own word; another that is not among them tells nothing.
const KINDS: [&str; 4] = [
    "Recover disks",
    "Create virtual machine",
    "Replace disks",
    "Recover files",
];

fn group_name(group: &ResourceGroupId) -> &Name {
    &group.name
}
