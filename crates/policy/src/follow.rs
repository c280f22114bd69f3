//! Daylight saving time that is followed: what a policy must say so that the clock on the wall shows the declared times.
//!
//! Azure's clock stands at the zone's base offset all year ([`wall_clock`]). A policy for 22:30 that is to run at 22:30
//! in summer too must say 21:30 from the change on, and be edited back at the next one. Whoever does so asks here what
//! the policy must say *now* ([`shifted`]) and when the answer will be another ([`next_edit`]).
//!
//! **The edit comes a little after the change where it would cost a run or make one twice.** The night the clocks go
//! forward has no 02:30: edited at 02:00, a policy for 02:30 would have missed that night's run by the old time, and
//! the new time would be past. So a run that is due within what was skipped is made first, as calendars do it: it shows
//! 03:30. The night they go back has 02:30 twice: the first is made, and the edit waits until the second is past.
//!
//! Logs run round the clock and are left alone. Nothing here edits anything.

use jiff::civil::Time;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::beat::Beat;
use crate::clock::{Clock, floor};
use crate::schedule::{Frequency, Schedule};
use crate::strategy::{DaylightSaving, Strategy};
use crate::wall_clock;

const DAY: i64 = 86_400;

/// What the policy's base-offset clock must say at `at` so that the clock on the wall of `zone` shows the times of
/// `frequency`. `None` when a run would then fall on another day of the policy's clock, which decides its retention: a
/// policy for 00:30 can't follow where summer is an hour ahead.
pub fn shifted(frequency: &Frequency, zone: &TimeZone, at: Timestamp) -> Option<Frequency> {
    let base = wall_clock::base_offset(zone, at);
    said(frequency, followed(frequency, zone, at), base)
}

/// The next change of the offset of `zone` after `at`, and the offset from then on; `None` when none is known.
pub fn next_change(zone: &TimeZone, at: Timestamp) -> Option<(Timestamp, Offset)> {
    let here = zone.to_offset(at);
    zone.following(at)
        .take(LOOK_AHEAD)
        .find(|change| change.offset() != here)
        .map(|change| (change.timestamp(), change.offset()))
}

/// When the answer of [`shifted`] changes next after `at`, and what it is from then on; `None` when it never does. The
/// policy is to be edited at that moment: at the change of the clocks, or a little later.
pub fn next_edit(
    frequency: &Frequency,
    zone: &TimeZone,
    at: Timestamp,
) -> Option<(Timestamp, Option<Frequency>)> {
    let now = shifted(frequency, zone, at);
    let pending = change_before(zone, at).map(|change| edit(frequency, zone, &change));
    let coming = changes(zone, at).map(|change| edit(frequency, zone, &change));
    pending
        .into_iter()
        .chain(coming)
        .filter(|edit| *edit > at)
        .map(|edit| (edit, shifted(frequency, zone, edit)))
        .find(|(_, then)| *then != now)
}

/// What [`shifted`] said before its answer last changed, up to `at`: what a policy still says that was not edited then. `None` where no
/// change is known.
pub fn earlier(frequency: &Frequency, zone: &TimeZone, at: Timestamp) -> Option<Frequency> {
    let now = shifted(frequency, zone, at);
    let just_before = |at: Timestamp| at.checked_sub(SignedDuration::from_nanos(1)).ok();
    let mut from = at;
    for _ in 0..LOOK_AHEAD {
        let change = change_before(zone, from)?;
        let edit = edit(frequency, zone, &change);
        if edit <= at {
            let then = shifted(frequency, zone, just_before(edit)?);
            if then != now {
                return then;
            }
        }
        from = just_before(change.at)?;
    }
    None
}

/// The next run strictly after `after` of a policy that follows the clocks: what [`crate::simulate::timeline`] shows.
/// `None` when there is none.
pub fn next_run(frequency: &Frequency, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let (mut edition, mut from) = (after, after);
    for _ in 0..LOOK_AHEAD {
        let says = shifted(frequency, zone, edition).unwrap_or_else(|| frequency.clone());
        let schedule = Schedule {
            frequency: says,
            zone: zone.clone(),
        };
        let run = schedule.next_after(from);
        match next_edit(frequency, zone, edition) {
            Some((edit, _)) if run.is_none_or(|run| run >= edit) => {
                edition = edit;
                from = edit.checked_sub(SignedDuration::from_nanos(1)).ok()?;
            }
            _ => return run,
        }
    }
    None
}

/// What a strategy's policy says from `from` to `to` and a year after, edition by edition: the moment of each edit, and
/// what it then says for each of the declared `frequencies`. One edition where daylight saving time is ignored.
pub(crate) fn editions(
    strategy: &Strategy,
    frequencies: &[Frequency],
    from: Timestamp,
    to: Timestamp,
) -> Vec<(Timestamp, Vec<Frequency>)> {
    if strategy.daylight_saving == DaylightSaving::Ignore {
        return vec![(from, frequencies.to_vec())];
    }
    let zone = &strategy.zone;
    let end = to.checked_add(A_YEAR).unwrap_or(Timestamp::MAX);
    let next = |at: &Timestamp| {
        let edits = frequencies
            .iter()
            .filter_map(|frequency| next_edit(frequency, zone, *at));
        edits.map(|(edit, _)| edit).min().filter(|edit| *edit < end)
    };
    std::iter::successors(Some(from), next)
        .map(|at| {
            let shifted: Option<Vec<Frequency>> = frequencies
                .iter()
                .map(|frequency| shifted(frequency, zone, at))
                .collect();
            (at, shifted.unwrap_or_else(|| frequencies.to_vec()))
        })
        .collect()
}

