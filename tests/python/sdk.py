"""Microsoft's Python SDK runs a virtual machine's whole life against `kluis service`.

One step after the other, each a function whose docstring is what is printed; the
first that fails ends the run. Success is judged by evidence: a restored disk is
compared by its SHA-256, a deleted thing is asked for again.
"""

import datetime
import hashlib
import pathlib
import sys
import traceback

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.mgmt.recoveryservices import RecoveryServicesClient
from azure.mgmt.recoveryservices import models as rs
from azure.mgmt.recoveryservicesbackup import models as bk

from session import Session, on_the_wire, refused, wait

VM_FILTER = "backupManagementType eq 'AzureIaasVM'"
ITEM_FILTER = f"{VM_FILTER} and itemType eq 'VM'"


def wrong_secret(s):
    """a wrong secret gets no token"""
    client = s.client(RecoveryServicesClient, s.credential("not-the-secret"))
    error = refused(ClientAuthenticationError, client.vaults.get, s.group, s.vault)
    assert "AADSTS7000215" in str(error) or "invalid_client" in str(error), error


def made_up_token(s):
    """a token of nobody's is refused"""

    class MadeUp:
        def get_token(self, *_, **__):
            from azure.core.credentials import AccessToken

            return AccessToken("made-up", 4_000_000_000)

    client = s.client(RecoveryServicesClient, MadeUp())
    refused(ClientAuthenticationError, client.vaults.get, s.group, s.vault, status=401)


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


def default_policies(s):
    """a new vault has its three policies"""
    names = [policy.name for policy in s.backup.backup_policies.list(s.vault, s.group)]
    assert sorted(names) == ["DefaultPolicy", "EnhancedPolicy", "HourlyLogBackup"], names
    default = s.backup.protection_policies.get(s.vault, s.group, "DefaultPolicy").properties
    assert isinstance(default, bk.AzureIaaSVMProtectionPolicy), default
    assert default.schedule_policy.schedule_run_frequency == "Daily", default
    assert default.retention_policy.daily_schedule.retention_duration.count == 30, default
    assert default.instant_rp_retention_range_in_days == 2, default
    enhanced = s.backup.protection_policies.get(s.vault, s.group, "EnhancedPolicy").properties
    assert enhanced.policy_type == "V2" and enhanced.schedule_policy.hourly_schedule.interval == 4, enhanced


def daily(count):
    at = datetime.datetime(2026, 1, 1, 22, 30, tzinfo=datetime.timezone.utc)
    duration = lambda number, unit: bk.RetentionDuration(count=number, duration_type=unit)
    schedule = bk.SimpleSchedulePolicy(schedule_run_frequency="Daily", schedule_run_times=[at])
    sundays = bk.WeeklyRetentionFormat(days_of_the_week=["Sunday"], weeks_of_the_month=["First"])
    retention = bk.LongTermRetentionPolicy(
        daily_schedule=bk.DailyRetentionSchedule(retention_times=[at], retention_duration=duration(count, "Days")),
        weekly_schedule=bk.WeeklyRetentionSchedule(
            days_of_the_week=["Sunday"], retention_times=[at], retention_duration=duration(12, "Weeks")
        ),
        monthly_schedule=bk.MonthlyRetentionSchedule(
            retention_schedule_format_type="Weekly",
            retention_schedule_weekly=sundays,
            retention_times=[at],
            retention_duration=duration(60, "Months"),
        ),
        yearly_schedule=bk.YearlyRetentionSchedule(
            retention_schedule_format_type="Weekly",
            months_of_year=["January"],
            retention_schedule_weekly=sundays,
            retention_times=[at],
            retention_duration=duration(10, "Years"),
        ),
    )
    return bk.AzureIaaSVMProtectionPolicy(
        schedule_policy=schedule,
        retention_policy=retention,
        time_zone="W. Europe Standard Time",
        instant_rp_retention_range_in_days=2,
    )


