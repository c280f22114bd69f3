//! What is known about a BackupPolicy.

use std::collections::HashMap;

use jiff::Timestamp;
use kluis_api::{BackupPolicy, ProtectedVM, Vault};
use kluis_arm::id::ItemId;
use kluis_arm::policy::Policy;

use super::fact::ItemFact;
use super::observed::{Access, Observed, Progress};
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
    /// The ProtectedVMs in this vault that name the policy: what they declare, of which generation their status is, and what is being
    /// done to them. Nothing else of them is here.
    pub items: Vec<ProtectedVM>,
    /// The ProtectedVMs in this vault, of any namespace, that name a policy by its name in Azure: it may be this one.
    pub by_azure_name: Vec<ProtectedVM>,
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

impl PolicyVaultFacts {
    /// Nothing read yet.
    pub fn new(
        name: String,
        vault: Option<Vault>,
        access: Access,
        items: Vec<ProtectedVM>,
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
