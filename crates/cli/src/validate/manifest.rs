//! Objects in a file, and the definitions that they are held to.

use std::collections::BTreeMap;

use kluis_api::{GROUP, VERSION};
use serde_json::{Value, json};

use super::document::{Content, Node, Step};
use super::rules;
use super::structure::{self, Fault};

/// The schemas of our kinds.
#[derive(Debug)]
pub(super) struct Definitions {
    kinds: BTreeMap<String, Definition>,
}

#[derive(Debug)]
struct Definition {
    schema: Value,
    namespaced: bool,
}

impl Definitions {
    /// Those that `kluis crds` prints.
    pub(super) fn ours() -> Self {
        let kinds = kluis_api::crds().into_iter().filter_map(|definition| {
            let version = definition
                .spec
                .versions
                .into_iter()
                .find(|version| version.name == VERSION)?;
            let schema = serde_json::to_value(version.schema?.open_api_v3_schema?).ok()?;
            Some((
                definition.spec.names.kind,
                Definition {
                    schema: with_envelope(schema),
                    namespaced: definition.spec.scope == "Namespaced",
                },
            ))
        });
        Self {
            kinds: kinds.collect(),
        }
    }

    /// What a kind's objects have to look like.
    pub(super) fn schema(&self, kind: &str) -> Option<&Value> {
        Some(&self.kinds.get(kind)?.schema)
    }

    /// The object's name for people and what is wrong with it; `None` for an object of another group.
    pub(super) fn check(&self, object: &Node) -> Option<(String, Vec<Fault>)> {
        let text = |field: &str| object.get(field).and_then(Node::text);
        let version = text("apiVersion").unwrap_or_default();
        let group = version.split_once('/').map_or("", |(group, _)| group);
        // An object without a version can't be told to be another's; one of a kind of ours is probably ours.
        let kind = text("kind").unwrap_or_default();
        if group != GROUP && !(version.is_empty() && self.kinds.contains_key(kind)) {
            return None;
        }
        let name = title(object, kind);
        let at = |field: &str, message: String| {
            vec![Fault {
                path: vec![Step::Field(field.to_owned())],
                message,
            }]
        };
        let wanted = format!("{GROUP}/{VERSION}");
        if version != wanted {
            return Some((
                name,
                at(
                    "apiVersion",
                    format!("Unsupported value: \"{version}\": it is \"{wanted}\""),
                ),
            ));
        }
        let Some(definition) = self.kinds.get(kind) else {
            let known: Vec<&str> = self.kinds.keys().map(String::as_str).collect();
            let message = format!("no kind \"{kind}\"; there are {}", known.join(", "));
            return Some((name, at("kind", message)));
        };
        let mut faults = of_metadata(object, definition.namespaced);
        let mut value = object.value();
        faults.extend(structure::check(
            &mut value,
            &definition.schema,
            &mut Vec::new(),
        ));
        Some((name, faults))
    }
}

impl Definitions {
    /// The object as the API server would understand it, without what is null and stands for nothing.
    pub(super) fn understood(&self, object: &Node) -> Value {
        let mut value = object.value();
        let kind = object.get("kind").and_then(Node::text);
        if let Some(schema) = kind.and_then(|kind| self.schema(kind)) {
            structure::drop_nulls(&mut value, schema);
        }
        value
    }

    /// What is wrong with an object that is not there yet: what is there goes on under the name that it has.
    pub(super) fn check_new(&self, object: &Node) -> Vec<Fault> {
        let kind = object.get("kind").and_then(Node::text);
        let schema = kind.and_then(|kind| self.schema(kind));
        schema.map_or_else(Vec::new, |schema| {
            rules::ask_new(&self.understood(object), schema)
        })
    }
}

