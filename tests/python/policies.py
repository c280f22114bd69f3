"""Backup policies: those a new vault has, those a person makes, those that are refused."""

import datetime

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.recoveryservicesbackup import models as bk

from session import VM_FILTER, refused


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


def policy_in_use(s):
    """a policy in use cannot be deleted"""
    refused(HttpResponseError, s.backup.protection_policies.begin_delete, s.vault, s.group, "daily-gfs")
    assert s.backup.protection_policies.get(s.vault, s.group, "daily-gfs").name == "daily-gfs"
