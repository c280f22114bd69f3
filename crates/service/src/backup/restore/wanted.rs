//! What a request for a restore asks for, read once: everything in the body is understood, tolerated or refused here.

use kluis_arm::error::code;
use kluis_arm::id::{Name, ResourceGroupId, StorageAccountId, SubnetId, VirtualNetworkId, VmId};
use kluis_arm::restore::{EncryptionDetails, RecoveryType, RestoreRequest, VmRestoreRequest};

use super::super::items::Named;
use super::super::{discovery, refusals};
use super::besides;
use crate::core::{Context, Refusal};
use crate::vaults::VaultRow;

/// A restore that somebody asked for, as far as the body alone tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) staging: StorageAccountId,
    /// Every storage account that is named, with the member that names it.
    pub(super) accounts: Accounts,
    /// As whom the vault is to write, where that is said.
    pub(super) identity: Option<Identity>,
    /// The disk encryption set whose key is to encrypt what is made.
    pub(super) encryption_set: Option<String>,
    /// How the machine is encrypted inside, where something is said of that.
    pub(super) encryption: Option<EncryptionDetails>,
    pub(super) luns: Luns,
    pub(super) zone: ZoneChoice,
    pub(super) target: Target,
}

/// Storage accounts, each with the member that names it.
type Accounts = Vec<(&'static str, StorageAccountId)>;

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Disks into a resource group; `None` is the machine's own.
    Disks { group: Option<Name> },
    /// A new machine.
    Machine { vm: VmId, subnet: SubnetId },
    /// The machine's own disks are replaced.
    InPlace,
}

/// Which availability zone, by `zones`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ZoneChoice {
    /// Nothing is said: the zone that the machine was in.
    AsItWas,
    /// In none, whatever the machine was in.
    NoZone,
    /// This one.
    Zone(String),
}

/// One of the vault's managed identities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identity {
    /// Its own.
    System,
    /// The one with this resource id.
    Assigned(String),
}

/// Which disks, by `restoreDiskLunList`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Luns {
    /// Every disk of the point.
    All,
    /// Those at these LUNs; -1 is the OS disk, as recovery points list it. Empty is the OS disk alone.
    These(Vec<i32>),
}

/// The objects that ask for a restore of a virtual machine. The second is for points in the archive; as there is none here,
/// its point is where any other is, and what it says of bringing it back has no meaning.
const KINDS: &str = "'IaasVMRestoreRequest' or 'IaasVMRestoreWithRehydrationRequest'";

/// Reads the body against the path it came on.
pub(super) fn read(
    request: RestoreRequest,
    named: &Named,
    point: &str,
    vault: &VaultRow,
    ctx: &Context<'_>,
) -> Result<Wanted, Refusal> {
    let wanted = of_a_machine(request)?;
    consistent(&wanted, named, point, vault)?;
    besides::done(&wanted)?;
    let luns = wanted.restore_disk_lun_list.clone();
    let (staging, accounts) = accounts(&wanted, ctx)?;
    Ok(Wanted {
        staging,
        accounts,
        encryption: wanted.encryption_details.clone(),
        identity: identity(&wanted),
        encryption_set: encryption_set(&wanted),
        luns: luns.map_or(Luns::All, Luns::These),
        zone: zone(&wanted)?,
        target: target(&wanted, named, ctx)?,
    })
}

fn of_a_machine(request: RestoreRequest) -> Result<VmRestoreRequest, Refusal> {
    match request {
        RestoreRequest::VirtualMachine(wanted) => Ok(*wanted),
        // It has every field of the other; those that this kind doesn't declare are kept as they came.
        RestoreRequest::ArchivedVirtualMachine(_) => {
            let mut value = serde_json::to_value(&request).unwrap_or_default();
            if let Some(fields) = value.as_object_mut() {
                fields.remove(RestoreRequest::KEY);
            }
            serde_json::from_value(value).map_err(|error| {
                refusals::invalid_input(format!("The request can't be read: {error}."))
            })
        }
        RestoreRequest::Other(_) => Err(refusals::invalid_input(format!(
            "'objectType' must be {KINDS}; it is '{}'.",
            request.tag()
        ))),
    }
}

