//! What can be read from ARM, and what reading it gives.

use std::fmt;

use jiff::Timestamp;
use kluis_api::ProtectionState;
use kluis_arm::id::{
    DiskId, ItemId, JobId, Name, PolicyId, ResourceGroupId, StorageAccountId, VaultId,
    VirtualNetworkId, VmId,
};
use kluis_arm::item::{Item, ProtectedItem};
use kluis_arm::job::{Job, JobOperation};
use kluis_arm::policy::Policy;
use kluis_arm::recovery_point::RecoveryPoint;
use kluis_arm::time::WireTime;
use kluis_arm::vault::Vault;

use super::observed::{Observed, Progress};
use crate::approval;
use crate::seen::Seen;

/// Something to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// `GET /subscriptions/{id}`.
    Subscription {
        id: String,
    },
    Vault(VaultId),
    /// Of the softly deleted vaults of a region the one that had this id; where several had, the one that was deleted last.
    DeletedVault {
        vault: VaultId,
        location: String,
    },
    Policy(PolicyId),
    /// The item; with `filter=expand eq 'extendedinfo'` not needed.
    Item(ItemId),
    Vm(VmId),
    /// Whether a key or a secret is in its key vault, by its ARM id.
    KeyVaultEntry {
        id: String,
    },
    /// How an operation stands, from the URL that the service gave.
    Progress {
        url: String,
    },
    /// Whether the machine is among the vault's protectable items.
    Protectable {
        vault: VaultId,
        vm: VmId,
    },
    /// One job, with its extended information. Counts against the 150 job reads an hour.
    Job(JobId),
    /// The vault's jobs of an operation that began at or after a moment: one read for all items of a vault, to be shared. Counts against
    /// the 150 job reads an hour.
    Jobs {
        vault: VaultId,
        operation: JobOperation,
        since: Timestamp,
    },
    /// What a policy of a vault protects, protected or stopped: from the vault's list of items.
    ProtectedBy(PolicyId),
    /// All items of a vault, of every kind, softly deleted ones too.
    Items(VaultId),
    /// All recovery points of an item.
    Points(ItemId),
    /// All storage accounts of a subscription.
    StorageAccounts {
        subscription: String,
    },
    /// The managed disks of a resource group.
    Disks(ResourceGroupId),
    Network(VirtualNetworkId),
    /// What the service says of a vault, where it offers that: Azure has no such call.
    VaultHealth(VaultId),
    /// Whether the vault's redundancy can still change.
    StorageConfig(VaultId),
    /// The locks on resource groups of a subscription, and on the subscription itself.
    Locks {
        subscription: String,
    },
    /// What stands before a recovery point's path to ask for its files, where the service offers that: `GET /metadata/endpoints`.
    FilesExtension,
}

/// What a read gave: of the want's own name.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    Subscription(Observed<SubscriptionFact>),
    Vault(Observed<Box<Vault>>),
    DeletedVault(Observed<DeletedVaultFact>),
    Policy(Observed<Box<Policy>>),
    Item(Observed<Box<Item>>),
    Vm(Observed<VmFact>),
    /// Found when it is there, or may not be looked at: then the service has the word.
    KeyVaultEntry(Observed<()>),
    Progress(Observed<Progress>),
    /// Found(true) when it is among them, Found(false) when it is not.
    Protectable(Observed<bool>),
    Job(Observed<Box<Job>>),
    Jobs(Observed<Vec<Job>>),
    /// In the order of their ids.
    ProtectedBy(Observed<Vec<ItemFact>>),
    /// In the order of their ids.
    Items(Observed<Vec<VaultItem>>),
    Points(Observed<Vec<RecoveryPoint>>),
    StorageAccounts(Observed<Vec<StorageAccountFact>>),
    Disks(Observed<Vec<DiskFact>>),
    Network(Observed<NetworkFact>),
    /// Absent where the service has no such call.
    VaultHealth(Observed<VaultHealthFact>),
    /// Found(true) when its redundancy is locked.
    StorageConfig(Observed<bool>),
    FilesExtension(Observed<String>),
    /// Absent when it may not be read.
    Locks(Observed<Vec<LockFact>>),
}

