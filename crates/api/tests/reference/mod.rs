//! `docs/reference.md`, made from the definitions: every field of every kind, what it holds, and the rules beside it.

use std::fmt::Write;
use std::path::Path;

use kluis_api::crds;
use serde_json::Value;

#[test]
fn the_reference_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference.md");
    let made = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == made,
        "docs/reference.md is stale: run UPDATE=1 cargo test -p kluis-api and commit it"
    );
}

fn page() -> String {
    let mut text = String::from(
        "# Reference\n\nEvery kind and field of `kluis.dev/v1alpha1`, made from the definitions (`UPDATE=1 cargo test -p kluis-api`). A field in **bold** is required. The rules are asked by the API server and, without a cluster, by `kluis validate`.\n",
    );
    for crd in crds() {
        let kind = &crd.spec.names.kind;
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        let root = &schema["openAPIV3Schema"];
        let scope = if crd.spec.scope == "Namespaced" {
            "in a namespace"
        } else {
            "for the whole cluster"
        };
        write!(
            text,
            "\n## {kind}\n\n{} It is made {scope}.\n",
            described(root)
        )
        .unwrap();
        for part in ["spec", "status"] {
            let below = &root["properties"][part];
            let mut rows = Vec::new();
            gather("", below, &mut rows);
            if rows.is_empty() {
                continue;
            }
            write!(
                text,
                "\n### {kind}.{part}\n\n| field | holds | means |\n|---|---|---|\n"
            )
            .unwrap();
            for [field, holds, means] in rows {
                writeln!(text, "| {field} | {holds} | {means} |").unwrap();
            }
            let mut rules = Vec::new();
            told(part, below, &mut rules);
            if !rules.is_empty() {
                write!(text, "\nRules:\n\n").unwrap();
                for rule in rules {
                    writeln!(text, "- {rule}").unwrap();
                }
            }
        }
    }
    text
}

fn gather(path: &str, schema: &Value, rows: &mut Vec<[String; 3]>) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        let own = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let field = if required.contains(&Value::from(name.as_str())) {
            format!("**`{own}`**")
        } else {
            format!("`{own}`")
        };
        rows.push([field, held(below), cell(&described(below))]);
        // What a condition is, every Kubernetes user knows; it would be told six times.
        if name == "conditions" {
            continue;
        }
        gather(&own, below, rows);
        if below["items"].is_object() {
            gather(&format!("{own}[]"), &below["items"], rows);
        }
    }
}

/// The kind of value, its range and its default.
fn held(schema: &Value) -> String {
    let mut parts = Vec::new();
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words
            .iter()
            .map(|word| format!("`{}`", plain(word)))
            .collect();
        parts.push(words.join(", "));
    } else if schema["x-kubernetes-int-or-string"] == true {
        parts.push("integer or string".to_owned());
    } else {
        let own = schema["type"].as_str().unwrap_or("object");
        match schema["items"]["type"].as_str() {
            Some(items) => parts.push(format!("list of {items}")),
            None => parts.push(
                schema["format"]
                    .as_str()
                    .filter(|format| *format == "date-time")
                    .unwrap_or(own)
                    .to_owned(),
            ),
        }
    }
    match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
        (Some(least), Some(most)) => parts.push(format!("{least} to {most}")),
        (Some(least), None) => parts.push(format!("at least {least}")),
        (None, Some(most)) => parts.push(format!("at most {most}")),
        (None, None) => {}
    }
    for (keyword, words) in [("maxLength", "characters"), ("maxItems", "items")] {
        if let Some(most) = schema[keyword].as_u64() {
            parts.push(format!("at most {most} {words}"));
        }
    }
    let default = &schema["default"];
    if !default.is_null() && !default.is_object() {
        parts.push(format!("default `{}`", plain(default)));
    }
    cell(&parts.join("; "))
}

fn told(path: &str, schema: &Value, rules: &mut Vec<String>) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        if let Some(message) = rule["message"].as_str() {
            rules.push(format!("`{path}`: {message}"));
        }
    }
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        told(&format!("{path}.{name}"), below, rules);
    }
    if schema["items"].is_object() {
        told(&format!("{path}[]"), &schema["items"], rules);
    }
}

fn described(schema: &Value) -> String {
    schema["description"]
        .as_str()
        .unwrap_or_default()
        .replace('\n', " ")
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
