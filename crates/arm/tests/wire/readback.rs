//! Every policy that Azure published or was recorded to answer with is put in the field's terms, and what is rendered from
//! them differs from it in nothing. Those that cannot be said are listed by name, and only those.

use kluis_arm::dataprotection::{self, BackupPolicy};
use kluis_arm::policy::{
    ProtectionPolicy, as_stored, check_limits, differences, keeping, parse, render,
};
use serde_json::Value;

use crate::published::{files, folder, read, read_lines};

/// What cannot be said in the field's terms, and why. None so far: the published and recorded policies for SAP HANA
/// instances (snapshots), Azure SQL and backup servers are shapes without an example.
const NOT_SAID: &[(&str, &str)] = &[];

/// A policy that was found, and where.
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) properties: Value,
}

fn is_policy(properties: &Value) -> bool {
    ["schedulePolicy", "subProtectionPolicy", "policyRules"]
        .iter()
        .any(|field| properties.get(field).is_some())
}

/// The properties of every policy somewhere in a body.
fn policies_in(body: &Value, name: &str, found: &mut Vec<Found>) {
    match body {
        Value::Object(map) => {
            if let Some(properties) = map.get("properties").filter(|found| is_policy(found)) {
                found.push(Found {
                    name: name.to_owned(),
                    properties: properties.clone(),
                });
            }
            map.values()
                .for_each(|value| policies_in(value, name, found));
        }
        Value::Array(values) => values
            .iter()
            .for_each(|value| policies_in(value, name, found)),
        _ => {}
    }
}

pub(crate) fn published_and_recorded() -> Vec<Found> {
    let Some(folder) = folder() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let specs = folder.join("specs/specification");
    for file in files(&specs, ".json") {
        if file.contains("/examples/") {
            let name = file.rsplit_once("/examples/").unwrap().1.to_owned();
            policies_in(&read(&specs.join(&file)), &name, &mut found);
        }
    }
    let published = found.len();
    let traces = folder.join("traces");
    for file in files(&traces, ".jsonl") {
        for (line, exchange) in read_lines(&traces.join(&file)).iter().enumerate() {
            policies_in(exchange, &format!("{file}:{line}"), &mut found);
        }
    }
    let recorded = found.len() - published;
    assert!(
        published >= 26 && recorded >= 10,
        "{published} published and {recorded} recorded policies were found"
    );
    found
}

fn round(properties: &Value) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    if properties.get("policyRules").is_some() {
        let policy: BackupPolicy =
            serde_json::from_value(properties.clone()).map_err(|error| text(&error))?;
        let terms = dataprotection::parse(&policy).map_err(|error| text(&error))?;
        let rendered = dataprotection::render(&terms).map_err(|error| text(&error))?;
        let again = dataprotection::keeping(&policy, rendered);
        let stored = dataprotection::as_stored(policy);
        let found = dataprotection::differences(&stored, &again).map_err(|error| text(&error))?;
        let (BackupPolicy::Rules(old), BackupPolicy::Rules(new)) = (&stored, &again) else {
            return Err("no rules".to_owned());
        };
        assert_eq!(old.datasource_types, new.datasource_types);
        return no_difference(&found);
    }
    let policy: ProtectionPolicy =
        serde_json::from_value(properties.clone()).map_err(|error| text(&error))?;
    let terms = parse(&policy).map_err(|error| text(&error))?;
    let again = keeping(&policy, render(&terms).map_err(|error| text(&error))?);
    assert_eq!(policy.tag(), again.tag(), "never another type");
    if let (ProtectionPolicy::VirtualMachine(old), ProtectionPolicy::VirtualMachine(new)) =
        (&policy, &again)
    {
        assert_eq!(
            old.snapshot_consistency_type, new.snapshot_consistency_type,
            "what terms don't say stays"
        );
    }
    no_difference(&differences(&as_stored(policy), &again).map_err(|error| text(&error))?)
}

fn no_difference(found: &[kluis_arm::policy::Difference]) -> Result<(), String> {
    match found {
        [] => Ok(()),
        some => Err(format!("{some:?}")),
    }
}

#[test]
fn every_published_and_recorded_policy_is_read_back_without_a_difference() {
    let mut not_said = Vec::new();
    for Found { name, properties } in published_and_recorded() {
        if let Err(reason) = round(&properties) {
            not_said.push((name, reason));
        }
    }
    let expected: Vec<(String, String)> = NOT_SAID
        .iter()
        .filter(|_| folder().is_some())
        .map(|(name, reason)| ((*name).to_owned(), (*reason).to_owned()))
        .collect();
    assert_eq!(not_said, expected);
}

/// Examples whose answer is not what the service makes of such a request: the newer ones leave times as they came, and the
/// Backup vault's is answered in full.
const ANSWERED_OTHERWISE: &[&str] = &[
    "AzureIaasVm/V2Policy/IaaS_v2_daily.json",
    "AzureIaasVm/V2Policy/IaaS_v2_hourly.json",
    "AzureStorage/ProtectionPolicies_CreateOrUpdate_Hardened.json",
];

