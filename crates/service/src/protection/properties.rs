//! A backup vault's properties: those of a new one, what a body may change, and what it may not.

use kluis_arm::error::code;
use serde_json::{Value, json};

use crate::core::Refusal;
use crate::vaults::{Only, copy_settings, only_settings, refuse_keys, spell, take_settings};

/// The properties that a vault has whose body says nothing but where it keeps its data.
pub(super) fn of_a_new_vault() -> Value {
    json!({
        "monitoringSettings": { "azureMonitorAlertSettings": { "alertsForAllJobFailures": "Enabled" } },
        "provisioningState": "Succeeded",
        "resourceMoveState": "Unknown",
        "securitySettings": {
            "softDeleteSettings": { "state": "On", "retentionDurationInDays": 14.0 },
            "immutabilitySettings": { "state": "Disabled" },
        },
        "isVaultProtectedByResourceGuard": false,
        "featureSettings": {
            "crossSubscriptionRestoreSettings": { "state": "Enabled" },
            "crossRegionRestoreSettings": { "state": "Disabled" },
        },
    })
}

/// A vault's settings without what an older version took of those that it does nothing by: they are as they are in a new vault.
fn settled(stored: &Value) -> Value {
    let mut all = of_a_new_vault();
    copy_settings(&mut all, stored, &SETTINGS);
    all
}

/// What follows from a vault's settings, beside them: how well it is guarded against those who would destroy what is in it, and
/// where else its data are, which is nowhere.
pub(super) fn with_consequences(properties: &Value) -> Value {
    let mut all = settled(properties);
    let (score, level) = match () {
        () if is(&all, SOFT_DELETE, "Off") => ("None", "Poor"),
        () if is(&all, SOFT_DELETE, "AlwaysOn") && is_immutable(&all) => ("Adequate", "Good"),
        () => ("Minimum", "Fair"),
    };
    all["secureScore"] = json!(score);
    all["bcdrSecurityLevel"] = json!(level);
    all["replicatedRegions"] = json!([]);
    spell(&mut all, &WORDS);
    all["securitySettings"]["multiUserAuthorization"] = json!("Disabled");
    all
}

fn is_immutable(properties: &Value) -> bool {
    is(properties, IMMUTABILITY, "Unlocked") || is(properties, IMMUTABILITY, "Locked")
}

/// Puts what a body's `properties` say over what there is, and refuses what is not understood or can't be undone.
pub(super) fn merge(properties: &mut Value, said: &Value) -> Result<(), Refusal> {
    let old = settled(properties);
    *properties = old.clone();
    if said.is_null() {
        return check(&old, properties);
    }
    if !said.is_object() {
        return Err(Refusal::bad_request(
            code::INVALID_REQUEST_CONTENT,
            "'properties' must be a JSON object.",
        ));
    }
    refuse_keys(&said["securitySettings"]["encryptionSettings"])?;
    only_settings(said, &ONLY, "UserErrorOperationNotSupported")?;
    take_settings(properties, said, &SETTINGS)?;
    check(&old, properties)?;
    only_what_is_known_of_stores(properties);
    Ok(())
}

/// What would be shown and do nothing.
const ONLY: [Only; 1] = [Only {
    pointer: "/featureSettings/crossRegionRestoreSettings/state",
    value: "Disabled",
    because: "keeps a vault in its one region, and restores there alone. Leave it out; copies elsewhere are made of the vault's own folder",
}];

fn only_what_is_known_of_stores(properties: &mut Value) {
    let stores = properties["storageSettings"].as_array_mut();
    for store in stores.into_iter().flatten() {
        *store = json!({ "datastoreType": store["datastoreType"], "type": store["type"] });
    }
}