/// What the body repeats must be what the path says.
fn consistent(
    wanted: &VmRestoreRequest,
    named: &Named,
    point: &str,
    vault: &VaultRow,
) -> Result<(), Refusal> {
    if let Some(name) = said(wanted.recovery_point_id.as_deref())
        && name.rsplit('/').next() != Some(point)
    {
        return Err(refusals::invalid_input(format!(
            "The body asks for recovery point '{name}', the path for '{point}'."
        )));
    }
    if let Some(text) = said(wanted.source_resource_id.as_deref()) {
        let same = text.parse::<VmId>().is_ok_and(|id| {
            id.resource_group == *named.resource_group.as_str() && id.name == *named.vm.as_str()
        });
        if !same {
            return Err(refusals::invalid_input(format!(
                "'sourceResourceId' must be the machine that was backed up, '{}' of resource group '{}'; it is '{text}'.",
                named.vm, named.resource_group
            )));
        }
    }
    match said(wanted.region.as_deref()) {
        Some(region) if !discovery::same_region(region, &vault.location) => {
            Err(Refusal::bad_request(
                "UserErrorRestoreRegionMismatch",
                format!(
                    "Restores go to the vault's region '{}'; 'region' is '{region}'.",
                    vault.location
                ),
            ))
        }
        _ => Ok(()),
    }
}

/// The staging account, where it always was, or where clients that restore as the vault's identity put it; and both where both are
/// named.
fn accounts(
    wanted: &VmRestoreRequest,
    ctx: &Context<'_>,
) -> Result<(StorageAccountId, Accounts), Refusal> {
    const FIRST: &str = "storageAccountId";
    let by_identity = wanted.identity_based_restore_details.as_ref();
    let by_identity = by_identity.and_then(|details| details.target_storage_account_id.as_deref());
    let mut accounts = Vec::new();
    for (name, text) in [
        (FIRST, wanted.storage_account_id.as_deref()),
        (
            "identityBasedRestoreDetails.targetStorageAccountId",
            by_identity,
        ),
    ] {
        if let Some(text) = said(text) {
            let id: StorageAccountId =
                required(Some(text), name, "the storage account to stage in")?;
            here(&id.subscription, name, ctx)?;
            accounts.push((name, id));
        }
    }
    match accounts.first() {
        Some((_, staging)) => Ok((staging.clone(), accounts)),
        None => {
            required(None, FIRST, "the storage account to stage in").map(|none| (none, accounts))
        }
    }
}

fn identity(wanted: &VmRestoreRequest) -> Option<Identity> {
    let info = wanted.identity_info.as_ref()?;
    let assigned = said(info.managed_identity_resource_id.as_deref());
    match assigned {
        Some(id) => Some(Identity::Assigned(id.to_owned())),
        None => (info.is_system_assigned_identity == Some(true)).then_some(Identity::System),
    }
}

/// Of any disk, or of a confidential machine's OS disk.
fn encryption_set(wanted: &VmRestoreRequest) -> Option<String> {
    let secured = wanted.secured_vm_details.as_ref();
    let secured = secured.and_then(|details| details["securedVMOsDiskEncryptionSetId"].as_str());
    let named = said(wanted.disk_encryption_set_id.as_deref()).or(said(secured));
    named.map(str::to_owned)
}

fn zone(wanted: &VmRestoreRequest) -> Result<ZoneChoice, Refusal> {
    match wanted.zones.as_deref() {
        None | Some([]) => Ok(ZoneChoice::AsItWas),
        Some([zone]) if zone.eq_ignore_ascii_case("NoZone") => Ok(ZoneChoice::NoZone),
        Some([zone]) if ["1", "2", "3"].contains(&zone.as_str()) => {
            Ok(ZoneChoice::Zone(zone.clone()))
        }
        Some(zones) => Err(Refusal::bad_request(
            "UserErrorInvalidZone",
            format!(
                "'zones' must hold one zone, '1', '2' or '3', or 'NoZone' (rule 29); it holds '{}'.",
                zones.join("', '")
            ),
        )),
    }
}

