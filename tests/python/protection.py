"""A machine under protection: found, enabled, stopped, resumed, deleted."""

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.recoveryservicesbackup import models as bk

from session import ITEM_FILTER, VM_FILTER, on_the_wire, refused, wait


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


def stop(s):
    """stop protection and keep the data; resume; stop again"""
    stopped = bk.ProtectedItemResource(
        properties=bk.AzureIaaSComputeVMProtectedItem(source_resource_id=s.vm("web-1"), policy_id="", protection_state="ProtectionStopped")
    )
    put = s.backup.protected_items.begin_create_or_update
    points = lambda: [point.name for point in s.backup.recovery_points.list(*s.item("web-1"))]
    kept = points()
    for again in (True, False):
        put(*s.item("web-1"), stopped).result()
        item = s.read_item("web-1")
        assert item["protectionState"] == "ProtectionStopped" and not item["policyId"], item
        assert kept and points() == kept, "the data is retained"
        request = bk.BackupRequestResource(properties=bk.IaasVMBackupRequest())
        refused(HttpResponseError, s.backup.backups.trigger, *s.item("web-1"), request)
        if again:
            put(*s.item("web-1"), body(s, "web-1", "DefaultPolicy")).result()
            item = s.read_item("web-1")
            assert item["protectionState"] == "Protected", item
            assert item["policyId"].lower() == s.policy("DefaultPolicy").lower(), item


def delete_items(s):
    """delete the items with their data"""
    for vm in ("web-1", "big-1"):
        job = s.job_of(s.started(s.backup.protected_items.delete, *s.item(vm)))
        assert s.ended(job).properties.status == "Completed"
        refused(ResourceNotFoundError, s.backup.protected_items.get, *s.item(vm))
    assert list(s.backup.backup_protected_items.list(s.vault, s.group, filter=ITEM_FILTER)) == []
