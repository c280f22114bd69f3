//! The CRDs against the real API server: what the object alone tells to be
//! wrong is refused there, with the rule and the field. The cases are tables
//! beside the types (`crates/api/tests/cel`), one file a kind.

use std::fs;
use std::process::Command;

use kluis_tests::binary::kluis;
use kluis_tests::cluster::Cluster;
use kluis_tests::https::Answer;
use kluis_tests::place::workspace;
use kluis_tests::process::run;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::merge::merged;

/// One kind's cases. Every `spec` is a merge patch (RFC 7386) on `base`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    kind: String,
    base: Value,
    #[serde(default)]
    defaults: Value,
    #[serde(default)]
    accepted: Vec<Accepted>,
    #[serde(default)]
    refused: Vec<Refused>,
    #[serde(default)]
    updates: Vec<Update>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    name: String,
    spec: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    name: String,
    spec: Value,
    message: String,
    #[serde(default)]
    field: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    name: String,
    /// What the object is before the update, as a patch on `base`.
    #[serde(default)]
    from: Value,
    spec: Value,
    #[serde(default)]
    message: Option<String>,
}

/// A kind as the API server serves it, in a namespace of this test's own.
pub(crate) struct Served {
    cluster: &'static Cluster,
    kind: String,
    collection: String,
}

impl Served {
    pub(crate) fn new(kind: &str) -> Self {
        let cluster = Cluster::shared().unwrap();
        let group = cluster.api().get("/apis/kluis.dev/v1alpha1").unwrap();
        let resources = group.body["resources"].as_array().unwrap();
        let resource = resources.iter().find(|resource| {
            resource["kind"] == kind && !resource["name"].as_str().unwrap().contains('/')
        });
        let resource = resource.unwrap_or_else(|| panic!("the API server serves no kind {kind}"));
        let plural = resource["name"].as_str().unwrap();
        let collection = if resource["namespaced"] == true {
            let namespace = cluster.namespace("crds").unwrap();
            format!("/apis/kluis.dev/v1alpha1/namespaces/{namespace}/{plural}")
        } else {
            format!("/apis/kluis.dev/v1alpha1/{plural}")
        };
        Self {
            cluster,
            kind: kind.to_owned(),
            collection,
        }
    }

    fn object(&self, name: &str, spec: &Value) -> Value {
        json!({ "apiVersion": "kluis.dev/v1alpha1", "kind": self.kind, "metadata": { "name": name }, "spec": spec })
    }

    /// Goes through all of admission and validation, and is not stored.
    pub(crate) fn would_create(&self, spec: &Value) -> Answer {
        let path = format!("{}?dryRun=All&fieldValidation=Strict", self.collection);
        self.cluster
            .api()
            .post(&path, &self.object("case", spec))
            .unwrap()
    }

    /// The same of a manifest as it is written.
    pub(crate) fn would_take(&self, manifest: &str) -> Answer {
        let path = format!("{}?dryRun=All&fieldValidation=Strict", self.collection);
        let body = Some(("application/yaml", manifest.to_owned()));
        self.cluster.api().raw("POST", &path, body).unwrap()
    }

    fn create(&self, name: &str, spec: &Value) -> Value {
        let answer = self
            .cluster
            .api()
            .post(&self.collection, &self.object(name, spec))
            .unwrap();
        assert_eq!(answer.status, 201, "{}: {}", self.kind, answer.text);
        answer.body
    }

