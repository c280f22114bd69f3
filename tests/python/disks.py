"""Bytes in and out: backups on demand, their jobs and points, a restore compared by its SHA-256."""

import datetime
import hashlib
import pathlib

from azure.core.exceptions import HttpResponseError
from azure.mgmt.recoveryservicesbackup import models as bk

from session import refused


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
    """The SHA-256 of every raw disk below a folder, in an order that does not depend on names."""
    return sorted(hashlib.sha256(disk.read_bytes()).hexdigest() for disk in pathlib.Path(folder).rglob("*.raw"))


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
    restored = digests(s.inventory / "restored" / "restored-rg")
    assert len(restored) == 2 and restored == digests(s.inventory / "disks" / "web-1"), restored


def cancel(s):
    """cancel a job before its snapshot is taken; the one before it goes on"""
    running, queued = backup_now(s, "big-1"), backup_now(s, "web-1")
    assert "Cancellable" in s.job(queued).properties.actions_info, s.job(queued)
    s.backup.job_cancellations.trigger(s.vault, s.group, queued)
    assert s.ended(queued).properties.status == "Cancelled"
    assert s.ended(running).properties.status == "Completed"
    assert len(list(s.backup.recovery_points.list(*s.item("web-1")))) == 1, "a cancelled backup leaves no point"
    refused(HttpResponseError, s.backup.job_cancellations.trigger, s.vault, s.group, queued)
