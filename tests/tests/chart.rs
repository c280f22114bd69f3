//! What of the chart can be told without a cluster. (What helm and a node make
//! of it is `make test-node`'s.)

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use kluis_operator::access::{ACCESS, Scope};
use kluis_tests::audit::{Act, allowed};
use kluis_tests::binary::kluis;
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

/// What the chart does not set of `kluis service`, and why not.
const NOT_SET: &[(&str, &str)] = &[
    ("listen-http", "a pod's loopback is nobody's"),
    ("clock", "a virtual one is for tests"),
    ("passphrase-file", "it lies on the volume, with its copy"),
    (
        "log-format",
        "the environment has it, for the operator as well",
    ),
    ("help", "it is none"),
];

/// Where a value has another name than its flag.
const NAMED: &[(&str, &str)] = &[
    ("on-demand-per-day", "onDemand.perDay"),
    ("on-demand-advised", "onDemand.advised"),
    ("longest-pause-days", "clock.longestPauseDays"),
    ("scrub-period", "scrub.period"),
    ("scrub-rate", "scrub.rate"),
];

/// The flags of `kluis service`, with their defaults.
fn flags() -> BTreeMap<String, Option<String>> {
    let help = Command::new(kluis().unwrap())
        .args(["service", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut flags = BTreeMap::new();
    for part in help.split("  --").skip(1) {
        let name: String = part
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect();
        let default = part.split_once("[default: ").and_then(|(_, rest)| {
            let (default, _) = rest.split_once(']')?;
            Some(default.to_owned())
        });
        flags.insert(name, default);
    }
    flags
}

fn kebab(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            words.push('-');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

/// Whatever can be said to the service can be said to the chart, and what nobody says is the same in both.
#[test]
fn the_chart_has_a_value_for_every_flag_of_the_service() {
    let flags = flags();
    assert!(flags.len() > 20, "{flags:?}");
    let template = fs::read_to_string(chart().join("templates/service/statefulset.yaml")).unwrap();
    let service = yaml("values.yaml")["service"].clone();
    let limits: BTreeMap<String, &Value> = service["limits"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (kebab(name), value))
        .collect();
    for limit in limits.keys() {
        assert!(flags.contains_key(limit), "no flag is called {limit}");
    }
    for (flag, default) in &flags {
        let value = limits.get(flag).copied();
        let is_set = value.is_some() || template.contains(&format!("- --{flag}"));
        let is_left_out = NOT_SET.iter().any(|(name, _)| name == flag);
        assert!(is_set != is_left_out, "--{flag}");
        let named = NAMED.iter().find(|(name, _)| name == flag);
        let path = named.map(|(_, path)| format!("/{}", path.replace('.', "/")));
        let own = service.as_object().unwrap();
        let value = value.or_else(|| service.pointer(&path?)).or_else(|| {
            own.iter()
                .find(|(name, _)| kebab(name) == *flag)
                .map(|(_, value)| value)
        });
        if let (true, Some(default), Some(value)) = (is_set, default, value) {
            let value = value.as_str().map_or(value.to_string(), str::to_owned);
            assert_eq!(&value, default, "--{flag}");
        }
    }
}
