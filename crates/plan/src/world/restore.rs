//! What is known about a Restore.

use jiff::Timestamp;
use kluis_api::Restore;

use super::fact::{DiskFact, NetworkFact, StorageAccountFact, VmFact};
use super::observed::Observed;
use super::work::Work;

/// A Restore and its surroundings.
#[derive(Clone, Debug, PartialEq)]
pub struct RestoreWorld {
    pub now: Timestamp,
    pub restore: Restore,
    pub work: Work,
    /// From ARM: the storage accounts of the subscription.
    pub accounts: Option<Observed<Vec<StorageAccountFact>>>,
    /// From ARM: the disks in the target resource group, before and after.
    pub disks: Option<Observed<Vec<DiskFact>>>,
    /// From ARM: the machine that is to be made, or whose disks are to be replaced.
    pub vm: Option<Observed<VmFact>>,
    /// From ARM: the network that the new machine is put in.
    pub network: Option<Observed<NetworkFact>>,
    /// From the service: what stands before a recovery point's path to ask for its files.
    pub files: Option<Observed<String>>,
}

impl RestoreWorld {
    /// Nothing read yet.
    pub fn new(now: Timestamp, restore: Restore, work: Work) -> Self {
        Self {
            now,
            restore,
            work,
            accounts: None,
            disks: None,
            vm: None,
            network: None,
            files: None,
        }
    }
}
