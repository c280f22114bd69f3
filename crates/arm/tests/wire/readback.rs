//! Every policy that Azure published or was recorded to answer with is put in the field's terms, and what is rendered from
//! them differs from it in nothing. Those that cannot be said are listed by name, and only those.

use kluis_arm::dataprotection::{self, BackupPolicy};
use kluis_arm::policy::{ProtectionPolicy, as_stored, differences, keeping, parse, render};
use serde_json::Value;

use crate::published::{files, folder, read, read_lines};

/// What cannot be said in the field's terms, and why. None so far: the published and recorded policies for SAP HANA
/// instances (snapshots), Azure SQL and backup servers are shapes without an example.
const NOT_SAID: &[(&str, &str)] = &[];

/// A policy that was found, and where.
struct Found {
    name: String,
    properties: Value,
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

fn published_and_recorded() -> Vec<Found> {
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
