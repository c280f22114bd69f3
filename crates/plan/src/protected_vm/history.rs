//! What became of the item's backups: its last runs, and its recovery points in summary.
//!
//! Jobs are read only when there is something to learn: a backup that is not among the known runs, a run that is not over, or a due time
//! that passed without one. Points are read only after the item's last backup changed (law 6).

use jiff::{SignedDuration, Timestamp};
use kluis_api::{
    ConditionStatus, ConditionType, Consistency, ProtectionState, RecoveryPoints, Run, RunResult,
    RunTrigger, Time,
};
use kluis_arm::job::{JobOperation, VmJob};
use kluis_arm::recovery_point::RecoveryPoint;

use super::backup::{self, Backup};
use super::outlook::{self, in_force};
use super::snapshot;
use crate::bounded::result;
use crate::conditions::{Extra, cut, moment};
use crate::errand::{complaint, detail, is_about, queue_place, want_before};
use crate::gate::Target;
use crate::point;
use crate::report::{Event, EventKind};
use crate::seen::Seen;
use crate::world::{Observed, ProtectedVmWorld, Want};

/// How many runs a status holds.
const RUNS: usize = 3;
/// How far back the runs of an item are looked for that was never looked at before.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(25);
/// How long a daily policy's run may take (rule 36).
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// What became of the item's backups.
pub(super) struct History {
    pub(super) runs: Vec<Run>,
    pub(super) points: Option<RecoveryPoints>,
    /// Whether that is how it is now, and not only how it was when the vault last told.
    pub(super) is_current: bool,
    pub(super) last_backup: Option<Time>,
    pub(super) events: Vec<Event>,
}

/// What has to be read to know more.
pub(super) fn wants(world: &ProtectedVmWorld, target: &Target<'_>) -> Vec<Want> {
    if let Some(policy) = in_force::wants(world, target) {
        return vec![policy];
    }
    let mut wants = backup::errand(world, target).wants();
    if world.jobs.is_none() && backup::is_about_to_begin(world) {
        wants.push(want_before(&target.item, JobOperation::Backup, world.now));
    }
    if let Some(since) = jobs_since(world).filter(|_| world.jobs.is_none()) {
        let earlier = wants.iter_mut().find_map(|want| match want {
            Want::Jobs { since, .. } => Some(since),
            _ => None,
        });
        match earlier {
            Some(already) => *already = since.min(*already),
            None => wants.push(Want::Jobs {
                vault: target.vault_id.clone(),
                operation: JobOperation::Backup,
                since,
            }),
        }
    }
    if world.points.is_none() && is_recount_due(world) {
        wants.push(Want::Points(target.item.clone()));
    }
    wants
}

/// What became of the item's backups, with what was read just now.
pub(super) fn of(world: &ProtectedVmWorld, backup: &Backup<'_>) -> History {
    let known = world
        .status()
        .map(|status| status.runs.clone())
        .unwrap_or_default();
    let mut runs = known.clone();
    if let Ok(target) = world.target() {
        let listed = world
            .jobs
            .as_ref()
            .and_then(Observed::found)
            .into_iter()
            .flatten();
        let ours = listed.filter(|job| is_about(job, &target.item, &JobOperation::Backup));
        for (name, job) in ours.filter_map(|job| Some((job.name.clone()?, detail(job)?))) {
            take(&mut runs, run(name, job, &known, world.now));
        }
    }
    if let Some((name, job)) = &backup.job {
        take(
            &mut runs,
            Run {
                trigger: RunTrigger::OnDemand,
                ..run(name.clone(), job, &known, world.now)
            },
        );
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.start_time.as_ref().map(|time| time.0)));
    runs.truncate(RUNS);
    let before = world
        .status()
        .and_then(|status| status.recovery_points.clone());
    let last = world.seen().and_then(|seen| seen.last_backup).map(moment);
    let points = match (&world.arm, &world.points) {
        // Without the item there are no points to ask for: those that were counted went with it.
        (Some(Observed::Absent), _) => before.map(|_| RecoveryPoints::default()),
        (_, Some(Observed::Found(points))) => Some(count(points, last.clone(), world.now)),
        (_, Some(Observed::Absent)) => Some(RecoveryPoints::default()),
        (Some(Observed::Found(_)), None) if world.seen().is_some_and(|seen| is_new(&seen)) => {
            Some(RecoveryPoints::default())
        }
        (_, Some(Observed::Unknown(_)) | None) => before,
    };
    let is_current = match (&world.arm, &world.points) {
        (Some(Observed::Absent), _) => true,
        (Some(Observed::Found(_)), points) => !matches!(points, Some(Observed::Unknown(_))),
        (Some(Observed::Unknown(_)) | None, _) => false,
    };
    let events = late(&known, &runs).chain(ended(&known, &runs)).collect();
    let last_backup = points.as_ref().and_then(|points| points.newest.clone());
    History {
        runs,
        points,
        is_current,
        last_backup,
        events,
    }
}

