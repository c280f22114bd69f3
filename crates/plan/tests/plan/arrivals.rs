//! What comes under a policy while the policy is edited: one commit may do both, and neither is judged by what it was before.

use jiff::SignedDuration;
use kluis_api::{DailyRetention, ProtectedVMStatus, Weekday, WeeklyRetention};
use kluis_arm::item::ProtectionState;
use kluis_plan::Kind;

use crate::azure::{item_id, key};
use crate::cluster::{ALL, Cluster, PERIOD};

/// Both orders of who is looked at first.
const ORDERS: [[Kind; 2]; 2] = [
    [Kind::BackupPolicy, Kind::ProtectedVM],
    [Kind::ProtectedVM, Kind::BackupPolicy],
];

const EVERY_DAY: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// A machine with twenty daily points, stopped with its data.
fn stopped() -> Cluster {
    stopped_after(Cluster::converged())
}

fn stopped_after(mut cluster: Cluster) -> Cluster {
    cluster.azure.live(&item_id(), 20, true);
    cluster.converge(&ALL);
    cluster.edit_item(|item| item.spec.suspend = true);
    cluster.converge(&ALL);
    assert_eq!(state(&cluster), ProtectionState::ProtectionStopped);
    cluster.azure.calls.clear();
    cluster
}

/// One commit: backups are to be made again, and the policy keeps ten days instead of thirty.
fn resumed_and_shortened() -> Cluster {
    let mut cluster = stopped();
    cluster.edit_item(|item| item.spec.suspend = false);
    shorten(&mut cluster);
    cluster
}

fn shorten(cluster: &mut Cluster) {
    cluster.edit_policy(|policy| policy.spec.retention.daily = Some(DailyRetention { keep: 10 }));
}

fn state(cluster: &Cluster) -> ProtectionState {
    let item = &cluster.azure.items[&key(&item_id())];
    item.protection_state.clone().unwrap()
}

fn status(cluster: &Cluster) -> &ProtectedVMStatus {
    cluster.item.as_ref().unwrap().status.as_ref().unwrap()
}

fn points(cluster: &Cluster) -> usize {
    cluster.azure.points[&key(&item_id())].len()
}

#[test]
fn a_resume_with_a_shorter_policy_is_asked_for() {
    for order in ORDERS {
        let mut cluster = resumed_and_shortened();
        cluster.converge(&order);
        let approval = status(&cluster).approval.clone().expect(&cluster.log);
        assert_eq!((approval.deleted, approval.shortened), (10, 0));
        assert_eq!(state(&cluster), ProtectionState::ProtectionStopped);
        cluster.azure.live(&item_id(), 3, false);
        assert_eq!(points(&cluster), 20);

        cluster.edit_item(|item| item.spec.approved_loss = Some(approval.digest.clone()));
        cluster.converge(&order);
        assert_eq!(state(&cluster), ProtectionState::Protected);
        assert_eq!(status(&cluster).approval, None);
        assert_eq!(cluster.azure.calls.len(), 2, "{:?}", cluster.azure.calls);
    }
}

/// What is foreseen of the promises is what the loss is counted by.
#[test]
fn a_resume_is_foreseen_by_what_its_policy_is_about_to_be() {
    let cluster = resumed_and_shortened();
    let edits = cluster.foreseen(Kind::ProtectedVM);
    let kept = edits[0]
        .after
        .retention
        .daily
        .as_ref()
        .map(|tier| tier.keep);
    assert_eq!((edits.len(), kept), (1, Some(10)));
    let plan = cluster.plan(Kind::ProtectedVM).unwrap();
    assert_eq!(plan.stakes[0].loss.total.deleted, 10);
}