fn check(old: &Value, new: &Value) -> Result<(), Refusal> {
    let storage = new["storageSettings"].as_array().map(Vec::as_slice);
    let Some(settings) = storage.filter(|settings| (1..=3).contains(&settings.len())) else {
        return Err(refused(
            "'properties.storageSettings' must say where the vault keeps its data: a datastoreType and a type.",
        ));
    };
    for setting in settings {
        word(
            setting,
            "/datastoreType",
            &["VaultStore", "OperationalStore", "ArchiveStore"],
        )?;
        word(
            setting,
            "/type",
            &["LocallyRedundant", "GeoRedundant", "ZoneRedundant"],
        )?;
    }
    for (pointer, among) in WORDS {
        optional(new, pointer, among)?;
    }
    let days = new.pointer(DAYS).filter(|days| !days.is_null());
    let fits = |days: &Value| {
        days.as_f64()
            .is_some_and(|days| (14.0..=180.0).contains(&days))
    };
    if days.is_some_and(|days| !fits(days)) {
        return Err(refused(
            "'retentionDurationInDays' of the soft delete must be a number of days from 14 to 180.",
        ));
    }
    let left = |pointer: &str, word: &str| is(old, pointer, word) && !is(new, pointer, word);
    if left(SOFT_DELETE, "AlwaysOn") {
        return Err(Refusal::bad_request(
            code::SOFT_DELETE_ALWAYS_ON,
            "Soft delete of this vault is always on: it can't be turned off or made optional again.",
        ));
    }
    if left(IMMUTABILITY, "Locked") {
        return Err(Refusal::bad_request(
            "UserErrorUnsupportedVaultImmutabilityStateChange",
            "The vault's immutability is locked: it can't be changed any more.",
        ));
    }
    if left(CROSS_SUBSCRIPTION, "PermanentlyDisabled") {
        return Err(refused(
            "Restores of this vault into other subscriptions are permanently disabled: that can't be changed any more.",
        ));
    }
    Ok(())
}

const SOFT_DELETE: &str = "/securitySettings/softDeleteSettings/state";
const DAYS: &str = "/securitySettings/softDeleteSettings/retentionDurationInDays";
const IMMUTABILITY: &str = "/securitySettings/immutabilitySettings/state";
const CROSS_SUBSCRIPTION: &str = "/featureSettings/crossSubscriptionRestoreSettings/state";
const ALERTS: &str = "/monitoringSettings/azureMonitorAlertSettings/alertsForAllJobFailures";

/// Every setting that a client can choose.
const SETTINGS: [&str; 6] = [
    ALERTS,
    "/storageSettings",
    SOFT_DELETE,
    DAYS,
    IMMUTABILITY,
    CROSS_SUBSCRIPTION,
];

/// The settings that are one of a few words, with those. "Enabled" is the published example's word for a soft delete that is on.
const WORDS: [(&str, &[&str]); 4] = [
    (SOFT_DELETE, &["On", "Off", "AlwaysOn", "Enabled"]),
    (IMMUTABILITY, &["Disabled", "Unlocked", "Locked"]),
    (
        CROSS_SUBSCRIPTION,
        &["Enabled", "Disabled", "PermanentlyDisabled"],
    ),
    (ALERTS, &["Enabled", "Disabled"]),
];

fn refused(message: impl Into<String>) -> Refusal {
    Refusal::bad_request("UserErrorInvalidInput", message)
}

fn is(of: &Value, pointer: &str, word: &str) -> bool {
    let found = of.pointer(pointer).and_then(Value::as_str);
    found.is_some_and(|found| found.eq_ignore_ascii_case(word))
}

fn optional(of: &Value, pointer: &str, among: &[&str]) -> Result<(), Refusal> {
    match of.pointer(pointer) {
        None | Some(Value::Null) => Ok(()),
        Some(_) => word(of, pointer, among),
    }
}

fn word(of: &Value, pointer: &str, among: &[&str]) -> Result<(), Refusal> {
    if among.iter().any(|known| is(of, pointer, known)) {
        return Ok(());
    }
    let found = of.pointer(pointer).unwrap_or(&Value::Null);
    Err(refused(format!(
        "'{}' is {found}; it may be one of {}.",
        pointer.trim_start_matches('/').replace('/', "."),
        among.join(", ")
    )))
}
