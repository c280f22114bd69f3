"""Policies of every workload, in both kinds of vault: put, read, listed, changed, deleted; and each limit held."""

import copy
import datetime
import json

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.dataprotection import DataProtectionMgmtClient
from azure.mgmt.dataprotection import models as dp
from azure.mgmt.recoveryservicesbackup import models as bk

from session import refused

AT = datetime.datetime(2026, 1, 1, 22, 30, tzinfo=datetime.timezone.utc)
BACKUP_VAULT = "shop-disks"


def lasts(count, unit):
    return bk.RetentionDuration(count=count, duration_type=unit)


def once(**more):
    return bk.SimpleSchedulePolicy(schedule_run_times=[AT], **{"schedule_run_frequency": "Daily", **more})


def weekly(*days):
    return once(schedule_run_frequency="Weekly", schedule_run_days=list(days))


def long_term(days=None, weeks=12, times=(AT,)):
    """Retention in four tiers; without days for a weekly schedule."""
    first_sunday = bk.WeeklyRetentionFormat(days_of_the_week=["Sunday"], weeks_of_the_month=["First"])
    times = list(times)
    policy = bk.LongTermRetentionPolicy(
        weekly_schedule=bk.WeeklyRetentionSchedule(
            days_of_the_week=["Sunday"], retention_times=times, retention_duration=lasts(weeks, "Weeks")
        ),
        monthly_schedule=bk.MonthlyRetentionSchedule(
            retention_schedule_format_type="Weekly",
            retention_schedule_weekly=first_sunday,
            retention_times=times,
            retention_duration=lasts(60, "Months"),
        ),
        yearly_schedule=bk.YearlyRetentionSchedule(
            retention_schedule_format_type="Weekly",
            months_of_year=["January"],
            retention_schedule_weekly=first_sunday,
            retention_times=times,
            retention_duration=lasts(10, "Years"),
        ),
    )
    if days:
        policy.daily_schedule = bk.DailyRetentionSchedule(retention_times=times, retention_duration=lasts(days, "Days"))
    return policy


def machine(**more):
    return bk.AzureIaaSVMProtectionPolicy(
        **{
            "schedule_policy": once(),
            "retention_policy": long_term(30),
            "time_zone": "W. Europe Standard Time",
            "instant_rp_retention_range_in_days": 2,
            **more,
        }
    )


def enhanced():
    start = AT.replace(hour=8, minute=0)
    hourly = bk.HourlySchedule(interval=4, schedule_window_start_time=start, schedule_window_duration=12)
    return machine(
        policy_type="V2",
        schedule_policy=bk.SimpleSchedulePolicyV2(schedule_run_frequency="Hourly", hourly_schedule=hourly),
        retention_policy=long_term(30, times=[start]),
        instant_rp_retention_range_in_days=7,
    )


def part(kind, schedule, retention):
    return bk.SubProtectionPolicy(policy_type=kind, schedule_policy=schedule, retention_policy=retention)


def days(count):
    return bk.SimpleRetentionPolicy(retention_duration=lasts(count, "Days"))


def log():
    return part("Log", bk.LogSchedulePolicy(schedule_frequency_in_mins=15), days(15))


def database(workload, *parts):
    settings = bk.Settings(time_zone="UTC", issqlcompression=workload == "SQLDataBase", is_compression=workload == "SQLDataBase")
    return bk.AzureVmWorkloadProtectionPolicy(work_load_type=workload, settings=settings, sub_protection_policy=list(parts))


def share(**more):
    return bk.AzureFileShareProtectionPolicy(
        **{
            "work_load_type": "AzureFileShare",
            "schedule_policy": once(),
            "retention_policy": bk.LongTermRetentionPolicy(
                daily_schedule=bk.DailyRetentionSchedule(retention_times=[AT], retention_duration=lasts(30, "Days"))
            ),
            "time_zone": "UTC",
            **more,
        }
    )


