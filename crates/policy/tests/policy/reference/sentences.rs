//! The sentences of the documentation, each as a question about one point or one quarter of an hour.
//!
//! Sources: the policy essentials and the effects of a policy change in Azure Backup's architecture page; the SQL Server
//! and SAP HANA pages for what logs and differentials need; the three endings of a protection.

use super::paper::{Paper, When, Which};
use crate::almanac::{DAY, day_of, is_nth_weekday, length, months_later};

/// How an item lives at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Life {
    Protected,
    /// "Stop protection and retain backup data."
    Stopped,
    /// The machine was deleted, its protection never stopped.
    Gone,
    Suspended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Made {
    Full,
    Copy,
    Differential,
    Incremental,
    Log,
}

/// A point that is there. Seconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct There {
    pub(crate) at: i64,
    pub(crate) made: Made,
    /// Weekly, monthly, yearly: what it was chosen for when it was made.
    pub(crate) chosen: [bool; 3],
    /// On demand, until then.
    pub(crate) asked_until: Option<i64>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Why {
    /// Daily, weekly, monthly, yearly: 0 to 3.
    Tier(usize),
    Days,
    Asked,
    Newest,
    Stopped,
    /// Any of the backups made at these times can't be restored without it, and goes last of those.
    NeededBy(Vec<i64>),
}

/// What keeps a point and until when, `None` for ever.
pub(crate) type Kept = (Option<i64>, Why);

/// Does a run begin at this local second? "Wall clock in the policy's time zone, no adjustment for daylight saving time."
pub(crate) fn begins(when: &When, local: i64) -> bool {
    let (_, day) = day_of(local);
    let (second, minute) = (local.rem_euclid(60), local.rem_euclid(DAY) / 60);
    second == 0
        && match when {
            When::Daily(at) => minute == *at,
            When::Weekly(on, at) => minute == *at && on.contains(&day.weekday),
            When::Hourly(every, from, window) => {
                let passed = (minute - from).rem_euclid(24 * 60);
                passed % (every * 60) == 0 && passed <= window * 60
            }
            When::Minutes(every) => minute % every == 0,
        }
}

/// What a scheduled full is chosen for when it is made, being the first of its day.
pub(crate) fn chosen(paper: &Paper, at: i64) -> [bool; 3] {
    let local = at + paper.offset();
    let (_, day) = day_of(local);
    [
        paper
            .weekly
            .as_ref()
            .is_some_and(|(on, _)| on.contains(&day.weekday)),
        paper
            .monthly
            .as_ref()
            .is_some_and(|(which, _)| names(which, local)),
        paper
            .yearly
            .as_ref()
            .is_some_and(|(months, which, _)| months.contains(&day.month) && names(which, local)),
    ]
}

fn names(which: &Which, local: i64) -> bool {
    let (number, day) = day_of(local);
    match which {
        Which::Weekdays(weeks, on) => {
            on.contains(&day.weekday) && weeks.iter().any(|week| is_nth_weekday(number, *week))
        }
        Which::Dates(dates) => dates.iter().any(|date| match date {
            0 => day.day == length(day.year, day.month),
            date => day.day == *date,
        }),
    }
}

