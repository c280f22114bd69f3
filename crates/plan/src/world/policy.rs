//! What is known about a BackupPolicy.

use jiff::Timestamp;
use kluis_api::{BackupPolicy, ProtectedVM, Vault};
use kluis_arm::policy::Policy;
use kluis_arm::recovery_point::RecoveryPoint;

use super::observed::{Access, Observed, Progress};
use crate::key::ObjectKey;

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
    pub items: Vec<ProtectedVM>,
    /// From ARM: the policy in the vault.
    pub arm: Option<Observed<Box<Policy>>>,
    /// From ARM: the operation in its status.
    pub progress: Option<Observed<Progress>>,
    /// From ARM: the items' points, where an edit may cost some. In the order of `items`.
    pub points: Vec<Option<Observed<Vec<RecoveryPoint>>>>,
}
