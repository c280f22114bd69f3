//! How an answer is printed: for people, or for programs.

use std::io::Write;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;

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
        Format::Yaml => serde_yaml::to_string(value).context("writing YAML")?,
        Format::Table | Format::Json => {
            serde_json::to_string_pretty(value).context("writing JSON")?
        }
    };
    writeln!(out, "{}", text.trim_end()).context("writing to standard output")
}

/// Columns that are as wide as what is in them, with a heading.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>], out: &mut impl Write) -> Result<()> {
    let mut widths: Vec<usize> = heading.iter().map(|cell| cell.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let heading: Vec<String> = heading.iter().map(|cell| (*cell).to_owned()).collect();
    for row in std::iter::once(&heading).chain(rows) {
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