impl History {
    /// When the newest recovery point was made.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.points.as_ref()?.newest.as_ref().map(|time| time.0)
    }

    /// `Recoverable`: whether a recovery point exists.
    pub(super) fn recoverable(&self) -> Extra {
        let (status, reason, message) = match &self.points {
            None => (
                ConditionStatus::Unknown,
                "NotCounted",
                "The recovery points were not counted yet.".to_owned(),
            ),
            Some(points) if points.total == 0 => (
                ConditionStatus::False,
                "NoRecoveryPoint",
                "There is no recovery point.".to_owned(),
            ),
            Some(points) => {
                let newest = points.newest.as_ref().map_or_else(
                    || "all of them of disks that a restore in place replaced".to_owned(),
                    |time| format!("the newest of {}", time.0.strftime("%Y-%m-%d %H:%MZ")),
                );
                let plural = if points.total == 1 { "" } else { "s" };
                (
                    ConditionStatus::True,
                    "RecoveryPointExists",
                    format!("{} recovery point{plural}, {newest}.", points.total),
                )
            }
        };
        Extra {
            type_: ConditionType::Recoverable,
            status,
            reason: reason.into(),
            message,
        }
    }
}

/// Since when jobs have to be listed; None when they need not be.
fn jobs_since(world: &ProtectedVmWorld) -> Option<Timestamp> {
    let status = world.status()?;
    let seen = world.seen()?;
    let unfinished = status
        .runs
        .iter()
        .filter(|run| run.result == RunResult::InProgress);
    let followed = status
        .backup
        .as_ref()
        .and_then(|backup| backup.job.as_deref());
    let unfinished = unfinished
        .filter(|run| Some(run.job.as_str()) != followed)
        .filter_map(|run| run.start_time.as_ref())
        .map(|t| t.0)
        .min();
    let last = seen.last_backup.map(moment);
    let counted = status
        .recovery_points
        .as_ref()
        .and_then(|points| points.as_of.clone());
    let newest_run = status
        .runs
        .iter()
        .filter_map(|run| run.start_time.as_ref())
        .map(|time| time.0)
        .max();
    let back = world.now.checked_sub(LOOK_BACK).unwrap_or(world.now);
    let unknown = (last.is_some() && last != counted).then(|| newest_run.unwrap_or(back).max(back));
    let missing = outlook::due_without_run(world);
    [unfinished, unknown, missing].into_iter().flatten().min()
}

/// Points are read after the item's last backup changed (law 6); besides, when its state has, because another state keeps other points;
/// when a run has ended, because its point is then elsewhere too; and when the newest one's snapshot may have gone.
fn is_recount_due(world: &ProtectedVmWorld) -> bool {
    let (Some(seen), status) = (world.seen(), world.status()) else {
        return false;
    };
    if is_new(&seen) {
        return has_run_ended(world);
    }
    let Some(counted) = status.and_then(|status| status.recovery_points.as_ref()) else {
        return true;
    };
    let was = status.and_then(|status| status.state);
    counted.as_of != seen.last_backup.map(moment)
        || was.is_some_and(|was| was != seen.state)
        || has_run_ended(world)
        || snapshot::may_have_gone(world)
}

/// Whether it was never backed up: it has no points that could be counted.
fn is_new(seen: &Seen<'_>) -> bool {
    seen.state == ProtectionState::IrPending && seen.last_backup.is_none()
}

/// Whether a run that was under way is over, by what was read just now.
fn has_run_ended(world: &ProtectedVmWorld) -> bool {
    let runs = world.status().map(|status| status.runs.as_slice());
    let mut open = runs
        .unwrap_or_default()
        .iter()
        .filter(|run| run.result == RunResult::InProgress);
    let listed = world.jobs.as_ref().and_then(Observed::found);
    let asked = world.backup_job.as_ref().and_then(Observed::found);
    open.any(|run| {
        listed
            .into_iter()
            .flatten()
            .chain(asked.map(AsRef::as_ref))
            .filter(|job| job.name.as_deref() == Some(run.job.as_str()))
            .filter_map(detail)
            .any(VmJob::has_ended)
    })
}

