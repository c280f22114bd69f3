//! Which vault a line leads to.

use kluis_arm::id::VaultId;

/// Subscription, resource group and name, without regard to case. The line of one service must not be taken for
/// another's: their vaults may have the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VaultKey([String; 3]);

impl VaultKey {
    pub(super) fn new(subscription: &str, group: &str, name: &str) -> Self {
        Self([subscription, group, name].map(str::to_ascii_lowercase))
    }
}

impl From<&VaultId> for VaultKey {
    fn from(vault: &VaultId) -> Self {
        Self::new(
            vault.subscription.as_str(),
            vault.resource_group.as_str(),
            vault.name.as_str(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_is_the_same_in_any_case_and_in_no_other_subscription() {
        let id = "/subscriptions/S-1/resourceGroups/Shop-RG/providers/Microsoft.RecoveryServices/vaults/V";
        let read = VaultKey::from(&id.parse::<VaultId>().unwrap());
        assert_eq!(read, VaultKey::new("s-1", "shop-rg", "v"));
        assert_ne!(read, VaultKey::new("s-2", "shop-rg", "v"));
    }
}
