//! What a removal of recovery points removed and why, in a person's words: in its job, and in the log.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::job_words::moment;
use super::rows::{Job, Lot, Removed, Work};

/// States in the job how many points are to go; once they are gone, what went.
pub(super) fn state(job: &mut Job) {
    let Work::Forget(work) = &job.work else {
        return;
    };
    let planned = work.points.len() as u64;
    let removed = work.removed.clone();
    job.state(
        "Number of Recovery Points",
        (planned + removed.all.count).to_string(),
    );
    if removed.all.count == 0 {
        return;
    }
    let facts = [
        ("Oldest Recovery Point", removed.all.oldest.map(moment)),
        ("Newest Recovery Point", removed.all.newest.map(moment)),
        ("Reasons", Some(reasons(&removed.all))),
        ("Items", Some(items(&removed))),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            job.state(name, value);
        }
    }
}

/// What went, in a sentence or two; `None` while nothing has.
pub(super) fn sentence(removed: &Removed) -> Option<String> {
    let all = &removed.all;
    if all.count == 0 {
        return None;
    }
    let points = if all.count == 1 {
        "1 recovery point was".to_owned()
    } else {
        format!("{} recovery points were", all.count)
    };
    Some(format!(
        "{points} removed{}: {}. By item: {}.",
        span(all, ", of "),
        reasons(all),
        items(removed)
    ))
}

/// A job has ended: states in it what it removed, and tells the log.
pub(super) fn tell(job: &mut Job) {
    state(job);
    let Work::Forget(work) = &job.work else {
        return;
    };
    let all = &work.removed.all;
    if all.count == 0 {
        return;
    }
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    tracing::info!(
        vault = %job.vault,
        job = %job.id,
        points = all.count,
        oldest = time(all.oldest),
        newest = time(all.newest),
        reasons = reasons(all),
        items = items(&work.removed),
        "recovery points were removed"
    );
}

/// `12 past their daily retention, 3 …`.
fn reasons(lot: &Lot) -> String {
    let each = lot.whys.iter();
    let each: Vec<String> = each
        .map(|(why, count)| format!("{count} {}", why.words()))
        .collect();
    each.join(", ")
}

/// `shop-rg/web-1: 15, 2026-01-01T… to 2026-01-15T… (12 past their daily retention, 3 …); …`.
fn items(removed: &Removed) -> String {
    let mut text = String::new();
    for (name, lot) in &removed.items {
        let sign = if text.is_empty() { "" } else { "; " };
        let span = span(lot, ", ");
        // Writing to a text can't fail.
        let _ = write!(text, "{sign}{name}: {}{span} ({})", lot.count, reasons(lot));
    }
    match removed.of_others() {
        0 => text,
        others => format!("{text}; {others} of other items"),
    }
}

/// From the oldest point to the newest.
fn span(lot: &Lot, before: &str) -> String {
    match (lot.oldest, lot.newest) {
        (Some(oldest), Some(newest)) if oldest == newest => format!("{before}{oldest}"),
        (Some(oldest), Some(newest)) => format!("{before}{oldest} to {newest}"),
        _ => String::new(),
    }
}
