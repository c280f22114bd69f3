//! A simulation for programs. The names are used from outside and stay as they are.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use kluis_policy::simulate::Made;
use serde::Serialize;

use super::outcome::Outcome;
use super::storage::Storage;
use super::{table, words};

/// The whole answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    /// `kluis.dev/simulation/v1`: fields may be added, none changes its meaning.
    schema: &'static str,
    policy: &'a str,
    /// In the manifest's word.
    workload: &'static str,
    schedule: String,
    time_zone: &'a str,
    daylight_saving: String,
    from: Date,
    on: Date,
    /// How many points were made up to that day and how many of them exist, logs apart.
    made: usize,
    existing: usize,
    most_at_once: usize,
    most_first_on: Date,
    tiers: Vec<Tier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<&'a Storage>,
    remarks: Vec<String>,
    /// The oldest first; logs are told as a tier.
    points: Vec<Point>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tier {
    name: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    keeps: String,
    points: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Point {
    /// When its backup was due, with the offset of the clock on the wall.
    due: String,
    kind: &'static str,
    /// When it goes; absent for one that no tier keeps and that is the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    kept_by: String,
}

/// The answer for programs.
pub(super) fn of(outcome: &Outcome) -> Document<'_> {
    let strategy = &outcome.policy.strategy;
    let zone = &strategy.zone;
    let tiers = outcome.rows.iter().map(|row| Tier {
        name: row.keeper.name(),
        keeps: row.keeps.clone(),
        points: row.points.len(),
        oldest: row.points.first().map(|at| moment(*at, zone)),
        newest: row.points.last().map(|at| moment(*at, zone)),
    });
    let point = |made: &Made| Point {
        due: moment(made.due, zone),
        kind: words::kind(made.kind),
        until: made.until.map(|until| moment(until, zone)),
        kept_by: table::reason(made),
    };
    Document {
        schema: "kluis.dev/simulation/v1",
        policy: &outcome.policy.name,
        workload: strategy.workload.name(),
        schedule: words::schedule(strategy),
        time_zone: &outcome.policy.time_zone,
        daylight_saving: format!("{:?}", strategy.daylight_saving),
        from: outcome.from,
        on: outcome.on,
        made: outcome.made,
        existing: outcome.points.len(),
        most_at_once: outcome.most.0,
        most_first_on: outcome.most.1,
        tiers: tiers.collect(),
        storage: outcome.storage.as_ref(),
        remarks: outcome.remarks(),
        points: outcome.points.iter().map(point).collect(),
    }
}

/// RFC 3339, with the offset of the clock on the wall.
fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.display_with_offset(zone.to_offset(at)).to_string()
}
