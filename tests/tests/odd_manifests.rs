//! Manifests as no table has them, valid and odd: `kluis validate` takes what the API server takes, and nothing else.
//!
//! A spec that is right gets one or two values that may be wrong, written as people and generators write them. Both readers are shown the
//! same bytes. `ODD_MANIFESTS` says how many, from 0 on; each is the same in every run.

use std::fs;
use std::process::Command;

use kluis_tests::binary::kluis;
use kluis_tests::place::{scratch, workspace};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::crds::Served;
use crate::merge::merged;

/// What may stand anywhere, as it is written.
const WRITTEN: &[&str] = &[
    "null",
    "~",
    "",
    "true",
    "yes",
    "on",
    "y",
    "'yes'",
    "0",
    "1",
    "7",
    "30",
    "-1",
    "30.0",
    "3.1536e+07",
    "1e3",
    "1.5",
    "-0.0",
    "'30'",
    "0x1F",
    "010",
    "0o10",
    "0b11",
    "1_000",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "1e400",
    ".inf",
    ".nan",
    "22:30",
    "'22:30'",
    "2026-01-01",
    "some-text",
    "'with blank'",
    "Sunday",
    "[]",
    "{}",
    "[null]",
    "{ a: null }",
    "[Sunday]",
    "[1, Last]",
    "[Sunday, Sunday]",
    "{ name: v }",
    "!!str 30",
    "!!int '30'",
    "\"a\\u0062c\"",
    "+1",
    "1.",
    ".5",
    "NULL",
    "False",
    "=",
    "- 1",
];

#[derive(Deserialize)]
struct Table {
    kind: String,
    base: Value,
    #[serde(default)]
    accepted: Vec<Accepted>,
}

#[derive(Deserialize)]
struct Accepted {
    spec: Value,
}

/// Every spec of the tables that is right, with its kind.
fn right() -> Vec<(String, Value)> {
    let mut files: Vec<_> = fs::read_dir(workspace().join("crates/api/tests/cel"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut specs = Vec::new();
    for file in files {
        let table: Table = serde_yaml::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let patches =
            std::iter::once(json!({})).chain(table.accepted.into_iter().map(|one| one.spec));
        specs.extend(patches.map(|patch| (table.kind.clone(), merged(&table.base, &patch))));
    }
    specs
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % count as u64).unwrap()
    }
}

/// The n-th manifest: its kind, and its text.
fn manifest(n: u64, right: &[(String, Value)]) -> (String, String) {
    let mut dice = Dice(n.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1);
    let (kind, spec) = right[dice.below(right.len())].clone();
    let mut object = json!({ "apiVersion": "kluis.dev/v1alpha1", "kind": kind, "metadata": { "name": "case" }, "spec": spec });
    let mut tokens = Vec::new();
    for _ in 0..dice.below(3) {
        let part = if dice.below(8) == 0 {
            "metadata"
        } else {
            "spec"
        };
        put(&mut object[part], &mut dice, &mut tokens);
    }
    let mut text = serde_json::to_string_pretty(&object).unwrap();
    for (index, token) in tokens.iter().enumerate() {
        text = text.replace(&format!("\"@{index}@\""), token);
    }
    match dice.below(12) {
        0 => text = text.replace('\n', "\r\n"),
        1 => text = format!("\u{feff}{text}"),
        2 => text = text.replacen("\"kind\"", "\"kind\": \"Vault\",\n  \"kind\"", 1),
        3 => text = format!("# a remark\n---\n{text}\n"),
        4 => text = block(&object, &tokens),
        _ => {}
    }
    (kind, text)
}

/// Puts something written in the place of some value, or beside it.
fn put(value: &mut Value, dice: &mut Dice, tokens: &mut Vec<&'static str>) {
    let go_down = dice.below(3) > 0;
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let at = dice.below(fields.len() + 1);
            if let Some((_, below)) = fields.iter_mut().nth(at) {
                let is_more = below.is_object() || below.is_array();
                if go_down && is_more {
                    return put(below, dice, tokens);
                }
                *below = token(dice, tokens);
            } else {
                let name = [
                    "labels",
                    "extra",
                    "daily",
                    "timeZone",
                    "true",
                    "on",
                    "zone",
                    "disks",
                    "archive",
                    "annotations",
                ][dice.below(10)];
                fields.insert(name.to_owned(), token(dice, tokens));
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let at = dice.below(items.len());
            items[at] = token(dice, tokens);
        }
        _ => *value = token(dice, tokens),
    }
}

fn token(dice: &mut Dice, tokens: &mut Vec<&'static str>) -> Value {
    tokens.push(WRITTEN[dice.below(WRITTEN.len())]);
    json!(format!("@{}@", tokens.len() - 1))
}

/// In blocks, as people write.
fn block(object: &Value, tokens: &[&str]) -> String {
    let mut text = String::new();
    fields(object.as_object().unwrap(), 0, tokens, &mut text);
    text
}

fn fields(map: &Map<String, Value>, depth: usize, tokens: &[&str], text: &mut String) {
    for (name, value) in map {
        let name = match name.as_str() {
            "true" => "on",
            name => name,
        };
        text.push_str(&format!("{}{name}:", "  ".repeat(depth)));
        match value {
            Value::Object(below) if !below.is_empty() => {
                text.push('\n');
                fields(below, depth + 1, tokens, text);
            }
            value => {
                let mut flow = value.to_string();
                for (index, token) in tokens.iter().enumerate() {
                    flow = flow.replace(&format!("\"@{index}@\""), token);
                }
                text.push_str(&format!(" {flow}\n"));
            }
        }
    }
}

