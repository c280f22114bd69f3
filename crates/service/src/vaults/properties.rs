//! A vault's properties: those of a new one, what a body may change, and what it may not.

use kluis_arm::error::code;
use serde_json::{Value, json};

use super::settings::{Only, copy, only, take};
use super::{VaultRow, encryption};
use crate::core::Refusal;

/// The properties that Azure gives a vault whose body says nothing.
pub(super) fn of_a_new_vault() -> Value {
    json!({
        "provisioningState": "Provisioning",
        "privateEndpointStateForBackup": "None",
        "privateEndpointStateForSiteRecovery": "None",
        "monitoringSettings": {
            "azureMonitorAlertSettings": {
                "alertsForAllJobFailures": "Enabled",
                "alertsForAllReplicationIssues": "Enabled",
                "alertsForAllFailoverIssues": "Enabled",
            },
            "classicAlertSettings": { "alertsForCriticalOperations": "Enabled", "emailNotificationsForSiteRecovery": "Enabled" },
        },
        "backupStorageVersion": "Unassigned",
        "securitySettings": {
            "immutabilitySettings": null,
            "softDeleteSettings": {
                "softDeleteRetentionPeriodInDays": SOFT_DELETE_DEFAULT_DAYS, "softDeleteState": "Enabled", "enhancedSecurityState": "Enabled",
            },
            "multiUserAuthorization": "Disabled",
        },
        "redundancySettings": { "standardTierStorageRedundancy": "GeoRedundant", "crossRegionRestore": "Disabled" },
        "secureScore": "None",
        "bcdrSecurityLevel": "Poor",
        "publicNetworkAccess": "Enabled",
        "restoreSettings": { "crossSubscriptionRestoreSettings": { "crossSubscriptionRestoreState": "Enabled" } },
    })
}

/// A vault's settings without what an older version took of those that it does nothing by: they are as they are in a new vault.
pub(super) fn settled(stored: &Value) -> Value {
    let mut all = of_a_new_vault();
    copy(
        &mut all,
        stored,
        &["/provisioningState", "/backupStorageVersion"],
    );
    copy(&mut all, stored, &SETTINGS);
    all
}

/// What follows from a vault's settings, beside them: how well it is guarded against those who would destroy what is in it.
pub(super) fn with_consequences(vault: &VaultRow) -> Value {
    let mut all = settled(&vault.properties);
    let always = is(&all, SOFT_DELETE, "AlwaysON");
    let (score, level) = match (vault.is_immutable(), always) {
        (true, true) => ("Adequate", "Good"),
        (true, false) => ("Minimum", "Fair"),
        (false, _) => ("None", "Poor"),
    };
    all["secureScore"] = json!(score);
    all["bcdrSecurityLevel"] = json!(level);
    all["regionOfChoiceSettings"] = json!({ "status": "Disabled" });
    all["securitySettings"]["sourceScanConfiguration"] = json!({ "state": "Disabled" });
    spell(&mut all, &WORDS);
    if is(&all, SOFT_DELETE, "Disabled")
        && all["backupStorageVersion"] == ASSIGNED_STORAGE
        && let Some(days) = all.pointer_mut(SOFT_DELETE_DAYS)
    {
        *days = json!(0);
    }
    all
}

/// Refuses what can't name a vault. What passes is a folder's name that stays where it is put.
pub(crate) fn name(name: &str) -> Result<(), Refusal> {
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if letters
        && (2..=50).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
    {
        return Ok(());
    }
    Err(Refusal::bad_request(
        "InvalidResourceName",
        format!(
            "'{name}' can't name a vault: 2 to 50 letters, digits and hyphens, beginning with a letter."
        ),
    ))
}

/// Tags are a mapping of texts.
pub(crate) fn tags(tags: &Value) -> Result<Value, Refusal> {
    let fits = tags
        .as_object()
        .is_some_and(|map| map.len() <= 50 && map.values().all(Value::is_string));
    if fits {
        return Ok(tags.clone());
    }
    Err(Refusal::bad_request(
        "InvalidTags",
        "Tags are at most 50 names, each with a text.",
    ))
}

