//! `kluis validate` against the tables that the API server is held to (`crates/api/tests/cel`): without a cluster it says what
//! the API server says, of the same field, and on the line where that stands.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use kluis_tests::binary::kluis;
use kluis_tests::place::{scratch, workspace};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::merge::merged;

#[derive(Deserialize)]
struct Table {
    kind: String,
    base: Value,
    #[serde(default)]
    accepted: Vec<Case>,
    #[serde(default)]
    refused: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    spec: Value,
    #[serde(default)]
    message: String,
    #[serde(default)]
    field: Option<String>,
}

fn tables() -> Vec<Table> {
    let folder = workspace().join("crates/api/tests/cel");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap())
        .collect()
}

fn validate(args: &[&str], path: &Path) -> Output {
    Command::new(kluis().unwrap())
        .args(["validate", "-f"])
        .arg(path)
        .args(args)
        .output()
        .unwrap()
}

/// Writes the objects as one file each, checks them in one run, and gives the findings by case.
pub(crate) fn findings(folder: &Path, kind: &str, cases: &[(String, Value)]) -> Vec<Vec<Value>> {
    for (index, (_, spec)) in cases.iter().enumerate() {
        let object = json!({ "apiVersion": "kluis.dev/v1alpha1", "kind": kind, "metadata": { "name": "case" }, "spec": spec });
        let text = serde_json::to_string_pretty(&object).unwrap();
        fs::write(folder.join(format!("{index:04}.json")), text).unwrap();
    }
    let output = validate(&["-o", "json"], folder);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    assert_eq!(report["objects"], cases.len());
    let found = report["findings"].as_array().unwrap();
    let is_error = |finding: &Value| finding["severity"] == "error";
    let failed = found.iter().any(is_error);
    assert_eq!(output.status.code(), Some(i32::from(failed)));
    (0..cases.len())
        .map(|index| {
            let of_case = |finding: &&Value| {
                finding["file"]
                    .as_str()
                    .unwrap()
                    .ends_with(&format!("{index:04}.json"))
            };
            found.iter().filter(of_case).cloned().collect()
        })
        .collect()
}

#[test]
fn what_the_api_server_accepts_is_accepted() {
    let mut wrong = Vec::new();
    for table in tables() {
        let dir = scratch("validate-accepted").unwrap();
        let cases: Vec<(String, Value)> =
            std::iter::once(("the base".to_owned(), table.base.clone()))
                .chain(
                    table
                        .accepted
                        .iter()
                        .map(|case| (case.name.clone(), merged(&table.base, &case.spec))),
                )
                .collect();
        for ((name, _), found) in cases.iter().zip(findings(dir.path(), &table.kind, &cases)) {
            if found.iter().any(|finding| finding["severity"] == "error") {
                wrong.push(format!("{}, {name}: {found:?}", table.kind));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "refused, though right:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn what_the_api_server_refuses_is_refused_with_its_words_and_a_line() {
    let mut wrong = Vec::new();
    let mut cases_seen = 0;
    for table in tables() {
        let dir = scratch("validate-refused").unwrap();
        let cases: Vec<(String, Value)> = table
            .refused
            .iter()
            .map(|case| (case.name.clone(), merged(&table.base, &case.spec)))
            .collect();
        cases_seen += cases.len();
        if cases.is_empty() {
            continue;
        }
        for (case, found) in table
            .refused
            .iter()
            .zip(findings(dir.path(), &table.kind, &cases))
        {
            let says =
                |finding: &Value| finding["message"].as_str().unwrap().contains(&case.message);
            let points = |finding: &Value| {
                case.field
                    .as_deref()
                    .is_none_or(|field| finding["field"].as_str().unwrap().contains(field))
            };
            let has_line = |finding: &Value| finding["line"].as_u64().is_some_and(|line| line > 0);
            if !found
                .iter()
                .any(|finding| says(finding) && points(finding) && has_line(finding))
            {
                wrong.push(format!(
                    "{}, {}: wanted \"{}\" of {:?}, found {found:?}",
                    table.kind, case.name, case.message, case.field
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "not refused as the API server does:\n{}",
        wrong.join("\n")
    );
    assert!(cases_seen > 50, "the tables hold {cases_seen} cases");
}

#[test]
fn every_example_is_valid() {
    let output = validate(&[], &workspace().join("examples"));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn a_finding_names_the_file_the_line_and_what_was_probably_meant() {
    let dir = scratch("validate-lines").unwrap();
    let path = dir.path().join("vm.yaml");
    let text = "apiVersion: kluis.dev/v1alpha1\nkind: ProtectedVM\nmetadata:\n  name: web-1\n  namespace: shop\nspec:\n  vaultRef: { name: v }\n  policyRef: { name: p }\n  vm: { resourceGroup: g, name: web-1 }\n  suspended: true\n";
    fs::write(&path, text).unwrap();
    let output = validate(&[], &path);
    assert_eq!(output.status.code(), Some(1));
    let wanted = format!(
        "{}:10:3: ProtectedVM shop/web-1: spec.suspended: unknown field \"spec.suspended\"; did you mean \"suspend\"?\n1 objects in 1 files: 1 error\n",
        path.display()
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), wanted);
}

#[test]
fn a_file_that_is_no_yaml_is_an_error_with_its_line() {
    let dir = scratch("validate-yaml").unwrap();
    let path = dir.path().join("broken.yaml");
    fs::write(&path, "kind: Vault\nspec:\n  location: [westeurope\n").unwrap();
    let output = validate(&[], &path);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with(&format!("{}:", path.display())), "{said}");
    assert!(said.contains("1 error"), "{said}");
}
