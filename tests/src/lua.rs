//! Lua, as Argo CD has it (5.1): runs its health script on an object.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What a health script says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub status: String,
    pub message: String,
}

/// Runs a script of Argo CD's kind, which finds the object in the variable `obj`.
///
/// # Errors
/// There is no Lua, or the script failed.
pub fn health(script: &Path, object: &Value) -> Result<Health> {
    let program = format!(
        "obj = {}\nlocal told = dofile({})\nio.write(told.status, '\\n', told.message)\n",
        literal(object),
        quoted(&script.display().to_string())
    );
    let mut child = Command::new("lua5.1")
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting lua5.1: is the package lua5.1 installed?")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(program.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!(
            "{}: {}",
            script.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let told = String::from_utf8(output.stdout)?;
    let (status, message) = told
        .split_once('\n')
        .context("the script said too little")?;
    Ok(Health {
        status: status.to_owned(),
        message: message.to_owned(),
    })
}

/// An object as Argo CD hands it over: null is absence, a list counts from one.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("{{{}}}", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("[{}] = {}", quoted(name), literal(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

/// A string of Lua 5.1, whatever is in it.
fn quoted(text: &str) -> String {
    let escaped: String = text
        .bytes()
        .map(|byte| match byte {
            b' '..=b'~' if byte != b'"' && byte != b'\\' => char::from(byte).to_string(),
            other => format!("\\{other:03}"),
        })
        .collect();
    format!("\"{escaped}\"")
}
