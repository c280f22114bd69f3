//! The sentence for each cause: what is in the way, and the way out, for the person who reads `kubectl get`. Nowhere else.

use std::fmt;

use jiff::Timestamp;
use kluis_api::OperationKind;

use super::{StagingFault, Waiting};
use crate::failure::{ArmFailure, Cause};
use crate::restore::AGAIN;

/// How many items a sentence names.
const NAMED: usize = 5;

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServiceNotFound { service } => {
                write!(f, "There is no BackupService {service}: create it, or correct serviceRef.")
            }
            Self::ServiceNotReady { service, message } => write!(f, "The BackupService {service} is not Ready: {message}"),
            Self::NoConsent { service, namespace, group } => write!(
                f,
                "The BackupService {service} does not let the namespace {namespace} use the resource group {group}: whoever owns the \
                 service lists both under spec.namespaces."
            ),
            Self::SecretNotFound { secret, key: None } => {
                write!(f, "The operator's namespace has no Secret {secret}: create it there, or correct credential.secretRef.")
            }
            Self::SecretNotFound { secret, key: Some(key) } => {
                write!(f, "The Secret {secret} has no key {key}: add it, or correct credential.secretRef.key.")
            }
            Self::SubscriptionNotFound { subscription } => write!(
                f,
                "The service does not know the subscription {subscription}, or does not show it to us: correct spec.subscriptionId, or \
                 give the identity a role there."
            ),
            Self::Arm(failure) => arm_message(failure, f),
            Self::TakenLater { until, message } => write!(f, "{}", later(message, *until)),
            Self::InvalidName { what, message } => write!(f, "{what} cannot be used in Azure: {message}."),
            Self::NotOfferedYet { what } => write!(f, "{what} is not offered by this version of Kluis yet."),
            Self::VaultNotFound { vault } => write!(f, "There is no Vault {vault}: create it, or correct vaultRef."),
            Self::VaultNotReady { vault, message, .. } => write!(f, "The Vault {vault} is not Ready: {message}"),
            Self::NamespaceNotAllowed { vault, namespace } => write!(
                f,
                "The Vault {vault} does not let the namespace {namespace} use it: its owner adds the namespace to \
                 spec.allowedNamespaces."
            ),
            Self::ForeignVault { id, never: true, .. } => write!(
                f,
                "{id} exists already, and adoptionPolicy is Never. Choose another azureName, or set adoptionPolicy: Always to take it over."
            ),
            Self::ForeignVault { id, tag: Some(tag), .. } => write!(
                f,
                "{id} belongs to another Vault: its tag kluis.dev/managed-by says {tag}. Choose another azureName, or set \
                 adoptionPolicy: Always to take it over."
            ),
            Self::ForeignVault { id, tag: None, .. } => write!(
                f,
                "{id} exists and was not made by Kluis. Set adoptionPolicy: Always to take it over as it is, or choose another azureName."
            ),
            Self::OtherLocation { wanted, found } => write!(
                f,
                "The vault exists in {found}, not in {wanted}, and a vault does not move: make another Vault, with location {found} or \
                 with another azureName."
            ),
            Self::SoftDeleteAlwaysOn => {
                f.write_str("Soft delete of this vault is always on and cannot be turned off: set softDelete.state: AlwaysOn.")
            }
            Self::ImmutabilityLocked { wanted } => write!(
                f,
                "The immutability of this vault is locked for ever and cannot become {wanted}: set immutability: Locked."
            ),
            Self::SuspendNeedsImmutability { vault } => write!(
                f,
                "Backups can only be suspended, with recovery points that expire by the policy, in a vault with immutability, and the vault \
                 {vault} has none: set immutability: Unlocked on its Vault, or deletionPolicy: RetainData here, which keeps every point."
            ),
            Self::DataImmutable { vault } => write!(
                f,
                "The vault {vault} has immutability: no data in it are deleted before their time. Set deletionPolicy: Suspend here, by which \
                 recovery points expire by the policy, or RetainData; or, unless it is locked, set immutability: Disabled on its Vault first."
            ),
            Self::RetentionImmutable { vault, policy } => write!(
                f,
                "The vault {vault} has immutability: no recovery point ends before its time, and the policy {policy} keeps them for a shorter \
                 time than the one that this machine has, or had when it was stopped. Name a policy that keeps each tier for at least as \
                 long; or, unless it is locked, set immutability: Disabled on its Vault first."
            ),
            Self::VaultNotEmpty { vault, items } => {
                let named: Vec<&str> = items.iter().take(NAMED).map(String::as_str).collect();
                let more = match items.len().saturating_sub(named.len()) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                write!(
                    f,
                    "The vault {vault} is not empty, and nobody asked to delete what is in it: {}{more}. Delete its data first, by a \
                     ProtectedVM with deletionPolicy: DeleteData or by another client of the service.",
                    named.join(", ")
                )
            }
            Self::VaultSoftlyDeleted { id, until } => {
                write!(f, "{id} was softly deleted")?;
                if let Some(until) = until {
                    write!(f, " and can be brought back until {}", until.strftime("%Y-%m-%d %H:%MZ"))?;
                }
                f.write_str(
                    "; adoptionPolicy is Never, and a vault of that name now would shut the way back. Choose another azureName, or set \
                     adoptionPolicy: IfTagged to bring it back.",
                )
            }
            Self::RedundancyLocked { wanted, present } => write!(
                f,
                "The vault is {present} and cannot become {wanted}: an item is registered in it (rule 39). Set redundancy: {present}, or \
                 make another Vault."
            ),
            Self::VaultDeclaredBy { other } => write!(
                f,
                "{other} declares this vault in Azure already: delete one of the two, or choose another azureName."
            ),
            Self::ChangeNotTaken { what } => write!(f, "The service accepted a change of {what} and did not make it."),
            Self::VmNotFound { vm, is_protected: false } => {
                write!(f, "There is no virtual machine {vm}: create it, or name the one that is meant in another ProtectedVM.")
            }
            Self::VmNotFound { vm, is_protected: true } => write!(
                f,
                "There is no virtual machine {vm} any more, and no more backups are made of it: bring it back, set suspend: true to keep \
                 its recovery points as they are, or delete this object, by its deletionPolicy. It can be restored to a new machine."
            ),
            Self::RegionMismatch { vm, vault } => write!(
                f,
                "The machine is in {vm} and the vault in {vault}; both have to be in one region (rule 26): use a Vault in {vm}."
            ),
            Self::SubscriptionMismatch { vm, vault } => write!(
                f,
                "The machine is in the subscription {vm} and the vault in {vault}; both have to be in one (rule 26): use a Vault there."
            ),
            Self::NotDiscovered { vm } => write!(
                f,
                "The vault's discovery does not find the virtual machine {vm}: it may be protected by another vault, or be of a kind \
                 that cannot be."
            ),
            Self::PolicyNotFound { policy } => write!(f, "There is no BackupPolicy {policy}: create it, or correct policyRef."),
            Self::PolicyNotReady { policy, message } => write!(f, "The BackupPolicy {policy} cannot be used: {message}"),
            Self::PolicyNotInVault { policy, vault, ours: true } => {
                write!(f, "The BackupPolicy {policy} is not in the vault {vault} yet.")
            }
            Self::PolicyNotInVault { policy, vault, ours: false } => {
                write!(f, "The vault {vault} has no policy {policy}: correct policyRef.azureName, or name a BackupPolicy.")
            }
            Self::PolicyNotExpressible { message } => write!(f, "The policy cannot be said in Azure's terms: {message}."),
            Self::TierDowngrade => {
                f.write_str("A policy in use cannot go back from Enhanced to Standard: set tier: Enhanced, or make another BackupPolicy.")
            }
            Self::ItemTierDowngrade { present, wanted } => write!(
                f,
                "The machine is protected by {present}, which is Enhanced, and cannot go to {wanted}, which is Standard: name a policy with \
                 tier: Enhanced."
            ),
            Self::ApprovalRequired(pending) => write!(f, "{pending}"),
            Self::EditsSpent { vault, made, until } => write!(
                f,
                "Spread over time: Azure takes 50 edits of policies a vault in 24 hours (rule 38), and {made} of the vault {vault}'s are \
                 made. This one is sent from {} on.",
                until.strftime("%Y-%m-%d %H:%MZ")
            ),
            Self::RunFirst { until } => write!(
                f,
                "The run of {} is made first, by the times that the vault still has: the edit would lose it.",
                until.strftime("%Y-%m-%d %H:%MZ")
            ),
            Self::PolicyOutOfDate { policy, vault, why } => {
                write!(
                    f,
                    "The BackupPolicy {policy} is still to be written into the vault {vault}: it keeps recovery points for a shorter time \
                     than the vault's copy, and what comes under it is judged by that."
                )?;
                why.as_ref().map_or(Ok(()), |why| write!(f, " {why}"))
            }
            Self::ItemNotSeen { item } => write!(
                f,
                "What is declared of {item} is looked at first: it may come under the policy, and bring recovery points."
            ),
            Self::LossUnknown { failure } => {
                write!(f, "Nothing is changed before it is known how many recovery points that would cost: {failure}.")
            }
            Self::DeclaredBy { other } => write!(
                f,
                "{other} declares this machine in this vault already: delete one of the two."
            ),
            Self::OperationInProgress { kind } => write!(f, "Under way: {}.", in_words(*kind)),
            Self::OperationFailed { kind, code, message } => {
                write!(f, "{} failed with {code}: {message}", capital(in_words(*kind)))
            }
            Self::StillProvisioning { what } => write!(f, "The service is still at work on {what}."),
            Self::InUse { by } => {
                let names: Vec<String> = by.iter().take(5).map(ToString::to_string).collect();
                write!(f, "Still used by {}", names.join(", "))?;
                if by.len() > names.len() {
                    write!(f, " and {} more", by.len() - names.len())?;
                }
                f.write_str(": it goes when that is gone.")
            }
            Self::ItemNotFound { item } => write!(f, "There is no {item}: correct spec.item, or create it."),
            Self::ItemNotProtected { item, state } if state.is_empty() => write!(f, "{item} is not protected yet."),
            Self::ItemNotProtected { item, state } => write!(f, "{item} is not protected (it is {state}): see its conditions."),
            Self::PointNotFound { wanted } => write!(f, "There is no recovery point {wanted}: `kluis points` lists those there are."),
            Self::RestoredAlready { job, when } => write!(
                f,
                "A Restore of this name replaced the machine's disks already, by the job {job} of {}, and its status is lost: it is not \
                 done again unasked. To replace them once more all the same, annotate it with {AGAIN}={job}; else delete it.",
                when.strftime("%Y-%m-%d %H:%MZ")
            ),
            Self::RestoredSince { chosen, point, when } => write!(
                f,
                "A restore in place came after the recovery point {chosen}: at {} it kept what the machine's disks held as {point}. It is \
                 not done again unasked. To go back to {chosen} all the same, annotate this Restore with {AGAIN}={point}; to go back to what was \
                 replaced, restore {point} by its name; else delete it, or wait for the next backup.",
                when.strftime("%Y-%m-%d %H:%MZ")
            ),
            Self::StagingNotFound { region, field } => write!(
                f,
                "A restore passes through a storage account in the vault's region, and the subscription has none in {region}: create one, \
                 or name one in {field}."
            ),
            Self::StagingUnusable { account, field, why } => match why {
                StagingFault::Missing => write!(
                    f,
                    "There is no storage account {account} for the restore to pass through: correct {field}, or create it."
                ),
                StagingFault::Elsewhere { found, vault } => write!(
                    f,
                    "The storage account {account} is in {found} and the vault in {vault}; a restore passes through one in the vault's \
                     region: name one there in {field}, or leave it out."
                ),
                StagingFault::Kind { kind } => write!(
                    f,
                    "The storage account {account} is of kind {kind}, which has no page blobs to stage disks in: name one of kind \
                     StorageV2 in {field}, or leave it out."
                ),
            },
            Self::GroupNotFound { group, field } => {
                write!(f, "There is no resource group {group}: correct {field}, or create it.")
            }
            Self::DiskNotInPoint { point, lun, held } => {
                let held: Vec<String> = held.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "The recovery point {point} holds no data disk with LUN {lun}; it holds {}. Correct the list, or choose another point.",
                    if held.is_empty() { "the OS disk alone".to_owned() } else { format!("LUN {}", held.join(", ")) }
                )
            }
            Self::InPlaceNotAllowed { vault } => write!(
                f,
                "The Vault {vault} does not let a restore replace the disks of the machine it came from: its owner sets \
                 spec.allowInPlaceRestore: true, or restore to new disks or to a new machine."
            ),
            Self::NothingToReplace { vm } => write!(
                f,
                "There is no virtual machine {vm} any more whose disks could be replaced (rule 28): restore to a new machine with to.newVM."
            ),
            Self::NotReplaceable { vm, why } => write!(
                f,
                "The disks of {vm} cannot be replaced: {why}. Restore to new disks, or to a new machine."
            ),
            Self::Encrypted { vm, why } => write!(
                f,
                "{vm} was encrypted when the recovery point was made: {why}. Restore all of its disks with to.disks, or a new machine."
            ),
            Self::KeyNotFound { vm, id } => write!(
                f,
                "{vm} was encrypted when the recovery point was made, and what opens its disks is not there: {id} (rule 31). Put it back \
                 there before the machine is restored."
            ),
            Self::NotRestorableAsNew { vm, why } => write!(
                f,
                "No machine can be made like {vm}: {why} (rule 27). Restore its disks with to.disks, and make the machine of them with the \
                 template that lies beside them."
            ),
            Self::NameTaken { vm } => {
                write!(f, "There is a virtual machine {vm} already: choose another name in to.newVM, or restore in place.")
            }
            Self::ZoneNotFound { zone, region } => write!(
                f,
                "{region} has no availability zones, and so no zone {zone} (rule 29): leave zone out of spec.to."
            ),
            Self::NetworkNotFound { network, subnet: None } => write!(
                f,
                "There is no virtual network {network}: correct to.newVM.virtualNetwork and networkResourceGroup, or create it."
            ),
            Self::NetworkNotFound { network, subnet: Some(subnet) } => {
                write!(f, "The virtual network {network} has no subnet {subnet}: correct to.newVM.subnet, or create it.")
            }
            Self::NetworkElsewhere { network, found, vault } => write!(
                f,
                "The virtual network {network} is in {found} and the vault in {vault}; a new machine needs both in one region (rule 27)."
            ),
            Self::NotOfferedByService { what, endpoint } => write!(
                f,
                "{what} is not offered by {endpoint}: Azure Backup has no call for it, and only `kluis service` has one of its own. \
                 Restore the disks instead."
            ),
            Self::EvidenceMissing { what } => write!(f, "The job says it is done; {what} is not to be seen yet."),
        }
    }
}

