//! `schedule.daylightSaving: Follow`: the policy in the vaults is edited at each change of the clocks, so that the clock on the wall shows
//! the same times all year. What it has to say when is [`kluis_policy::follow`]'s; this is who asks.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kluis_api::{BackupPolicySpec, DaylightSaving, DaylightSavingStatus};
use kluis_arm::policy::Terms;
use kluis_policy::{Frequency, Schedule, follow};

use crate::report::{Event, EventKind};
use crate::terms;
use crate::waiting::Waiting;

/// How far apart two runs may be drawn by an edit: more is a run that is lost.
const DRAWN: SignedDuration = SignedDuration::from_hours(3);

/// What the policy in the vaults has to say now.
pub(crate) fn terms_at(spec: &BackupPolicySpec, now: Timestamp) -> Result<Terms, Waiting> {
    let terms = terms::terms(spec)?;
    let Some((frequency, zone)) = followed(spec, &terms) else {
        return Ok(terms);
    };
    let said = follow::shifted(frequency, &zone, now);
    let later = follow::next_edit(frequency, &zone, now);
    match (said, later) {
        (Some(_), Some((_, None))) | (None, _) => Err(Waiting::PolicyNotExpressible {
            message: "with daylightSaving: Follow a run would fall on another day of Azure's clock in summer, and its retention with it: \
                      choose later times, or leave daylightSaving out"
                .to_owned(),
        }),
        (Some(frequency), _) => Ok(Terms { frequency, ..terms }),
    }
}

/// When the next edit is due, and what is said of it.
pub(super) fn ahead(
    spec: &BackupPolicySpec,
    now: Timestamp,
) -> Option<(Timestamp, DaylightSavingStatus)> {
    let terms = terms::terms(spec).ok()?;
    let (frequency, zone) = followed(spec, &terms)?;
    let (at, then) = follow::next_edit(frequency, &zone, now)?;
    let status = DaylightSavingStatus {
        next_change: at.to_zoned(zone).strftime("%Y-%m-%d %H:%M %:z").to_string(),
        then: in_words(&then?),
    };
    Some((at, status))
}

/// The event that announces a change.
pub(super) fn announced(
    before: Option<&DaylightSavingStatus>,
    ahead: Option<&DaylightSavingStatus>,
) -> Option<Event> {
    let ahead = ahead.filter(|ahead| before != Some(*ahead))?;
    Some(Event {
        kind: EventKind::Normal,
        reason: "DaylightSavingAhead".to_owned(),
        note: format!(
            "At {} the policy is edited in its vaults to follow the clocks: {} of Azure's own clock from then on. No approval is needed.",
            ahead.next_change, ahead.then
        ),
    })
}

/// Where an edit that comes late, after the clocks have changed, would lose the run that is about to begin: when that is due. It is made by
/// the old time then, and the policy is edited after it.
pub(super) fn run_first(
    spec: &BackupPolicySpec,
    present: &Terms,
    wanted: &Terms,
    now: Timestamp,
) -> Option<Timestamp> {
    let declared = terms::terms(spec).ok()?;
    let (_, zone) = followed(spec, &declared)?;
    let is_late = is_behind(spec, &present.frequency, now);
    let next = |frequency: &Frequency| {
        let schedule = Schedule {
            frequency: frequency.clone(),
            zone: zone.clone(),
        };
        schedule.next_after(now)
    };
    let (old, new) = (next(&present.frequency)?, next(&wanted.frequency)?);
    (is_late && new.duration_since(old) > DRAWN).then_some(old)
}

/// Whether the times in force are those that the policy had to say before the clocks changed last, however long ago that was.
pub(super) fn is_behind(spec: &BackupPolicySpec, in_force: &Frequency, now: Timestamp) -> bool {
    let earlier = || {
        let declared = terms::terms(spec).ok()?;
        let (frequency, zone) = followed(spec, &declared)?;
        follow::earlier(frequency, &zone, now)
    };
    !is_said(spec, in_force, now) && earlier().is_some_and(|then| is_same(&then, in_force))
}

/// What is in force with its times as they were declared, where they only follow the clocks: one policy all year.
pub(super) fn as_declared(spec: &BackupPolicySpec, in_force: &Terms, now: Timestamp) -> Terms {
    let declared = terms::terms(spec).ok();
    let declared = declared.filter(|declared| followed(spec, declared).is_some());
    let is_followed =
        is_said(spec, &in_force.frequency, now) || is_behind(spec, &in_force.frequency, now);
    match declared.filter(|_| is_followed) {
        Some(declared) => Terms {
            frequency: declared.frequency,
            ..in_force.clone()
        },
        None => in_force.clone(),
    }
}

/// Whether the times in force are those that the policy has to say now.
pub(crate) fn is_said(spec: &BackupPolicySpec, in_force: &Frequency, now: Timestamp) -> bool {
    terms_at(spec, now).is_ok_and(|terms| is_same(&terms.frequency, in_force))
}

/// When the next run of a policy that follows the clocks is due, as the clocks show it: by what the policy says now, or, past the next
/// change, by what it will say then.
pub(crate) fn next_run(spec: &BackupPolicySpec, now: Timestamp) -> Option<Timestamp> {
    let terms = terms::terms(spec).ok()?;
    let (frequency, zone) = followed(spec, &terms)?;
    let run_of = |frequency: Frequency, after: Timestamp| {
        let zone = zone.clone();
        Schedule { frequency, zone }.next_after(after)
    };
    let run = run_of(follow::shifted(frequency, &zone, now)?, now)?;
    match follow::next_edit(frequency, &zone, now) {
        Some((at, Some(then))) if run >= at => {
            let just_before = at.checked_sub(SignedDuration::from_nanos(1)).ok()?;
            run_of(then, just_before)
        }
        _ => Some(run),
    }
}

/// The declared times and their zone, where they are followed.
fn followed<'a>(spec: &BackupPolicySpec, terms: &'a Terms) -> Option<(&'a Frequency, TimeZone)> {
    if spec.schedule.daylight_saving != DaylightSaving::Follow {
        return None;
    }
    let zone = terms.schedule().ok()?.zone;
    Some((&terms.frequency, zone))
}

/// Whether two schedules have the same times: weekdays come in any order.
fn is_same(one: &Frequency, other: &Frequency) -> bool {
    match (one, other) {
        (Frequency::Weekly { on, at }, Frequency::Weekly { on: days, at: time }) => {
            at == time
                && on.iter().all(|day| days.contains(day))
                && days.iter().all(|day| on.contains(day))
        }
        (one, other) => one == other,
    }
}

/// When backups run, in words.
pub(crate) fn in_words(frequency: &Frequency) -> String {
    match frequency {
        Frequency::Daily { at } => format!("daily at {}", at.strftime("%H:%M")),
        Frequency::Weekly { on, at } => {
            let days: Vec<String> = on.iter().map(|day| format!("{day:?}")).collect();
            format!("{} at {}", days.join(", "), at.strftime("%H:%M"))
        }
        Frequency::Hourly {
            every,
            from,
            window,
        } => format!(
            "every {every}h from {} for {window}h",
            from.strftime("%H:%M")
        ),
        Frequency::Minutes { every } => format!("every {every} minutes"),
    }
}
