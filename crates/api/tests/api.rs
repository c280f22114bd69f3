//! The committed definitions are those that the types make.
#![expect(
    clippy::disallowed_methods,
    reason = "a test reads and writes the committed files"
)]

#[cfg(test)]
mod reference;

use std::path::{Path, PathBuf};

use kluis_api::crds;

/// For people, and for Helm, which reads nothing outside its chart.
const FOLDERS: [&str; 2] = ["../../crds", "../../charts/kluis/crds"];

#[test]
fn committed_definitions_are_fresh() {
    for folder in FOLDERS {
        fresh(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    }
}

#[cfg(test)]
fn fresh(folder: &Path) {
    let made: Vec<(PathBuf, String)> = crds()
        .iter()
        .map(|crd| {
            let name = format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
            // Through JSON: what a YAML writer makes of an absent value is its own affair.
            let value = serde_json::to_value(crd).unwrap();
            (folder.join(name), serde_yaml::to_string(&value).unwrap())
        })
        .collect();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(folder).unwrap();
        for (path, text) in &made {
            std::fs::write(path, text).unwrap();
        }
    }
    for (path, text) in &made {
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == *text,
            "{} is stale: run UPDATE=1 cargo test -p kluis-api and commit it",
            path.display()
        );
    }
    let mut kept: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let mut expected: Vec<PathBuf> = made.into_iter().map(|(path, _)| path).collect();
    kept.sort();
    expected.sort();
    assert_eq!(
        kept,
        expected,
        "{} holds one file a kind and nothing else",
        folder.display()
    );
}

#[test]
fn everything_that_can_grow_has_a_maximum() {
    let mut without = Vec::new();
    for crd in crds() {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        let spec = &schema["openAPIV3Schema"]["properties"]["spec"];
        look(&crd.spec.names.kind, spec, &mut without);
    }
    assert!(
        without.is_empty(),
        "no maximum, so no bound on what a rule may cost: {without:#?}"
    );
}

#[cfg(test)]
fn look(path: &str, schema: &serde_json::Value, without: &mut Vec<String>) {
    let has = |key: &str| schema.get(key).is_some();
    match schema["type"].as_str() {
        Some("string") if !has("maxLength") && !has("enum") && schema["format"] != "date-time" => {
            without.push(path.to_owned());
        }
        Some("array") if !has("maxItems") => without.push(path.to_owned()),
        Some("object") if has("additionalProperties") && !has("maxProperties") => {
            without.push(path.to_owned());
        }
        _ => {}
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        look(&format!("{path}.{name}"), property, without);
    }
    if schema["items"].is_object() {
        look(&format!("{path}[]"), &schema["items"], without);
    }
}
