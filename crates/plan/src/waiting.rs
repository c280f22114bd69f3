//! Why nothing is done, or nothing more: every cause is a variant with its data, and is put into words here and nowhere else.
//!
//! A message names the cause and the way out, for the person who reads `kubectl get`.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use kluis_api::OperationKind;
use kluis_arm::error::{Class, classify, code};

use crate::failure::{ArmFailure, Cause};
use crate::key::ObjectKey;
use crate::loss::Loss;
use crate::plan::Next;

/// A cause for not acting.
#[derive(Clone, Debug, PartialEq)]
pub enum Waiting {
    /// The BackupService that is named does not exist.
    ServiceNotFound { service: String },
    /// It exists, and is not Ready.
    ServiceNotReady { service: String, message: String },
    /// It exists, and does not let this namespace use this resource group.
    NoConsent {
        service: String,
        namespace: String,
        group: String,
    },
    /// The credential's Secret is not there.
    SecretNotFound { secret: String, key: Option<String> },
    /// The endpoint answers, and does not know the subscription.
    SubscriptionNotFound { subscription: String },
    /// A call to ARM failed.
    Arm(ArmFailure),
    /// A name or an id in the spec cannot be one in Azure.
    InvalidName { what: &'static str, message: String },
    /// A kind of vault, workload, item or restore that no version of Kluis offers yet.
    NotOfferedYet { what: String },
    /// The Vault that is named does not exist.
    VaultNotFound { vault: String },
    /// It exists, and is not Ready.
    VaultNotReady { vault: String, message: String },
    /// It exists, and does not let this namespace use it.
    NamespaceNotAllowed { vault: String, namespace: String },
    /// The vault is there already and is not ours.
    ForeignVault {
        id: String,
        tag: Option<String>,
        never: bool,
    },
    /// The vault is there, somewhere else.
    OtherLocation { wanted: String, found: String },
    /// Soft delete is always on and cannot be turned off.
    SoftDeleteAlwaysOn,
    /// A change was taken and did not come about.
    ChangeNotTaken { what: String },
    /// The machine does not exist.
    VmNotFound { vm: String },
    /// The machine and the vault are in different regions.
    RegionMismatch { vm: String, vault: String },
    /// The machine and the vault are in different subscriptions.
    SubscriptionMismatch { vm: String, vault: String },
    /// Discovery ran and did not find the machine.
    NotDiscovered { vm: String },
    /// The BackupPolicy that is named does not exist.
    PolicyNotFound { policy: String },
    /// The BackupPolicy exists, and a person has to do something about it.
    PolicyNotReady { policy: String, message: String },
    /// The policy exists and is not in the vault yet.
    PolicyNotInVault {
        policy: String,
        vault: String,
        ours: bool,
    },
    /// The spec cannot be said in Azure's terms.
    PolicyNotExpressible { message: String },
    /// Enhanced policies in use cannot become Standard.
    TierDowngrade,
    /// The edit would delete recovery points.
    ApprovalRequired(Loss),
    /// Whether the edit would delete recovery points is not known.
    LossUnknown { failure: ArmFailure },
    /// Another object declares the same machine in the same vault, and has it.
    DeclaredBy { other: ObjectKey },
    /// Something else is being done.
    OperationInProgress { kind: OperationKind },
    /// What was being done came to nothing.
    OperationFailed {
        kind: OperationKind,
        code: String,
        message: String,
    },
    /// The service is still making the resource.
    StillProvisioning { what: String },
    /// Other objects use it.
    InUse { by: Vec<ObjectKey> },
    /// The item that is named does not exist.
    ItemNotFound { item: ObjectKey },
    /// It exists, and is not protected yet or any more.
    ItemNotProtected { item: ObjectKey, state: String },
    /// There is no recovery point that fits.
    PointNotFound { wanted: String },
    /// There is no storage account to pass a restore through.
    StagingNotFound { region: String },
    /// The job is done, and what it should have left is not to be seen.
    EvidenceMissing { what: &'static str },
}

/// What a cause means for the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// It goes on by itself.
    Progressing,
    /// A person has to do something.
    Stuck,
}

impl Waiting {
    /// The cause in one word, for a condition and an event.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ServiceNotFound { .. } => "ServiceNotFound",
            Self::ServiceNotReady { .. } => "ServiceNotReady",
            Self::NoConsent { .. } => "NoConsent",
            Self::SecretNotFound { .. } => "SecretNotFound",
            Self::SubscriptionNotFound { .. } => "SubscriptionNotFound",
            Self::Arm(failure) => arm_reason(failure),
            Self::InvalidName { .. } => "InvalidName",
            Self::NotOfferedYet { .. } => "NotOfferedYet",
            Self::VaultNotFound { .. } => "VaultNotFound",
            Self::VaultNotReady { .. } => "VaultNotReady",
            Self::NamespaceNotAllowed { .. } => "NamespaceNotAllowed",
            Self::ForeignVault { .. } => "ForeignVault",
            Self::OtherLocation { .. } => "OtherLocation",
            Self::SoftDeleteAlwaysOn => "SoftDeleteAlwaysOn",
            Self::ChangeNotTaken { .. } => "ChangeNotTaken",
            Self::VmNotFound { .. } => "VmNotFound",
            Self::RegionMismatch { .. } => "RegionMismatch",
            Self::SubscriptionMismatch { .. } => "SubscriptionMismatch",
            Self::NotDiscovered { .. } => "NotDiscovered",
            Self::PolicyNotFound { .. } => "PolicyNotFound",
            Self::PolicyNotReady { .. } => "PolicyNotReady",
            Self::PolicyNotInVault { .. } => "PolicyNotInVault",
            Self::PolicyNotExpressible { .. } => "PolicyNotExpressible",
            Self::TierDowngrade => "TierDowngrade",
            Self::ApprovalRequired(_) => "ApprovalRequired",
            Self::LossUnknown { .. } => "LossUnknown",
            Self::DeclaredBy { .. } => "DeclaredBy",
            Self::OperationInProgress { .. } => "OperationInProgress",
            Self::OperationFailed { .. } => "OperationFailed",
            Self::StillProvisioning { .. } => "StillProvisioning",
            Self::InUse { .. } => "InUse",
            Self::ItemNotFound { .. } => "ItemNotFound",
            Self::ItemNotProtected { .. } => "ItemNotProtected",
            Self::PointNotFound { .. } => "RecoveryPointNotFound",
            Self::StagingNotFound { .. } => "StagingAccountNotFound",
            Self::EvidenceMissing { .. } => "EvidenceMissing",
        }
    }

    /// Whether it goes on by itself. What is likely to be applied in the same `kubectl apply` is waited for; what a person has to
    /// mend is not.
    pub fn stance(&self) -> Stance {
        match self {
            Self::ServiceNotReady { .. }
            | Self::VaultNotReady { .. }
            | Self::PolicyNotInVault { ours: true, .. }
            | Self::LossUnknown { .. }
            | Self::OperationInProgress { .. }
            | Self::StillProvisioning { .. }
            | Self::InUse { .. }
            | Self::EvidenceMissing { .. } => Stance::Progressing,
            Self::Arm(failure) => stance(failure.class()),
            Self::OperationFailed { code, .. } => stance(classify(code, 200)),
            Self::ItemNotProtected { state, .. } if state.is_empty() => Stance::Progressing,
            Self::ServiceNotFound { .. }
            | Self::NoConsent { .. }
            | Self::SecretNotFound { .. }
            | Self::SubscriptionNotFound { .. }
            | Self::InvalidName { .. }
            | Self::NotOfferedYet { .. }
            | Self::VaultNotFound { .. }
            | Self::NamespaceNotAllowed { .. }
            | Self::ForeignVault { .. }
            | Self::OtherLocation { .. }
            | Self::SoftDeleteAlwaysOn
            | Self::ChangeNotTaken { .. }
            | Self::VmNotFound { .. }
            | Self::RegionMismatch { .. }
            | Self::SubscriptionMismatch { .. }
            | Self::NotDiscovered { .. }
            | Self::PolicyNotFound { .. }
            | Self::PolicyNotReady { .. }
            | Self::PolicyNotInVault { ours: false, .. }
            | Self::PolicyNotExpressible { .. }
            | Self::TierDowngrade
            | Self::ApprovalRequired(_)
            | Self::DeclaredBy { .. }
            | Self::ItemNotFound { .. }
            | Self::ItemNotProtected { .. }
            | Self::PointNotFound { .. }
            | Self::StagingNotFound { .. } => Stance::Stuck,
        }
    }

    /// When to look again. Other objects are in the operator's cache and cost nothing; ARM is asked more rarely, and the more rarely the
    /// less likely the answer is to change.
    pub fn next(&self, now: Timestamp) -> Next {
        const ANOTHER_OBJECT: SignedDuration = SignedDuration::from_secs(5);
        const ARM_SOON: SignedDuration = SignedDuration::from_secs(15);
        const ARM_LATER: SignedDuration = SignedDuration::from_mins(2);
        match self {
            Self::NotOfferedYet { .. }
            | Self::InvalidName { .. }
            | Self::PolicyNotExpressible { .. } => Next::Await,
            Self::Arm(ArmFailure {
                cause: Cause::Throttled { until },
                ..
            })
            | Self::LossUnknown {
                failure:
                    ArmFailure {
                        cause: Cause::Throttled { until },
                        ..
                    },
            } => Next::After(now.duration_until(*until).max(SignedDuration::from_secs(1))),
            Self::Arm(failure) if failure.class() == Class::RetryAfter => Next::After(ARM_SOON),
            Self::LossUnknown { .. }
            | Self::StillProvisioning { .. }
            | Self::EvidenceMissing { .. } => Next::After(ARM_SOON),
            Self::OperationInProgress { .. } => Next::After(ANOTHER_OBJECT),
            Self::ServiceNotFound { .. }
            | Self::ServiceNotReady { .. }
            | Self::NoConsent { .. }
            | Self::VaultNotFound { .. }
            | Self::VaultNotReady { .. }
            | Self::NamespaceNotAllowed { .. }
            | Self::PolicyNotFound { .. }
            | Self::PolicyNotReady { .. }
            | Self::PolicyNotInVault { ours: true, .. }
            | Self::SecretNotFound { .. }
            | Self::InUse { .. }
            | Self::DeclaredBy { .. }
            | Self::ItemNotFound { .. }
            | Self::ItemNotProtected { .. } => Next::After(ANOTHER_OBJECT),
            _ => Next::After(ARM_LATER),
        }
    }
}

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
            Self::InvalidName { what, message } => write!(f, "{what} cannot be used in Azure: {message}."),
            Self::NotOfferedYet { what } => write!(f, "{what} is not offered by this version of Kluis yet."),
            Self::VaultNotFound { vault } => write!(f, "There is no Vault {vault}: create it, or correct vaultRef."),
            Self::VaultNotReady { vault, message } => write!(f, "The Vault {vault} is not Ready: {message}"),
            Self::NamespaceNotAllowed { vault, namespace } => write!(
                f,
                "The Vault {vault} does not let the namespace {namespace} use it: its owner adds the namespace to \
                 spec.allowedNamespaces."
            ),
            Self::ForeignVault { id, tag: Some(tag), .. } => write!(
                f,
                "{id} belongs to another Vault: its tag kluis.dev/managed-by says {tag}. Choose another azureName, or set \
                 adoptionPolicy: Always to take it over."
            ),
            Self::ForeignVault { id, tag: None, never: false } => write!(
                f,
                "{id} exists and was not made by Kluis. Set adoptionPolicy: Always to take it over as it is, or choose another azureName."
            ),
            Self::ForeignVault { id, tag: None, never: true } => write!(
                f,
                "{id} exists already, and adoptionPolicy is Never. Choose another azureName, or set adoptionPolicy: Always to take it over."
            ),
            Self::OtherLocation { wanted, found } => write!(
                f,
                "The vault exists in {found}, not in {wanted}, and a vault does not move: make another Vault, with location {found} or \
                 with another azureName."
            ),
            Self::SoftDeleteAlwaysOn => {
                f.write_str("Soft delete of this vault is always on and cannot be turned off: set softDelete.state: AlwaysOn.")
            }
            Self::ChangeNotTaken { what } => write!(f, "The service accepted a change of {what} and did not make it."),
            Self::VmNotFound { vm } => write!(f, "There is no virtual machine {vm}: correct spec.vm, or create it."),
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
            Self::ApprovalRequired(loss) => write!(f, "{loss}"),
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
            Self::StagingNotFound { region } => write!(
                f,
                "A restore passes through a storage account in the vault's region, and the subscription has none in {region}: create one, \
                 or name one in to.disks.stagingAccount."
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

pub(crate) fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next()
        .map(|first| first.to_uppercase().chain(rest).collect())
        .unwrap_or_default()
}

fn stance(class: Class) -> Stance {
    match class {
        Class::RetryAfter => Stance::Progressing,
        Class::Blocked | Class::Terminal => Stance::Stuck,
    }
}

fn arm_reason(failure: &ArmFailure) -> &'static str {
    match &failure.cause {
        Cause::Unreachable { .. } => "ServiceUnreachable",
        Cause::WrongCredentials { .. } => "WrongCredentials",
        Cause::Throttled { .. } => "Throttled",
        Cause::Malformed { .. } => "AnswerNotUnderstood",
        Cause::Refused { code, .. } if code.eq_ignore_ascii_case(code::AUTHORIZATION_FAILED) => {
            "NotAuthorized"
        }
        Cause::Refused { .. } => match failure.class() {
            Class::RetryAfter => "ServiceBusy",
            Class::Blocked | Class::Terminal => "RequestRefused",
        },
    }
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
