//! Which settings of a body a vault takes: those that it has, and of those that do nothing here only the value that is so anyway.
//! What is shown is done; a client can't be told of a setting by which nobody acts.

use kluis_arm::error::code;
use serde_json::{Map, Value};

use crate::core::Refusal;

/// A setting that can have one value alone, since nothing would be done by another.
pub(crate) struct Only {
    /// Where it is in `properties`.
    pub(crate) pointer: &'static str,
    pub(crate) value: &'static str,
    /// What the service does in its place, and the way out: "this service …".
    pub(crate) because: &'static str,
}

/// Refuses another value. A client that says nothing, or what is so, asks for nothing.
pub(crate) fn only(said: &Value, settings: &[Only], code: &str) -> Result<(), Refusal> {
    for setting in settings {
        let value = said.pointer(setting.pointer).unwrap_or(&Value::Null);
        let is_so = value
            .as_str()
            .is_some_and(|word| word.is_empty() || word.eq_ignore_ascii_case(setting.value));
        if !is_so && !value.is_null() {
            return Err(Refusal::bad_request(
                code,
                format!(
                    "'properties.{}' is {value}; this service {}. It can only be '{}'.",
                    dotted(setting.pointer),
                    setting.because,
                    setting.value
                ),
            ));
        }
    }
    Ok(())
}

/// Puts what is said at these pointers over what there is, and nothing else: as ARM does, what is not known, or not a client's to
/// say, is dropped, so that a client can send back what it read. A null says nothing.
pub(crate) fn take(all: &mut Value, said: &Value, pointers: &[&str]) -> Result<(), Refusal> {
    for pointer in pointers {
        if let Some(value) = found(said, pointer)? {
            put(all, pointer, value.clone());
        }
    }
    Ok(())
}

/// As [`take`], of what was taken before.
pub(crate) fn copy(all: &mut Value, stored: &Value, pointers: &[&str]) {
    for pointer in pointers {
        if let Some(value) = stored.pointer(pointer).filter(|value| !value.is_null()) {
            put(all, pointer, value.clone());
        }
    }
}

/// The value at a pointer. 400 where a text or a number stands in the place of an object on the way.
fn found<'a>(said: &'a Value, pointer: &str) -> Result<Option<&'a Value>, Refusal> {
    let mut at = said;
    let mut passed = String::new();
    for name in pointer.split('/').skip(1) {
        match at {
            Value::Null => return Ok(None),
            Value::Object(members) => {
                let Some(value) = members.get(name) else {
                    return Ok(None);
                };
                at = value;
            }
            other => {
                return Err(Refusal::bad_request(
                    code::INVALID_REQUEST_CONTENT,
                    format!("'properties{passed}' must be a JSON object; it is {other}."),
                ));
            }
        }
        passed.push('.');
        passed.push_str(name);
    }
    Ok(Some(at).filter(|value| !value.is_null()))
}

fn put(all: &mut Value, pointer: &str, value: Value) {
    let mut at = all;
    for name in pointer.split('/').skip(1) {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[name];
    }
    *at = value;
}

fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}
