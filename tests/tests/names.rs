//! Azure's rules of names: `kluis validate` and the API server ask what the service asks, of new objects, and let those that
//! are there under another name be changed.

use std::fs;
use std::process::Command;

use kluis_arm::id::is_policy_name;
use kluis_tests::binary::kluis;
use kluis_tests::cluster::Cluster;
use kluis_tests::place::{scratch, workspace};
use kluis_tests::until::{Look, seconds, until};
use serde_json::{Value, json};

/// Names at each side of each bound, and with each kind of character at each place. Those that Kubernetes itself refuses are left out: what
/// an object is called is small letters, digits, hyphens and periods.
fn names() -> Vec<String> {
    let mut names = Vec::new();
    for length in [1, 2, 3, 4, 49, 50, 51, 52, 149, 150, 151, 152, 253] {
        names.push("a".repeat(length));
        names.push(format!("{}9", "a".repeat(length - 1)));
        names.push(format!("7{}", "a".repeat(length - 1)));
    }
    for odd in [
        "a.b", "a-b", "a--b", "a.b.c", "12", "123", "1-a", "a1", "a-1", "a.1", "abc.d", "0abc",
        "a-b-c-9",
    ] {
        names.push(odd.to_owned());
    }
    names
}

/// A name of a vault by the service's rule.
fn is_vault_name(name: &str) -> bool {
    (2..=50).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
}

#[test]
fn validate_asks_of_names_what_the_service_asks() {
    let folder = scratch("names").unwrap();
    let policy = "spec: { workload: VirtualMachine, schedule: { daily: { at: \"22:30\" } }, retention: { daily: { keep: 30 } } }";
    let vault =
        "spec: { serviceRef: { name: azure }, resourceGroup: shop-rg, location: westeurope }";
    let machine = |policy: &str| {
        format!(
            "spec: {{ vaultRef: {{ name: shop-weu }}, policyRef: {{ azureName: \"{policy}\" }}, vm: {{ resourceGroup: shop-rg, name: web-1 }} }}"
        )
    };
    let mut asked = Vec::new();
    for name in names() {
        asked.push((
            "BackupPolicy",
            name.clone(),
            policy.to_owned(),
            is_policy_name(&name),
        ));
        asked.push((
            "Vault",
            name.clone(),
            vault.to_owned(),
            is_vault_name(&name),
        ));
        asked.push((
            "ProtectedVM",
            name.clone(),
            machine(&name),
            is_policy_name(&name),
        ));
    }
    for name in [
        "Daily-30", "A9z", "ab-", "-ab", "a_b", "a b", "\u{e4}bc", "ab\u{e7}",
    ] {
        asked.push((
            "ProtectedVM",
            name.to_owned(),
            machine(name),
            is_policy_name(name),
        ));
    }
    for (n, (kind, name, spec, _)) in asked.iter().enumerate() {
        // The machine's own name is no matter here, and each file is an object of its own.
        let name = match *kind {
            "ProtectedVM" => format!("m-{n}"),
            _ => name.clone(),
        };
        let text = format!(
            "apiVersion: kluis.dev/v1alpha1\nkind: {kind}\nmetadata: {{ namespace: n-{n}, name: \"{name}\" }}\n{spec}\n"
        );
        fs::write(folder.path().join(format!("{n:04}.yaml")), text).unwrap();
    }
    let output = Command::new(kluis().unwrap())
        .args(["validate", "-o", "json", "-f"])
        .arg(folder.path())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    for (n, (kind, name, _, fits)) in asked.iter().enumerate() {
        let file = format!("{n:04}.yaml");
        let told: Vec<&str> = findings
            .iter()
            .filter(|finding| finding["file"].as_str().unwrap().ends_with(&file))
            .filter(|finding| finding["severity"] == "error")
            .filter(|finding| {
                let field = finding["field"].as_str().unwrap_or_default();
                let message = finding["message"].as_str().unwrap_or_default();
                field.ends_with("ame") || message.contains("metadata.name")
            })
            .filter_map(|finding| finding["message"].as_str())
            .collect();
        assert_eq!(told.is_empty(), *fits, "{kind} {name}: {told:?}");
    }
}