const A_YEAR: SignedDuration = SignedDuration::from_hours(24 * 366);

/// No zone has more changes than that before it has one that matters.
const LOOK_AHEAD: usize = 8;

/// A change of a zone's clocks.
struct Change {
    at: Timestamp,
    before: Offset,
    after: Offset,
}

/// The offset whose wall clock the policy follows at `at`: the one in force, or the one before it while an edit waits.
fn followed(frequency: &Frequency, zone: &TimeZone, at: Timestamp) -> Offset {
    match change_before(zone, at) {
        Some(change) if at < edit(frequency, zone, &change) => change.before,
        _ => zone.to_offset(at),
    }
}

/// The moment from which the policy is to follow the clocks as they are after a change.
fn edit(frequency: &Frequency, zone: &TimeZone, change: &Change) -> Timestamp {
    let base = wall_clock::base_offset(zone, change.at);
    let Some(old) = said(frequency, change.before, base) else {
        return change.at;
    };
    if matches!(frequency, Frequency::Minutes { .. }) {
        return change.at;
    }
    let clock = Clock::new(zone);
    let beat = Beat::new(&old);
    let (at, _) = floor(change.at);
    let moved = i64::from(change.after.seconds() - change.before.seconds());
    let run_from = |from: i64| {
        let run = beat.next_after(&clock, from - 1);
        run.filter(|run| *run < from + moved.abs())
    };
    let edit = match (moved > 0, run_from(at)) {
        // The clocks skip this run: it is made by the old time.
        (true, Some(run)) => run + 1,
        // They show this run's time again, and no other run is due in that hour.
        (false, None) if run_from(at + moved).is_some() => at - moved,
        _ => at,
    };
    Timestamp::from_second(edit).unwrap_or(change.at)
}

/// The last change of the offset at or before `at`.
fn change_before(zone: &TimeZone, at: Timestamp) -> Option<Change> {
    let here = zone.to_offset(at);
    let just_after = at.checked_add(SignedDuration::from_nanos(1)).ok()?;
    zone.preceding(just_after)
        .take(LOOK_AHEAD)
        .filter_map(|change| {
            let earlier = change
                .timestamp()
                .checked_sub(SignedDuration::from_nanos(1))
                .ok()?;
            Some((change.timestamp(), zone.to_offset(earlier)))
        })
        .find(|(_, before)| *before != here)
        .map(|(at, before)| Change {
            at,
            before,
            after: here,
        })
}

/// The changes of the offset after `at`.
fn changes(zone: &TimeZone, at: Timestamp) -> impl Iterator<Item = Change> + '_ {
    let mut before = zone.to_offset(at);
    zone.following(at)
        .take(LOOK_AHEAD)
        .filter_map(move |change| {
            let after = change.offset();
            let found = (after != before).then(|| Change {
                at: change.timestamp(),
                before,
                after,
            });
            before = after;
            found
        })
}

/// What a clock at `base` shows when one at `wall` shows the times of `frequency`.
fn said(frequency: &Frequency, wall: Offset, base: Offset) -> Option<Frequency> {
    let ahead = i64::from(wall.seconds() - base.seconds());
    let shift = |at: Time| {
        let of_day = seconds(at) - ahead;
        let clock = u32::try_from(of_day).ok().filter(|_| of_day < DAY)?;
        let field = |value: u32| i8::try_from(value).ok();
        let (hour, minute) = (field(clock / 3_600)?, field(clock / 60 % 60)?);
        Time::new(hour, minute, field(clock % 60)?, at.subsec_nanosecond()).ok()
    };
    match frequency {
        Frequency::Daily { at } => Some(Frequency::Daily { at: shift(*at)? }),
        Frequency::Weekly { on, at } => Some(Frequency::Weekly {
            on: on.clone(),
            at: shift(*at)?,
        }),
        Frequency::Hourly {
            every,
            from,
            window,
        } => {
            let moved = Frequency::Hourly {
                every: *every,
                from: shift(*from)?,
                window: *window,
            };
            let days = |frequency: &Frequency| -> Vec<i64> {
                let beat = Beat::new(frequency);
                beat.on(0).iter().map(|of_day| of_day / DAY).collect()
            };
            (days(&moved) == days(frequency)).then_some(moved)
        }
        Frequency::Minutes { .. } => Some(frequency.clone()),
    }
}

fn seconds(at: Time) -> i64 {
    i64::from(at.hour()) * 3_600 + i64::from(at.minute()) * 60 + i64::from(at.second())
}