def policies(s):
    """create, update, list and delete a policy"""
    put = s.backup.protection_policies.create_or_update
    for name in ("daily-gfs", "short-lived"):
        made = put(s.vault, s.group, name, bk.ProtectionPolicyResource(properties=daily(30)))
        assert made.name == name and made.properties.protected_items_count == 0, made
    changed = put(s.vault, s.group, "daily-gfs", bk.ProtectionPolicyResource(properties=daily(35)))
    kept = s.backup.protection_policies.get(s.vault, s.group, "daily-gfs").properties
    assert changed.properties.retention_policy == kept.retention_policy, (changed, kept)
    assert kept.retention_policy.daily_schedule.retention_duration.count == 35, kept
    assert kept.retention_policy.yearly_schedule.months_of_year == ["January"], kept
    assert kept.schedule_policy.schedule_run_times[0].hour == 22 and kept.time_zone == "W. Europe Standard Time", kept
    listed = {policy.name for policy in s.backup.backup_policies.list(s.vault, s.group, filter=VM_FILTER)}
    assert listed == {"DefaultPolicy", "EnhancedPolicy", "daily-gfs", "short-lived"}, listed
    s.backup.protection_policies.begin_delete(s.vault, s.group, "short-lived").result()
    refused(ResourceNotFoundError, s.backup.protection_policies.get, s.vault, s.group, "short-lived")


def refused_policies(s):
    """a policy that breaks a limit is refused, with the reason"""
    put = s.backup.protection_policies.create_or_update
    error = refused(HttpResponseError, put, s.vault, s.group, "daily-gfs", bk.ProtectionPolicyResource(properties=daily(3)), status=400)
    assert error.error.code and "7" in error.error.message, error
    kept = s.backup.protection_policies.get(s.vault, s.group, "daily-gfs").properties
    assert kept.retention_policy.daily_schedule.retention_duration.count == 35, "what was refused changed nothing"


def discover(s):
    """refresh the containers, and find the machines to protect"""
    location = s.backup.protection_containers.refresh(
        s.vault, s.group, "Azure", cls=lambda pipeline, _, __: pipeline.http_response.headers["Location"]
    )
    statuses = []
    wait("discovery", lambda: statuses.append(s.raw("GET", location, version=None).status_code) or statuses[-1], lambda code: code != 202)
    assert statuses[-1] in (200, 204), statuses
    rows = s.backup.backup_protectable_items.list(s.vault, s.group, filter=VM_FILTER)
    found = {row["friendlyName"]: row for row in map(on_the_wire, rows)}
    assert set(found) == {"web-1", "big-1"}, found
    assert found["web-1"]["virtualMachineId"].lower() == s.vm("web-1").lower(), found
    assert found["web-1"]["protectionState"] == "NotProtected", found


def body(s, vm, policy):
    source = s.vm(vm)
    return bk.ProtectedItemResource(
        properties=bk.AzureIaaSComputeVMProtectedItem(source_resource_id=source, policy_id=s.policy(policy) if policy else "")
    )


def enable(s):
    """enable protection, and see the item wait for its first backup"""
    for vm in ("web-1", "big-1"):
        s.backup.protected_items.begin_create_or_update(*s.item(vm), body(s, vm, "daily-gfs")).result()
        item = s.read_item(vm)
        assert item["protectionState"] == "IRPending" and item["healthStatus"] == "Passed", item
        assert item["policyId"].lower() == s.policy("daily-gfs").lower(), item
        assert item["workloadType"] == "VM" and item["friendlyName"] == vm, item
    items = [on_the_wire(item)["friendlyName"] for item in s.backup.backup_protected_items.list(s.vault, s.group, filter=ITEM_FILTER)]
    assert sorted(items) == ["big-1", "web-1"], items
    policy = s.backup.protection_policies.get(s.vault, s.group, "daily-gfs").properties
    assert policy.protected_items_count == 2, policy
    left = [on_the_wire(item)["friendlyName"] for item in s.backup.backup_protectable_items.list(s.vault, s.group, filter=VM_FILTER)]
    assert left == [], "what is protected is no longer offered"


def refused_protection(s):
    """what does not exist cannot be protected, nor by a policy that does not"""
    put = s.backup.protected_items.begin_create_or_update
    refused(HttpResponseError, put, *s.item("ghost"), body(s, "ghost", "daily-gfs"))
    refused(HttpResponseError, put, *s.item("web-1"), body(s, "web-1", "no-such-policy"))
    item = s.read_item("web-1")
    assert item["policyId"].lower() == s.policy("daily-gfs").lower(), item
    refused(ResourceNotFoundError, s.backup.protected_items.get, *s.item("ghost"), code="BMSUserErrorDataSourceObjectNotFound")