/// What becomes of each point at `now`: what keeps it, or nothing. `points` are in order of time, a full before and a log
/// after others of the same time.
pub(crate) fn judge(paper: &Paper, life: Life, points: &[There], now: i64) -> Vec<Option<Kept>> {
    if life == Life::Stopped {
        // "All recovery points are retained for ever; policy changes have no effect."
        return points.iter().map(|_| Some((None, Why::Stopped))).collect();
    }
    let newest = points.len().wrapping_sub(1);
    let own: Vec<Option<Kept>> = points
        .iter()
        .enumerate()
        .map(|(index, point)| {
            if life == Life::Gone && index == newest {
                // "The newest recovery point is kept for ever."
                return Some((None, Why::Newest));
            }
            let (until, why) = own_end(paper, point)?;
            Some((Some(until), why))
        })
        .collect();
    let lives = |end: &Option<i64>| end.is_none_or(|until| until > now);
    let mut kept: Vec<Option<Kept>> = own
        .iter()
        .map(|own| own.clone().filter(|(until, _)| lives(until)))
        .collect();
    // "A full is retained until the last log or differential that needs it has expired."
    for (index, own) in own.iter().enumerate() {
        let Some((until, _)) = own.as_ref().filter(|(until, _)| lives(until)) else {
            continue;
        };
        for needed in needs(points, index) {
            let by = points[index].at;
            match &mut kept[needed] {
                slot if slot.as_ref().is_none_or(|(end, _)| later(*until, *end)) => {
                    *slot = Some((*until, Why::NeededBy(vec![by])));
                }
                Some((end, Why::NeededBy(others))) if end == until => others.push(by),
                _ => {}
            }
        }
    }
    kept
}

fn later(one: Option<i64>, other: Option<i64>) -> bool {
    match (one, other) {
        (None, other) => other.is_some(),
        (Some(_), None) => false,
        (Some(one), Some(other)) => one > other,
    }
}

/// The end that a point has for its own sake, under the policy in force: "a change of retention is applied to existing
/// points, too".
fn own_end(paper: &Paper, point: &There) -> Option<(i64, Why)> {
    if let Some(until) = point.asked_until {
        return Some((until, Why::Asked));
    }
    let days = |days: Option<i64>| Some((point.at + days? * DAY, Why::Days));
    match point.made {
        Made::Differential => days(paper.differential.as_ref().map(|it| it.2)),
        Made::Incremental => days(paper.incremental.as_ref().map(|it| it.2)),
        Made::Log => days(paper.log.map(|it| it.1)),
        Made::Full | Made::Copy => {
            let local = point.at + paper.offset();
            let [weekly, monthly, yearly] = point.chosen;
            let ends = [
                paper.daily.map(|days| local + days * DAY),
                paper
                    .weekly
                    .as_ref()
                    .filter(|_| weekly)
                    .map(|(_, weeks)| local + weeks * 7 * DAY),
                paper
                    .monthly
                    .as_ref()
                    .filter(|_| monthly)
                    .map(|(_, months)| months_later(local, *months)),
                paper
                    .yearly
                    .as_ref()
                    .filter(|_| yearly)
                    .map(|(_, _, years)| months_later(local, 12 * years)),
            ];
            // Where two end together, the one that is meant for longer.
            let last = ends.iter().flatten().max()?;
            let tier = ends.iter().rposition(|end| end.as_ref() == Some(last))?;
            Some((last - paper.offset(), Why::Tier(tier)))
        }
    }
}

/// What a restore of the backup at `index` needs besides itself. A differential needs the last full before it; an
/// incremental that, or a differential since, and every incremental between; a log the same, and every log after the last
/// of those. A copy-only full takes no part.
pub(crate) fn needs(points: &[There], index: usize) -> Vec<usize> {
    let made = |at: usize| points[at].made;
    let last = |of: Made, from: usize| (from..index).rev().find(|at| made(*at) == of);
    if matches!(made(index), Made::Full | Made::Copy) {
        return Vec::new();
    }
    let full = last(Made::Full, 0);
    let start = full.unwrap_or(0);
    let mut needed: Vec<usize> = full.into_iter().collect();
    if made(index) == Made::Differential {
        return needed;
    }
    let differential = last(Made::Differential, start);
    needed.extend(differential);
    let steps = differential.unwrap_or(start);
    let incrementals = (steps..index).filter(|at| made(*at) == Made::Incremental);
    needed.extend(incrementals);
    if made(index) == Made::Log {
        let since = needed.iter().max().copied().unwrap_or(0);
        needed.extend((since..index).filter(|at| made(*at) == Made::Log));
    }
    needed
}
