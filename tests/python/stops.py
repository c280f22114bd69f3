"""Every way in which protection ends, and every way back."""

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.recoveryservices import models as rs
from azure.mgmt.recoveryservicesbackup import models as bk

from protection import body
from session import VM_FILTER, refused


REHYDRATE = dict(protection_state="ProtectionStopped", policy_id="", is_rehydrate=True)


def put(s, vm="web-1", **properties):
    """Asks for something of an item; the item as it then is."""
    item = bk.AzureIaaSComputeVMProtectedItem(source_resource_id=s.vm(vm), **properties)
    s.backup.protected_items.begin_create_or_update(*s.item(vm), bk.ProtectedItemResource(properties=item)).result()
    return s.read_item(vm)


def points(s):
    return [point.name for point in s.backup.recovery_points.list(*s.item("web-1"))]


def newest_job(s, operation):
    return next(iter(s.backup.backup_jobs.list(s.vault, s.group, filter=f"operation eq '{operation}'"))).properties


def no_backup(s):
    request = bk.BackupRequestResource(properties=bk.IaasVMBackupRequest())
    refused(HttpResponseError, s.backup.backups.trigger, *s.item("web-1"), request)


def change_policy(s):
    """give it another policy, and its own again"""
    for policy in ("DefaultPolicy", "daily-gfs"):
        item = put(s, policy_id=s.policy(policy))
        assert item["policyId"].lower() == s.policy(policy).lower() and item["protectionState"] == "Protected", item


def immutability(s, state):
    settings = rs.SecuritySettings(immutability_settings=rs.ImmutabilitySettings(state=state))
    s.vaults.vaults.begin_update(s.group, s.vault, rs.PatchVault(properties=rs.VaultProperties(security_settings=settings))).result()


def suspend(s):
    """suspend it, which an immutable vault alone allows, and resume"""
    suspended = dict(protection_state="BackupsSuspended", policy_id=s.policy("daily-gfs"))
    error = refused(HttpResponseError, put, s, **suspended, status=400)
    assert error.error.code == "UserErrorOperationDeniedOnImmutableItem", error
    immutability(s, "Unlocked")
    item = put(s, **suspended)
    assert item["protectionState"] == "BackupsSuspended", item
    assert item["policyId"].lower() == s.policy("daily-gfs").lower(), "its points go as the policy says"
    no_backup(s)
    item = put(s, policy_id=s.policy("daily-gfs"))
    assert item["protectionState"] == "Protected", item
    immutability(s, "Disabled")


def stop_and_resume(s):
    """stop it with its data retained, and resume"""
    kept = points(s)
    item = put(s, protection_state="ProtectionStopped", policy_id="")
    assert item["protectionState"] == "ProtectionStopped" and not item["policyId"], item
    assert newest_job(s, "DisableBackup").status == "Completed"
    no_backup(s)
    assert put(s, policy_id=s.policy("daily-gfs"))["protectionState"] == "Protected"
    assert points(s) == kept, "no point was lost"


def locked(s):
    """the redundancy is locked once an item is registered, and its container is not to be unregistered"""
    configs = s.backup.backup_resource_storage_configs_non_crr
    assert configs.get(s.vault, s.group).properties.storage_type_state == "Locked"
    wanted = bk.BackupResourceConfigResource(properties=bk.BackupResourceConfig(storage_model_type="ZoneRedundant"))
    for call in (configs.update, configs.patch):
        error = refused(HttpResponseError, call, s.vault, s.group, wanted, status=400)
        assert error.error.code == "CannotModifyStorageTypeWhenItemsAreRegistered", error
    container = s.item("web-1")[:4]
    error = refused(HttpResponseError, s.backup.protection_containers.unregister, *container, status=400)
    assert error.error.code == "BMSUserErrorContainerHasDatasources", error


