//! The weeks, months and years that have no recovery point: the first backup of a day is kept for longer, and when it failed nothing is.
//!
//! The vault does not say so, and no list of points shows what is not in it. It is learnt from the runs as they end, and stays in the
//! status until a backup of the tier succeeds.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use kluis_api::{MissedTier, RetentionTier, Run, RunResult, RunTrigger};
use kluis_arm::policy::Terms;
use kluis_policy::{Schedule, wall_clock};

use super::Trouble;
use crate::conditions::moment;
use crate::protected_vm::history::History;
use crate::protected_vm::outlook::{self, in_force};
use crate::world::ProtectedVmWorld;

/// The tiers whose last day left no recovery point: one a tier, the last.
pub(super) fn of(world: &ProtectedVmWorld, history: &History) -> Vec<MissedTier> {
    let before = world.status();
    let mut missed = before.map_or_else(Vec::new, |status| status.missed_tiers.clone());
    let terms = in_force::terms(world);
    let Some((terms, schedule)) =
        terms.and_then(|terms| terms.schedule().ok().map(|schedule| (terms, schedule)))
    else {
        return missed;
    };
    missed.retain(|missed| has_tier(&terms, missed.tier));
    let known = before.map_or(&[][..], |status| &status.runs);
    let was_over = |run: &&Run| {
        known
            .iter()
            .any(|known| known.job == run.job && known.result != RunResult::InProgress)
    };
    // The oldest first: a success after a failure makes up for it.
    let ended =
        history.runs.iter().rev().filter(|run| {
            run.trigger == RunTrigger::Scheduled && run.result != RunResult::InProgress
        });
    for run in ended.filter(|run| !was_over(run)) {
        let Some(due) = due(run, &schedule) else {
            continue;
        };
        match run.result {
            RunResult::Completed | RunResult::CompletedWithWarnings => {
                let day = on(&schedule, due);
                let tiers = tiers(&terms, day);
                missed.retain(|missed| {
                    let is_made_up = on(&schedule, missed.due.0) == day;
                    !tiers.contains(&missed.tier) && !is_made_up
                });
            }
            RunResult::Failed | RunResult::Cancelled => {
                lost(&mut missed, &terms, &schedule, due);
            }
            RunResult::InProgress => {}
        }
    }
    let told = before.and_then(|status| status.missed_run.as_ref());
    let never_began = outlook::missed(world, &schedule, history)
        .filter(|due| told.is_none_or(|told| told.0 < *due));
    if let Some(due) = never_began {
        lost(&mut missed, &terms, &schedule, due);
    }
    missed
}

/// What is said of them.
pub(super) fn told(missed: &[MissedTier]) -> impl Iterator<Item = Trouble> + '_ {
    missed.iter().map(|missed| Trouble {
        reason: "TierMissed".to_owned(),
        message: format!(
            "There is no {} recovery point of {}: no backup of that day succeeded. A backup on demand with retainUntil can take its place.",
            missed.tier,
            missed.due.0.strftime("%Y-%m-%d")
        ),
        is_grave: false,
    })
}

/// Nothing came of the run of `due`. Of several a day the first is looked at: after it, what was made or lost is known already.
fn lost(missed: &mut Vec<MissedTier>, terms: &Terms, schedule: &Schedule, due: Timestamp) {
    let day = on(schedule, due);
    let just_before = due.checked_sub(SignedDuration::from_nanos(1)).ok();
    let before = just_before.and_then(|at| schedule.previous_at_or_before(at));
    if before.is_some_and(|before| on(schedule, before) == day) {
        return;
    }
    for tier in tiers(terms, day) {
        missed.retain(|earlier| earlier.tier != tier);
        missed.push(MissedTier {
            tier,
            due: moment(due),
        });
    }
}

/// The scheduled time that a run is of.
fn due(run: &Run, schedule: &Schedule) -> Option<Timestamp> {
    let began = run.start_time.as_ref()?;
    schedule.previous_at_or_before(began.0)
}

/// The day of the policy's own clock, which decides the tier.
fn on(schedule: &Schedule, at: Timestamp) -> Date {
    wall_clock::reading(&schedule.zone, at).date()
}

/// The tiers beyond the daily one that a day's first backup is for.
fn tiers(terms: &Terms, day: Date) -> Vec<RetentionTier> {
    let tags = terms.retention.tags_of_day(day);
    let all = [
        (tags.weekly, RetentionTier::Weekly),
        (tags.monthly, RetentionTier::Monthly),
        (tags.yearly, RetentionTier::Yearly),
    ];
    let named = all.into_iter().filter(|(is_for, _)| *is_for);
    named.map(|(_, tier)| tier).collect()
}

fn has_tier(terms: &Terms, tier: RetentionTier) -> bool {
    let retention = &terms.retention;
    match tier {
        RetentionTier::Weekly => retention.weekly.is_some(),
        RetentionTier::Monthly => retention.monthly.is_some(),
        RetentionTier::Yearly => retention.yearly.is_some(),
    }
}
