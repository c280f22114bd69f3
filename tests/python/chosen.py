"""A restore asked about first, of chosen disks alone, and the one way that is not offered."""

import hashlib

from azure.core.exceptions import HttpResponseError
from azure.mgmt.recoveryservicesbackup import models as bk

from restores import done, newest_point, request
from session import refused


def group_id(s, name):
    return f"/subscriptions/{s.subscription}/resourceGroups/{name}"


def digests(folder):
    return sorted(hashlib.sha256(disk.read_bytes()).hexdigest() for disk in folder.glob("*.raw"))


def validated(s):
    """ask first whether a restore would be taken"""
    point = newest_point(s)
    _, _, fabric, container, item = s.item("web-1")
    id = f"{s.vault_id()}/backupFabrics/{fabric}/protectionContainers/{container}/protectedItems/{item}/recoveryPoints/{point}"

    def asked(group):
        wanted = request(s, point, "RestoreDisks", target_resource_group_id=group_id(s, group)).properties
        properties = bk.ValidateIaasVMRestoreOperationRequest(restore_request=wanted)
        return bk.ValidateOperationRequestResource(id=id, properties=properties)

    fine = s.backup.operation.validate(s.vault, s.group, asked("restored-rg"))
    assert fine.validate_operation_response.validation_results == [], fine
    s.backup.validate_operation.begin_trigger(s.vault, s.group, asked("restored-rg")).result()
    wrong = s.backup.operation.validate(s.vault, s.group, asked("no-such-rg"))
    (told,) = wrong.validate_operation_response.validation_results
    assert told.code == "ResourceGroupNotFound" and told.message, told
    assert list(s.backup.backup_jobs.list(s.vault, s.group, filter="operation eq 'Restore'")) == [], "nothing was begun"


def disks_by_lun(s):
    """restore the OS disk with one data disk, and alone"""
    source = s.inventory / "disks" / "web-1"
    for luns, group, expected in [([0], "one-lun-rg", ["os.raw", "data.raw"]), ([], "os-only-rg", ["os.raw"])]:
        point = newest_point(s)
        done(s, point, request(s, point, "RestoreDisks", target_resource_group_id=group_id(s, group), restore_disk_lun_list=luns))
        wanted = sorted(hashlib.sha256((source / name).read_bytes()).hexdigest() for name in expected)
        assert digests(s.inventory / "restored" / group) == wanted, group
    missing = request(s, point, "RestoreDisks", target_resource_group_id=group_id(s, "restored-rg"), restore_disk_lun_list=[7])
    refused(HttpResponseError, s.backup.restores.begin_trigger, *s.item("web-1"), point, missing, status=400)


def no_mount(s):
    """a mount over iSCSI is refused, and the refusal says where files are to be had"""
    point = newest_point(s)
    wanted = bk.IaasVMILRRegistrationRequest(recovery_point_id=point, virtual_machine_id=s.vm("web-1"))
    call = s.backup.item_level_recovery_connections.provision
    error = refused(HttpResponseError, call, *s.item("web-1"), point, bk.ILRRequestResource(properties=wanted), status=400)
    assert error.error.code == "BMSUserErrorNotSupported" and "/metadata/endpoints" in error.error.message, error
