"""A vault, from its first PUT to its DELETE."""

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.recoveryservices import models as rs
from azure.mgmt.recoveryservicesbackup import models as bk

from session import refused


def absent_vault(s):
    """a vault that is not there is ResourceNotFound"""
    refused(ResourceNotFoundError, s.vaults.vaults.get, s.group, s.vault, code="ResourceNotFound")


def absent_group(s):
    """nor can one be made in a resource group that is not there"""
    vault = rs.Vault(location=s.location, properties=rs.VaultProperties(), sku=rs.Sku(name="Standard"))
    start = s.vaults.vaults.begin_create_or_update
    refused(ResourceNotFoundError, start, "no-such-rg", s.vault, vault, code="ResourceGroupNotFound")


def create_vault(s):
    """create a vault"""
    properties = rs.VaultProperties(public_network_access="Enabled")
    vault = rs.Vault(location=s.location, tags={"made": "by-sdk"}, properties=properties, sku=rs.Sku(name="RS0", tier="Standard"))
    made = s.vaults.vaults.begin_create_or_update(s.group, s.vault, vault).result()
    assert made.name == s.vault and made.type == "Microsoft.RecoveryServices/vaults", made
    assert made.location == s.location and made.tags == {"made": "by-sdk"}, made
    assert made.properties.provisioning_state == "Succeeded", made
    assert made.properties.redundancy_settings.standard_tier_storage_redundancy == "GeoRedundant", made
    soft_delete = made.properties.security_settings.soft_delete_settings
    assert soft_delete.soft_delete_retention_period_in_days == 14, made


def read_vaults(s):
    """get it, and list it in its group and in the subscription"""
    assert s.vaults.vaults.get(s.group, s.vault).id.lower() == s.vault_id().lower()
    assert s.vault in [vault.name for vault in s.vaults.vaults.list_by_resource_group(s.group)]
    assert s.vault in [vault.name for vault in s.vaults.vaults.list_by_subscription_id()]


def patch_vault(s):
    """patch its tags and its redundancy"""
    redundancy = rs.VaultPropertiesRedundancySettings(standard_tier_storage_redundancy="LocallyRedundant")
    patch = rs.PatchVault(tags={"made": "by-sdk", "cost": "shop"}, properties=rs.VaultProperties(redundancy_settings=redundancy))
    s.vaults.vaults.begin_update(s.group, s.vault, patch).result()
    found = s.vaults.vaults.get(s.group, s.vault)
    assert found.tags == {"made": "by-sdk", "cost": "shop"}, found
    assert found.properties.redundancy_settings.standard_tier_storage_redundancy == "LocallyRedundant", found


def soft_delete_off(s):
    """switch its soft delete off, so that deleting is deleting"""
    configs = s.backup.backup_resource_vault_configs
    assert configs.get(s.vault, s.group).properties.soft_delete_feature_state == "Enabled"
    off = bk.BackupResourceVaultConfig(soft_delete_feature_state="Disabled", enhanced_security_state="Enabled")
    body = bk.BackupResourceVaultConfigResource(properties=off)
    assert configs.update(s.vault, s.group, body).properties.soft_delete_feature_state == "Disabled"
    assert configs.get(s.vault, s.group).properties.soft_delete_feature_state == "Disabled"


def vault_in_use(s):
    """a vault with items cannot be deleted"""
    refused(HttpResponseError, s.vaults.vaults.begin_delete, s.group, s.vault, status=400)
    assert s.vaults.vaults.get(s.group, s.vault).name == s.vault


def delete_vault(s):
    """delete the vault"""
    s.vaults.vaults.begin_delete(s.group, s.vault).result()
    refused(ResourceNotFoundError, s.vaults.vaults.get, s.group, s.vault, code="ResourceNotFound")
    assert s.vault not in [vault.name for vault in s.vaults.vaults.list_by_resource_group(s.group)]
