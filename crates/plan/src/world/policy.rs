//! What is known about a BackupPolicy.

use std::collections::HashMap;

use jiff::Timestamp;
use kluis_api::{BackupPolicy, OperationKind, ProtectedVM, Vault, VmRef};
use kluis_arm::id::ItemId;
use kluis_arm::policy::Policy;

use super::fact::ItemFact;
use super::observed::{Access, Observed, Progress};
use crate::ids;
use crate::key::ObjectKey;
use crate::loss::ScheduledPoints;

/// A BackupPolicy and its surroundings.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyWorld {
    pub now: Timestamp,
    pub policy: BackupPolicy,
    /// Everything that names it: the ProtectedVMs of its namespace.
    pub users: Vec<ObjectKey>,
    /// The vaults where an item uses it, and those its status lists, by `<namespace>/<name>`.
    pub vaults: Vec<PolicyVaultFacts>,
}

/// One vault where the policy is used, or was.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyVaultFacts {
    /// `<namespace>/<name>` of the Vault.
    pub name: String,
    /// The Vault; None when there is none of that name (any more).
    pub vault: Option<Vault>,
    /// Of the vault's service, for the policy's namespace.
    pub access: Access,
    /// The ProtectedVMs in this vault that name the policy.
    pub items: Vec<PolicyItem>,
    /// The ProtectedVMs in this vault, of any namespace, that name a policy by its name in Azure: it may be this one.
    pub by_azure_name: Vec<PolicyItem>,
    /// When we edited policies of the vault, this one and others, as far as statuses tell.
    pub edits: Vec<Timestamp>,
    /// From ARM: the policy in the vault.
    pub arm: Option<Observed<Box<Policy>>>,
    /// From ARM: the operation in its status.
    pub progress: Option<Observed<Progress>>,
    /// From ARM, where an edit may cost points: what the policy protects, whoever declared it.
    pub protected: Option<Observed<Vec<ItemFact>>>,
    /// From ARM, where an edit may cost points: each item's.
    pub points: HashMap<ItemId, Observed<ScheduledPoints>>,
}

/// A ProtectedVM, as far as a policy's plan depends on it: a policy has thousands of them.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyItem {
    /// `<namespace>/<name>`.
    pub name: String,
    pub vm: VmRef,
    /// The policy that it names by its name in Azure.
    pub azure_name: Option<String>,
    /// It is declared to be backed up by the policy: neither suspended nor on its way to be gone.
    pub is_to_come: bool,
    /// Its status is of another generation than its spec.
    pub is_unseen: bool,
    /// What is being done to its protection.
    pub operation: Option<OperationKind>,
}

impl From<&ProtectedVM> for PolicyItem {
    fn from(item: &ProtectedVM) -> Self {
        let (metadata, spec) = (&item.metadata, &item.spec);
        let status = item.status.as_ref();
        let operation = status.and_then(|status| status.operation.as_ref());
        Self {
            name: ids::qualified(metadata),
            vm: spec.vm.clone(),
            azure_name: spec.policy_ref.azure_name.clone(),
            is_to_come: !spec.suspend && metadata.deletion_timestamp.is_none(),
            is_unseen: metadata.generation > status.map(|status| status.observed_generation),
            operation: operation.map(|operation| operation.kind),
        }
    }
}

impl PolicyVaultFacts {
    /// Nothing read yet.
    pub fn new(
        name: String,
        vault: Option<Vault>,
        access: Access,
        items: Vec<PolicyItem>,
        edits: Vec<Timestamp>,
    ) -> Self {
        Self {
            name,
            vault,
            access,
            items,
            by_azure_name: Vec::new(),
            edits,
            arm: None,
            progress: None,
            protected: None,
            points: HashMap::new(),
        }
    }
}