def soft_delete_settings(s):
    """its deleted data stay for 14 to 180 days, as the vault says"""
    configs = s.backup.backup_resource_vault_configs
    resource = lambda days: bk.BackupResourceVaultConfigResource(
        properties=bk.BackupResourceVaultConfig(soft_delete_feature_state="Enabled", soft_delete_retention_period_in_days=days)
    )
    for days in (13, 181):
        refused(HttpResponseError, configs.put, s.vault, s.group, resource(days), status=400)
    assert configs.put(s.vault, s.group, resource(30)).properties.soft_delete_retention_period_in_days == 30


def delete_softly(s):
    """stop it and delete its data: they go into soft delete, and come back"""
    kept = points(s)
    job = s.job_of(s.started(s.backup.protected_items.delete, *s.item("web-1")))
    assert s.ended(job).properties.operation == "DeleteBackupData"
    item = s.read_item("web-1")
    assert item["isScheduledForDeferredDelete"] and item["softDeleteRetentionPeriod"] == 30, item
    assert item["deferredDeleteTimeRemaining"].startswith(("29.", "30.00:00")), item
    deleted = list(s.backup.deleted_protection_containers.list(s.group, s.vault, filter=VM_FILTER))
    assert [found.properties.registration_status for found in deleted] == ["SoftDeleted"], deleted
    no_backup(s)
    error = refused(HttpResponseError, s.backup.protected_items.begin_create_or_update, *s.item("web-1"), body(s, "web-1", "daily-gfs"), status=400)
    assert error.error.code == "UserErrorItemInSoftDeletedState", error
    item = put(s, **REHYDRATE)
    assert item["protectionState"] == "ProtectionStopped" and not item.get("isScheduledForDeferredDelete"), item
    assert newest_job(s, "Undelete").status == "Completed"
    assert points(s) == kept, "no point was lost"


def delete_the_vault_softly(s):
    """delete the vault with its soft-deleted data, and bring it back"""
    kept = points(s)
    refused(HttpResponseError, s.vaults.vaults.begin_delete, s.group, s.vault, status=400)
    for vm in ("web-1", "big-1"):
        s.job_of(s.started(s.backup.protected_items.delete, *s.item(vm)))
    s.vaults.vaults.begin_delete(s.group, s.vault).result()
    refused(ResourceNotFoundError, s.vaults.vaults.get, s.group, s.vault, code="ResourceNotFound")
    (deleted,) = s.vaults.deleted_vaults.list_by_subscription_id(s.location)
    assert deleted.properties.vault_id.lower() == s.vault_id().lower(), deleted
    kept_for = deleted.properties.purge_at - deleted.properties.vault_deletion_time
    assert kept_for.days == 30, deleted
    assert s.vaults.deleted_vaults.get(s.location, deleted.name).name == deleted.name
    group = f"/subscriptions/{s.subscription}/resourceGroups/{s.group}"
    wanted = rs.DeletedVaultUndeleteInput(properties=rs.DeletedVaultUndeleteInputProperties(recovery_resource_group_id=group))
    s.vaults.deleted_vaults.begin_undelete(s.location, deleted.name, wanted).result()
    assert list(s.vaults.deleted_vaults.list_by_subscription_id(s.location)) == []
    put(s, **REHYDRATE)
    assert points(s) == kept, "the vault came back with every point"


def delete_for_good(s):
    """switch soft delete off, and delete the data and the vault for good"""
    off = bk.BackupResourceVaultConfig(soft_delete_feature_state="Disabled")
    s.backup.backup_resource_vault_configs.update(s.vault, s.group, bk.BackupResourceVaultConfigResource(properties=off))
    put(s, "big-1", **REHYDRATE)
    for vm in ("web-1", "big-1"):
        job = s.job_of(s.started(s.backup.protected_items.delete, *s.item(vm)))
        assert s.ended(job).properties.status == "Completed"
        refused(ResourceNotFoundError, s.backup.protected_items.get, *s.item(vm))
    s.backup.protection_containers.unregister(*s.item("web-1")[:4])
    s.vaults.vaults.begin_delete(s.group, s.vault).result()
    assert list(s.vaults.deleted_vaults.list_by_subscription_id(s.location)) == [], "without soft delete it is gone"