/// What the manifests of its files come to together is no business of the API server's.
fn is_outlook(finding: &Value) -> bool {
    let field = finding["field"].as_str().unwrap_or_default();
    let message = finding["message"].as_str().unwrap_or_default();
    let of_api = [
        "Invalid value",
        "Required value",
        "unknown field",
        "Unsupported value",
    ];
    (field == "spec.timeZone" || field.starts_with("spec.objectives"))
        && !of_api.iter().any(|words| message.starts_with(words))
}

#[test]
fn validate_says_what_the_api_server_says() {
    let count = std::env::var("ODD_MANIFESTS")
        .ok()
        .and_then(|count| count.parse().ok());
    let right = right();
    let written: Vec<(String, String)> = (0..count.unwrap_or(400))
        .map(|n| manifest(n, &right))
        .chain(by_hand())
        .collect();
    let folder = scratch("odd").unwrap();
    for (n, (_, text)) in written.iter().enumerate() {
        fs::write(folder.path().join(format!("{n:06}.yaml")), text).unwrap();
    }
    let output = Command::new(kluis().unwrap())
        .args(["validate", "-o", "json", "-f"])
        .arg(folder.path())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let findings = report["findings"].as_array().unwrap();
    let mut served: std::collections::BTreeMap<String, Served> = std::collections::BTreeMap::new();
    let (mut wrong, mut taken) = (Vec::new(), 0);
    for (n, (kind, text)) in written.iter().enumerate() {
        let name = format!("{n:06}.yaml");
        let own: Vec<&Value> = findings
            .iter()
            .filter(|finding| finding["file"].as_str().unwrap().ends_with(&name))
            .filter(|finding| finding["severity"] == "error" && !is_outlook(finding))
            .collect();
        let kind_served = served
            .entry(kind.clone())
            .or_insert_with(|| Served::new(kind));
        let answer = kind_served.would_take(text);
        let is_taken = answer.status < 400;
        taken += usize::from(is_taken);
        if is_taken != own.is_empty() {
            wrong.push(format!(
                "── {n}: the API server: {} {}\nvalidate: {own:?}\n{text}",
                answer.status, answer.body["message"]
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} are told otherwise:\n{}",
        wrong.len(),
        written.len(),
        wrong.join("\n")
    );
    assert!(
        taken > written.len() / 10,
        "only {taken} of {} were taken",
        written.len()
    );
}

/// What one value in a tree does not show.
fn by_hand() -> Vec<(String, String)> {
    let policy = |spec: &str| {
        let text = format!(
            "apiVersion: kluis.dev/v1alpha1\nkind: BackupPolicy\nmetadata: {{ name: case, creationTimestamp: null, labels: null }}\n{spec}"
        );
        ("BackupPolicy".to_owned(), text)
    };
    vec![
        policy("spec: { workload: VirtualMachine, timeZone: null, schedule: { daily: { at: \"22:30\" }, weekly: null }, retention: { daily: { keep: 30.0 } } }\n"),
        policy("spec:\n  workload: VirtualMachine\n  schedule: { daily: { at: 22:30 } }\n  retention: { daily: { keep: 30 }, weekly: { keep: 12, on: [Sunday] } }\n"),
        policy("spec:\n  workload: VirtualMachine\n  schedule: { daily: &daily { at: \"22:30\" } }\n  retention: { daily: { keep: 30 } }\n  instantRestore: null\n"),
        policy("spec:\n  workload: VirtualMachine\n  schedule: { daily: { at: \"22:30\" } }\n  retention: { daily: { keep: 30 }, daily: { keep: 31 } }\n"),
        policy("spec:\n  workload: VirtualMachine\n  schedule:\n    daily:\n\t  at: \"22:30\"\n  retention: { daily: { keep: 30 } }\n"),
        policy("spec: { workload: VirtualMachine, timeZone: 1e400, schedule: { daily: { at: \"22:30\" } }, retention: { daily: { keep: 30 } } }\n"),
        policy("spec: { workload: VirtualMachine, schedule: { daily: { at: \"22:30\" } }, retention: { daily: { keep: 1e400 } } }\n"),
        ("Vault".to_owned(), "apiVersion: kluis.dev/v1alpha1\nkind: Vault\nmetadata: { name: case, labels: { a: 1e400 }, annotations: { b: -1E999 } }\nspec: { serviceRef: { name: azure }, resourceGroup: shop-rg, location: westeurope, tags: { c: 1.5e+400 } }\n".to_owned()),
        policy("spec: null\n"),
        policy("spec: { workload: VirtualMachine, schedule: { daily: { at: \"22:30\" } }, retention: { daily: { keep: 30 }, monthly: { keep: 3, days: [1.0, Last] } } }\n"),
        ("BackupJob".to_owned(), "apiVersion: kluis.dev/v1alpha1\nkind: BackupJob\nmetadata: { name: case }\nspec: { item: { kind: ProtectedVM, name: web-3 }, ttlSecondsAfterFinished: 3.1536e+07, retainUntil: null }\n".to_owned()),
        ("BackupJob".to_owned(), "apiVersion: kluis.dev/v1alpha1\nkind: BackupJob\nmetadata: { generateName: case- }\nspec: { item: { kind: ProtectedVM, name: web-3 } }\n".to_owned()),
    ]
}