def policy_in_use(s):
    """a policy in use cannot be deleted"""
    refused(HttpResponseError, s.backup.protection_policies.begin_delete, s.vault, s.group, "daily-gfs")
    assert s.backup.protection_policies.get(s.vault, s.group, "daily-gfs").name == "daily-gfs"


def backup_now(s, vm):
    """Starts a backup on demand, kept for thirty days; its job."""
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=30)
    request = bk.BackupRequestResource(properties=bk.IaasVMBackupRequest(recovery_point_expiry_time_in_utc=until))
    return s.job_of(s.started(s.backup.backups.trigger, *s.item(vm), request))


def back_up(s):
    """back up now, follow the job, list it by filter"""
    job = backup_now(s, "web-1")
    ended = s.ended(job).properties
    assert ended.status == "Completed", ended
    assert ended.operation == "Backup" and ended.entity_friendly_name == "web-1", ended
    assert ended.start_time and ended.end_time >= ended.start_time, ended
    tasks = {task.task_id: task.status for task in ended.extended_info.tasks_list}
    assert tasks == {"Take Snapshot": "Completed", "Transfer data to vault": "Completed"}, tasks
    names = lambda query: [found.name for found in s.backup.backup_jobs.list(s.vault, s.group, filter=query)]
    assert job in names("operation eq 'Backup' and status eq 'Completed'")
    assert job not in names("operation eq 'Restore'")
    assert job not in names("operation eq 'Backup' and status eq 'Failed'")
    assert len(names("operation eq 'ConfigureBackup'")) == 2
    assert names(f"jobId eq '{job}'") == [job]
    day = datetime.timedelta(days=1)
    clock = lambda moment: moment.strftime("%Y-%m-%d %I:%M:%S %p")
    window = f"startTime eq '{clock(ended.start_time - day)}' and endTime eq '{clock(ended.end_time + day)}'"
    assert job in names(window)
    past = f"startTime eq '{clock(ended.start_time - 9 * day)}' and endTime eq '{clock(ended.start_time - 8 * day)}'"
    assert job not in names(past)


def recovery_points(s):
    """find its recovery point, and the item protected"""
    points = list(s.backup.recovery_points.list(*s.item("web-1")))
    assert len(points) == 1, points
    point = s.backup.recovery_points.get(*s.item("web-1"), points[0].name).properties
    assert isinstance(point, bk.IaasVMRecoveryPoint) and point.is_managed_virtual_machine, point
    assert point.recovery_point_type in ("CrashConsistent", "FileSystemConsistent", "AppConsistent"), point
    assert [tier.status for tier in point.recovery_point_tier_details if tier.type == "HardenedRP"] == ["Valid"], point
    item = s.read_item("web-1")
    assert item["protectionState"] == "Protected" and item["lastBackupStatus"] == "Completed", item
    assert item["lastRecoveryPoint"] == point.as_dict()["recoveryPointTime"], item
    refused(HttpResponseError, s.backup.recovery_points.get, *s.item("web-1"), "404404404404")


def digests(folder):
    return sorted(hashlib.sha256(disk.read_bytes()).hexdigest() for disk in pathlib.Path(folder).rglob("*") if disk.is_file() and disk.suffix == ".raw")


def restore(s):
    """restore its disks, every byte of them"""
    point = next(iter(s.backup.recovery_points.list(*s.item("web-1")))).name
    storage = f"/subscriptions/{s.subscription}/resourceGroups/{s.group}/providers/Microsoft.Storage/storageAccounts/stagingweu"
    target = f"/subscriptions/{s.subscription}/resourceGroups/restored-rg"
    request = bk.IaasVMRestoreRequest(
        recovery_point_id=point,
        recovery_type="RestoreDisks",
        source_resource_id=s.vm("web-1"),
        storage_account_id=storage,
        target_resource_group_id=target,
        region=s.location,
        create_new_cloud_service=False,
        original_storage_account_option=False,
    )
    s.backup.restores.begin_trigger(*s.item("web-1"), point, bk.RestoreRequestResource(properties=request)).result()
    jobs = list(s.backup.backup_jobs.list(s.vault, s.group, filter="operation eq 'Restore'"))
    assert len(jobs) == 1, jobs
    ended = s.ended(jobs[0].name).properties
    assert ended.status == "Completed", ended
    assert digests(s.inventory / "restored" / "restored-rg") == digests(s.inventory / "disks" / "web-1")