/// The members of a price tier that ARM knows.
pub(super) fn sku(said: &Value) -> Value {
    let known = ["name", "tier", "family", "size", "capacity"].into_iter();
    let known = known.filter(|name| said[name].is_string());
    known.map(|name| (name, said[name].clone())).collect()
}

/// Puts what a body's `properties` say over what there is, setting by setting.
pub(super) fn merge(properties: &mut Value, said: &Value) -> Result<(), Refusal> {
    if said.is_null() {
        return Ok(());
    }
    if !said.is_object() {
        return Err(Refusal::bad_request(
            code::INVALID_REQUEST_CONTENT,
            "'properties' must be a JSON object.",
        ));
    }
    encryption::of_a_vault(&said["encryption"])?;
    only(said, &ONLY, code::NOT_SUPPORTED)?;
    let before = properties.clone();
    take(properties, said, &SETTINGS)?;
    // A vault without soft delete shows 0 days; a client that sends them back asks for nothing, and has the days again that there
    // were when it turns soft delete on.
    let off = is(&before, SOFT_DELETE, "Disabled") || is(properties, SOFT_DELETE, "Disabled");
    if off && properties.pointer(SOFT_DELETE_DAYS) == Some(&json!(0)) {
        copy(properties, &before, &[SOFT_DELETE_DAYS]);
    }
    Ok(())
}

/// What would be shown and do nothing.
const ONLY: [Only; 4] = [
    Only {
        pointer: "/securitySettings/sourceScanConfiguration/state",
        value: "Disabled",
        because: "looks for threats in no source",
    },
    Only {
        pointer: "/regionOfChoiceSettings/status",
        value: "Disabled",
        because: "backs up what is in a vault's own region alone",
    },
    Only {
        pointer: "/redundancySettings/crossRegionRestore",
        value: "Disabled",
        because: "keeps a vault in its one region, and restores there alone. Leave it out; copies elsewhere are made of the vault's own folder",
    },
    Only {
        pointer: "/publicNetworkAccess",
        value: "Enabled",
        because: "has no private endpoints: it answers at its one address whoever reaches that. Leave it out, and let the network in front of it \
                  (a firewall, a NetworkPolicy) say who does",
    },
];

/// Writes words as Azure spells them, however they were sent: clients compare what they read by letter.
pub(crate) fn spell(all: &mut Value, words: &[(&str, &[&str])]) {
    for (pointer, among) in words {
        let Some(value) = all.pointer_mut(pointer) else {
            continue;
        };
        let sent = value.as_str().unwrap_or_default();
        let known = among.iter().find(|word| word.eq_ignore_ascii_case(sent));
        if let Some(word) = known.filter(|word| **word != sent) {
            *value = json!(word);
        }
    }
}

fn is(of: &Value, pointer: &str, word: &str) -> bool {
    let found = of.pointer(pointer).and_then(Value::as_str);
    found.is_some_and(|found| found.eq_ignore_ascii_case(word))
}

/// Refuses properties that are not understood, and changes that Azure does not allow. `locked`: something was protected.
pub(super) fn check(old: &Value, new: &Value, locked: bool) -> Result<(), Refusal> {
    let word = |pointer: &str, among: &[&str]| match new.pointer(pointer) {
        None | Some(Value::Null) => Ok(()),
        Some(value)
            if value
                .as_str()
                .is_some_and(|word| among.iter().any(|known| known.eq_ignore_ascii_case(word))) =>
        {
            Ok(())
        }
        Some(value) => Err(Refusal::bad_request(
            code::INVALID_INPUT,
            format!(
                "'properties{}' is {value}; it may be one of {}.",
                pointer.replace('/', "."),
                among.join(", ")
            ),
        )),
    };
    for (pointer, among) in WORDS {
        word(pointer, among)?;
    }
    let days = new.pointer(SOFT_DELETE_DAYS).filter(|days| !days.is_null());
    if days.is_some_and(|days| !days.as_u64().is_some_and(|days| (14..=180).contains(&days))) {
        return Err(Refusal::bad_request(
            code::INVALID_INPUT,
            "'softDeleteRetentionPeriodInDays' must be a number of days from 14 to 180.",
        ));
    }
    let text = |value: &Value, pointer: &str| {
        value
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_lowercase()
    };
    if locked && text(old, REDUNDANCY) != text(new, REDUNDANCY) {
        return Err(Refusal::bad_request(
            code::STORAGE_TYPE_LOCKED,
            "The storage redundancy can't change once items are registered in the vault; it stays as it is (rule 39).",
        ));
    }
    if text(old, SOFT_DELETE) == "alwayson" && text(new, SOFT_DELETE) != "alwayson" {
        return Err(Refusal::bad_request(
            code::SOFT_DELETE_ALWAYS_ON,
            "Soft delete of this vault is always on: it can't be turned off or made optional again.",
        ));
    }
    if text(old, IMMUTABILITY) == "locked" && text(new, IMMUTABILITY) != "locked" {
        return Err(Refusal::bad_request(
            "UserErrorUnsupportedVaultImmutabilityStateChange",
            "The vault's immutability is locked: it can't be changed any more.",
        ));
    }
    if text(old, CROSS_SUBSCRIPTION) == "permanentlydisabled"
        && text(new, CROSS_SUBSCRIPTION) != "permanentlydisabled"
    {
        return Err(Refusal::bad_request(
            code::INVALID_INPUT,
            "Restores of this vault into other subscriptions are permanently disabled: that can't be changed any more.",
        ));
    }
    Ok(())
}