fn run(job: String, detail: &VmJob, known: &[Run], now: Timestamp) -> Run {
    let at = |time: &Option<kluis_arm::time::WireTime>| {
        time.as_ref()
            .and_then(|time| time.moment().ok()?)
            .map(moment)
    };
    let trigger = match (
        known.iter().find(|run| run.job == job),
        detail.is_user_triggered,
    ) {
        (Some(known), None) => known.trigger,
        (_, Some(true)) => RunTrigger::OnDemand,
        (_, Some(false) | None) => RunTrigger::Scheduled,
    };
    let (start_time, end_time) = (at(&detail.start_time), at(&detail.end_time));
    let took = start_time.as_ref().map(|start| {
        end_time
            .as_ref()
            .map_or(now, |end| end.0)
            .duration_since(start.0)
    });
    Run {
        job,
        trigger,
        result: result(detail.status.as_ref()),
        over_a_day: took.is_some_and(|took| took > A_DAY),
        start_time,
        end_time,
        queue_place: queue_place(detail),
        message: complaint(detail).map(|message| cut(&message, 1024)),
    }
}

/// The newer word about a job replaces the older.
fn take(runs: &mut Vec<Run>, run: Run) {
    match runs.iter_mut().find(|known| known.job == run.job) {
        Some(known) => *known = run,
        None => runs.push(run),
    }
}

/// What is under way for more than a day is told of once: nothing else would, before it ends.
fn late<'a>(known: &'a [Run], runs: &'a [Run]) -> impl Iterator<Item = Event> + 'a {
    let is_late = |run: &Run| run.result == RunResult::InProgress && run.over_a_day;
    let was_late = move |job: &str| known.iter().any(|run| run.job == job && is_late(run));
    let news = runs
        .iter()
        .filter(move |run| is_late(run) && !was_late(&run.job));
    news.map(|run| {
        let note = format!(
            "The backup {} is under way for more than 24 hours, which a daily policy has from the snapshot to the vault (rule 36); the next \
             run waits for it. Look at the vault's jobs; leave disks out, back up less often, or let the service have more jobs at once.",
            run.job
        );
        Event::warning("BackupOverADay", note)
    })
}

fn ended(known: &[Run], runs: &[Run]) -> Vec<Event> {
    let was_over = |job: &str| {
        known
            .iter()
            .any(|run| run.job == job && run.result != RunResult::InProgress)
    };
    runs.iter()
        .filter(|run| run.result != RunResult::InProgress && !was_over(&run.job))
        .map(|run| {
            let kind = match run.result {
                RunResult::Completed | RunResult::CompletedWithWarnings => EventKind::Normal,
                RunResult::InProgress | RunResult::Failed | RunResult::Cancelled => {
                    EventKind::Warning
                }
            };
            let message = run
                .message
                .as_deref()
                .map(|message| format!(": {message}"))
                .unwrap_or_default();
            Event {
                kind,
                reason: format!("Backup{}", run.result),
                note: cut(
                    &format!("The backup {} {}{message}", run.job, run.result),
                    1024,
                ),
            }
        })
        .collect()
}

fn count(points: &[RecoveryPoint], as_of: Option<Time>, now: Timestamp) -> RecoveryPoints {
    let usable = || points.iter().filter(|point| point::is_usable(point));
    let mut times: Vec<(Timestamp, &RecoveryPoint)> = usable()
        .filter_map(|point| Some((point::time(point)?, point)))
        .collect();
    times.sort_unstable_by_key(|(time, point)| (*time, point.name.as_deref()));
    // A point that a restore in place made of what it replaced is no success of a backup.
    let newest = times
        .iter()
        .rev()
        .find(|(_, point)| !point::is_before_replacing(point));
    let (newest_time, newest) = newest.map(|(time, point)| (moment(*time), *point)).unzip();
    let newest_tier = newest.and_then(point::tier);
    let of = |wanted: Consistency| {
        let matching = usable().filter(|point| point::consistency(point) == Some(wanted));
        u32::try_from(matching.count()).unwrap_or(u32::MAX)
    };
    RecoveryPoints {
        total: u32::try_from(usable().count()).unwrap_or(u32::MAX),
        newest: newest_time,
        newest_name: newest.and_then(|point| point.name.clone()),
        newest_tier,
        newest_tier_as_of: newest_tier
            .is_some_and(snapshot::is_snapshot)
            .then(|| moment(now)),
        newest_consistency: newest.and_then(point::consistency),
        oldest: times.first().map(|(time, _)| moment(*time)),
        app_consistent: of(Consistency::Application),
        file_system_consistent: of(Consistency::FileSystem),
        crash_consistent: of(Consistency::Crash),
        as_of,
    }
}
