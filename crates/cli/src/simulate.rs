//! `kluis simulate`: which recovery points a policy will have made and kept by some day, when each goes and why; as a table,
//! for programs, and as a picture.
//!
//! It asks `kluis_policy` and nothing else: no cluster, no service, no clock. What a policy does to points that exist
//! already is the business of `kluis plan`.

mod calendar;
mod canvas;
mod document;
mod first_runs;
mod legend;
mod outcome;
mod page;
mod picture;
mod policy;
mod storage;
mod strips;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod tiers;
mod words;

use std::io::Write;

use anyhow::{Context, Result};

use crate::args::{Look, SimulateArgs};
use crate::output::{self, Format};
use outcome::Outcome;

/// Simulates and prints.
///
/// # Errors
/// A policy that cannot be read or that `kluis validate` refuses, and days that no calendar has.
pub(crate) fn run(args: &SimulateArgs, out: &mut impl Write) -> Result<()> {
    let outcome = outcome(args)?;
    let doing = "writing to standard output";
    match args.output {
        Look::Table => table::print(&outcome, out),
        Look::Json => output::value(&document::of(&outcome), Format::Json, out),
        Look::Yaml => output::value(&document::of(&outcome), Format::Yaml, out),
        Look::Svg => out
            .write_all(picture::of(&outcome).as_bytes())
            .context(doing),
        Look::Html => out.write_all(page::of(&outcome).as_bytes()).context(doing),
    }
}

fn outcome(args: &SimulateArgs) -> Result<Outcome> {
    let policy = policy::find(args)?;
    let mut outcome = outcome::of(policy, args.from, args.years, args.on)?;
    if let (Some(size), Some(change)) = (args.size, args.change) {
        outcome.storage = Some(storage::of(&outcome, size.0, change));
    }
    Ok(outcome)
}
