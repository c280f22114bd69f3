//! Which fields differ between two specs.

use anyhow::{Result, bail};
use kluis_operator::overlay::Laid;
use serde_json::{Map, Value};

use super::document::Field;
use crate::validate::objects::Manifests;

/// The fields of a spec that differ, one by one. Lists are compared whole: their order is part of them.
pub(super) fn differing(before: Option<&Value>, after: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    walk("spec", before.unwrap_or(&Value::Null), after, &mut fields);
    fields
}

fn walk(path: &str, before: &Value, after: &Value, fields: &mut Vec<Field>) {
    let none = Map::new();
    let (old, new) = match (before, after) {
        (Value::Object(old), Value::Object(new)) => (old, new),
        (Value::Object(old), Value::Null) => (old, &none),
        (Value::Null, Value::Object(new)) => (&none, new),
        _ if before == after => return,
        _ => {
            fields.push(Field {
                field: path.to_owned(),
                from: before.clone(),
                to: after.clone(),
            });
            return;
        }
    };
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    for name in new.keys().chain(gone) {
        let at = |fields: &Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
        walk(&format!("{path}.{name}"), &at(old), &at(new), fields);
    }
}

/// An edit that the API server would refuse is an error, not a plan.
pub(super) fn refuse_what_cannot_change(manifests: &Manifests, laid: &Laid) -> Result<()> {
    let Some(before) = &laid.before else {
        return Ok(());
    };
    match manifests.refused_change(&laid.key.kind.to_string(), before, &laid.after) {
        Some((field, why)) => bail!("{}: {field}: {why}", laid.key),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(before: Option<&Value>, after: &Value) -> Vec<String> {
        let fields = differing(before, after);
        let line = |field: &Field| format!("{}: {} → {}", field.field, field.from, field.to);
        fields.iter().map(line).collect()
    }

    #[test]
    fn what_differs_is_told_field_by_field() {
        let before =
            json!({ "a": { "keep": 30, "on": ["Sunday"] }, "gone": { "x": 1 }, "same": 1 });
        let after =
            json!({ "a": { "keep": 7, "on": ["Sunday"] }, "same": 1, "new": { "y": true } });
        assert_eq!(
            told(Some(&before), &after),
            [
                "spec.a.keep: 30 → 7",
                "spec.new.y: null → true",
                "spec.gone.x: 1 → null"
            ]
        );
        assert!(told(Some(&after), &after).is_empty());
    }

    #[test]
    fn of_what_is_new_every_field_is() {
        assert_eq!(
            told(None, &json!({ "a": { "b": 1 } })),
            ["spec.a.b: null → 1"]
        );
    }
}