/// What an edit costs is told although an item beside it was not looked at yet: one that has changed, and one that is new. The digest is the
/// one that is asked for when that has arrived.
#[test]
fn what_an_edit_costs_is_told_beside_an_item_that_nobody_looked_at() {
    for is_new in [false, true] {
        let mut cluster = Cluster::converged();
        cluster.azure.live(&item_id(), 20, true);
        cluster.converge(&ALL);
        if is_new {
            // The machine that has the points is another, which nobody here declares; ours is new to the vault.
            let foreign = key(&item_id()).replace("web-1", "far-1");
            let item = cluster.azure.items.remove(&key(&item_id())).unwrap();
            let times = cluster.azure.points.remove(&key(&item_id())).unwrap();
            cluster.azure.items.insert(foreign.clone(), item);
            cluster.azure.points.insert(foreign, times);
            cluster.item = Some(crate::cluster::parse(crate::cluster::ITEM));
        } else {
            cluster.edit_item(|item| item.spec.objectives = None);
        }
        shorten(&mut cluster);
        let plan = cluster.plan(Kind::BackupPolicy).unwrap();
        assert_eq!(plan.steps, [], "{}", cluster.log);
        let told: Vec<_> = plan
            .stakes
            .iter()
            .map(|stake| (stake.loss.total.deleted, stake.digest.clone()))
            .collect();
        cluster.converge(&ALL);
        let policy = cluster.policy.clone().unwrap().status.unwrap();
        let asked = policy.vaults[0].approval.clone().expect(&cluster.log);
        assert_eq!(told, [(asked.deleted, asked.digest)], "new: {is_new}");
        assert!(asked.deleted > 0);
    }
}

/// Both are looked at together: what the policy's edit was judged by is not in the vault yet when the item is on its way.
#[test]
fn a_policy_is_not_shortened_past_an_item_that_nobody_looked_at() {
    let mut cluster = resumed_and_shortened();
    let plan = cluster.plan(Kind::BackupPolicy).unwrap();
    cluster.reconcile(Kind::ProtectedVM);
    for step in &plan.steps {
        cluster.take(Kind::BackupPolicy, step);
    }
    cluster.converge(&ALL);
    cluster.azure.live(&item_id(), 3, false);
    assert_eq!(points(&cluster), 20, "{}", cluster.log);
    assert!(status(&cluster).approval.is_some(), "{}", cluster.log);
}

/// Wherever the edit of the policy comes in between, and whoever is looked at first then.
#[test]
fn a_policy_that_is_shortened_while_an_item_comes_is_asked_for() {
    for order in ORDERS {
        for rounds in 0..6 {
            let mut cluster = stopped();
            cluster.edit_item(|item| item.spec.suspend = false);
            for _ in 0..rounds {
                cluster.reconcile(Kind::ProtectedVM);
                cluster.azure.tick(PERIOD);
            }
            shorten(&mut cluster);
            cluster.converge(&order);
            cluster.azure.live(&item_id(), 3, false);
            assert_eq!(points(&cluster), 20, "after {rounds}: {}", cluster.log);
            let asks = cluster.log.matches("RecoveryPointsAtStake").count()
                + cluster.log.matches("ApprovalRequired").count();
            assert!(asks > 0, "after {rounds}: {}", cluster.log);
        }
    }
}

/// The policy's own edit waits for somebody, for another machine's sake: what is to come under it waits, too, and says why.
#[test]
fn what_comes_waits_for_the_edit_of_its_policy() {
    for order in ORDERS {
        let mut cluster = resumed_and_shortened();
        let other = key(&item_id()).replace("web-1", "far-1");
        let mut item = cluster.azure.items[&key(&item_id())].clone();
        item.protection_state = Some(ProtectionState::Protected);
        let policy = cluster.azure.policies.values().next().unwrap();
        item.policy_id = policy.id.clone();
        let times = cluster.azure.points[&key(&item_id())].clone();
        cluster.azure.items.insert(other.clone(), item);
        cluster.azure.points.insert(other, times);
        cluster.converge(&order);
        let digest = status(&cluster).approval.clone().unwrap().digest;
        cluster.edit_item(|item| item.spec.approved_loss = Some(digest));
        cluster.converge(&order);
        assert_eq!(
            state(&cluster),
            ProtectionState::ProtectionStopped,
            "{}",
            cluster.log
        );
        let ready = &status(&cluster).conditions[0];
        assert_eq!(ready.reason, "PolicyNotReady", "{}", cluster.log);
        assert!(ready.message.contains("approvedLoss"), "{}", ready.message);

        let policy = cluster.policy.clone().unwrap().status.unwrap();
        let digest = policy.vaults[0].approval.clone().unwrap().digest;
        cluster.edit_policy(|policy| policy.spec.approved_loss = Some(digest));
        cluster.converge(&order);
        assert_eq!(state(&cluster), ProtectionState::Protected);
    }
}

/// What is longer is written whenever it comes.
#[test]
fn a_resume_with_a_longer_policy_costs_nothing() {
    for order in ORDERS {
        let mut cluster = stopped();
        cluster.edit_item(|item| item.spec.suspend = false);
        cluster.edit_policy(|policy| {
            policy.spec.retention.daily = Some(DailyRetention { keep: 60 });
        });
        cluster.converge(&order);
        assert_eq!(state(&cluster), ProtectionState::Protected);
        cluster.azure.now += SignedDuration::from_hours(24);
        assert_eq!(points(&cluster), 20);
    }
}

