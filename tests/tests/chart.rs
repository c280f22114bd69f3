//! What of the chart can be told without a cluster. (What helm and a node make
//! of it is `make test-node`'s.)

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use kluis_operator::access::{ACCESS, Scope};
use kluis_tests::audit::{Act, allowed};
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

/// The roles allow what the operator knows that it asks for, and no more. (That it
/// asks for nothing else is `make test-node`'s to see.)
#[test]
fn the_roles_allow_what_the_operator_asks_for() {
    let text = fs::read_to_string(chart().join("templates/operator/roles.yaml")).unwrap();
    // What helm fills in says where a role is and what it is called, never what it allows.
    let mut plain = String::new();
    for (number, part) in text.split("{{").enumerate() {
        match part.split_once("}}") {
            Some((_, after)) if number > 0 => plain += &format!("x{after}"),
            _ => plain += part,
        }
    }
    let objects: Vec<Value> = serde_yaml::from_multiple(&plain).unwrap();
    for (kind, scope) in [("ClusterRole", Scope::Cluster), ("Role", Scope::Own)] {
        let role = objects.iter().find(|object| object["kind"] == kind);
        let rules = allowed(&role.unwrap()["rules"]);
        let asked: BTreeSet<Act> = ACCESS
            .iter()
            .filter(|rule| rule.scope == scope)
            .flat_map(|rule| {
                rule.verbs.iter().map(|verb| Act {
                    group: rule.group.to_owned(),
                    resource: rule.resource.to_owned(),
                    verb: (*verb).to_owned(),
                })
            })
            .collect();
        assert_eq!(rules, asked, "{kind}");
    }
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