def cancel(s):
    """cancel a job before its snapshot is taken; the one before it goes on"""
    running, queued = backup_now(s, "big-1"), backup_now(s, "web-1")
    assert "Cancellable" in s.job(queued).properties.actions_info, s.job(queued)
    s.backup.job_cancellations.trigger(s.vault, s.group, queued)
    assert s.ended(queued).properties.status == "Cancelled"
    assert s.ended(running).properties.status == "Completed"
    assert len(list(s.backup.recovery_points.list(*s.item("web-1")))) == 1, "a cancelled backup leaves no point"
    refused(HttpResponseError, s.backup.job_cancellations.trigger, s.vault, s.group, queued)


def stop(s):
    """stop protection and keep the data; resume; stop again"""
    stopped = bk.ProtectedItemResource(
        properties=bk.AzureIaaSComputeVMProtectedItem(source_resource_id=s.vm("web-1"), policy_id="", protection_state="ProtectionStopped")
    )
    put = s.backup.protected_items.begin_create_or_update
    for again in (True, False):
        put(*s.item("web-1"), stopped).result()
        item = s.read_item("web-1")
        assert item["protectionState"] == "ProtectionStopped" and not item["policyId"], item
        assert len(list(s.backup.recovery_points.list(*s.item("web-1")))) == 1, "the data is retained"
        request = bk.BackupRequestResource(properties=bk.IaasVMBackupRequest())
        refused(HttpResponseError, s.backup.backups.trigger, *s.item("web-1"), request)
        if again:
            put(*s.item("web-1"), body(s, "web-1", "DefaultPolicy")).result()
            item = s.read_item("web-1")
            assert item["protectionState"] == "Protected", item
            assert item["policyId"].lower() == s.policy("DefaultPolicy").lower(), item


def vault_in_use(s):
    """a vault with items cannot be deleted"""
    refused(HttpResponseError, s.vaults.vaults.begin_delete, s.group, s.vault, status=400)
    assert s.vaults.vaults.get(s.group, s.vault).name == s.vault


def bad_requests(s):
    """bad requests are answered by errors that say what is wrong"""
    items = f"{s.vault_id()}/backupProtectedItems"
    policy = f"{s.vault_id()}/backupPolicies/broken"
    for expected, response in [
        ("MissingApiVersionParameter", s.raw("GET", items, version=None)),
        ("InvalidApiVersionParameter", s.raw("GET", items, version="1999-01-01")),
        ("InvalidRequestContent", s.raw("PUT", policy, content=b"{not json", headers={"Content-Type": "application/json"})),
    ]:
        assert response.status_code == 400, (expected, response.status_code, response.text())
        error = response.json()["error"]
        assert error["code"] == expected and error["message"], error
        assert response.headers["x-ms-request-id"], "every answer can be asked about"
    refused(ResourceNotFoundError, s.backup.protection_policies.get, s.vault, s.group, "broken")


def delete(s):
    """delete the items with their data, then the vault"""
    for vm in ("web-1", "big-1"):
        job = s.job_of(s.started(s.backup.protected_items.delete, *s.item(vm)))
        assert s.ended(job).properties.status == "Completed"
        refused(ResourceNotFoundError, s.backup.protected_items.get, *s.item(vm))
    assert list(s.backup.backup_protected_items.list(s.vault, s.group, filter=ITEM_FILTER)) == []
    s.vaults.vaults.begin_delete(s.group, s.vault).result()
    refused(ResourceNotFoundError, s.vaults.vaults.get, s.group, s.vault, code="ResourceNotFound")
    assert s.vault not in [vault.name for vault in s.vaults.vaults.list_by_resource_group(s.group)]


STEPS = [
    wrong_secret,
    made_up_token,
    absent_vault,
    absent_group,
    create_vault,
    read_vaults,
    patch_vault,
    soft_delete_off,
    default_policies,
    policies,
    refused_policies,
    discover,
    enable,
    refused_protection,
    policy_in_use,
    back_up,
    recovery_points,
    restore,
    cancel,
    stop,
    vault_in_use,
    bad_requests,
    delete,
]


def main():
    session = Session()
    for step in STEPS:
        try:
            step(session)
        except Exception:
            traceback.print_exc()
            print(f"FAILED {step.__name__}: {step.__doc__}", flush=True)
            return 1
        print(f"ok {step.__name__}: {step.__doc__}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
