//! JSON merge patch (RFC 7386), as the tables of cases are written in it.

use serde_json::Value;

/// `target` with `patch` merged in: null removes, objects merge, all else replaces.
pub(crate) fn merged(target: &Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else {
        return if patch.is_null() {
            target.clone()
        } else {
            patch.clone()
        };
    };
    let mut object = target.as_object().cloned().unwrap_or_default();
    for (name, change) in changes {
        if change.is_null() {
            object.remove(name);
        } else {
            let merged = merged(object.get(name).unwrap_or(&Value::Null), change);
            object.insert(name.clone(), merged);
        }
    }
    Value::Object(object)
}
