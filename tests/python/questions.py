"""What clients ask around items, points and jobs, and what is not offered."""

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.recoveryservices import models as rs
from azure.mgmt.recoveryservicesbackup import models as bk

from session import refused


def before_protection(s):
    """ask whether a machine is protected and could be, and protect it by an intent"""
    status = bk.BackupStatusRequest(resource_type="VM", resource_id=s.vm("web-1"))
    assert s.backup.backup_status.get(s.location, status).protection_status == "NotProtected"
    asked = bk.PreValidateEnableBackupRequest(resource_type="VM", resource_id=s.vm("web-1"), vault_id=s.vault_id())
    assert s.backup.protection_intent.validate(s.location, asked).status == "Succeeded"
    feature = bk.AzureVMResourceFeatureSupportRequest(vm_size="Standard_D2s_v5", vm_sku="Premium")
    assert s.backup.feature_support.validate(s.location, feature).support_status == "Supported"
    intent = bk.ProtectionIntentResource(
        properties=bk.AzureResourceProtectionIntent(source_resource_id=s.vm("web-1"), policy_id=s.policy("daily-gfs"))
    )
    name = f"vm;iaasvmcontainerv2;{s.group};web-1"
    made = s.backup.protection_intent.create_or_update(s.vault, s.group, "Azure", name, intent)
    assert made.properties.protection_state == "Protected", made
    assert [found.name for found in s.backup.backup_protection_intent.list(s.vault, s.group)] == [name]
    assert s.backup.backup_status.get(s.location, status).protection_status == "Protected"
    told = s.backup.protection_intent.validate(s.location, asked)
    assert told.status == "Failed" and told.error_code == "VirtualMachineAlreadyProtected", told
    s.backup.protection_intent.delete(s.vault, s.group, "Azure", name)
    refused(ResourceNotFoundError, s.backup.protection_intent.get, s.vault, s.group, "Azure", name)
    assert s.read_item("web-1")["protectionState"] == "IRPending"


def counts(s):
    """count what is in the vault, in three ways"""
    summary = s.backup.backup_usage_summaries.list(s.vault, s.group, filter="type eq 'BackupProtectedItemCountSummary'")
    assert {row.name.value: row.current_value for row in summary} == {"AzureIaasVM": 1}
    usages = {row.name.value: row.current_value for row in s.vaults.usages.list_by_vaults(s.group, s.vault)}
    assert usages["ProtectedItemCount"] == 1, usages
    assert list(s.vaults.replication_usages.list(s.group, s.vault)) == []


def pages(s):
    """more jobs than fit on a page are listed once each, and exported"""
    configure = bk.ProtectedItemResource(
        properties=bk.AzureIaaSComputeVMProtectedItem(source_resource_id=s.vm("web-1"), policy_id=s.policy("daily-gfs"))
    )
    for _ in range(205):
        s.backup.protected_items.begin_create_or_update(*s.item("web-1"), configure, polling=False)
    listed = [job.name for job in s.backup.backup_jobs.list(s.vault, s.group, filter="operation eq 'ConfigureBackup'")]
    assert len(listed) == 206 and len(set(listed)) == 206, len(listed)
    pages = [list(page) for page in s.backup.backup_jobs.list(s.vault, s.group).by_page()]
    assert [len(page) for page in pages] == [200, 6], [len(page) for page in pages]
    started = s.backup.jobs.export(s.vault, s.group, cls=lambda pipeline, _, __: pipeline.http_response.headers)
    operation = started["Location"].split("?")[0].rsplit("/", 1)[1]
    exported = s.backup.export_jobs_operation_results.get(s.vault, s.group, operation)
    assert sorted(exported.operation.job_list) == sorted(listed), exported
    small = s.raw("GET", f"{s.vault_id()}/backupJobs?%24top=2&%24filter=status+eq+%27Completed%27&api-version=2024-04-01", version=None).json()
    assert len(small["value"]) == 2 and "skiptoken" in small["nextLink"].lower(), small
    follow = s.raw("GET", small["nextLink"], version=None).json()
    assert len(follow["value"]) == 2 and not {row["id"] for row in follow["value"]} & {row["id"] for row in small["value"]}