const REDUNDANCY: &str = "/redundancySettings/standardTierStorageRedundancy";
const CROSS_SUBSCRIPTION: &str =
    "/restoreSettings/crossSubscriptionRestoreSettings/crossSubscriptionRestoreState";
/// The days of a soft delete that nobody set.
const SOFT_DELETE_DEFAULT_DAYS: u32 = 14;
/// The storage that a vault gets with its first registered machine; before, it is `Unassigned`.
pub(super) const ASSIGNED_STORAGE: &str = "V2";

const SOFT_DELETE: &str = "/securitySettings/softDeleteSettings/softDeleteState";
const SOFT_DELETE_DAYS: &str =
    "/securitySettings/softDeleteSettings/softDeleteRetentionPeriodInDays";
const IMMUTABILITY: &str = "/securitySettings/immutabilitySettings/state";

const SWITCH: &[&str] = &["Enabled", "Disabled"];
const SOFT_DELETE_STATES: &[&str] = &["Enabled", "Disabled", "AlwaysON"];

const ENHANCED_SECURITY: &str = "/securitySettings/softDeleteSettings/enhancedSecurityState";
const ALERTS: [&str; 5] = [
    "/monitoringSettings/azureMonitorAlertSettings/alertsForAllJobFailures",
    "/monitoringSettings/azureMonitorAlertSettings/alertsForAllReplicationIssues",
    "/monitoringSettings/azureMonitorAlertSettings/alertsForAllFailoverIssues",
    "/monitoringSettings/classicAlertSettings/alertsForCriticalOperations",
    "/monitoringSettings/classicAlertSettings/emailNotificationsForSiteRecovery",
];

/// Every setting that a client can choose.
const SETTINGS: [&str; 11] = [
    REDUNDANCY,
    SOFT_DELETE,
    SOFT_DELETE_DAYS,
    ENHANCED_SECURITY,
    IMMUTABILITY,
    CROSS_SUBSCRIPTION,
    ALERTS[0],
    ALERTS[1],
    ALERTS[2],
    ALERTS[3],
    ALERTS[4],
];

/// The settings that are one of a few words, with those.
const WORDS: [(&str, &[&str]); 10] = [
    (
        REDUNDANCY,
        &["GeoRedundant", "LocallyRedundant", "ZoneRedundant"],
    ),
    (SOFT_DELETE, SOFT_DELETE_STATES),
    (ENHANCED_SECURITY, SOFT_DELETE_STATES),
    (IMMUTABILITY, &["Disabled", "Unlocked", "Locked"]),
    (
        CROSS_SUBSCRIPTION,
        &["Enabled", "Disabled", "PermanentlyDisabled"],
    ),
    (ALERTS[0], SWITCH),
    (ALERTS[1], SWITCH),
    (ALERTS[2], SWITCH),
    (ALERTS[3], SWITCH),
    (ALERTS[4], SWITCH),
];
