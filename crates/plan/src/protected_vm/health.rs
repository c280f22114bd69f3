//! `Healthy`: what is wrong with an item whose protection is as declared. Ready tells what is declared; this tells whether it does any good.
//!
//! The service says most of it, in Azure's words or in its own, which are only passed on here: the item's health and its details, and how
//! its last backup ended. What the operator knows besides: that the newest run failed where the service does not yet say so, that the
//! machine is gone, and that a week, a month or a year has no recovery point because the backup that would be it failed.

mod missed;
mod told;

use kluis_api::{ConditionType, MissedTier, Run, RunResult};

use super::history::History;
use super::outlook::in_force;
use crate::conditions::{BACKUP_FAILED, Extra, Standing, Verdict};
use crate::gate::Target;
use crate::waiting::Waiting;
use crate::world::{Observed, ProtectedVmWorld, Want};

/// How the item's backups are.
pub(super) struct Health {
    /// None where there is no item.
    pub(super) condition: Option<Extra>,
    /// The tiers whose last day left no recovery point.
    pub(super) missed: Vec<MissedTier>,
}

/// One thing that is wrong, in one word and in a sentence.
struct Trouble {
    reason: String,
    message: String,
    /// Whether a person should do something now; else it is worth knowing.
    is_grave: bool,
}

/// The machine, once there is a reason to doubt that it is there: of those that are backed up nothing is read.
pub(super) fn wants(world: &ProtectedVmWorld, target: &Target<'_>) -> Option<Want> {
    let seen = world
        .seen()
        .filter(|seen| in_force::makes_backups(seen.state))?;
    let runs = world.status().map(|status| status.runs.as_slice());
    let has_failed =
        newest_ended(runs.unwrap_or_default()).is_some_and(|run| run.result == RunResult::Failed);
    let is_in_doubt =
        has_failed || told::of(seen.item, true).is_some_and(|trouble| trouble.is_grave);
    let is_asked = is_in_doubt && !world.item.spec.suspend && world.vm.is_none();
    is_asked.then(|| Want::Vm(target.vm.clone()))
}

/// Why an item is not as declared although its protection is: what it protects is gone.
pub(super) fn source(world: &ProtectedVmWorld, target: &Target<'_>) -> Result<(), Waiting> {
    match world.vm {
        Some(Observed::Absent) => Err(Waiting::VmNotFound {
            vm: format!("{}/{}", target.vm.resource_group, target.vm.name),
            is_protected: true,
        }),
        Some(Observed::Found(_) | Observed::Unknown(_)) | None => Ok(()),
    }
}

/// How it is, given what became of its backups.
pub(super) fn of(world: &ProtectedVmWorld, history: &History) -> Health {
    let missed = missed::of(world, history);
    let condition = match &world.arm {
        Some(Observed::Found(_)) => Some(judged(&troubles(world, history, &missed))),
        Some(Observed::Absent) => None,
        // Who does not hear from the service knows what was heard last.
        Some(Observed::Unknown(_)) | None => before(world),
    };
    Health { condition, missed }
}

impl Health {
    /// The verdict with what is wrong in its words: the column's message is what people look at.
    pub(super) fn told(&self, mut verdict: Verdict) -> Verdict {
        let is_settled = matches!(verdict.standing, Standing::Settled | Standing::SettledBusy);
        if let Some(condition) = self.condition.as_ref().filter(|_| is_settled) {
            verdict.message = format!("{} {}", verdict.message, condition.message)
                .trim()
                .to_owned();
        }
        verdict
    }
}

fn troubles(world: &ProtectedVmWorld, history: &History, missed: &[MissedTier]) -> Vec<Trouble> {
    let gone = world
        .target()
        .ok()
        .and_then(|target| source(world, &target).err())
        .map(|waiting| Trouble {
            reason: waiting.reason().to_owned(),
            message: waiting.to_string(),
            is_grave: true,
        });
    let told = world
        .seen()
        .and_then(|seen| told::of(seen.item, in_force::makes_backups(seen.state)));
    // What the service says of the item it says of its last backup, too.
    let is_told = told.as_ref().is_some_and(|told| told.is_grave);
    let failed = newest_ended(&history.runs)
        .filter(|run| run.result == RunResult::Failed && !is_told && makes_backups(world))
        .map(failed);
    let told = told.filter(|_| gone.is_none());
    let failed = failed.filter(|_| gone.is_none());
    gone.into_iter()
        .chain(told)
        .chain(failed)
        .chain(missed::told(missed))
        .collect()
}

fn makes_backups(world: &ProtectedVmWorld) -> bool {
    world
        .seen()
        .is_some_and(|seen| in_force::makes_backups(seen.state))
}

/// The newest run that came to an end of its own: one that somebody cancelled says nothing of the machine.
fn newest_ended(runs: &[Run]) -> Option<&Run> {
    let is_over = |run: &&Run| !matches!(run.result, RunResult::InProgress | RunResult::Cancelled);
    runs.iter().find(is_over)
}

fn failed(run: &Run) -> Trouble {
    let began = run.start_time.as_ref();
    let began = began.map(|at| at.0.strftime(" of %Y-%m-%d %H:%MZ").to_string());
    let why = run
        .message
        .as_deref()
        .unwrap_or("the service does not say why");
    Trouble {
        reason: BACKUP_FAILED.to_owned(),
        message: format!("The backup{} failed: {why}", began.unwrap_or_default()),
        is_grave: true,
    }
}

/// Grave where anything is; worth knowing where that is all.
fn judged(troubles: &[Trouble]) -> Extra {
    let problems: Vec<_> = troubles
        .iter()
        .map(|trouble| {
            (
                trouble.is_grave,
                trouble.reason.as_str(),
                trouble.message.as_str(),
            )
        })
        .collect();
    Extra::healthy(&problems)
}

fn before(world: &ProtectedVmWorld) -> Option<Extra> {
    let mut conditions = world.status()?.conditions.iter();
    let before = conditions.find(|before| before.type_ == ConditionType::Healthy)?;
    Some(Extra {
        type_: before.type_,
        status: before.status,
        reason: before.reason.clone().into(),
        message: before.message.clone(),
    })
}
