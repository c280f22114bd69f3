//! How an answer is printed: for people, or for programs.

use std::io::Write;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

/// What is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Lines and columns for people.
    #[default]
    Table,
    Json,
    Yaml,
}

/// The value, whole, as JSON or YAML.
pub(crate) fn value(value: &impl Serialize, format: Format, out: &mut impl Write) -> Result<()> {
    let text = match format {
        Format::Yaml => harmless_yaml(value)?,
        Format::Table | Format::Json => {
            let text = serde_json::to_string_pretty(value).context("writing JSON")?;
            harmless_json(&text)
        }
    };
    writeln!(out, "{}", text.trim_end()).context("writing to standard output")
}

/// Columns that are as wide as what is in them, with a heading.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>], out: &mut impl Write) -> Result<()> {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| shown(cell)).collect())
        .collect();
    let mut widths: Vec<usize> = heading.iter().map(|cell| cell.len()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let heading: Vec<String> = heading.iter().map(|cell| (*cell).to_owned()).collect();
    for row in std::iter::once(&heading).chain(&rows) {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(&format!("{cell:width$}   ", width = *width));
        }
        writeln!(out, "{}", line.trim_end()).context("writing to standard output")?;
    }
    Ok(())
}

/// Bytes for people: `384 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}

/// Text from elsewhere as a terminal may show it: what would move its cursor, change its colours or turn what is written
/// around is escaped, and so are the bytes of names that are not UTF-8. Lines stay lines.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            '\u{10ff80}'..='\u{10ffff}' => {
                shown.push_str(&format!("\\x{:02x}", u32::from(c) - 0x0010_ff00));
            }
            c if is_harmful(c) => shown.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}

/// A message of ours with text from elsewhere in it, in which line breaks are our own.
pub(crate) fn shown_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(shown).collect();
    lines.join("\n")
}

/// Control characters, and those that turn the direction of what is written or are lines of their own.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// JSON in which such characters are escapes, as they may be in its strings: the same to every reader.
fn harmless_json(text: &str) -> String {
    let mut json = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_harmful(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                json.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            json.push(c);
        }
    }
    json
}

/// YAML in which the texts that have such characters are quoted, with escapes: the same to every reader.
fn harmless_yaml(value: &impl Serialize) -> Result<String> {
    let text = serde_yaml::to_string(value).context("writing YAML")?;
    if !obeyed(&text) {
        return Ok(text);
    }
    let mut value = serde_json::to_value(value).context("writing YAML")?;
    let mut mark = "escaped".to_owned();
    while text.contains(&mark) {
        mark.push('_');
    }
    let mut taken = Vec::new();
    take_harmful(&mut value, &mark, &mut taken);
    let mut text = serde_yaml::to_string(&value).context("writing YAML")?;
    for (index, taken) in taken.iter().enumerate() {
        let quoted = harmless_json(&Value::from(taken.as_str()).to_string());
        text = text.replace(&format!("{mark}{index}x"), &quoted);
    }
    Ok(text)
}

/// Puts marks in the place of texts that have such characters.
fn take_harmful(value: &mut Value, mark: &str, taken: &mut Vec<String>) {
    match value {
        Value::String(text) => take(text, mark, taken),
        Value::Array(items) => {
            for item in items {
                take_harmful(item, mark, taken);
            }
        }
        Value::Object(fields) => {
            for (mut name, mut value) in std::mem::take(fields) {
                take(&mut name, mark, taken);
                take_harmful(&mut value, mark, taken);
                fields.insert(name, value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn take(text: &mut String, mark: &str, taken: &mut Vec<String>) {
    if obeyed(text) {
        let mark = format!("{mark}{}x", taken.len());
        taken.push(std::mem::replace(text, mark));
    }
}

/// Whether a terminal would obey some of it, line breaks aside.
fn obeyed(text: &str) -> bool {
    text.contains(|c| c != '\n' && is_harmful(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_shown() {
        let name = "esc\u{1b}[31mred\u{7}\n\u{9b}0m\u{202e}txt.exe \u{10ffed}\u{10ffa6} Grüße €";
        assert_eq!(
            shown(name),
            "esc\\u{1b}[31mred\\u{7}\\n\\u{9b}0m\\u{202e}txt.exe \\xed\\xa6 Grüße €"
        );
        let mut out = Vec::new();
        table(&["NAME"], &[vec![name.to_owned()]], &mut out).unwrap();
        value(&[name], Format::Json, &mut out).unwrap();
        value(&[name], Format::Yaml, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.lines().all(|line| !line.contains(is_harmful)), "{out}");
    }

    #[test]
    fn json_is_exact_all_the_same() {
        let name = "a\u{1b}\u{9b}\u{7f}\u{202e}\u{10ffed}b\n\"\\";
        let mut out = Vec::new();
        value(&[name], Format::Json, &mut out).unwrap();
        let read: Vec<String> = serde_json::from_slice(&out).unwrap();
        assert_eq!(read, [name]);
    }

    #[test]
    fn yaml_is_exact_all_the_same() {
        let name = "a\u{1b}[2J\u{9b}\u{7f}\u{202e}\u{10ffed}b\n\"\\";
        let files = serde_json::json!({
            "plain": "escaped0x and 'more'", "lines": "one\ntwo\n", name: [name, "\u{7}", null, 1.5, true],
            "below": { "deeper": [{ "name": name }] },
        });
        let mut out = Vec::new();
        value(&files, Format::Yaml, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.lines().all(|line| !line.contains(is_harmful)),
            "{text}"
        );
        let read: Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(read, files);
    }
}
