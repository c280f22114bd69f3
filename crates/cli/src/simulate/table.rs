//! A simulation as lines and columns.

use std::io::Write;

use anyhow::{Context, Result};
use jiff::Timestamp;
use kluis_policy::simulate::Made;

use super::outcome::Outcome;
use super::storage::Storage;
use super::tiers::{self, Keeper};
use super::words;
use crate::args::Share;
use crate::output;

/// Prints it: a summary, the tiers, and every point. Logs are told together.
pub(super) fn print(outcome: &Outcome, out: &mut impl Write) -> Result<()> {
    let doing = "writing to standard output";
    for line in summary(outcome) {
        writeln!(out, "{line}").context(doing)?;
    }
    writeln!(out).context(doing)?;
    output::table(
        &["TIER", "KEEPS", "POINTS", "OLDEST", "NEWEST"],
        &rows(outcome),
        out,
    )?;
    if !outcome.points.is_empty() {
        writeln!(out).context(doing)?;
        output::table(
            &["RECOVERY POINT", "KIND", "GOES", "KEPT BY"],
            &points(outcome),
            out,
        )?;
    }
    Ok(())
}

/// What there is to say in sentences.
pub(super) fn summary(outcome: &Outcome) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{} on {}: {}",
            outcome.policy.name,
            outcome.on,
            words::count(outcome.points.len(), "recovery point")
        ),
        format!(
            "{}, {}",
            words::schedule(&outcome.policy.strategy),
            outcome.policy.time_zone
        ),
        format!(
            "From {} on {} made and {} gone again; never more than {} at once, on {} first.",
            outcome.from,
            words::grouped(outcome.made),
            words::grouped(outcome.made.saturating_sub(outcome.points.len())),
            words::grouped(outcome.most.0),
            outcome.most.1
        ),
    ];
    if outcome.logs_made > 0 {
        lines.push(format!(
            "Beside them {} of {} that were made.",
            words::count(outcome.logs.len(), "log"),
            words::grouped(outcome.logs_made)
        ));
    }
    lines.extend(outcome.storage.as_ref().map(storage));
    lines.extend(outcome.remarks());
    lines
}

fn storage(storage: &Storage) -> String {
    format!(
        "About {} for an item of {} that changes by {} a day ({}); as copies it would be {}.",
        output::bytes(storage.bytes),
        output::bytes(storage.size),
        Share(storage.change_a_day),
        storage.model,
        output::bytes(storage.as_copies)
    )
}

/// A line a tier.
pub(super) fn rows(outcome: &Outcome) -> Vec<Vec<String>> {
    let moment = |at: Option<&Timestamp>| {
        at.map_or_else(String::new, |at| {
            words::moment(*at, &outcome.policy.strategy.zone)
        })
    };
    let rows = outcome.rows.iter();
    rows.map(|row| {
        vec![
            row.keeper.name().to_owned(),
            row.keeps.clone(),
            words::grouped(row.points.len()),
            moment(row.points.first()),
            moment(row.points.last()),
        ]
    })
    .collect()
}

/// A line a point.
pub(super) fn points(outcome: &Outcome) -> Vec<Vec<String>> {
    let zone = &outcome.policy.strategy.zone;
    let line = |made: &Made| {
        vec![
            words::moment(made.due, zone),
            words::kind(made.kind).to_owned(),
            made.until
                .map_or_else(String::new, |until| words::moment(until, zone)),
            reason(made),
        ]
    };
    outcome.points.iter().map(line).collect()
}

/// Why a point is there.
pub(super) fn reason(made: &Made) -> String {
    match tiers::keeper(made) {
        Keeper::Chain => "a later backup that needs it".to_owned(),
        Keeper::Newest => "being the newest".to_owned(),
        keeper => keeper.name().to_owned(),
    }
}
