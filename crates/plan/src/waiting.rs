//! Why nothing is done, or nothing more: every cause is a variant with its data, one word for it, whether it passes by itself, and when to
//! look again. Its sentence is in [`message`].

mod message;

pub(crate) use message::in_words;

use jiff::{SignedDuration, Timestamp};
use kluis_api::OperationKind;
use kluis_arm::error::{Class, classify, code};

use crate::approval::Pending;
use crate::failure::{ArmFailure, Cause};
use crate::key::ObjectKey;
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
    /// The service takes no more of this before then: a number is used up, which its message names.
    TakenLater { until: Timestamp, message: String },
    /// A name or an id in the spec cannot be one in Azure.
    InvalidName { what: &'static str, message: String },
    /// A kind of vault, workload, item or restore that no version of Kluis offers yet.
    NotOfferedYet { what: String },
    /// The Vault that is named does not exist.
    VaultNotFound { vault: String },
    /// It exists, and the vault in Azure is not there, or not ours. `is_stalled` where it stays so until a person does something.
    VaultNotReady {
        vault: String,
        message: String,
        is_stalled: bool,
    },
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
    /// Immutability is locked and cannot be taken back.
    ImmutabilityLocked { wanted: String },
    /// Backups can only be suspended in a vault with immutability.
    SuspendNeedsImmutability { vault: String },
    /// In a vault with immutability no data are deleted before their time.
    DataImmutable { vault: String },
    /// In a vault with immutability no policy keeps points for a shorter time than the one before.
    RetentionImmutable { vault: String, policy: String },
    /// Something is in the vault that is not softly deleted: it cannot be deleted.
    VaultNotEmpty { vault: String, items: Vec<String> },
    /// The vault was softly deleted, and may not be taken over.
    VaultSoftlyDeleted {
        id: String,
        until: Option<Timestamp>,
    },
    /// The redundancy cannot change any more.
    RedundancyLocked { wanted: String, present: String },
    /// Another Vault object declares the same vault in Azure, and has it.
    VaultDeclaredBy { other: ObjectKey },
    /// A change was taken and did not come about.
    ChangeNotTaken { what: String },
    /// The machine does not exist. `is_protected` where it is protected, and has gone since.
    VmNotFound { vm: String, is_protected: bool },
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
    /// What an Enhanced policy protects cannot go to a Standard one.
    ItemTierDowngrade { present: String, wanted: String },
    /// The edit would delete recovery points.
    ApprovalRequired(Box<Pending>),
    /// The policies of a vault were edited so often that the next edit has to wait.
    EditsSpent {
        vault: String,
        made: usize,
        until: Timestamp,
    },
    /// An edit would lose the run that is about to begin by the times in force, which are late: it is made first.
    RunFirst { until: Timestamp },
    /// A policy keeps more in the vault than is declared: what comes under it now would lose that by an edit which nobody judged for it.
    PolicyOutOfDate {
        policy: String,
        vault: String,
        /// Why it is not written yet, as the policy's status says.
        why: Option<String>,
    },
    /// What is declared of an item was not looked at yet.
    ItemNotSeen { item: String },
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
    /// A restore in place was done already by an object of this name that asked for the same, and its status is lost.
    RestoredAlready { job: String, when: Timestamp },
    /// The machine's disks were replaced by a restore since the point that would come back was made.
    RestoredSince {
        chosen: String,
        /// The point that was made of what was replaced.
        point: String,
        when: Timestamp,
    },
    /// The resource group that a restore goes to does not exist.
    GroupNotFound {
        group: String,
        /// Where the spec names it.
        field: &'static str,
    },
    /// There is no storage account to pass a restore through.
    StagingNotFound {
        region: String,
        /// Where the spec can name one.
        field: &'static str,
    },
    /// The storage account that is named is none that a restore can pass through.
    StagingUnusable {
        /// `<group>/<name>`.
        account: String,
        /// Where the spec names it.
        field: &'static str,
        why: StagingFault,
    },
    /// The recovery point does not hold the disk.
    DiskNotInPoint {
        point: String,
        lun: u32,
        held: Vec<u32>,
    },
    /// The vault's owner does not let a restore replace disks.
    InPlaceNotAllowed { vault: String },
    /// There is no machine whose disks could be replaced.
    NothingToReplace { vm: String },
    /// The machine's disks cannot be replaced.
    NotReplaceable { vm: String, why: String },
    /// The recovery point is of an encrypted machine, of which this cannot be had.
    Encrypted { vm: String, why: &'static str },
    /// What opens an encrypted machine's disks is not in its key vault.
    KeyNotFound { vm: String, id: String },
    /// No machine can be made like the one that was backed up.
    NotRestorableAsNew { vm: String, why: String },
    /// There is a machine of the new one's name already.
    NameTaken { vm: String },
    /// The region has no availability zones.
    ZoneNotFound { zone: String, region: String },
    /// There is no such network, or it has no such subnet.
    NetworkNotFound {
        network: String,
        subnet: Option<String>,
    },
    /// The network and the vault are in different regions.
    NetworkElsewhere {
        network: String,
        found: String,
        vault: String,
    },
    /// Azure has no call for it, and the service has no extension.
    NotOfferedByService {
        what: &'static str,
        endpoint: String,
    },
    /// The job is done, and what it should have left is not to be seen.
    EvidenceMissing { what: &'static str },
}

/// What is wrong with a storage account that a restore is to pass through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StagingFault {
    Missing,
    /// It is in another region than the vault.
    Elsewhere {
        found: String,
        vault: String,
    },
    /// It has no page blobs.
    Kind {
        kind: String,
    },
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
            Self::TakenLater { .. } => LIMIT_REACHED,
            Self::InvalidName { .. } => "InvalidName",
            Self::NotOfferedYet { .. } => "NotOfferedYet",
            Self::VaultNotFound { .. } => "VaultNotFound",
            Self::VaultNotReady { .. } => "VaultNotReady",
            Self::NamespaceNotAllowed { .. } => "NamespaceNotAllowed",
            Self::ForeignVault { .. } => "ForeignVault",
            Self::OtherLocation { .. } => "OtherLocation",
            Self::SoftDeleteAlwaysOn => "SoftDeleteAlwaysOn",
            Self::ImmutabilityLocked { .. } => "ImmutabilityLocked",
            Self::SuspendNeedsImmutability { .. } => "VaultNotImmutable",
            Self::DataImmutable { .. } => "VaultImmutable",
            Self::RetentionImmutable { .. } => "RetentionImmutable",
            Self::VaultNotEmpty { .. } => "VaultNotEmpty",
            Self::VaultSoftlyDeleted { .. } => "VaultSoftlyDeleted",
            Self::RedundancyLocked { .. } => "RedundancyLocked",
            Self::VaultDeclaredBy { .. } => "DeclaredBy",
            Self::ChangeNotTaken { .. } => "ChangeNotTaken",
            Self::VmNotFound { .. } => "VmNotFound",
            Self::RegionMismatch { .. } => "RegionMismatch",
            Self::SubscriptionMismatch { .. } => "SubscriptionMismatch",
            Self::NotDiscovered { .. } => "NotDiscovered",
            Self::PolicyNotFound { .. } => "PolicyNotFound",
            Self::PolicyNotReady { .. } => "PolicyNotReady",
            Self::PolicyNotInVault { .. } => "PolicyNotInVault",
            Self::PolicyNotExpressible { .. } => "PolicyNotExpressible",
            Self::TierDowngrade | Self::ItemTierDowngrade { .. } => "TierDowngrade",
            Self::ApprovalRequired(_) => "ApprovalRequired",
            Self::EditsSpent { .. } => "EditBudgetSpent",
            Self::RunFirst { .. } => "RunFirst",
            Self::PolicyOutOfDate { .. } => "PolicyOutOfDate",
            Self::ItemNotSeen { .. } => "ItemNotSeen",
            Self::LossUnknown { .. } => "LossUnknown",
            Self::DeclaredBy { .. } => "DeclaredBy",
            Self::OperationInProgress { .. } => "OperationInProgress",
            Self::OperationFailed { .. } => "OperationFailed",
            Self::StillProvisioning { .. } => "StillProvisioning",
            Self::InUse { .. } => "InUse",
            Self::ItemNotFound { .. } => "ItemNotFound",
            Self::ItemNotProtected { .. } => "ItemNotProtected",
            Self::PointNotFound { .. } => "RecoveryPointNotFound",
            Self::RestoredAlready { .. } => "RestoredAlready",
            Self::RestoredSince { .. } => "RestoredSince",
            Self::StagingNotFound { .. }
            | Self::StagingUnusable {
                why: StagingFault::Missing,
                ..
            } => "StagingAccountNotFound",
            Self::StagingUnusable { .. } => "StagingAccountNotUsable",
            Self::GroupNotFound { .. } => "ResourceGroupNotFound",
            Self::DiskNotInPoint { .. } => "DiskNotInRecoveryPoint",
            Self::InPlaceNotAllowed { .. } => "InPlaceNotAllowed",
            Self::NothingToReplace { .. } => "NothingToReplace",
            Self::NotReplaceable { .. } => "NotReplaceable",
            Self::Encrypted { .. } => "Encrypted",
            Self::KeyNotFound { .. } => "KeyNotFound",
            Self::NotRestorableAsNew { .. } => "NotRestorableAsNew",
            Self::NameTaken { .. } => "NameTaken",
            Self::ZoneNotFound { .. } => "ZoneNotFound",
            Self::NetworkNotFound { .. } => "NetworkNotFound",
            Self::NetworkElsewhere { .. } => "NetworkElsewhere",
            Self::NotOfferedByService { .. } => "NotOfferedByService",
            Self::EvidenceMissing { .. } => "EvidenceMissing",
        }
    }

    /// Whether it means that nothing may be asked of Azure any more on behalf of the object: what it named is gone, or whoever owns that
    /// has withdrawn the consent. An object that goes then goes without its end in Azure: nothing there is stopped and nothing is deleted.
    pub(crate) fn is_end_of_authority(&self) -> bool {
        matches!(
            self,
            Self::VaultNotFound { .. }
                | Self::ServiceNotFound { .. }
                | Self::NoConsent { .. }
                | Self::NamespaceNotAllowed { .. }
        )
    }

    /// Whether it goes on by itself. What is likely to be applied in the same `kubectl apply` is waited for; what a person has to
    /// mend is not.
    pub fn stance(&self) -> Stance {
        match self {
            Self::ServiceNotReady { .. }
            | Self::VaultNotReady {
                is_stalled: false, ..
            }
            | Self::PolicyNotInVault { ours: true, .. }
            | Self::LossUnknown { .. }
            | Self::EditsSpent { .. }
            | Self::RunFirst { .. }
            | Self::TakenLater { .. }
            | Self::PolicyOutOfDate { .. }
            | Self::ItemNotSeen { .. }
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
            | Self::VaultNotReady {
                is_stalled: true, ..
            }
            | Self::NamespaceNotAllowed { .. }
            | Self::ForeignVault { .. }
            | Self::OtherLocation { .. }
            | Self::SoftDeleteAlwaysOn
            | Self::ImmutabilityLocked { .. }
            | Self::SuspendNeedsImmutability { .. }
            | Self::DataImmutable { .. }
            | Self::RetentionImmutable { .. }
            | Self::VaultNotEmpty { .. }
            | Self::VaultSoftlyDeleted { .. }
            | Self::RedundancyLocked { .. }
            | Self::VaultDeclaredBy { .. }
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
            | Self::ItemTierDowngrade { .. }
            | Self::ApprovalRequired(_)
            | Self::DeclaredBy { .. }
            | Self::ItemNotFound { .. }
            | Self::ItemNotProtected { .. }
            | Self::PointNotFound { .. }
            | Self::RestoredAlready { .. }
            | Self::RestoredSince { .. }
            | Self::StagingNotFound { .. }
            | Self::StagingUnusable { .. }
            | Self::GroupNotFound { .. }
            | Self::DiskNotInPoint { .. }
            | Self::InPlaceNotAllowed { .. }
            | Self::NothingToReplace { .. }
            | Self::NotReplaceable { .. }
            | Self::Encrypted { .. }
            | Self::KeyNotFound { .. }
            | Self::NotRestorableAsNew { .. }
            | Self::NameTaken { .. }
            | Self::ZoneNotFound { .. }
            | Self::NetworkNotFound { .. }
            | Self::NetworkElsewhere { .. }
            | Self::NotOfferedByService { .. } => Stance::Stuck,
        }
    }

    /// When to look again. Other objects are in the operator's cache and cost nothing; ARM is asked more rarely, and the more rarely the
    /// less likely the answer is to change.
    pub fn next(&self, now: Timestamp) -> Next {
        const ANOTHER_OBJECT: SignedDuration = SignedDuration::from_secs(5);
        const ARM_SOON: SignedDuration = SignedDuration::from_secs(15);
        const ARM_LATER: SignedDuration = SignedDuration::from_mins(2);
        const ARM_RARELY: SignedDuration = SignedDuration::from_mins(10);
        match self {
            Self::NotOfferedYet { .. }
            | Self::InvalidName { .. }
            | Self::PolicyNotExpressible { .. } => Next::Await,
            Self::Arm(ArmFailure {
                cause: Cause::Throttled { until } | Cause::Spent { until, .. },
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
            Self::EditsSpent { until, .. }
            | Self::TakenLater { until, .. }
            | Self::RunFirst { until } => {
                Next::After(now.duration_until(*until).max(SignedDuration::from_secs(1)))
            }
            // Nobody is kept waiting, and there may be many: each look reads the machine.
            Self::VmNotFound {
                is_protected: true, ..
            } => Next::After(ARM_RARELY),
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
            | Self::PolicyOutOfDate { .. }
            | Self::ItemNotSeen { .. }
            | Self::SecretNotFound { .. }
            | Self::InUse { .. }
            | Self::DeclaredBy { .. }
            | Self::VaultDeclaredBy { .. }
            | Self::ItemNotFound { .. }
            | Self::InPlaceNotAllowed { .. }
            | Self::ItemNotProtected { .. } => Next::After(ANOTHER_OBJECT),
            _ => Next::After(ARM_LATER),
        }
    }
}

/// The service does not take what was asked.
pub(crate) const REQUEST_REFUSED: &str = "RequestRefused";

/// A number of the service's is used up for now.
const LIMIT_REACHED: &str = "LimitReached";

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
        Cause::Spent { .. } => LIMIT_REACHED,
        Cause::Malformed { .. } => "AnswerNotUnderstood",
        Cause::Refused { code, .. } if code.eq_ignore_ascii_case(code::AUTHORIZATION_FAILED) => {
            "NotAuthorized"
        }
        Cause::Refused { .. } => match failure.class() {
            Class::RetryAfter => "ServiceBusy",
            Class::Blocked | Class::Terminal => REQUEST_REFUSED,
        },
    }
}