def kinds():
    """A policy of every kind that a recovery services vault has: how lists are asked for it, and whether it is a database's."""
    vm, sql, hana = ("AzureIaasVM", "VM"), ("AzureWorkload", "SQLDataBase"), ("AzureWorkload", "SAPHanaDatabase")
    full = part("Full", weekly("Sunday"), long_term())
    wednesdays = lambda kind: part(kind, weekly("Wednesday"), days(30))
    return {
        "machines-daily": (vm, machine()),
        "machines-weekly": (
            vm,
            machine(schedule_policy=weekly("Sunday"), retention_policy=long_term(), instant_rp_retention_range_in_days=5),
        ),
        "machines-hourly": (vm, enhanced()),
        "sql": (sql, database("SQLDataBase", full, wednesdays("Differential"), log())),
        "sql-daily": (sql, database("SQLDataBase", part("Full", once(), long_term(30)), log())),
        "hana-differential": (hana, database("SAPHanaDatabase", full, wednesdays("Differential"), log())),
        "hana-incremental": (hana, database("SAPHanaDatabase", full, wednesdays("Incremental"), log())),
        "shares": (("AzureStorage", "AzureFileShare"), share()),
        "files": (("MAB", "FileFolder"), bk.MabProtectionPolicy(schedule_policy=once(), retention_policy=long_term(30))),
    }


def retention_of(policy):
    """The retention that a change is made to, wherever the kind has it."""
    return policy.sub_protection_policy[0].retention_policy if hasattr(policy, "sub_protection_policy") else policy.retention_policy


def every_kind(s):
    """put, read, list, change and delete a policy of every kind"""
    policies = s.backup.protection_policies
    for name, ((management, workload), wanted) in kinds().items():
        made = policies.create_or_update(s.vault, s.group, name, bk.ProtectionPolicyResource(properties=wanted))
        assert made.name == name and made.properties.protected_items_count == 0, made
        assert type(made.properties) is type(wanted), (name, made)
        read = policies.get(s.vault, s.group, name)
        assert read == made, (name, read, made)
        # What is read and written back is the same policy.
        again = policies.create_or_update(s.vault, s.group, name, bk.ProtectionPolicyResource(properties=read.properties))
        assert again == read, (name, again, read)
        query = f"backupManagementType eq '{management}' and workloadType eq '{workload}'"
        listed = {found.name for found in s.backup.backup_policies.list(s.vault, s.group, filter=query)}
        assert name in listed, (name, listed)

        changed = copy.deepcopy(read.properties)
        tier = retention_of(changed)
        if tier.daily_schedule:
            tier.daily_schedule.retention_duration.count = 31
        else:
            tier.weekly_schedule.retention_duration.count = 13
        policies.create_or_update(s.vault, s.group, name, bk.ProtectionPolicyResource(properties=changed))
        kept = retention_of(policies.get(s.vault, s.group, name).properties)
        assert kept == tier, (name, kept, tier)
    listed = {found.name for found in s.backup.backup_policies.list(s.vault, s.group)}
    assert listed == {*kinds(), "DefaultPolicy", "EnhancedPolicy", "HourlyLogBackup"}, listed


def own_kind(s):
    """a policy keeps its kind: no write makes it one of another workload"""
    put = s.backup.protection_policies.create_or_update
    others = {"machines-daily": "shares", "sql": "hana-differential", "shares": "files"}
    for name, other in others.items():
        body = bk.ProtectionPolicyResource(properties=kinds()[other][1])
        error = refused(HttpResponseError, put, s.vault, s.group, name, body, status=400)
        assert "can't become one of" in error.error.message, error
    # From standard to enhanced is a person's choice while nothing uses the policy, and so is the way back.
    for kind in ("machines-hourly", "machines-daily"):
        body = bk.ProtectionPolicyResource(properties=kinds()[kind][1])
        found = put(s.vault, s.group, "machines-daily", body).properties.policy_type
        assert found == ("V2" if kind == "machines-hourly" else None)


