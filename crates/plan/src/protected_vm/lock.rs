//! A lock on the machine's resource group (rule 34): the item is as declared, and yet a person has to know of it. The snapshots of
//! its recovery points can't be removed, and once there are as many as can be, backups fail.

use kluis_api::{Condition, ConditionType};

use crate::conditions::{Standing, Verdict};
use crate::gate::Target;
use crate::report::Event;
use crate::world::{LockFact, Observed, ProtectedVmWorld, Want};

/// The locks, once there is something that they could be in the way of. One list tells it of all machines of a subscription.
pub(super) fn wants(world: &ProtectedVmWorld, target: &Target<'_>) -> Vec<Want> {
    let is_there = matches!(world.arm, Some(Observed::Found(_)));
    let wanted = is_there && world.locks.is_none() && !world.item.spec.suspend;
    let locks = wanted.then(|| Want::Locks {
        subscription: target.vm.subscription.to_string(),
    });
    locks.into_iter().collect()
}

/// The verdict with the lock in its words, and an event when that is news. A lock that is not known says nothing.
pub(super) fn told(
    world: &ProtectedVmWorld,
    mut verdict: Verdict,
    before: &[Condition],
) -> (Verdict, Option<Event>) {
    let Some(remark) = remark(world) else {
        return (verdict, None);
    };
    if !matches!(verdict.standing, Standing::Settled | Standing::SettledBusy) {
        return (verdict, None);
    }
    verdict.message = format!("{} {remark}", verdict.message).trim().to_owned();
    let ready = before
        .iter()
        .find(|condition| condition.type_ == ConditionType::Ready);
    let is_news = !ready.is_some_and(|ready| ready.message.contains(&remark));
    let event = is_news.then(|| Event::warning("ResourceGroupLocked", remark));
    (verdict, event)
}

fn remark(world: &ProtectedVmWorld) -> Option<String> {
    let target = world.target().ok()?;
    let group = &target.vm.resource_group;
    let is_in_the_way = |lock: &&LockFact| {
        lock.resource_group
            .as_ref()
            .is_none_or(|name| name == group)
    };
    let lock = world.locks.as_ref()?.found()?.iter().find(is_in_the_way)?;
    let what = match &lock.resource_group {
        Some(_) => format!("The resource group {group} is locked ({})", lock.level),
        None => format!("The subscription is locked ({})", lock.level),
    };
    Some(format!(
        "{what}: snapshots of older recovery points can't be removed, and backups fail once there are 18 of the machine (rule 34)."
    ))
}