/// What the answer says and the stored policy does not.
fn missing(answer: &Value, stored: &Value, at: &str, found: &mut Vec<String>) {
    match (answer, stored) {
        (Value::Object(answer), Value::Object(stored)) => {
            for (key, value) in answer
                .iter()
                .filter(|(key, _)| *key != "protectedItemsCount")
            {
                let same = stored.get(key).unwrap_or(&Value::Null);
                missing(value, same, &format!("{at}/{key}"), found);
            }
        }
        (Value::Array(answer), Value::Array(stored)) if answer.len() == stored.len() => {
            for (index, (value, same)) in answer.iter().zip(stored).enumerate() {
                missing(value, same, &format!("{at}/{index}"), found);
            }
        }
        _ if answer == stored => {}
        _ => found.push(format!("{at}: {answer}, and not {stored}")),
    }
}

fn stored(request: &Value) -> Value {
    if request.get("policyRules").is_some() {
        let policy: BackupPolicy = serde_json::from_value(request.clone()).unwrap();
        serde_json::to_value(dataprotection::as_stored(policy)).unwrap()
    } else {
        let policy: ProtectionPolicy = serde_json::from_value(request.clone()).unwrap();
        serde_json::to_value(as_stored(policy)).unwrap()
    }
}

#[test]
fn what_is_written_is_kept_as_azure_answers_it() {
    let Some(folder) = folder() else { return };
    let mut tried = 0;
    let mut check = |name: &str, request: &Value, answer: &Value| {
        let mut found = Vec::new();
        missing(answer, &stored(request), "", &mut found);
        assert!(found.is_empty(), "{name}: {found:?}");
        tried += 1;
    };
    let specs = folder.join("specs/specification");
    for file in files(&specs, ".json") {
        let Some((_, name)) = file.rsplit_once("/examples/") else {
            continue;
        };
        let example = read(&specs.join(&file));
        let request = &example["parameters"]["parameters"]["properties"];
        let answer = &example["responses"]["200"]["body"]["properties"];
        if is_policy(request) && is_policy(answer) && !ANSWERED_OTHERWISE.contains(&name) {
            check(name, request, answer);
        }
    }
    for exchange in read_lines(&folder.join("traces/afs_backup_scenario.jsonl")) {
        let (request, answer) = (
            &exchange["request"]["properties"],
            &exchange["response"]["properties"],
        );
        if is_policy(request) && is_policy(answer) {
            check("recorded", request, answer);
        }
    }
    assert!(tried >= 7, "{tried}");
}

/// Published examples that no write is taken with, by the field of the limit that they break.
const BEYOND_LIMITS: &[(&str, &str)] = &[
    // A daily retention of one day.
    ("AzureIaasVm/BackupPolicies_List.json", ONE_DAY),
    (
        "AzureIaasVm/ProtectionPolicies_CreateOrUpdate_Simple.json",
        ONE_DAY,
    ),
    ("AzureIaasVm/ProtectionPolicies_Get.json", ONE_DAY),
    (
        "AzureIaasVm/ProtectionPolicyOperationResults_Get.json",
        ONE_DAY,
    ),
    // The schedule is at 10:00 and its retention at 08:00.
    ("AzureIaasVm/V2Policy/IaaS_v2_daily.json", "retentionPolicy"),
    ("AzureIaasVm/V2Policy/v2-Get-Policy.json", ONE_DAY),
    ("AzureIaasVm/V2Policy/v2-List-Policies.json", ONE_DAY),
    // Sundays are kept longer, and backups are made on Wednesdays.
    ("PolicyCRUD/CreateOrUpdateBackupPolicy.json", OTHER_DAYS),
    ("PolicyCRUD/GetBackupPolicy.json", OTHER_DAYS),
    ("PolicyCRUD/ListBackupPolicy.json", OTHER_DAYS),
];
const ONE_DAY: &str = "retentionPolicy.dailySchedule.retentionDuration";
const OTHER_DAYS: &str = "policyRules[Weekly].lifecycles";

#[test]
fn what_azure_was_recorded_to_hold_is_within_the_limits_and_few_examples_are_not() {
    let mut beyond = std::collections::BTreeSet::new();
    for Found { name, properties } in published_and_recorded() {
        let broken = if properties.get("policyRules").is_some() {
            let policy: BackupPolicy = serde_json::from_value(properties).unwrap();
            dataprotection::check_limits(&policy)
        } else {
            check_limits(&serde_json::from_value(properties).unwrap())
        };
        if let Err(broken) = broken {
            assert!(name.ends_with(".json"), "{name}: {broken}");
            beyond.insert((name, broken.field));
        }
    }
    let expected = BEYOND_LIMITS.iter().filter(|_| folder().is_some());
    let expected: Vec<_> = expected
        .map(|(name, field)| ((*name).to_owned(), (*field).to_owned()))
        .collect();
    assert_eq!(beyond.into_iter().collect::<Vec<_>>(), expected);
}
