//! Worlds: what is known when a plan is made.
//!
//! A world begins with what the API server says, and grows by what it [wants](World::wants) from ARM: the shell reads exactly that,
//! [fills](World::fill) it in, and asks again, until nothing is wanted. A part that was not read is `None`, so that no decision can
//! mistake "not asked" for "not there".

mod backup_job;
mod fact;
mod observed;
mod policy;
mod protected_vm;
mod restore;
mod service;
mod vault;
mod work;

pub use backup_job::BackupJobWorld;
pub use fact::{
    DeletedVaultFact, DiskFact, Fact, ItemFact, LockFact, NetworkFact, StorageAccountFact,
    SubscriptionFact, VaultHealthFact, VaultItem, VaultProblem, VmDisk, VmFact, VmTies, Want,
};
pub use observed::{Access, Observed, Progress};
pub use policy::{PolicyItem, PolicyVaultFacts, PolicyWorld};
pub use protected_vm::ProtectedVmWorld;
pub use restore::RestoreWorld;
pub use service::{CaBundleFact, SecretFact, ServiceWorld};
pub use vault::VaultWorld;
pub use work::Work;

use crate::edit::Edit;
use crate::key::ObjectKey;
use crate::plan::Plan;

/// What is known about one object and its surroundings.
pub trait World {
    /// The object it is about.
    fn object(&self) -> ObjectKey;

    /// What a decision still needs from ARM. Empty when the world is complete. What is not wanted is not read (law 6).
    fn wants(&self) -> Vec<Want>;

    /// Takes in what was read. A fact that was not wanted changes nothing.
    fn fill(&mut self, want: &Want, fact: Fact);

    /// What follows.
    fn plan(&self) -> Plan;

    /// Changes of the terms that keep recovery points, sent or not.
    fn edits(&self) -> Vec<Edit> {
        Vec::new()
    }
}
