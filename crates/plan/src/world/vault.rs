//! What is known about a Vault.

use std::collections::HashMap;

use jiff::Timestamp;
use kluis_api::Vault;
use kluis_arm::id::ItemId;
use kluis_policy::loss::Cost;

use super::fact::{DeletedVaultFact, VaultHealthFact, VaultItem};
use super::observed::{Access, Observed, Progress};
use crate::key::ObjectKey;

/// A Vault and its surroundings.
#[derive(Clone, Debug, PartialEq)]
pub struct VaultWorld {
    pub now: Timestamp,
    pub vault: Vault,
    pub access: Access,
    /// The ProtectedVMs that name it, and the BackupPolicies whose status lists it.
    pub users: Vec<ObjectKey>,
    /// The other Vaults whose resource group and name in Azure are the same, with the access of each one's namespace to its service.
    pub namesakes: Vec<(Vault, Access)>,
    /// From ARM: the vault.
    pub arm: Option<Observed<Box<kluis_arm::vault::Vault>>>,
    /// From ARM, where the vault is not there: whether it was softly deleted.
    pub deleted: Option<Observed<DeletedVaultFact>>,
    /// From ARM: whether its redundancy is locked, where another one is declared.
    pub is_redundancy_locked: Option<Observed<bool>>,
    /// From ARM, where less soft delete is declared, or the vault is to be deleted: its items of every kind, softly deleted ones too.
    pub items: Option<Observed<Vec<VaultItem>>>,
    /// From ARM, where less soft delete is declared: each item's points, all of them kept for a shorter time.
    pub points: HashMap<ItemId, Observed<Cost>>,
    /// From the service: what it says of the vault. Absent where it has no call for that, as Azure has none.
    pub health: Option<Observed<VaultHealthFact>>,
    /// From ARM: the operation in its status.
    pub progress: Option<Observed<Progress>>,
}
