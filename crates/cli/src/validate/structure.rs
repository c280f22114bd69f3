//! Whether an object has the shape that its definition gives it, in the words in which the API server says it has not.
//!
//! A structural schema is walked over a value: unknown fields, missing ones, types, ranges, and then the rules (CEL) that
//! stand beside them. What is null where nothing may be is dropped first, and defaults are filled in, as the API server does. It knows the
//! schema's own keywords and nothing of what our kinds mean.

use serde_json::{Map, Value};

use super::document::{Step, dotted};
use super::{format, rules};

/// Something that the API server would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) path: Vec<Step>,
    pub(super) message: String,
}

/// Everything that is wrong with a value, by its schema; defaults are filled into it.
pub(super) fn check(value: &mut Value, schema: &Value, path: &mut Vec<Step>) -> Vec<Fault> {
    let mut faults = Vec::new();
    drop_nulls(value, schema);
    fill_defaults(value, schema);
    walk(value, schema, path, &mut faults);
    // The API server asks the rules only of what has its shape.
    if faults.is_empty() {
        rules::ask(value, schema, path, &mut faults);
    }
    faults
}

/// A field that is null is one that is left out, but for an item of a list.
pub(super) fn drop_nulls(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| {
                let below = schema["properties"]
                    .get(name)
                    .or_else(|| schema.get("additionalProperties"));
                !(value.is_null() && below.is_some_and(|below| below["nullable"] != true))
            });
            for (name, value) in fields {
                let below = schema["properties"]
                    .get(name)
                    .or_else(|| schema.get("additionalProperties"));
                if let Some(below) = below {
                    drop_nulls(value, below);
                }
            }
        }
        Value::Array(items) => {
            if let Some(below) = schema.get("items") {
                items.iter_mut().for_each(|item| drop_nulls(item, below));
            }
        }
        _ => {}
    }
}

fn fill_defaults(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, below) in properties(schema) {
                if let (None, Some(default)) = (fields.get(name), below.get("default")) {
                    fields.insert(name.clone(), default.clone());
                }
                if let Some(field) = fields.get_mut(name) {
                    fill_defaults(field, below);
                }
            }
        }
        Value::Array(items) => {
            if let Some(below) = schema.get("items") {
                items.iter_mut().for_each(|item| fill_defaults(item, below));
            }
        }
        _ => {}
    }
}