/// A lock that keeps resources from being deleted or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockFact {
    /// None when it is on the whole subscription.
    pub resource_group: Option<Name>,
    /// `CanNotDelete` or `ReadOnly`.
    pub level: String,
}

/// What a service says of a vault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VaultHealthFact {
    /// The worst first.
    pub problems: Vec<VaultProblem>,
    /// When the byte was last read that was not read for the longest time.
    pub oldest_unread: Option<Timestamp>,
    /// How many recovery points cannot be restored whole.
    pub damaged_points: Option<u32>,
    /// How many recovery points stay beyond their end, until a person says that they may go.
    pub held_back_expiries: Option<u32>,
}

/// One thing that is wrong with a vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultProblem {
    /// In one CamelCase word.
    pub title: String,
    /// What is wrong, and what to do about it.
    pub message: String,
    /// Whether a person should see to it now.
    pub is_grave: bool,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionFact {
    /// `displayName`.
    pub name: String,
}

/// A vault that was softly deleted, and can be brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedVaultFact {
    /// What it is called while it is deleted.
    pub name: Name,
    pub deleted: Option<Timestamp>,
    /// When it goes for good.
    pub purge_at: Option<Timestamp>,
}

/// An item of a vault, as far as a loss depends on it: a new backup, another policy or another state makes it another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemFact {
    pub id: ItemId,
    /// The policy that it is, or was last, protected by.
    pub policy: Option<PolicyId>,
    pub state: ProtectionState,
    pub last_backup: Option<Timestamp>,
}

impl ItemFact {
    /// Of a protected machine as the vault has it; None for any other item.
    pub fn of(id: ItemId, item: &Item) -> Option<Self> {
        let seen = Seen::of(item)?;
        Some(Self {
            id,
            state: seen.state,
            last_backup: seen.last_backup,
            policy: seen.policy,
        })
    }

    /// Whether its points expire by its policy.
    pub(crate) fn is_pruned(&self) -> bool {
        match self.state {
            ProtectionState::IrPending
            | ProtectionState::Protected
            | ProtectionState::ProtectionError
            | ProtectionState::BackupsSuspended => true,
            ProtectionState::NotProtected
            | ProtectionState::ProtectionStopped
            | ProtectionState::SoftDeleted => false,
        }
    }
}

/// Something that a vault keeps recovery points of, of whatever kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultItem {
    /// Its id, as the vault writes it.
    pub id: String,
    /// What people call it: `machine shop-rg/web-1`, `AzureFileShare orders`.
    pub name: String,
    /// Where its recovery points are listed; None for a kind whose aren't.
    pub points: Option<ItemId>,
    /// A new one makes it another item.
    pub last_backup: Option<Timestamp>,
    /// It is on its way to being gone, and can still be had back.
    pub is_softly_deleted: bool,
}

impl VaultItem {
    /// As the vault lists it.
    pub fn of(item: &Item) -> Self {
        let id = item.id.clone().or_else(|| item.name.clone());
        let id = id.unwrap_or_default();
        let path: Option<ItemId> = id.parse().ok();
        match &item.properties {
            ProtectedItem::VirtualMachine(_) => Self {
                name: path.as_ref().map_or_else(|| id.clone(), approval::machine),
                last_backup: Seen::of(item).and_then(|seen| seen.last_backup),
                is_softly_deleted: Seen::of(item)
                    .is_some_and(|seen| seen.state == ProtectionState::SoftDeleted),
                points: path,
                id,
            },
            ProtectedItem::Other(said) => {
                let word = |field: &str| said.get(field).and_then(serde_json::Value::as_str);
                let kind = word("workloadType").or(word("protectedItemType"));
                let name = word("friendlyName").unwrap_or(&id);
                let last = word("lastBackupTime").or(word("lastRecoveryPoint"));
                // Agents and their servers keep lists of their own.
                let is_listed = word("backupManagementType").is_some_and(|by| {
                    ["AzureIaasVM", "AzureStorage", "AzureWorkload"]
                        .iter()
                        .any(|listed| listed.eq_ignore_ascii_case(by))
                });
                Self {
                    name: format!("{} {name}", kind.unwrap_or("item")),
                    last_backup: last.and_then(|last| WireTime::from(last).moment().ok()?),
                    is_softly_deleted: said.get("isScheduledForDeferredDelete")
                        == Some(&serde_json::Value::Bool(true)),
                    points: path.filter(|_| is_listed),
                    id,
                }
            }
        }
    }
}

