"""Every way back: a new machine, its own disks replaced, one disk; each judged by its bytes and by what ARM says."""

import hashlib
import json

from azure.core.exceptions import HttpResponseError
from azure.mgmt.recoveryservicesbackup import models as bk

from session import refused

TARGET = "restored-rg"


def request(s, point, kind, **more):
    """A restore of web-1's point, staged as every restore is."""
    storage = f"/subscriptions/{s.subscription}/resourceGroups/{s.group}/providers/Microsoft.Storage/storageAccounts/stagingweu"
    return bk.RestoreRequestResource(
        properties=bk.IaasVMRestoreRequest(
            recovery_point_id=point,
            recovery_type=kind,
            source_resource_id=s.vm("web-1"),
            storage_account_id=storage,
            region=s.location,
            create_new_cloud_service=False,
            original_storage_account_option=False,
            **more,
        )
    )


def new_machine_request(s, point, name, network="shop-net"):
    group = f"/subscriptions/{s.subscription}/resourceGroups/{TARGET}"
    network = f"/subscriptions/{s.subscription}/resourceGroups/{s.group}/providers/Microsoft.Network/virtualNetworks/{network}"
    return request(
        s,
        point,
        "AlternateLocation",
        target_virtual_machine_id=f"{group}/providers/Microsoft.Compute/virtualMachines/{name}",
        target_resource_group_id=group,
        virtual_network_id=network,
        subnet_id=f"{network}/subnets/default",
    )


def newest_point(s):
    points = s.backup.recovery_points.list(*s.item("web-1"))
    return max(points, key=lambda point: point.properties.recovery_point_time).name


def done(s, point, body):
    """Restores, to a good end; what the job says of itself."""
    known = {job.name for job in s.backup.backup_jobs.list(s.vault, s.group, filter="operation eq 'Restore'")}
    s.backup.restores.begin_trigger(*s.item("web-1"), point, body).result()
    jobs = [job.name for job in s.backup.backup_jobs.list(s.vault, s.group, filter="operation eq 'Restore'")]
    (job,) = [name for name in jobs if name not in known]
    ended = s.ended(job).properties
    assert ended.status == "Completed", ended
    return ended.extended_info.property_bag


def machine(s, group, name):
    path = f"/subscriptions/{s.subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"
    return s.raw("GET", path, version="2024-07-01")


def disks(s, group, name):
    """The names of a machine's disks, the OS disk first."""
    profile = machine(s, group, name).json()["properties"]["storageProfile"]
    return [disk["name"] for disk in [profile["osDisk"], *profile["dataDisks"]]]


def digests(s, group, names):
    folder = s.inventory / "restored" / group
    return [hashlib.sha256((folder / f"{name}.raw").read_bytes()).hexdigest() for name in names]


def originals(s):
    folder = s.inventory / "disks" / "web-1"
    return [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("os.raw", "data.raw")]


def new_machine(s):
    """restore to a new machine, whose template is beside its disks"""
    point = newest_point(s)
    refused(HttpResponseError, s.backup.restores.begin_trigger, *s.item("web-1"), point,
            new_machine_request(s, point, "web-9", network="no-net"), code="UserErrorVirtualNetworkNotFound")
    assert machine(s, TARGET, "web-9").status_code == 404
    bag = done(s, point, new_machine_request(s, point, "web-9"))
    assert bag["Job Type"] == "Create virtual machine", bag
    names = disks(s, TARGET, "web-9")
    assert digests(s, TARGET, names) == originals(s), names
    folder = s.inventory / "restored" / TARGET / bag["Config Blob Container Name"]
    assert bag["Template Blob Uri"].startswith(s.credentials["endpoint"]), bag
    template = json.loads((folder / bag["Template Blob Uri"].rsplit("/", 1)[1]).read_text())
    assert [resource["type"] for resource in template["resources"]][-1] == "Microsoft.Compute/virtualMachines"
    refused(HttpResponseError, s.backup.restores.begin_trigger, *s.item("web-1"), point,
            new_machine_request(s, point, "web-9"), code="UserErrorTargetVirtualMachineAlreadyExists")


def in_place(s):
    """replace a machine's disks, what they held kept as a recovery point"""
    point = newest_point(s)
    before, held = disks(s, s.group, "web-1"), originals(s)
    points = len(list(s.backup.recovery_points.list(*s.item("web-1"))))
    bag = done(s, point, request(s, point, "OriginalLocation"))
    after = disks(s, s.group, "web-1")
    assert not set(before) & set(after), (before, after)
    assert digests(s, s.group, after) == held == originals(s)
    names = [found.name for found in s.backup.recovery_points.list(*s.item("web-1"))]
    assert len(names) == points + 1 and bag["Recovery Point Before"] in names, (bag, names)


def one_disk(s):
    """replace one disk and no other"""
    point = newest_point(s)
    before = disks(s, s.group, "web-1")
    done(s, point, request(s, point, "OriginalLocation", restore_disk_lun_list=[0]))
    after = disks(s, s.group, "web-1")
    assert after[0] == before[0] and after[1] != before[1], (before, after)
    assert digests(s, s.group, after) == originals(s)