fn walk(value: &Value, schema: &Value, path: &mut Vec<Step>, faults: &mut Vec<Fault>) {
    let mut say = |message: String| {
        faults.push(Fault {
            path: path.clone(),
            message,
        });
    };
    if let Some(message) = wrong_type(value, schema, path) {
        say(message);
        return;
    }
    if let Some(message) = not_listed(value, schema) {
        say(message);
    }
    match value {
        Value::Object(fields) => of_object(fields, schema, path, faults),
        Value::Array(items) => of_list(items, schema, path, faults),
        Value::String(text) => format::of_text(text, schema, &dotted(path))
            .into_iter()
            .for_each(say),
        Value::Number(number) => {
            format::of_number(number, schema, &dotted(path))
                .into_iter()
                .for_each(say);
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn of_object(
    fields: &Map<String, Value>,
    schema: &Value,
    path: &mut Vec<Step>,
    faults: &mut Vec<Fault>,
) {
    let known = schema.get("properties").and_then(Value::as_object);
    let keeps_all = schema["x-kubernetes-preserve-unknown-fields"] == true;
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        if !fields.contains_key(name) {
            let mut at = path.clone();
            at.push(Step::Field(name.to_owned()));
            faults.push(Fault {
                path: at,
                message: "Required value".to_owned(),
            });
        }
    }
    for (name, value) in fields {
        path.push(Step::Field(name.clone()));
        match known.and_then(|known| known.get(name)) {
            Some(below) => walk(value, below, path, faults),
            None if schema["additionalProperties"].is_object() => {
                walk(value, &schema["additionalProperties"], path, faults);
            }
            None if keeps_all || schema["additionalProperties"] == true => {}
            None => faults.push(Fault {
                path: path.clone(),
                message: format!("unknown field \"{}\"{}", dotted(path), meant(name, known)),
            }),
        }
        path.pop();
    }
}

fn of_list(items: &[Value], schema: &Value, path: &mut Vec<Step>, faults: &mut Vec<Fault>) {
    let count = items.len() as u64;
    let mut say = |message: String| {
        faults.push(Fault {
            path: path.clone(),
            message,
        });
    };
    if let Some(most) = schema["maxItems"].as_u64().filter(|most| count > *most) {
        say(format!("Too many: {count}: must have at most {most} items"));
    }
    if let Some(least) = schema["minItems"].as_u64().filter(|least| count < *least) {
        say(format!(
            "Invalid value: {count}: {} in body should have at least {least} items",
            dotted(path)
        ));
    }
    for (index, item) in items.iter().enumerate() {
        path.push(Step::Item(index));
        if is_repeated(item, &items[..index], schema) {
            faults.push(Fault {
                path: path.clone(),
                message: format!("Duplicate value: {item}"),
            });
        }
        walk(item, &schema["items"], path, faults);
        path.pop();
    }
}

/// Whether an item of a set, or the key of an item of a map list, is there before.
fn is_repeated(item: &Value, before: &[Value], schema: &Value) -> bool {
    match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => before.contains(item),
        Some("map") => {
            let keys: Vec<&str> = schema["x-kubernetes-list-map-keys"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            before
                .iter()
                .any(|other| keys.iter().all(|key| other[key] == item[key]))
        }
        _ => false,
    }
}

fn wrong_type(value: &Value, schema: &Value, path: &[Step]) -> Option<String> {
    if value.is_null() && schema["nullable"] == true {
        return None;
    }
    if schema["x-kubernetes-int-or-string"] == true {
        let fits = value.is_i64() || value.is_string();
        return (!fits).then(|| mistyped(value, "integer or string", path));
    }
    let wanted = schema["type"].as_str()?;
    let fits = match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        // Beyond this a number of JSON is not whole any more to the API server.
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        _ => true,
    };
    (!fits).then(|| mistyped(value, wanted, path))
}

fn mistyped(value: &Value, wanted: &str, path: &[Step]) -> String {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!(
        "Invalid value: \"{found}\": {} in body must be of type {wanted}: \"{found}\"",
        dotted(path)
    )
}

fn not_listed(value: &Value, schema: &Value) -> Option<String> {
    let listed = schema["enum"].as_array()?;
    if listed.contains(value) {
        return None;
    }
    let names: Vec<String> = listed.iter().map(Value::to_string).collect();
    Some(format!(
        "Unsupported value: {value}: supported values: {}",
        names.join(", ")
    ))
}

/// The field that was probably meant.
fn meant(name: &str, known: Option<&Map<String, Value>>) -> String {
    let near = known
        .into_iter()
        .flat_map(Map::keys)
        .map(|candidate| {
            (
                distance(&candidate.to_lowercase(), &name.to_lowercase()),
                candidate,
            )
        })
        .min();
    match near {
        Some((distance, candidate)) if distance <= 2 => format!("; did you mean \"{candidate}\"?"),
        _ => String::new(),
    }
}

/// How many letters have to be put in, taken out or replaced.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut before = row[0];
        row[0] = index + 1;
        for (place, wanted) in other.iter().enumerate() {
            let replaced = before + usize::from(letter != *wanted);
            before = row[place + 1];
            row[place + 1] = replaced.min(before + 1).min(row[place] + 1);
        }
    }
    row[other.len()]
}

/// The fields that a schema names.
pub(super) fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(mut value: Value, schema: &Value) -> Vec<String> {
        check(&mut value, schema, &mut Vec::new())
            .into_iter()
            .map(|fault| format!("{}: {}", dotted(&fault.path), fault.message))
            .collect()
    }

    #[test]
    fn a_slip_of_the_pen_is_told_with_what_was_meant() {
        let schema =
            json!({ "type": "object", "properties": { "policyRef": { "type": "object" } } });
        assert_eq!(
            faults(json!({ "policyref": {} }), &schema),
            ["policyref: unknown field \"policyref\"; did you mean \"policyRef\"?"]
        );
        assert_eq!(
            faults(json!({ "other": 1 }), &schema),
            ["other: unknown field \"other\""]
        );
    }

    #[test]
    fn null_is_a_field_that_is_left_out_and_no_item_of_a_list() {
        let schema = json!({ "type": "object", "required": ["keep"], "properties": {
            "keep": { "type": "integer", "default": 5 }, "name": { "type": "string" }, "days": { "type": "array", "items": { "type": "string" } } } });
        assert!(faults(json!({ "keep": null, "name": null, "days": null }), &schema).is_empty());
        assert_eq!(
            faults(json!({ "days": [null] }), &schema),
            ["days[0]: Invalid value: \"null\": days[0] in body must be of type string: \"null\""]
        );
    }

    #[test]
    fn a_default_is_there_before_a_rule_asks_for_it() {
        let schema = json!({ "type": "object", "properties": { "keep": { "type": "integer", "default": 5 } },
            "x-kubernetes-validations": [{ "rule": "self.keep == 5", "message": "keep is five" }] });
        assert!(faults(json!({}), &schema).is_empty());
        assert_eq!(
            faults(json!({ "keep": 6 }), &schema),
            [": Invalid value: keep is five"]
        );
    }
}
