//! The policies that every vault has from the start, as Azure gives them.
//!
//! Azure picks an hour of its own for each vault; here it is the one that its documentation shows.

use serde_json::{Value, json};

use super::rows::Policy;
use crate::core::Context;
use crate::store::{StoreError, Tx};
use crate::vaults::VaultRow;

/// Writes the three policies into a vault; one that is there already stays as it is.
pub(super) fn write(
    tx: &mut Tx<'_>,
    ctx: &Context<'_>,
    vault: &VaultRow,
) -> Result<(), StoreError> {
    let date = ctx.now.strftime("%Y-%m-%d").to_string();
    let defaults = [
        ("DefaultPolicy", default_policy(&date)),
        ("EnhancedPolicy", enhanced_policy(&date)),
        ("HourlyLogBackup", hourly_log_backup(&date)),
    ];
    for (name, properties) in defaults {
        let policy = Policy {
            vault: vault.id_key(),
            name: name.to_owned(),
            properties,
        };
        if tx
            .get::<Policy>(&Policy::key_of(&policy.vault, name))?
            .is_none()
        {
            tx.put(&policy)?;
        }
    }
    Ok(())
}

fn daily(at: &str) -> Value {
    json!({
        "schedulePolicyType": "SimpleSchedulePolicy",
        "scheduleRunFrequency": "Daily",
        "scheduleRunTimes": [at],
        "scheduleWeeklyFrequency": 0,
    })
}

fn thirty_days(at: &str) -> Value {
    json!({
        "retentionPolicyType": "LongTermRetentionPolicy",
        "dailySchedule": {
            "retentionTimes": [at],
            "retentionDuration": { "count": 30, "durationType": "Days" },
        },
    })
}

fn default_policy(date: &str) -> Value {
    let at = format!("{date}T20:00:00Z");
    json!({
        "backupManagementType": "AzureIaasVM",
        "instantRPDetails": {},
        "schedulePolicy": daily(&at),
        "retentionPolicy": thirty_days(&at),
        "instantRpRetentionRangeInDays": 2,
        "timeZone": "UTC",
    })
}

fn enhanced_policy(date: &str) -> Value {
    let at = format!("{date}T08:00:00Z");
    json!({
        "backupManagementType": "AzureIaasVM",
        "policyType": "V2",
        "instantRPDetails": {},
        "schedulePolicy": {
            "schedulePolicyType": "SimpleSchedulePolicyV2",
            "scheduleRunFrequency": "Hourly",
            "hourlySchedule": { "interval": 4, "scheduleWindowStartTime": at, "scheduleWindowDuration": 12 },
        },
        "retentionPolicy": thirty_days(&at),
        "instantRpRetentionRangeInDays": 2,
        "timeZone": "UTC",
    })
}

fn hourly_log_backup(date: &str) -> Value {
    let at = format!("{date}T20:00:00Z");
    json!({
        "backupManagementType": "AzureWorkload",
        "workLoadType": "SQLDataBase",
        "settings": { "timeZone": "UTC", "issqlcompression": false, "isCompression": false },
        "subProtectionPolicy": [
            { "policyType": "Full", "schedulePolicy": daily(&at), "retentionPolicy": thirty_days(&at) },
            {
                "policyType": "Log",
                "schedulePolicy": { "schedulePolicyType": "LogSchedulePolicy", "scheduleFrequencyInMins": 60 },
                "retentionPolicy": {
                    "retentionPolicyType": "SimpleRetentionPolicy",
                    "retentionDuration": { "count": 30, "durationType": "Days" },
                },
            },
        ],
    })
}
