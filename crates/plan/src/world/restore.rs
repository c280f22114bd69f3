//! What is known about a Restore.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kluis_api::Restore;
use kluis_arm::id::VmId;

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
    /// From ARM: the machine that was backed up, and the one that is to be made.
    pub vms: BTreeMap<VmId, Observed<VmFact>>,
    /// From ARM: the keys and secrets of an encrypted machine, by their ids.
    pub secrets: BTreeMap<String, Observed<()>>,
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
            vms: BTreeMap::new(),
            secrets: BTreeMap::new(),
            network: None,
            files: None,
        }
    }
}
