//! The one table of limits against those who hold policies to it: the API server, `kluis validate`, and what is written on the wire.

use std::collections::BTreeSet;
use std::fs;

use kluis_api::BackupPolicySpec;
use kluis_policy::Workload;
use kluis_policy::limits::FIELDS;
use kluis_tests::place::{scratch, workspace};
use serde_json::Value;

use crate::between_fields::crossings;
use crate::boundaries::{Boundary, boundaries, daily};
use crate::crds::Served;
use crate::validate::findings;

/// Every edge of every number, and both sides of every rule between fields.
fn all() -> Vec<Boundary> {
    boundaries().into_iter().chain(crossings()).collect()
}

#[test]
fn the_api_server_draws_the_line_where_the_table_does() {
    let served = Served::new("BackupPolicy");
    let mut wrong = Vec::new();
    let mut refused = 0;
    for boundary in all() {
        let answer = served.would_create(&boundary.spec);
        let message = answer.body["message"].as_str().unwrap_or_default();
        refused += usize::from(answer.status >= 400);
        wrong.extend(disagreement(&boundary, answer.status < 400, message));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused >= 60, "only {refused} policies were refused");
}

#[test]
fn kluis_validate_draws_the_line_where_the_table_does() {
    let dir = scratch("validate-limits").unwrap();
    let all = all();
    let cases: Vec<(String, Value)> = all
        .iter()
        .map(|boundary| (boundary.name(), boundary.spec.clone()))
        .collect();
    let mut wrong = Vec::new();
    for (boundary, found) in all.iter().zip(findings(dir.path(), "BackupPolicy", &cases)) {
        let errors: Vec<&Value> = found
            .iter()
            .filter(|finding| finding["severity"] == "error")
            .collect();
        let messages: Vec<&str> = errors
            .iter()
            .map(|finding| finding["message"].as_str().unwrap())
            .collect();
        wrong.extend(disagreement(
            boundary,
            errors.is_empty(),
            &messages.join("\n"),
        ));
        for finding in errors {
            assert!(
                finding["line"].as_u64().is_some_and(|line| line > 0),
                "{finding}"
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The limits as a service asks them of what it is sent. A field that a workload has not is not on its wire at all, a window without an
/// end is one of 24 hours there, and that a policy follows the clock is no word of it.
#[test]
fn the_wire_draws_the_line_where_the_table_does() {
    // There, every 24 hours is how a disk's day is written.
    let is_a_day = |boundary: &Boundary| {
        boundary.workload == Workload::Disk && boundary.spec["schedule"]["hourly"]["every"] == "24h"
    };
    let is_said = |boundary: &Boundary| {
        !FIELDS.iter().any(|known| known.field == boundary.field)
            && !["window", "follow stays on its day"].contains(&boundary.field)
            && !is_a_day(boundary)
    };
    let wrong: Vec<String> = all()
        .iter()
        .filter(|boundary| is_said(boundary))
        .filter_map(|boundary| match (boundary.inside, sent(&boundary.spec)) {
            (true, Err(why)) => Some(format!("refused: {}: {why}", boundary.name())),
            (false, Ok(())) => Some(format!("accepted: {}", boundary.name())),
            _ => None,
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_example_of_a_policy_can_be_said_on_the_wire() {
    let mut said = BTreeSet::new();
    for entry in fs::read_dir(workspace().join("examples/policies")).unwrap() {
        let path = entry.unwrap().path();
        let object: Value = serde_yaml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        sent(&object["spec"]).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        said.insert(object["spec"]["workload"].as_str().unwrap().to_owned());
    }
    let all: BTreeSet<String> = Workload::ALL.map(|one| one.name().to_owned()).into();
    assert_eq!(said, all, "one example at least for every workload");
}

/// Says a spec on the wire, and asks the limits there.
fn sent(spec: &Value) -> Result<(), String> {
    let spec: BackupPolicySpec =
        serde_json::from_value(spec.clone()).map_err(|error| error.to_string())?;
    let terms = kluis_plan::policy_terms(&spec).map_err(|waiting| waiting.to_string())?;
    kluis_plan::say(&terms).map_err(|waiting| waiting.to_string())
}

fn disagreement(boundary: &Boundary, accepted: bool, message: &str) -> Option<String> {
    let name = boundary.name();
    match (boundary.inside, accepted) {
        (true, true) => None,
        (true, false) => Some(format!(
            "refused, though within its limits: {name}: {message}"
        )),
        (false, true) => Some(format!(
            "accepted: {name}, instead of: {}",
            boundary.message
        )),
        (false, false) if message.contains(&boundary.message) => None,
        (false, false) => Some(format!(
            "{name}: refused with {message:?} instead of {:?}",
            boundary.message
        )),
    }
}

#[test]
fn a_plain_policy_of_every_workload_is_accepted() {
    let served = Served::new("BackupPolicy");
    for workload in Workload::ALL {
        let answer = served.would_create(&daily(workload));
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
}
