//! An edit of a policy that somebody else made loses nothing that this version does not know: every published and recorded policy, with an
//! unknown field in each of its objects and each longer by one of what it counts, still has every one of them.

use std::collections::BTreeSet;

use kluis_arm::dataprotection::{self, BackupPolicy};
use kluis_arm::policy::{ProtectionPolicy, Terms, keeping, parse, render};
use serde_json::{Map, Value, json};

use crate::readback::{Found, published_and_recorded};

const UNKNOWN: &str = "ofALaterVersion";
const TIER: &str = "LaterRP";

/// Puts an unknown field into every object below, which says where it is, and an unknown tier beside the archive.
fn enrich(value: &mut Value, at: &str) {
    match value {
        Value::Object(fields) => {
            // A map has no fields, but entries.
            let is_map = at.ends_with("/tieringPolicy");
            if is_map {
                fields.insert(TIER.to_owned(), json!({ "tieringMode": "DoNotTier" }));
            }
            for (name, below) in fields.iter_mut() {
                enrich(below, &format!("{at}/{name}"));
            }
            if !is_map {
                fields.insert(UNKNOWN.to_owned(), json!(at));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                enrich(item, &format!("{at}/{index}"));
            }
        }
        _ => {}
    }
}

/// What every unknown field says.
fn unknown(value: &Value, found: &mut BTreeSet<String>) {
    let fields = value.as_object().into_iter().flat_map(Map::iter);
    for (name, below) in fields {
        match below.as_str() {
            Some(at) if name == UNKNOWN => {
                found.insert(at.to_owned());
            }
            _ => unknown(below, found),
        }
    }
    for item in value.as_array().into_iter().flatten() {
        unknown(item, found);
    }
}

/// The same, kept for longer.
fn longer(mut terms: Terms) -> Terms {
    let retention = &mut terms.retention;
    if let Some(yearly) = &mut retention.yearly {
        yearly.keep += 1;
    } else if let Some(monthly) = &mut retention.monthly {
        monthly.keep += 1;
    } else if let Some(weekly) = &mut retention.weekly {
        weekly.keep += 1;
    } else if let Some(daily) = &mut retention.daily {
        daily.keep += 1;
    }
    terms
}

fn edited(in_force: &Value) -> Value {
    if in_force.get("policyRules").is_some() {
        let policy: BackupPolicy = serde_json::from_value(in_force.clone()).unwrap();
        let terms = longer(dataprotection::parse(&policy).unwrap());
        let wanted = dataprotection::render(&terms).unwrap();
        serde_json::to_value(dataprotection::keeping(&policy, wanted)).unwrap()
    } else {
        let policy: ProtectionPolicy = serde_json::from_value(in_force.clone()).unwrap();
        let terms = longer(parse(&policy).unwrap());
        serde_json::to_value(keeping(&policy, render(&terms).unwrap())).unwrap()
    }
}

#[test]
fn an_edit_loses_nothing_that_is_unknown_at_any_level() {
    let mut lost = Vec::new();
    for Found { name, properties } in published_and_recorded() {
        let mut in_force = properties;
        enrich(&mut in_force, "");
        let (mut had, mut has) = (BTreeSet::new(), BTreeSet::new());
        unknown(&in_force, &mut had);
        unknown(&edited(&in_force), &mut has);
        let gone: Vec<&String> = had.difference(&has).collect();
        if !gone.is_empty() {
            lost.push(format!("{name}: {gone:?}"));
        }
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}

/// Where a Backup vault keeps its points is nothing that terms say.
#[test]
fn an_edit_moves_no_point_to_another_store() {
    let mut tried = 0;
    for Found { name, properties } in published_and_recorded() {
        let mut in_force = properties;
        if in_force.get("policyRules").is_none() {
            continue;
        }
        let text = in_force.to_string();
        let (vault, operational) = ("VaultStore", "OperationalStore");
        let other = if text.contains(operational) {
            text.replace(operational, vault)
        } else {
            text.replace(vault, operational)
        };
        in_force = serde_json::from_str(&other).unwrap();
        let stores = |policy: &Value| -> BTreeSet<String> {
            let rules = policy["policyRules"].as_array().unwrap();
            let own = rules.iter().filter_map(|rule| rule.pointer("/dataStore"));
            let kept = rules
                .iter()
                .filter_map(|rule| rule.pointer("/lifecycles/0/sourceDataStore"));
            own.chain(kept)
                .map(|store| store["dataStoreType"].to_string())
                .collect()
        };
        assert_eq!(stores(&edited(&in_force)), stores(&in_force), "{name}");
        tried += 1;
    }
    assert!(tried > 0 || crate::published::folder().is_none());
}
