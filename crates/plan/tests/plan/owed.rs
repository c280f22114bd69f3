//! Runs that are owed, and what is said of points while nobody can be asked: neither a machine that waits for a person nor an outage
//! makes a missing run one that nobody hears of, and what was not looked at is not told as broken.

use jiff::Timestamp;
use kluis_api::{
    Condition, ConditionStatus, ConditionType, DaylightSaving, Objectives, StorageTier,
};
use kluis_arm::recovery_point::Tier;
use kluis_plan::Kind;

use crate::azure::item_id;
use crate::cluster::{ALL, Cluster};

/// With the backup of 21 November, and a run due on the 22nd at 21:30 UTC.
fn backed_up() -> Cluster {
    let mut cluster = Cluster::converged();
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    cluster
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// How often a missing run was told of so far.
fn told(cluster: &Cluster) -> usize {
    cluster.log.matches("event ! ScheduledRunMissed").count()
}

fn condition(cluster: &Cluster, type_: ConditionType) -> Condition {
    let status = cluster.item.clone().unwrap().status.unwrap();
    let mut conditions = status.conditions.into_iter();
    conditions
        .find(|condition| condition.type_ == type_)
        .unwrap()
}

/// The service answers, or does not.
fn answers(cluster: &mut Cluster, status: ConditionStatus) {
    let service = cluster.service.as_mut().unwrap();
    service.status.as_mut().unwrap().conditions[0].status = status;
}

/// Looks at the machine every ten minutes until then.
fn look_until(cluster: &mut Cluster, end: &str) {
    while cluster.azure.now < at(end) {
        cluster.azure.now += jiff::SignedDuration::from_mins(10);
        cluster.reconcile(Kind::ProtectedVM);
    }
}

#[test]
fn a_run_that_is_missing_is_told_while_the_machine_waits_for_a_person() {
    let mut cluster = backed_up();
    cluster.edit_item(|item| {
        item.spec.policy_ref.name = None;
        item.spec.policy_ref.azure_name = Some("weekly".to_owned());
    });
    look_until(&mut cluster, "2026-11-23T00:00:00Z");
    let ready = condition(&cluster, ConditionType::Ready);
    assert_eq!(
        (ready.status, ready.reason.as_str()),
        (ConditionStatus::False, "PolicyNotInVault")
    );
    assert_eq!(told(&cluster), 1, "{}", cluster.log);
}

#[test]
fn a_run_that_was_due_in_an_outage_is_told_after_it() {
    let mut cluster = backed_up();
    look_until(&mut cluster, "2026-11-22T21:00:00Z");
    answers(&mut cluster, ConditionStatus::Unknown);
    look_until(&mut cluster, "2026-11-23T00:10:00Z");
    assert_eq!(told(&cluster), 0, "{}", cluster.log);
    answers(&mut cluster, ConditionStatus::True);
    look_until(&mut cluster, "2026-11-23T00:30:00Z");
    assert_eq!(told(&cluster), 1, "{}", cluster.log);
    look_until(&mut cluster, "2026-11-23T06:00:00Z");
    assert_eq!(told(&cluster), 1, "{}", cluster.log);
}

/// What the schedule says now was not due before it said so.
#[test]
fn a_run_that_an_edit_has_made_past_is_not_owed() {
    let mut cluster = backed_up();
    look_until(&mut cluster, "2026-11-22T15:00:00Z");
    cluster.edit_policy(|policy| {
        policy.spec.schedule.daily.as_mut().unwrap().at = "14:30".to_owned();
    });
    cluster.converge(&ALL);
    look_until(&mut cluster, "2026-11-23T10:00:00Z");
    assert_eq!(told(&cluster), 0, "{}", cluster.log);
    look_until(&mut cluster, "2026-11-23T17:00:00Z");
    assert_eq!(told(&cluster), 1, "{}", cluster.log);
}

/// The same times kept for longer are the same times.
#[test]
fn an_edit_of_the_retention_lets_no_run_off() {
    let mut cluster = backed_up();
    look_until(&mut cluster, "2026-11-22T22:00:00Z");
    cluster.edit_policy(|policy| policy.spec.retention.daily.as_mut().unwrap().keep = 60);
    cluster.converge(&ALL);
    look_until(&mut cluster, "2026-11-23T00:30:00Z");
    assert_eq!(told(&cluster), 1, "{}", cluster.log);
}

#[test]
fn an_objective_is_not_told_as_broken_by_who_did_not_look() {
    let mut cluster = backed_up();
    look_until(&mut cluster, "2026-11-22T20:00:00Z");
    answers(&mut cluster, ConditionStatus::Unknown);
    cluster.azure.now = at("2026-11-22T21:30:00Z");
    cluster.azure.run_schedule(&item_id());
    look_until(&mut cluster, "2026-11-23T16:00:00Z");
    let within = condition(&cluster, ConditionType::WithinRPO);
    assert_eq!(
        within.status,
        ConditionStatus::Unknown,
        "{}",
        within.message
    );
    answers(&mut cluster, ConditionStatus::True);
    cluster.converge(&ALL);
    let within = condition(&cluster, ConditionType::WithinRPO);
    assert_eq!(within.status, ConditionStatus::True, "{}", within.message);
    assert!(!cluster.log.contains("ObjectiveMissed"), "{}", cluster.log);
}

/// But what turns out to be broken is told, though nobody saw it turn.
#[test]
fn an_objective_that_broke_in_an_outage_is_told_after_it() {
    let mut cluster = backed_up();
    look_until(&mut cluster, "2026-11-22T20:00:00Z");
    answers(&mut cluster, ConditionStatus::Unknown);
    look_until(&mut cluster, "2026-11-23T16:00:00Z");
    answers(&mut cluster, ConditionStatus::True);
    cluster.converge(&ALL);
    let within = condition(&cluster, ConditionType::WithinRPO);
    assert_eq!(within.reason, "ObjectiveMissed", "{}", within.message);
    let events = cluster.log.matches("event ! ObjectiveMissed").count();
    assert_eq!(events, 1, "{}", cluster.log);
}

/// A night of 25 hours is foreseen from the spring before.
#[test]
fn an_objective_that_a_change_of_the_clocks_breaks_is_out_of_reach_all_year() {
    let mut cluster = backed_up();
    cluster.edit_policy(|policy| policy.spec.schedule.daylight_saving = DaylightSaving::Follow);
    cluster.edit_item(|item| {
        item.spec.objectives = Some(Objectives {
            rpo: Some("25h".to_owned()),
            ..Objectives::default()
        });
    });
    cluster.converge(&ALL);
    let events = cluster.log.matches("event ! ObjectiveOutOfReach").count();
    assert_eq!(events, 1, "{}", cluster.log);
    // Not again after it was not known for a while.
    answers(&mut cluster, ConditionStatus::Unknown);
    cluster.reconcile(Kind::ProtectedVM);
    answers(&mut cluster, ConditionStatus::True);
    cluster.converge(&ALL);
    let events = cluster.log.matches("event ! ObjectiveOutOfReach").count();
    assert_eq!(events, 1, "{}", cluster.log);
}

/// Where the newest point is changes though no backup ends: its snapshot goes after two days, of a stopped machine too.
#[test]
fn a_snapshot_that_went_is_not_said_to_be_there() {
    for suspend in [false, true] {
        let mut cluster = Cluster::converged();
        cluster.azure.tiers = vec![Tier::InstantRp, Tier::HardenedRp];
        cluster.azure.run_schedule(&item_id());
        cluster.converge(&ALL);
        let tier = |cluster: &Cluster| {
            let status = cluster.item.clone().unwrap().status.unwrap();
            status.recovery_points.unwrap().newest_tier
        };
        assert_eq!(tier(&cluster), Some(StorageTier::SnapshotAndVault));
        cluster.edit_item(|item| item.spec.suspend = suspend);
        cluster.converge(&ALL);
        cluster.azure.tiers = vec![Tier::HardenedRp];
        // Nobody lists the points meanwhile.
        look_until(&mut cluster, "2026-11-23T11:00:00Z");
        assert_eq!(tier(&cluster), Some(StorageTier::SnapshotAndVault));
        look_until(&mut cluster, "2026-11-24T13:00:00Z");
        assert_eq!(tier(&cluster), Some(StorageTier::Vault), "{}", cluster.log);
    }
}

/// One that stays for longer than it should is asked after now and then, not at each look.
#[test]
fn a_snapshot_that_stays_is_not_asked_after_at_each_look() {
    let mut cluster = Cluster::converged();
    cluster.azure.tiers = vec![Tier::InstantRp, Tier::HardenedRp];
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    let mut counts = 0;
    cluster.azure.now = at("2026-11-24T12:10:00Z");
    cluster.converge(&ALL);
    for _ in 0..72 {
        cluster.azure.now += jiff::SignedDuration::from_mins(10);
        let before = cluster.reads(Kind::ProtectedVM);
        cluster.reconcile(Kind::ProtectedVM);
        counts += usize::from(cluster.reads(Kind::ProtectedVM) < before);
    }
    assert!((11..=13).contains(&counts), "{counts}");
}