/// What an operation does, in words.
pub(crate) fn in_words(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::CreateVault => "making the vault",
        OperationKind::UpdateVault => "changing the vault",
        OperationKind::DeleteVault => "deleting the vault",
        OperationKind::UpdatePolicy => "changing the policy in the vault",
        OperationKind::DiscoverContainers => "discovering what the vault can protect",
        OperationKind::Protect => "beginning protection",
        OperationKind::ModifyProtection => "changing the protection",
        OperationKind::StopProtection => "stopping protection, keeping its recovery points",
        OperationKind::SuspendProtection => "suspending protection",
        OperationKind::DeleteBackupData => "deleting the recovery points",
        OperationKind::Undelete => "bringing back what was deleted",
        OperationKind::Backup => "a backup",
        OperationKind::Restore => "a restore",
    }
}

fn later(message: &str, until: Timestamp) -> String {
    let until = until.strftime("%Y-%m-%d %H:%MZ");
    format!("{message} Asked again from {until} on.")
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next()
        .map(|first| first.to_uppercase().chain(rest).collect())
        .unwrap_or_default()
}

fn arm_message(failure: &ArmFailure, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let doing = capital(&failure.doing);
    match &failure.cause {
        Cause::Unreachable { message } => write!(
            f,
            "{doing}: the service does not answer ({message}). Tried again; if it stays so, look at spec.endpoint, the network, and \
             spec.caBundle."
        ),
        Cause::WrongCredentials { message } => write!(
            f,
            "{doing}: the service does not let us in ({message}). Look at the BackupService's tenantId, credential, and the secret."
        ),
        Cause::Throttled { until } => write!(
            f,
            "{doing}: the service asks for quiet until {}.",
            until.strftime("%H:%M:%SZ")
        ),
        Cause::Spent { until, message } => write!(f, "{doing}: {}", later(message, *until)),
        Cause::Malformed { message } => {
            write!(
                f,
                "{doing}: the answer is not what Azure Backup says ({message}). Is spec.endpoint right?"
            )
        }
        Cause::Refused {
            status,
            code,
            message,
        } => write!(f, "{doing}: the service answers {status} {code}: {message}"),
    }
}
