//! When recovery points are promised to end, and the one gate for every change that could bring such an end nearer.
//!
//! A change is made, and the ends that the items' points had before are compared with those that they have after it. In an immutable vault
//! no end comes nearer: the change is refused, and with it its transaction. So nobody has to foresee by which way a change shortens (another
//! policy, an edit, a zone, a stop and a resumption, a deletion and its undoing).
//!
//! An end is what the policy, or the person who asked for the point, says of it. That the newest point stays, and that all stay while protection is stopped, comes
//! and goes with other points and with the protection; it is kept on top of an end, and is none.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kluis_policy::{Pruning, State, Verdict, pruning};

use super::immutability;
use super::rows::{Item, Point};
use super::rules::Rules;
use super::{judgement, scheduler};
use crate::core::{Context, Nearer, Refusal};
use crate::store::{Row as _, StoreError, Tx};
use crate::vaults::VaultRow;

/// The ends of some items' points, by the points' keys.
#[derive(Debug, Default)]
pub(super) struct Ends(BTreeMap<String, (Timestamp, End)>);

/// A point's end. The order is that of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    At(Timestamp),
    /// Nothing ends it.
    Never,
}

/// Makes a change that may reach the ends of these items' points, through the gate, and tells which of them it brought nearer.
///
/// # Errors
/// Those of the change; in an immutable vault the refusal of one that brings an end nearer.
pub(super) fn guarded<T>(
    vault: &VaultRow,
    items: &[Item],
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    change: impl FnOnce(&mut Tx<'_>) -> Result<T, Refusal>,
) -> Result<(T, Option<Nearer>), Refusal> {
    let before = Ends::promised(tx, items)?;
    let done = change(tx)?;
    let after = Ends::kept(tx, items)?;
    match before.nearer(&after, ctx) {
        Some(nearer) if vault.is_immutable() => {
            Err(immutability::refused(vault, &shortened(&nearer)))
        }
        nearer => Ok((done, nearer)),
    }
}

impl Ends {
    /// What the points of these items were promised: of a stopped item by the policy that it had.
    pub(super) fn promised(tx: &Tx<'_>, items: &[Item]) -> Result<Self, StoreError> {
        let mut ends = Self::default();
        for item in items {
            match item.state {
                State::Stopped { .. } => {
                    let rules = judgement::before(tx, item)?;
                    ends.add(tx, item, rules.as_ref())?;
                }
                _ => ends.add_kept(tx, item)?,
            }
        }
        Ok(ends)
    }

    /// What keeps the points of the same items now.
    pub(super) fn kept(tx: &Tx<'_>, items: &[Item]) -> Result<Self, StoreError> {
        let mut ends = Self::default();
        for item in items {
            if let Some(item) = tx.get::<Item>(&item.key())? {
                ends.add_kept(tx, &item)?;
            }
        }
        Ok(ends)
    }

    fn add_kept(&mut self, tx: &Tx<'_>, item: &Item) -> Result<(), StoreError> {
        match (item.state, item.state.purge_at()) {
            (_, Some(at)) => {
                for point in usable(tx, item)? {
                    self.0.insert(point.key(), (point.time, End::At(at)));
                }
                Ok(())
            }
            (State::Stopped { .. }, _) => self.add(tx, item, None),
            _ => self.add(tx, item, scheduler::rules(tx, item)?.as_ref()),
        }
    }

    /// The ends by these rules; without any, nothing ends.
    fn add(&mut self, tx: &Tx<'_>, item: &Item, rules: Option<&Rules>) -> Result<(), StoreError> {
        let points = usable(tx, item)?;
        let ends: Vec<End> = match rules {
            None => points.iter().map(|_| End::Never).collect(),
            Some(rules) => {
                let seen: Vec<_> = points.iter().map(Point::for_retention).collect();
                let zone = &rules.schedule.zone;
                // At the beginning of time nothing is over yet: each verdict is an end.
                let by = Pruning::ByPolicy;
                pruning::verdicts(by, &rules.retention, &seen, zone, Timestamp::MIN)
                    .into_iter()
                    .map(End::from)
                    .collect()
            }
        };
        for (point, end) in points.into_iter().zip(ends) {
            self.0.insert(point.key(), (point.time, end));
        }
        Ok(())
    }

    /// What came nearer by the change from these ends to others; a point that has none there ends now. What is over already may go.
    pub(super) fn nearer(&self, after: &Self, ctx: &Context<'_>) -> Option<Nearer> {
        let ends = self.0.iter().filter_map(|(key, (made, before))| {
            let is_over = matches!(before, End::At(at) if ctx.is_over(*made, *at));
            let after = after.0.get(key).map_or(End::At(ctx.now), |(_, end)| *end);
            (!is_over && after < *before).then_some((*made, *before, after))
        });
        let nearer: Vec<_> = ends.collect();
        let (made, before, after) = nearer.iter().min_by_key(|(_, _, after)| *after)?;
        Some(Nearer {
            points: nearer.len(),
            made: *made,
            before: before.time(),
            after: after.time(),
        })
    }
}

impl End {
    fn time(self) -> Option<Timestamp> {
        match self {
            Self::At(time) => Some(time),
            Self::Never => None,
        }
    }
}

impl From<Verdict> for End {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Kept { until, .. } => until.map_or(Self::Never, Self::At),
            Verdict::Expired { since } => Self::At(since),
        }
    }
}

/// The points that nobody removes yet.
fn usable(tx: &Tx<'_>, item: &Item) -> Result<Vec<Point>, StoreError> {
    let mut points = Point::of(tx, &item.key())?;
    points.retain(|point| !point.removing);
    Ok(points)
}

/// A sentence without a full stop: why the change is none for an immutable vault.
fn shortened(nearer: &Nearer) -> String {
    let day = |time: Timestamp| time.strftime("%Y-%m-%d %H:%MZ").to_string();
    let points = match nearer.points {
        1 => "1 recovery point".to_owned(),
        more => format!("{more} recovery points"),
    };
    let before = nearer.before.map_or_else(
        || "for as long as nobody ends that".to_owned(),
        |at| format!("until {}", day(at)),
    );
    let after = match nearer.after {
        Some(at) if at > nearer.made => format!("until {}", day(at)),
        _ => "not at all".to_owned(),
    };
    format!(
        "{points} would be kept for a shorter time than promised, the one of {} {after} instead of {before}. Keep each tier for at least as long",
        day(nearer.made)
    )
}