    fn delete(&self, name: &str) {
        let answer = self
            .cluster
            .api()
            .send("DELETE", &format!("{}/{name}", self.collection), None)
            .unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

#[test]
fn the_folder_is_what_kluis_prints() {
    let mut files: Vec<_> = fs::read_dir(workspace().join("crds"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut folder: Vec<Value> = files
        .iter()
        .flat_map(|path| documents(&fs::read_to_string(path).unwrap()))
        .collect();
    let mut printed = documents(&run(Command::new(kluis().unwrap()).arg("crds")).unwrap());
    folder.sort_by_key(name);
    printed.sort_by_key(name);
    assert_eq!(
        folder.iter().map(name).collect::<Vec<_>>(),
        printed.iter().map(name).collect::<Vec<_>>()
    );
    assert!(
        folder == printed,
        "crds/ is not what `kluis crds` prints: print it again"
    );
}

#[test]
fn every_kind_has_a_table_of_cases() {
    let with_refusals = |table: &Table| !table.refused.is_empty();
    let mut kinds: Vec<String> = tables()
        .into_iter()
        .filter(with_refusals)
        .map(|table| table.kind)
        .collect();
    kinds.sort();
    kinds.dedup();
    assert_eq!(
        kinds,
        [
            "BackupJob",
            "BackupPolicy",
            "BackupService",
            "ProtectedVM",
            "Restore",
            "Vault"
        ]
    );
}

#[test]
fn what_is_right_is_accepted() {
    let mut wrong = Vec::new();
    for table in tables() {
        let served = Served::new(&table.kind);
        let plain = Accepted {
            name: "the base".to_owned(),
            spec: json!({}),
        };
        for case in std::iter::once(&plain).chain(&table.accepted) {
            let answer = served.would_create(&merged(&table.base, &case.spec));
            if answer.status != 201 {
                wrong.push(format!(
                    "{}, {}: {}",
                    table.kind, case.name, answer.body["message"]
                ));
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
fn what_is_wrong_is_refused_with_the_rule_and_the_field() {
    let mut wrong = Vec::new();
    for table in tables() {
        let served = Served::new(&table.kind);
        for case in &table.refused {
            let answer = served.would_create(&merged(&table.base, &case.spec));
            let message = answer.body["message"].as_str().unwrap_or_default();
            if answer.status < 400 {
                wrong.push(format!("{}, {}: accepted", table.kind, case.name));
            } else if !message.contains(&case.message) {
                wrong.push(format!(
                    "{}, {}: refused with {message:?} instead of {:?}",
                    table.kind, case.name, case.message
                ));
            } else if let Some(field) = &case.field {
                let causes = answer.body["details"]["causes"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                if !causes.iter().any(|cause| cause["field"] == **field) {
                    wrong.push(format!(
                        "{}, {}: no cause names the field {field}: {message}",
                        table.kind, case.name
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "not as the tables say:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn what_must_not_change_does_not() {
    let mut wrong = Vec::new();
    for table in tables() {
        let served = Served::new(&table.kind);
        for (number, case) in table.updates.iter().enumerate() {
            let name = format!("update-{number}");
            served.create(&name, &merged(&table.base, &case.from));
            let path = format!("{}/{name}", served.collection);
            let answer = served
                .cluster
                .api()
                .merge(&path, &json!({ "spec": case.spec }))
                .unwrap();
            let message = answer.body["message"].as_str().unwrap_or_default();
            match &case.message {
                None if answer.status == 200 => {}
                None => wrong.push(format!(
                    "{}, {}: refused with {message:?}",
                    table.kind, case.name
                )),
                Some(_) if answer.status == 200 => {
                    wrong.push(format!("{}, {}: accepted", table.kind, case.name));
                }
                Some(expected) if message.contains(expected) => {}
                Some(expected) => wrong.push(format!(
                    "{}, {}: {message:?} instead of {expected:?}",
                    table.kind, case.name
                )),
            }
            served.delete(&name);
        }
    }
    assert!(
        wrong.is_empty(),
        "not as the tables say:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn defaults_are_filled_in() {
    for table in tables() {
        let made = Served::new(&table.kind).would_create(&table.base).body;
        // Merging what is already so changes nothing.
        assert_eq!(
            merged(&made, &table.defaults),
            made,
            "{} lacks a default of its table",
            table.kind
        );
    }
}

#[test]
fn nothing_looks_current_before_its_first_status_and_only_the_status_writes_it() {
    for table in tables() {
        let served = Served::new(&table.kind);
        let name = "status";
        served.create(name, &table.base);
        let path = format!("{}/{name}", served.collection);
        let api = served.cluster.api();
        let read = || api.get(&path).unwrap().body;

        // Set through the object itself, a status does not come through.
        let lie = json!({ "status": { "observedGeneration": 7 } });
        assert_eq!(api.merge(&path, &lie).unwrap().status, 200);
        assert_ne!(
            read()["status"]["observedGeneration"],
            7,
            "{} takes a status outside its subresource",
            table.kind
        );

        // The default makes a status that has only conditions look out of date.
        let first = json!({ "status": { "conditions": [] } });
        let answer = api.merge(&format!("{path}/status"), &first).unwrap();
        assert_eq!(answer.status, 200, "{}: {}", table.kind, answer.text);
        assert_eq!(read()["status"]["observedGeneration"], -1, "{}", table.kind);

        // Conditions are a map by type: two of one type are refused.
        let condition = json!({ "type": "Ready", "status": "True", "reason": "Test", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z" });
        let twice = json!({ "status": { "conditions": [condition, condition] } });
        let answer = api.merge(&format!("{path}/status"), &twice).unwrap();
        assert!(
            answer.status >= 400,
            "{} takes two conditions of one type: {}",
            table.kind,
            answer.text
        );

        // A status does not move the generation, a spec does not touch the status.
        assert_eq!(read()["metadata"]["generation"], 1, "{}", table.kind);
        served.delete(name);
    }
}

#[test]
fn an_unknown_field_is_named() {
    for table in tables() {
        let answer = Served::new(&table.kind)
            .would_create(&merged(&table.base, &json!({ "surely": "not" })));
        assert_eq!(answer.status, 400, "{}: {}", table.kind, answer.text);
        assert!(
            answer.text.contains("surely"),
            "{}: {}",
            table.kind,
            answer.text
        );
    }
}

fn tables() -> Vec<Table> {
    let dir = workspace().join("crates/api/tests/cel");
    let mut files: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        serde_yaml::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    };
    files.iter().map(read).collect()
}

fn documents(text: &str) -> Vec<Value> {
    serde_yaml::from_multiple(text).unwrap()
}

fn name(object: &Value) -> String {
    object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
