//! A service that cannot be asked.

use kluis_plan::{ArmFailure, Cause, Fact, Observed, Want};

/// What could not be read.
pub(super) fn unknown(want: &Want, cause: &Cause) -> Fact {
    let failure = ArmFailure {
        doing: format!("reading {want}"),
        cause: cause.clone(),
    };
    match want {
        Want::Subscription { .. } => Fact::Subscription(Observed::Unknown(failure)),
        Want::Vault(_) => Fact::Vault(Observed::Unknown(failure)),
        Want::DeletedVault { .. } => Fact::DeletedVault(Observed::Unknown(failure)),
        Want::Policy(_) => Fact::Policy(Observed::Unknown(failure)),
        Want::Item(_) => Fact::Item(Observed::Unknown(failure)),
        Want::Vm(_) => Fact::Vm(Observed::Unknown(failure)),
        Want::KeyVaultEntry { .. } => Fact::KeyVaultEntry(Observed::Unknown(failure)),
        Want::Progress { .. } => Fact::Progress(Observed::Unknown(failure)),
        Want::Protectable { .. } => Fact::Protectable(Observed::Unknown(failure)),
        Want::Job(_) => Fact::Job(Observed::Unknown(failure)),
        Want::Jobs { .. } => Fact::Jobs(Observed::Unknown(failure)),
        Want::ProtectedBy(_) => Fact::ProtectedBy(Observed::Unknown(failure)),
        Want::Items(_) => Fact::Items(Observed::Unknown(failure)),
        Want::Points(_) => Fact::Points(Observed::Unknown(failure)),
        Want::StorageAccounts { .. } => Fact::StorageAccounts(Observed::Unknown(failure)),
        Want::Disks(_) => Fact::Disks(Observed::Unknown(failure)),
        Want::Network(_) => Fact::Network(Observed::Unknown(failure)),
        Want::StorageConfig(_) => Fact::StorageConfig(Observed::Unknown(failure)),
        Want::Locks { .. } => Fact::Locks(Observed::Unknown(failure)),
        Want::FilesExtension => Fact::FilesExtension(Observed::Unknown(failure)),
        Want::VaultHealth(_) => Fact::VaultHealth(Observed::Unknown(failure)),
    }
}
