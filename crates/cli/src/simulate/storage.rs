//! How much the points of a day take, by a model that is simple enough to be said in full.
//!
//! **Machines, disks, shares and files** are kept as blocks. The oldest point has all of them; each later one adds what
//! changed since the point before it that is still there, and shares the rest. Of a block that changed in between twice
//! only the last state is kept. With a share `c` of the blocks changing in a day, picked anew each day, two points that
//! are `d` days apart differ in `1 − (1 − c)^d` of the size.
//!
//! **Databases** are kept as streams: a full is the size, a differential what changed since its full, an incremental
//! what changed since the backup before it, a log all that was written since the log before.
//!
//! The size stays what it is; compression and equal blocks are left out, and so are snapshots that stay beside the
//! machine. Real disks write the same places again and again: take it for an upper bound.

use jiff::Timestamp;
use kluis_policy::Workload;
use kluis_policy::chain::Kind;
use kluis_policy::simulate::Made;
use serde::Serialize;

use super::outcome::Outcome;
use crate::args::Share;

/// What the points take, in bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Storage {
    /// How large the item is.
    pub(super) size: u64,
    /// How much of it changes in a day, from 0 to 1.
    pub(super) change_a_day: f64,
    /// All points together.
    pub(super) bytes: u64,
    /// What the same points would take if each were a copy of all.
    pub(super) as_copies: u64,
    /// How it was estimated.
    pub(super) model: &'static str,
}

const BLOCKS: &str = "the oldest point holds everything, each later one the blocks that changed since the point before it that is \
                      still there; no compression";
const STREAMS: &str = "a full is the size, a differential what changed since its full, an incremental since the backup before it, a \
                       log all that was written; no compression";

/// Estimates.
pub(super) fn of(outcome: &Outcome, size: u64, change: Share) -> Storage {
    let whole = size as f64;
    let is_database = matches!(
        outcome.policy.strategy.workload,
        Workload::SqlServer | Workload::SapHana | Workload::PostgreSql
    );
    let (sizes, model) = match is_database {
        true => {
            let log = outcome.policy.strategy.log.as_ref();
            let every = log.map_or(0.0, |log| f64::from(log.every_minutes) / (24.0 * 60.0));
            let logs = outcome.logs.len() as f64 * every * change.0;
            (streams(&outcome.points, change.0) + logs, STREAMS)
        }
        false => (blocks(&outcome.points, change.0), BLOCKS),
    };
    let copies = outcome.points.len() as u64;
    Storage {
        size,
        change_a_day: change.0,
        bytes: (sizes * whole).min(u64::MAX as f64) as u64,
        as_copies: size.saturating_mul(copies),
        model,
    }
}

/// How many times the size the points take, as blocks that they share.
fn blocks(points: &[Made], change: f64) -> f64 {
    let first = if points.is_empty() { 0.0 } else { 1.0 };
    let later = points
        .windows(2)
        .map(|pair| differing(pair[0].due, pair[1].due, change));
    first + later.sum::<f64>()
}

/// How many times the size the points take, as streams of a database.
fn streams(points: &[Made], change: f64) -> f64 {
    let mut taken = 0.0;
    let (mut full, mut before) = (None, None);
    for point in points {
        let base = match point.kind {
            Kind::Full | Kind::CopyOnlyFull => None,
            Kind::Differential => full,
            Kind::Incremental | Kind::Log => before,
        };
        taken += base.map_or(1.0, |base| differing(base, point.due, change));
        if point.kind == Kind::Full {
            full = Some(point.due);
        }
        if point.kind != Kind::CopyOnlyFull {
            before = Some(point.due);
        }
    }
    taken
}

/// The share of the blocks that differ between two moments.
fn differing(from: Timestamp, to: Timestamp, change: f64) -> f64 {
    let days = to.duration_since(from).as_secs_f64() / (24.0 * 60.0 * 60.0);
    1.0 - (1.0 - change).powf(days)
}
