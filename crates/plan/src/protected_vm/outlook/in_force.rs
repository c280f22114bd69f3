//! What is in force for the item: the terms of the policy that protects it, and since when the runs of its schedule are owed.
//!
//! Since when is kept in the status, as old as the schedule is, whatever the object waited for meanwhile: a machine that waits for an
//! approval is backed up by the policy that it has, and an outage lets no run off.

use kluis_api::{ProtectionState, ScheduleInForce};
use kluis_arm::id::PolicyId;
use kluis_arm::policy::{Policy, Terms, parse};
use kluis_arm::zone;
use kluis_policy::Schedule;

use crate::conditions::moment;
use crate::gate::Target;
use crate::policy::following;
use crate::world::{Observed, ProtectedVmWorld, Want};

/// The policy that protects the item, where that is not the declared one and nobody else has asked for it.
pub(in crate::protected_vm) fn wants(
    world: &ProtectedVmWorld,
    target: &Target<'_>,
) -> Option<Want> {
    let seen = world.seen().filter(|seen| makes_backups(seen.state))?;
    let policy = seen.policy?;
    let is_declared = world.policy_id(target).is_ok_and(|id| id == policy);
    (!is_declared && world.present_policy.is_none()).then_some(Want::Policy(policy))
}

/// What the policy that protects the item says; None while that is not known.
pub(in crate::protected_vm) fn terms(world: &ProtectedVmWorld) -> Option<Terms> {
    let wanted = world.seen()?.policy?;
    let of = |policy: &Option<Observed<Box<Policy>>>| {
        let policy = policy.as_ref()?.found()?;
        let id: Option<PolicyId> = policy.id.as_deref().and_then(|id| id.parse().ok());
        let is_it = match id {
            Some(id) => id == wanted,
            // The answer may leave its id out; then the name has to do.
            None => policy
                .name
                .as_deref()
                .is_some_and(|name| wanted.name == *name),
        };
        is_it.then(|| parse(&policy.properties).ok()).flatten()
    };
    of(&world.arm_policy).or_else(|| of(&world.present_policy))
}

/// The schedule that backups run by; None where none are made, and while it is not known.
pub(super) fn schedule(world: &ProtectedVmWorld) -> Option<Schedule> {
    world.seen().filter(|seen| makes_backups(seen.state))?;
    terms(world)?.schedule().ok()
}

/// The same for the status, with the moment since which it is known: that stays while the schedule is the same, or not to be had.
pub(super) fn status(world: &ProtectedVmWorld) -> Option<ScheduleInForce> {
    let before = world.status().and_then(|status| status.schedule.clone());
    let Some(schedule) = schedule(world) else {
        let is_over = world.arm == Some(Observed::Absent)
            || world.seen().is_some_and(|seen| !makes_backups(seen.state));
        return before.filter(|_| !is_over);
    };
    let runs = |zone: &str| format!("{} ({zone})", following::in_words(&schedule.frequency));
    let city = schedule.zone.iana_name().unwrap_or("UTC");
    let written = zone_as_written(world, city);
    // One zone under another name is no other schedule.
    let is_same = |before: &ScheduleInForce| {
        let zone = before.runs.rsplit_once(" (").map(|(_, zone)| zone);
        let zone = zone.map_or("", |zone| zone.trim_end_matches(')'));
        before.runs == runs(zone) && is_one_zone(zone, city)
    };
    let since = before.filter(is_same).map(|before| before.since);
    Some(ScheduleInForce {
        runs: runs(written),
        since: since.unwrap_or_else(|| moment(world.now)),
    })
}

/// The zone's name as the person wrote it whose policy is in force: on the wire it has Azure's name, which stands for many cities.
fn zone_as_written<'a>(world: &'a ProtectedVmWorld, city: &'a str) -> &'a str {
    let policy = world.policy.as_ref().filter(|_| is_declared(world));
    policy
        .map(|policy| policy.spec.time_zone.as_str())
        .filter(|written| is_one_zone(written, city))
        .unwrap_or(city)
}

/// Whether the policy that protects the item is the one that is declared.
fn is_declared(world: &ProtectedVmWorld) -> bool {
    let in_force = world.seen().and_then(|seen| seen.policy);
    let target = world.target().ok();
    let declared = target.and_then(|target| world.policy_id(&target).ok());
    in_force.is_some() && in_force == declared
}

fn is_one_zone(one: &str, other: &str) -> bool {
    let azure = zone::to_azure(one);
    azure.is_ok() && azure.ok() == zone::to_azure(other).ok()
}

pub(in crate::protected_vm) fn makes_backups(state: ProtectionState) -> bool {
    matches!(
        state,
        ProtectionState::IrPending | ProtectionState::Protected | ProtectionState::ProtectionError
    )
}