/// A virtual machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmFact {
    pub id: VmId,
    pub location: String,
    /// Its OS disk first.
    pub disks: Vec<VmDisk>,
    /// Whether its disks are encrypted inside it.
    pub is_encrypted: bool,
    pub ties: VmTies,
}

/// What keeps a restore from making another machine like it (rule 27).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VmTies {
    /// The name of the availability set that it is in.
    pub availability_set: Option<String>,
    /// The product of the Marketplace image that it was bought with.
    pub marketplace: Option<String>,
    /// Whether Azure's diagnostics extension is in it.
    pub has_diagnostics: bool,
}

/// A disk of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmDisk {
    /// None for the OS disk.
    pub lun: Option<u32>,
    /// The managed disk; None when it is not a managed one.
    pub disk: Option<DiskId>,
}

/// A virtual network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkFact {
    pub location: String,
    /// The names of its subnets.
    pub subnets: Vec<String>,
}

/// A storage account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageAccountFact {
    pub id: StorageAccountId,
    /// Azure's kind of it; None where it is not told.
    pub kind: Option<String>,
    pub location: String,
}

/// A managed disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskFact {
    pub id: DiskId,
    /// `properties.timeCreated`.
    pub created: Option<Timestamp>,
    pub size_bytes: Option<u64>,
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subscription { id } => write!(f, "the subscription {id}"),
            Self::Vault(id) => write!(f, "the vault {}", id.name),
            Self::DeletedVault { vault, .. } => {
                write!(f, "what was softly deleted of the vault {}", vault.name)
            }
            Self::Policy(id) => write!(f, "the policy {} of the vault {}", id.name, id.vault.name),
            Self::Item(id) => write!(f, "the item {} of the vault {}", id.name, id.vault().name),
            Self::Vm(id) => write!(f, "the virtual machine {}/{}", id.resource_group, id.name),
            Self::KeyVaultEntry { id } => {
                write!(
                    f,
                    "whether {} is in its key vault",
                    id.rsplit('/').next().unwrap_or(id)
                )
            }
            Self::Progress { url } => write!(f, "the operation at {url}"),
            Self::Protectable { vault, vm } => {
                write!(
                    f,
                    "the protectable items of the vault {} for {}/{}",
                    vault.name, vm.resource_group, vm.name
                )
            }
            Self::Job(id) => write!(f, "the job {} of the vault {}", id.name, id.vault.name),
            Self::Jobs {
                vault,
                operation,
                since,
            } => write!(
                f,
                "the {operation} jobs of the vault {} since {since}",
                vault.name
            ),
            Self::ProtectedBy(id) => write!(
                f,
                "what the policy {} of the vault {} protects",
                id.name, id.vault.name
            ),
            Self::Items(id) => write!(f, "the items of the vault {}", id.name),
            Self::Points(id) => write!(
                f,
                "the recovery points of {} in the vault {}",
                id.name,
                id.vault().name
            ),
            Self::StorageAccounts { subscription } => {
                write!(f, "the storage accounts of the subscription {subscription}")
            }
            Self::Disks(group) => write!(f, "the disks of the resource group {}", group.name),
            Self::Network(id) => write!(f, "the virtual network {}/{}", id.resource_group, id.name),
            Self::VaultHealth(id) => write!(f, "the health of the vault {}", id.name),
            Self::StorageConfig(id) => write!(f, "the storage settings of the vault {}", id.name),
            Self::Locks { subscription } => {
                write!(f, "the locks of the subscription {subscription}")
            }
            Self::FilesExtension => f.write_str("what the service offers beyond Azure"),
        }
    }
}
