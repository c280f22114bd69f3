//! Where the published data are, and how bodies are compared.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "tests read their cases from files"
)]

use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::known::Known;

/// A way to read a body and write it back. `Ok(known)` holds whether the type knew every kind of thing in it.
pub(crate) type Shape = fn(&Value) -> Result<Reread, String>;

pub(crate) struct Reread {
    pub(crate) body: Value,
    pub(crate) known: bool,
}

/// Reads a body as `T` and writes it back.
pub(crate) fn shape<T: DeserializeOwned + Serialize + Known>(
    body: &Value,
) -> Result<Reread, String> {
    let value: T = serde_json::from_value(body.clone()).map_err(|error| error.to_string())?;
    let body = serde_json::to_value(&value).map_err(|error| error.to_string())?;
    Ok(Reread {
        body,
        known: value.is_known(),
    })
}

/// The folder of published data, or a word on why the test is skipped.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("KLUIS_AZURE_DIR").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../shared/azure"
            ))
        },
        PathBuf::from,
    );
    if folder.join("specs").is_dir() {
        return Some(folder);
    }
    println!(
        "skipped: {} holds no published data; set KLUIS_AZURE_DIR",
        folder.display()
    );
    None
}

pub(crate) fn read(path: &PathBuf) -> Value {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn read_lines(path: &PathBuf) -> Vec<Value> {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Every file below a folder with an ending, as paths relative to it with `/`.
pub(crate) fn files(folder: &PathBuf, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.clone()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(
                    path.strip_prefix(folder)
                        .unwrap()
                        .to_string_lossy()
                        .replace('\\', "/"),
                );
            }
        }
    }
    found.sort();
    found
}

/// The body without its nulls: a field that is null and one that is absent say the same.
pub(crate) fn without_nulls(body: &Value) -> Value {
    match body {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                kept.map(|(key, value)| (key.clone(), without_nulls(value)))
                    .collect(),
            )
        }
        Value::Array(values) => Value::Array(values.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}