/// A definition under another group, so that the one that others use stays as it is.
fn definition(plural: &str) -> Value {
    let files = fs::read_dir(workspace().join("crds")).unwrap();
    let found = files
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .map(|text| serde_yaml::from_str::<Value>(&text).unwrap())
        .find(|definition| definition["spec"]["names"]["plural"] == plural);
    let mut definition = found.unwrap();
    definition["metadata"]["name"] = json!(format!("{plural}.{GROUP}"));
    definition["spec"]["group"] = json!(GROUP);
    definition["spec"]["names"]["categories"] = json!([]);
    definition["spec"]["names"]["shortNames"] = json!([]);
    definition
}

const GROUP: &str = "names.example.org";

/// The definition as it was before there were rules.
fn without_rules(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("x-kubernetes-validations");
            fields.values_mut().for_each(without_rules);
        }
        Value::Array(items) => items.iter_mut().for_each(without_rules),
        _ => {}
    }
}

#[test]
fn what_is_there_under_a_name_that_is_refused_now_can_be_changed_and_deleted() {
    let cluster = Cluster::shared().unwrap();
    let api = cluster.api();
    let namespace = cluster.namespace("names").unwrap();
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let policy = json!({ "workload": "VirtualMachine", "schedule": { "daily": { "at": "22:30" } }, "retention": { "daily": { "keep": 30 } } });
    let vault = json!({ "serviceRef": { "name": "azure" }, "resourceGroup": "shop.", "location": "westeurope" });
    for (plural, kind, name, spec, change) in [
        (
            "backuppolicies",
            "BackupPolicy",
            "a.b.c",
            policy,
            json!({ "spec": { "retention": { "daily": { "keep": 31 } } } }),
        ),
        (
            "vaults",
            "Vault",
            "a.b.c",
            vault,
            json!({ "spec": { "tags": { "a": "b" } } }),
        ),
    ] {
        let new = definition(plural);
        let mut old = new.clone();
        without_rules(&mut old);
        let made = api.post(definitions, &old).unwrap();
        assert_eq!(made.status, 201, "{}", made.text);
        let collection = format!("/apis/{GROUP}/v1alpha1/namespaces/{namespace}/{plural}");
        let object = |name: &str| json!({ "apiVersion": format!("{GROUP}/v1alpha1"), "kind": kind, "metadata": { "name": name, "finalizers": ["names.example.org/held"] }, "spec": spec });
        until("the kind to be served", seconds(60), || {
            let made = api.post(&collection, &object(name))?;
            Ok(match made.status {
                201 | 409 => Look::Done(()),
                _ => Look::NotYet(made.text),
            })
        })
        .unwrap();
        let own = format!("{definitions}/{plural}.{GROUP}");
        let changed = api.merge(&own, &json!({ "spec": new["spec"] })).unwrap();
        assert_eq!(changed.status, 200, "{}", changed.text);
        let dry = format!("{collection}?dryRun=All");
        let refused = until("the rules to be asked", seconds(60), || {
            let made = api.post(&dry, &object("a.b.d"))?;
            Ok(match made.status {
                422 => Look::Done(made.text),
                _ => Look::NotYet(made.text),
            })
        });
        let refused = refused.unwrap();
        assert!(refused.contains("metadata.name cannot be"), "{refused}");

        let path = format!("{collection}/{name}");
        let changed = api.merge(&path, &change).unwrap();
        assert_eq!(changed.status, 200, "{kind}: {}", changed.text);
        // A field that nobody touches keeps what it has; touched, it is asked.
        if kind == "Vault" {
            let worse = json!({ "spec": { "resourceGroup": "SHOP." } });
            let refused = api.merge(&path, &worse).unwrap();
            assert_eq!(refused.status, 422, "{}", refused.text);
            assert!(
                refused.text.contains("a resource group's name"),
                "{}",
                refused.text
            );
        }
        let gone = api.send("DELETE", &path, None).unwrap();
        assert_eq!(gone.status, 200, "{}", gone.text);
        let let_go = json!({ "metadata": { "finalizers": [] } });
        let let_go = api.merge(&path, &let_go).unwrap();
        assert_eq!(let_go.status, 200, "{kind}: {}", let_go.text);
        assert_eq!(api.get(&path).unwrap().status, 404);
        api.send("DELETE", &own, None).unwrap();
    }
}
