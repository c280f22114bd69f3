//! Azure's rules of names (Learn, *resource-name-rules*) and of what names one thing, as questions (CEL).
//!
//! A name that was taken before there was a rule stays manageable: the API server passes over a rule of a field that an update leaves alone,
//! and the rules of `metadata.name` are asked of new objects only.

/// Of a new BackupPolicy: it is called so in its vaults.
pub(crate) const POLICY: &str =
    "oldSelf.hasValue() || self.metadata.name.matches('^[A-Za-z][A-Za-z0-9-]{1,148}[A-Za-z0-9]$')";
pub(crate) const POLICY_SAYS: &str = "metadata.name cannot be a policy's name in Azure: 3 to 150 letters, digits and hyphens, a letter first and no hyphen last";
/// Of a new Vault without `azureName`.
pub(crate) const VAULT: &str = "oldSelf.hasValue() || has(self.spec.azureName) || self.metadata.name.matches('^[A-Za-z][A-Za-z0-9-]{1,49}$')";
pub(crate) const VAULT_SAYS: &str = "metadata.name cannot be a vault's name in Azure (2 to 50 letters, digits and hyphens, a letter first): set spec.azureName";

/// A policy that is in a vault already.
pub(crate) const POLICY_THERE: &str = "self.matches('^[A-Za-z][A-Za-z0-9-]{1,148}[A-Za-z0-9]$')";
pub(crate) const POLICY_THERE_SAYS: &str = "a policy's name in Azure is 3 to 150 letters, digits and hyphens, a letter first and no hyphen last";
pub(crate) const GROUP: &str = r"self.matches('^[-\\p{L}\\p{Nd}_.()]{0,89}[-\\p{L}\\p{Nd}_()]$')";
pub(crate) const GROUP_SAYS: &str = "a resource group's name is 1 to 90 letters, digits, hyphens, underscores, periods and parentheses, and does not end with a period";
/// `*` is every group.
pub(crate) const GROUPS: &str = r"self.all(group, group == '*' || group.matches('^[-\\p{L}\\p{Nd}_.()]{0,89}[-\\p{L}\\p{Nd}_()]$'))";
pub(crate) const GROUPS_SAY: &str = "each of resourceGroups is '*', or a resource group's name: 1 to 90 letters, digits, hyphens, underscores, periods and parentheses, not ending with a period";
/// A machine that is there already: what Resource Manager itself takes.
pub(crate) const MACHINE: &str =
    r"self.matches('^[\\p{L}\\p{Nd}]([\\p{L}\\p{Nd}_.-]{0,62}[\\p{L}\\p{Nd}_])?$')";
pub(crate) const MACHINE_SAYS: &str = "a machine's name is 1 to 64 letters, digits, hyphens, underscores and periods, a letter or digit first and neither hyphen nor period last";
/// A machine that is made: its name becomes that of files and disks.
pub(crate) const NEW_MACHINE: &str =
    "self.matches('^[A-Za-z0-9]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?$')";
pub(crate) const NEW_MACHINE_SAYS: &str = "a new machine's name is letters without accents, digits, hyphens, underscores and periods, a letter or digit first and neither hyphen nor period last: at most 64, and 15 with Windows";
pub(crate) const NETWORK: &str = "self.matches('^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}[A-Za-z0-9_]$')";
pub(crate) const NETWORK_SAYS: &str = "a virtual network's name is 2 to 64 letters, digits, underscores, periods and hyphens, a letter or digit first, and a letter, digit or underscore last";
pub(crate) const SUBNET: &str = "self.matches('^[A-Za-z0-9]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?$')";
pub(crate) const SUBNET_SAYS: &str = "a subnet's name is 1 to 80 letters, digits, underscores, periods and hyphens, a letter or digit first, and a letter, digit or underscore last";

/// Azure compares names without regard to case.
pub(crate) const SAME_NAME: &str = "self.lowerAscii() == oldSelf.lowerAscii()";
/// `West Europe` is westeurope.
pub(crate) const SAME_REGION: &str =
    "self.lowerAscii().replace(' ', '') == oldSelf.lowerAscii().replace(' ', '')";
pub(crate) const SAME_VAULT: &str = "has(self.azureName) == has(oldSelf.azureName) && (!has(self.azureName) || self.azureName.lowerAscii() == oldSelf.azureName.lowerAscii())";
pub(crate) const SAME_MACHINE: &str = "(has(self.resourceId) ? self.resourceId.lowerAscii() : '') == (has(oldSelf.resourceId) ? oldSelf.resourceId.lowerAscii() : '') && (has(self.resourceGroup) ? self.resourceGroup.lowerAscii() : '') == (has(oldSelf.resourceGroup) ? oldSelf.resourceGroup.lowerAscii() : '') && (has(self.name) ? self.name.lowerAscii() : '') == (has(oldSelf.name) ? oldSelf.name.lowerAscii() : '')";