/// A vault forgets which policy a stopped machine had. What was tagged by other days than are declared now, or nobody knows by which, is
/// kept by none of them.
#[test]
fn a_resume_by_other_days_is_counted_without_their_tags() {
    let weekly = WeeklyRetention {
        keep: 52,
        on: Some(EVERY_DAY.to_vec()),
        on_unquoted: None,
        days: None,
    };
    // Whether the days were chosen when the points were made, and whether anybody saw it.
    for (were_chosen, was_seen, deleted) in [(true, true, 0), (false, true, 10), (true, false, 10)]
    {
        let mut cluster = Cluster::converged();
        if were_chosen {
            cluster.edit_policy(|policy| policy.spec.retention.weekly = Some(weekly.clone()));
            cluster.converge(&ALL);
        }
        let mut cluster = stopped_after(cluster);
        assert_eq!(status(&cluster).last_policy.as_deref(), Some("daily"));
        assert!(status(&cluster).last_terms.is_some());
        if !was_seen {
            cluster.item.as_mut().unwrap().status = None;
        }
        cluster.edit_policy(|policy| {
            policy.spec.retention.daily = Some(DailyRetention { keep: 10 });
            policy.spec.retention.weekly = Some(weekly.clone());
        });
        cluster.converge(&ALL);
        cluster.edit_item(|item| item.spec.suspend = false);
        cluster.converge(&ALL);
        let asked = status(&cluster).approval.as_ref();
        let what = format!("{were_chosen} {was_seen}: {}", cluster.log);
        assert_eq!(asked.map_or(0, |asked| asked.deleted), deleted, "{what}");
        if deleted == 0 {
            assert_eq!(status(&cluster).last_policy, None);
        }
    }
}

/// A machine whose backups are suspended is pruned by its policy all the while: that policy's edit counts its points and asks for them.
/// To be backed up again costs nothing more, and waits for nothing.
#[test]
fn a_suspended_machine_under_a_policy_that_is_shortened_is_asked_for_once() {
    for order in ORDERS {
        let mut cluster = Cluster::converged();
        cluster.azure.live(&item_id(), 20, true);
        cluster.converge(&ALL);
        let item = cluster.azure.items.get_mut(&key(&item_id())).unwrap();
        item.protection_state = Some(ProtectionState::BackupsSuspended);
        shorten(&mut cluster);
        cluster.converge(&order);
        assert_eq!(
            state(&cluster),
            ProtectionState::Protected,
            "{}",
            cluster.log
        );
        assert_eq!(status(&cluster).approval, None);
        let approval = cluster.asked().expect(&cluster.log);
        assert_eq!((approval.deleted, approval.shortened), (10, 10));
        cluster.edit_policy(|policy| policy.spec.approved_loss = Some(approval.digest));
        cluster.converge(&order);
        assert_eq!(cluster.asked(), None);
    }
}

/// Its policy waits for room among the vault's edits. A machine whose points that edit would cost waits with it, and says why; one whose
/// points it leaves alone is backed up from now on.
#[test]
fn a_resume_waits_for_an_edit_only_where_it_matters() {
    for (points, is_waiting) in [(20, true), (0, false)] {
        let mut cluster = Cluster::converged();
        cluster.azure.live(&item_id(), points, true);
        cluster.converge(&ALL);
        cluster.edit_item(|item| item.spec.suspend = true);
        cluster.converge(&ALL);
        let now = cluster.azure.now;
        let policy = cluster.policy.as_mut().unwrap().status.as_mut().unwrap();
        policy.vaults[0].edits = vec![kluis_api::Time(now); 45];
        cluster.edit_policy(|policy| {
            policy.spec.retention.daily = Some(DailyRetention { keep: 25 });
        });
        cluster.converge(&ALL);
        cluster.edit_item(|item| item.spec.suspend = false);
        cluster.converge(&ALL);
        let ready = &status(&cluster).conditions[0];
        if is_waiting {
            assert_eq!(state(&cluster), ProtectionState::ProtectionStopped);
            assert_eq!(ready.reason, "PolicyOutOfDate");
            assert!(
                ready.message.contains("This one is sent from"),
                "{}",
                ready.message
            );
        } else {
            assert_eq!(
                state(&cluster),
                ProtectionState::IrPending,
                "{}",
                cluster.log
            );
        }
    }
}