def delete_every_kind(s):
    """delete them all, and those that every vault has"""
    for name in [*kinds(), "HourlyLogBackup"]:
        s.backup.protection_policies.begin_delete(s.vault, s.group, name).result()
        refused(ResourceNotFoundError, s.backup.protection_policies.get, s.vault, s.group, name)
    # A second time is no failure.
    s.backup.protection_policies.begin_delete(s.vault, s.group, "sql").result()


def protection(s):
    return s.client(DataProtectionMgmtClient, s.credential(s.credentials["clientSecret"]))


def backup_vault(s):
    """make, read, list and change a backup vault"""
    client = protection(s)
    refused(ResourceNotFoundError, client.backup_vaults.get, s.group, BACKUP_VAULT)
    name = dp.CheckNameAvailabilityRequest(name=BACKUP_VAULT, type="Microsoft.DataProtection/BackupVaults")
    assert client.backup_vaults.check_name_availability(s.group, s.location, name).name_available
    wanted = dp.BackupVaultResource(
        location=s.location,
        tags={"team": "shop"},
        properties=dp.BackupVault(storage_settings=[dp.StorageSetting(datastore_type="VaultStore", type="LocallyRedundant")]),
    )
    made = client.backup_vaults.begin_create_or_update(s.group, BACKUP_VAULT, wanted).result()
    assert made.properties.provisioning_state == "Succeeded" and made.tags == {"team": "shop"}, made
    settings = dp.SecuritySettings(soft_delete_settings=dp.SoftDeleteSettings(state="On", retention_duration_in_days=30))
    change = dp.PatchResourceRequestInput(properties=dp.PatchBackupVaultInput(security_settings=settings))
    client.backup_vaults.begin_update(s.group, BACKUP_VAULT, change).result()
    read = client.backup_vaults.get(s.group, BACKUP_VAULT)
    assert read.properties.security_settings.soft_delete_settings.retention_duration_in_days == 30, read
    assert read.properties.storage_settings[0].type == "LocallyRedundant", read
    for listed in (client.backup_vaults.get_in_resource_group(s.group), client.backup_vaults.get_in_subscription()):
        assert [found.name for found in listed] == [BACKUP_VAULT]
    assert not client.backup_vaults.check_name_availability(s.group, s.location, name).name_available
    assert list(client.backup_instances.list(s.group, BACKUP_VAULT)) == []


def rule(name, store, backup_type, interval, *tags):
    """A backup rule; each tag is a name, its priority and when it is given."""
    given = [dp.TaggingCriteria(is_default=True, tagging_priority=99, tag_info=dp.RetentionTag(tag_name="Default"))]
    for tag, priority, criteria in tags:
        criteria = [dp.ScheduleBasedBackupCriteria(**criteria)]
        given.append(
            dp.TaggingCriteria(is_default=False, tagging_priority=priority, tag_info=dp.RetentionTag(tag_name=tag), criteria=criteria)
        )
    return dp.AzureBackupRule(
        name=name,
        backup_parameters=dp.AzureBackupParams(backup_type=backup_type),
        data_store=dp.DataStoreInfoBase(data_store_type=store, object_type="DataStoreInfoBase"),
        trigger=dp.ScheduleBasedTriggerContext(
            schedule=dp.BackupSchedule(repeating_time_intervals=[f"R/2026-01-04T08:00:00+00:00/{interval}"], time_zone="UTC"),
            tagging_criteria=given,
        ),
    )


def keep(name, store, duration):
    store = dp.DataStoreInfoBase(data_store_type=store, object_type="DataStoreInfoBase")
    cycle = dp.SourceLifeCycle(delete_after=dp.AbsoluteDeleteOption(duration=duration), source_data_store=store)
    return dp.AzureRetentionRule(name=name, is_default=name == "Default", lifecycles=[cycle])


