//! What of the chart can be told without a cluster. (What helm and a node make
//! of it is `make test-node`'s.)

use std::fs;
use std::path::PathBuf;

use kluis_tests::place::workspace;
use serde_json::Value;

fn chart() -> PathBuf {
    workspace().join("charts/kluis")
}

fn yaml(file: &str) -> Value {
    serde_yaml::from_str(&fs::read_to_string(chart().join(file)).unwrap()).unwrap()
}

fn json(file: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(chart().join(file)).unwrap()).unwrap()
}

/// The version of the crates is the one of the image that the chart runs.
#[test]
fn the_chart_runs_this_version() {
    let versions = yaml("Chart.yaml");
    assert_eq!(versions["appVersion"], env!("CARGO_PKG_VERSION"));
    assert_eq!(versions["version"], env!("CARGO_PKG_VERSION"));
}

/// A value that is misspelt is refused; one that exists is known to the schema.
#[test]
fn the_schema_knows_every_value_and_no_other() {
    let mut wrong = Vec::new();
    compare(
        "",
        &yaml("values.yaml"),
        &json("values.schema.json"),
        &mut wrong,
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn compare(path: &str, values: &Value, schema: &Value, wrong: &mut Vec<String>) {
    let (Some(values), Some(known)) = (values.as_object(), schema["properties"].as_object()) else {
        return;
    };
    if schema["additionalProperties"] != false {
        wrong.push(format!("{path}: the schema lets any key pass"));
    }
    for (name, value) in values {
        match known.get(name) {
            None => wrong.push(format!("{path}.{name}: the schema does not know it")),
            Some(schema) => compare(&format!("{path}.{name}"), value, schema, wrong),
        }
    }
    for name in known.keys().filter(|name| *name != "global") {
        if !values.contains_key(name) {
            wrong.push(format!("{path}.{name}: values.yaml does not have it"));
        }
    }
}