fn target(wanted: &VmRestoreRequest, named: &Named, ctx: &Context<'_>) -> Result<Target, Refusal> {
    let group = group(wanted, ctx)?;
    match &wanted.recovery_type {
        Some(RecoveryType::RestoreDisks) => Ok(Target::Disks { group }),
        Some(RecoveryType::AlternateLocation) => machine(wanted, group, ctx),
        Some(RecoveryType::OriginalLocation) => match group {
            Some(group) if group != *named.resource_group.as_str() => {
                Err(refusals::invalid_input(format!(
                    "Disks that are replaced stay in the machine's resource group '{}'; 'targetResourceGroupId' names '{group}'.",
                    named.resource_group
                )))
            }
            _ => Ok(Target::InPlace),
        },
        Some(other) => Err(Refusal::bad_request(
            "UserErrorRestoreTypeNotSupported",
            format!(
                "'recoveryType' must be 'RestoreDisks', 'AlternateLocation' or 'OriginalLocation'; it is '{other}'."
            ),
        )),
        None => Err(refusals::invalid_input(
            "'recoveryType' is missing; it must be 'RestoreDisks', 'AlternateLocation' or 'OriginalLocation'.",
        )),
    }
}

fn group(wanted: &VmRestoreRequest, ctx: &Context<'_>) -> Result<Option<Name>, Refusal> {
    let Some(text) = said(wanted.target_resource_group_id.as_deref()) else {
        return Ok(None);
    };
    let id: ResourceGroupId = text.parse().map_err(|_| {
        refusals::invalid_input(format!(
            "'targetResourceGroupId' must be the id of a resource group; it is '{text}'."
        ))
    })?;
    here(&id.subscription, "targetResourceGroupId", ctx)?;
    Ok(Some(id.name))
}

fn machine(
    wanted: &VmRestoreRequest,
    group: Option<Name>,
    ctx: &Context<'_>,
) -> Result<Target, Refusal> {
    let vm: VmId = required(
        wanted.target_virtual_machine_id.as_deref(),
        "targetVirtualMachineId",
        "the machine to make",
    )?;
    here(&vm.subscription, "targetVirtualMachineId", ctx)?;
    if let Some(group) = group.filter(|group| *group != vm.resource_group) {
        return Err(refusals::invalid_input(format!(
            "'targetVirtualMachineId' lies in resource group '{}', 'targetResourceGroupId' names '{group}'.",
            vm.resource_group
        )));
    }
    let network: VirtualNetworkId = required(
        wanted.virtual_network_id.as_deref(),
        "virtualNetworkId",
        "the new machine's network",
    )?;
    here(&network.subscription, "virtualNetworkId", ctx)?;
    let subnet: SubnetId = required(
        wanted.subnet_id.as_deref(),
        "subnetId",
        "the new machine's subnet",
    )?;
    if subnet.network != network {
        return Err(refusals::invalid_input(format!(
            "'subnetId' must be a subnet of 'virtualNetworkId'; they are '{subnet}' and '{network}'."
        )));
    }
    Ok(Target::Machine { vm, subnet })
}

fn required<T: std::str::FromStr>(
    text: Option<&str>,
    field: &str,
    what: &str,
) -> Result<T, Refusal> {
    let text = text.unwrap_or_default();
    text.parse().map_err(|_| {
        refusals::invalid_input(format!(
            "'{field}' must be the id of {what}; it is '{text}'."
        ))
    })
}

/// Nothing goes to another subscription: this service has one.
fn here(subscription: &Name, field: &str, ctx: &Context<'_>) -> Result<(), Refusal> {
    if *subscription == *ctx.subscription {
        return Ok(());
    }
    Err(Refusal::bad_request(
        code::LINKED_AUTHORIZATION_FAILED,
        format!(
            "'{field}' lies in the subscription '{subscription}'; restores stay in the vault's own, '{}'.",
            ctx.subscription
        ),
    ))
}

/// A text that says something: clients write the empty one for none.
pub(super) fn said(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}
