//! Argo CD's view of our objects: its health script on objects in every state
//! that they can be in, by the Lua that Argo CD has.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use kluis_tests::lua::{Health, health};
use kluis_tests::place::workspace;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Table {
    tests: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    health_status: Expected,
    input_path: String,
}

#[derive(Deserialize)]
struct Expected {
    status: String,
    message: String,
}

fn folder() -> PathBuf {
    workspace().join("deploy/argocd")
}

fn read(file: &str) -> String {
    fs::read_to_string(folder().join(file)).unwrap()
}

fn cases() -> Vec<Case> {
    let table: Table = serde_yaml::from_str(&read("health_test.yaml")).unwrap();
    table.tests
}

#[test]
fn every_state_has_the_health_that_the_table_says() {
    let mut wrong = Vec::new();
    for case in cases() {
        let object: Value = serde_yaml::from_str(&read(&case.input_path)).unwrap();
        let expected = Health {
            status: case.health_status.status,
            message: case.health_status.message,
        };
        let found = health(&folder().join("health.lua"), &object).unwrap();
        if found != expected {
            wrong.push(format!(
                "{}: {found:?} instead of {expected:?}",
                case.input_path
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_knows_every_file_every_kind_and_every_health() {
    let named: BTreeSet<String> = cases().into_iter().map(|case| case.input_path).collect();
    let there: BTreeSet<String> = fs::read_dir(folder().join("testdata"))
        .unwrap()
        .map(|entry| format!("testdata/{}", entry.unwrap().file_name().display()))
        .collect();
    assert_eq!(named, there);
    let kinds: BTreeSet<String> = named
        .iter()
        .map(|file| serde_yaml::from_str::<Value>(&read(file)).unwrap()["kind"].to_string())
        .collect();
    let definitions = fs::read_dir(workspace().join("crds")).unwrap().count();
    assert_eq!(kinds.len(), definitions, "{kinds:?}");
    let healths: BTreeSet<String> = cases()
        .into_iter()
        .map(|case| case.health_status.status)
        .collect();
    assert_eq!(
        healths.into_iter().collect::<Vec<_>>(),
        ["Degraded", "Healthy", "Progressing", "Suspended"]
    );
}

/// What people paste is what is tested.
#[test]
fn the_configuration_holds_the_script_for_every_kind() {
    let patch: Value = serde_yaml::from_str(&read("argocd-cm.yaml")).unwrap();
    let customizations = patch["data"]["resource.customizations"].as_str().unwrap();
    let customizations: Value = serde_yaml::from_str(customizations).unwrap();
    let script = customizations["kluis.dev/*"]["health.lua"].as_str();
    assert_eq!(
        script.map(str::trim_end),
        Some(read("health.lua").trim_end()),
        "deploy/argocd/argocd-cm.yaml does not hold health.lua"
    );
}