def backup_vault_kinds():
    disks, servers = "OperationalStore", "VaultStore"
    sundays = ("Weekly", 20, {"days_of_the_week": ["Sunday"], "schedule_times": [AT.replace(day=4, hour=8, minute=0)]})
    return {
        "disks": (
            "Microsoft.Compute/disks",
            [rule("BackupHourly", disks, "Incremental", "PT4H"), keep("Default", disks, "P7D")],
        ),
        "disks-daily": (
            "Microsoft.Compute/disks",
            [
                rule("BackupDaily", disks, "Incremental", "P1D", sundays),
                keep("Default", disks, "P7D"),
                keep("Weekly", disks, "P4W"),
            ],
        ),
        "postgresql": (
            "Microsoft.DBforPostgreSQL/flexibleServers",
            [rule("BackupWeekly", servers, "Full", "P1W"), keep("Default", servers, "P3M")],
        ),
    }


def every_backup_vault_kind(s):
    """put, read, list, change and delete policies for disks and PostgreSQL"""
    client, kinds = protection(s), backup_vault_kinds()
    policies = client.backup_policies
    for name, (source, rules) in kinds.items():
        wanted = dp.BaseBackupPolicyResource(properties=dp.BackupPolicy(datasource_types=[source], policy_rules=rules))
        made = policies.create_or_update(s.group, BACKUP_VAULT, name, wanted)
        assert made.name == name and made.properties.datasource_types == [source], made
        assert made.properties.policy_rules[0].trigger.tagging_criteria[0].tag_info.id == "Default_", made
        read = policies.get(s.group, BACKUP_VAULT, name)
        assert read == made, (read, made)
        again = policies.create_or_update(s.group, BACKUP_VAULT, name, dp.BaseBackupPolicyResource(properties=read.properties))
        assert again == read, (again, read)
        changed = copy.deepcopy(read.properties)
        changed.policy_rules[1].lifecycles[0].delete_after.duration = "P14D" if "disks" in name else "P6M"
        policies.create_or_update(s.group, BACKUP_VAULT, name, dp.BaseBackupPolicyResource(properties=changed))
        kept = policies.get(s.group, BACKUP_VAULT, name).properties.policy_rules[1].lifecycles[0].delete_after.duration
        assert kept == changed.policy_rules[1].lifecycles[0].delete_after.duration, (name, kept)
    assert {found.name for found in policies.list(s.group, BACKUP_VAULT)} == set(kinds)
    body = dp.BackupPolicy(datasource_types=["Microsoft.Compute/disks"], policy_rules=kinds["disks"][1])
    error = refused(
        HttpResponseError, policies.create_or_update, s.group, BACKUP_VAULT, "postgresql",
        dp.BaseBackupPolicyResource(properties=body), status=400,
    )
    assert "can't become one for" in error.error.message, error
    for name in kinds:
        policies.delete(s.group, BACKUP_VAULT, name)
        refused(ResourceNotFoundError, policies.get, s.group, BACKUP_VAULT, name)
    policies.delete(s.group, BACKUP_VAULT, "disks")


def limits(s):
    """each number of the table of limits is taken, and one beyond it refused with the right code"""
    cases = json.loads((s.inventory / "boundaries.json").read_text())
    assert len(cases) > 200, len(cases)
    vault = f"/subscriptions/{s.subscription}/resourceGroups/{s.group}/providers/Microsoft.DataProtection/backupVaults/{BACKUP_VAULT}"
    wrong = []
    for case in cases:
        policy = f"{vault if case['backupVault'] else s.vault_id()}/backupPolicies/edge"
        answer = s.raw("PUT", policy, json={"properties": case["properties"]})
        found = answer.json().get("error", {}).get("code") if answer.status_code >= 300 else None
        if found != case["code"] or answer.status_code not in (200, 400):
            wrong.append((case["name"], case["code"], answer.status_code, answer.text()[:300]))
        if answer.status_code == 200:
            assert s.raw("DELETE", policy).status_code == 200, case
    assert not wrong, "\n".join(map(str, wrong))


def delete_backup_vault(s):
    """delete the backup vault"""
    client = protection(s)
    client.backup_vaults.begin_delete(s.group, BACKUP_VAULT).result()
    refused(ResourceNotFoundError, client.backup_vaults.get, s.group, BACKUP_VAULT)
    assert list(client.backup_vaults.get_in_resource_group(s.group)) == []