def spelled_otherwise(s):
    """paths are read without regard to case, and percent-encoded or not"""
    vault, group, fabric, container, item = s.item("web-1")
    path = f"{s.vault_id()}/backupFabrics/{fabric}/protectionContainers/{container}/protectedItems/{item}"
    for spelling in (path, path.upper(), path.lower(), path.replace(";", "%3B"), path.replace("-", "%2d")):
        found = s.raw("GET", spelling)
        assert found.status_code == 200 and found.json()["properties"]["friendlyName"] == "web-1", (spelling, found.text())
    wrong = s.raw("POST", path)
    assert wrong.status_code == 405 and wrong.json()["error"]["code"] == "MethodNotAllowed", wrong.text()


def not_offered(s):
    """what is not offered says so, with a code and what there is instead"""
    assert list(s.backup.backup_engines.list(s.vault, s.group)) == []
    assert list(s.backup.backup_workload_items.list(*s.item("web-1")[:4])) == []
    assert list(s.vaults.private_link_resources.list(s.group, s.vault)) == []
    s.backup.resource_guard_proxy.delete(s.vault, s.group, "guard")
    s.vaults.registered_identities.delete(s.group, s.vault, "dpm")
    guard = bk.ResourceGuardProxyBaseResource(properties=bk.ResourceGuardProxyBase(resource_guard_resource_id="/guard"))
    endpoint = bk.PrivateEndpointConnectionResource(properties=bk.PrivateEndpointConnection())
    own_key = bk.BackupResourceEncryptionConfigResource(
        properties=bk.BackupResourceEncryptionConfig(encryption_at_rest_type="CustomerManaged")
    )
    certificate = rs.CertificateRequest(properties=rs.RawCertificateData(auth_type="AAD", certificate=b"x"))
    sql = bk.ProtectionContainerResource(properties=bk.AzureVMAppContainerProtectionContainer(source_resource_id=s.vm("web-1")))
    for call, *args in [
        (s.backup.resource_guard_proxy.put, s.vault, s.group, "guard", guard),
        (s.backup.private_endpoint_connection.begin_put, s.vault, s.group, "private", endpoint),
        (s.backup.backup_resource_encryption_configs.update, s.vault, s.group, own_key),
        (s.backup.security_pins.get, s.vault, s.group, bk.SecurityPinBase()),
        (s.backup.fetch_tiering_cost.begin_post, s.group, s.vault, bk.FetchTieringCostInfoForRehydrationRequest(
            source_tier_type="VaultTier", target_tier_type="ArchiveTier", container_name="c", protected_item_name="i",
            recovery_point_id="1", rehydration_priority="High",
        )),
        (s.vaults.vault_certificates.create, s.group, s.vault, "credentials", certificate),
        (s.backup.protection_containers.begin_register, s.vault, s.group, "Azure", f"VMAppContainer;Compute;{s.group};web-1", sql),
        (s.backup.protection_containers.inquire, *s.item("web-1")[:4]),
    ]:
        error = refused(HttpResponseError, call, *args, status=400)
        assert error.error.code == "BMSUserErrorNotSupported" and len(error.error.message) > 30, error
    for call, *args in [
        (s.backup.backup_engines.get, s.vault, s.group, "engine"),
        (s.vaults.private_link_resources.get, s.group, s.vault, "backupResource"),
        (s.backup.private_endpoint_connection.get, s.vault, s.group, "private"),
    ]:
        refused(ResourceNotFoundError, call, *args, code="ResourceNotFound")


def kept_for_agents(s):
    """the vault's extended information is kept as it was written"""
    info = s.vaults.vault_extended_info
    refused(ResourceNotFoundError, info.get, s.group, s.vault)
    key = rs.VaultExtendedInfoResource(properties=rs.VaultExtendedInfo(integrity_key="J09wzS27fnJ+Wjot7xO5wA==", algorithm="None"))
    assert info.create_or_update(s.group, s.vault, key).properties.algorithm == "None"
    assert info.get(s.group, s.vault).properties.integrity_key == "J09wzS27fnJ+Wjot7xO5wA=="