/// The objects of the documents; those of a `List` one by one.
pub(super) fn objects(documents: Vec<Node>) -> Vec<Node> {
    let mut objects = Vec::new();
    for document in documents {
        let is_list = document
            .get("kind")
            .and_then(Node::text)
            .is_some_and(|kind| kind.ends_with("List"));
        match document.get("items").map(|items| &items.content) {
            Some(Content::List(items)) if is_list => objects.extend(items.iter().cloned()),
            _ => objects.push(document),
        }
    }
    objects
}

/// What the API server itself gives every object; it is not in a definition's schema.
fn with_envelope(mut schema: Value) -> Value {
    for field in ["apiVersion", "kind"] {
        schema["properties"][field] = json!({ "type": "string" });
    }
    schema["properties"]["metadata"] = metadata();
    schema
}

/// What every object's metadata can have; the text of a name is looked at by itself.
fn metadata() -> Value {
    let (text, number) = (json!({ "type": "string" }), json!({ "type": "integer" }));
    let texts = json!({ "type": "object", "additionalProperties": text });
    let moment = json!({ "type": "string", "format": "date-time" });
    let anything =
        json!({ "type": "array", "items": { "x-kubernetes-preserve-unknown-fields": true } });
    json!({ "type": "object", "properties": {
        "name": text, "generateName": text, "namespace": text, "selfLink": text, "uid": text, "resourceVersion": text,
        "generation": number, "creationTimestamp": moment, "deletionTimestamp": moment, "deletionGracePeriodSeconds": number,
        "labels": texts, "annotations": texts, "finalizers": { "type": "array", "items": text },
        "ownerReferences": anything, "managedFields": anything,
    }})
}

fn of_metadata(object: &Node, namespaced: bool) -> Vec<Fault> {
    let metadata = object.get("metadata");
    let text = |field: &str| {
        metadata
            .and_then(|node| node.get(field))
            .and_then(Node::text)
    };
    let fault = |field: &str, message: &str| Fault {
        path: vec![
            Step::Field("metadata".to_owned()),
            Step::Field(field.to_owned()),
        ],
        message: message.to_owned(),
    };
    let mut faults = Vec::new();
    match (text("name"), text("generateName")) {
        (None, None) => faults.push(fault("name", "Required value: name or generateName is required")),
        (Some(name), _) if !is_subdomain(name) => faults.push(fault(
            "name",
            "Invalid value: a name is lower case letters, digits, '-' and '.', at most 253, and begins and ends with a letter or digit",
        )),
        _ => {}
    }
    match text("namespace") {
        Some(_) if !namespaced => {
            faults.push(fault("namespace", "Forbidden: the kind has no namespace"));
        }
        Some(name) if name.len() > 63 || name.contains('.') || !is_subdomain(name) => {
            faults.push(fault(
                "namespace",
                "Invalid value: a namespace is lower case letters, digits and '-', at most 63",
            ));
        }
        _ => {}
    }
    faults
}

/// RFC 1123, as Kubernetes asks of names.
fn is_subdomain(name: &str) -> bool {
    let is_label = |label: &str| {
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = label.as_bytes();
        edge(bytes.first())
            && edge(bytes.last())
            && label.chars().all(|letter| {
                letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-'
            })
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// `ProtectedVM shop/web-1`.
fn title(object: &Node, kind: &str) -> String {
    let text = |field: &str| object.get("metadata")?.get(field)?.text();
    let name = text("name")
        .or_else(|| text("generateName"))
        .unwrap_or("(no name)");
    match text("namespace") {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_ours_can_be_asked() {
        let mut not_asked = Vec::new();
        for definition in Definitions::ours().kinds.values() {
            rules::not_asked(&definition.schema, &mut Vec::new(), &mut not_asked);
        }
        assert!(not_asked.is_empty(), "{not_asked:#?}");
    }

    #[test]
    fn names_are_as_kubernetes_wants_them() {
        assert!(is_subdomain("web-1.shop") && is_subdomain("0"));
        for wrong in ["", "Web", "-a", "a-", "a..b", "a_b"] {
            assert!(!is_subdomain(wrong), "{wrong}");
        }
    }
}
