//! Edits that are held back, or sent in part: by the vault's budget, by a service that does not make them, by a run that comes first, and by
//! an approval that is still to come.

use expect_test::expect;
use jiff::{SignedDuration, Timestamp};
use kluis_api::{DailyRetention, DaylightSaving, Time};

use crate::azure::{Edits, item_id};
use crate::cluster::{ALL, Cluster, ITEM, parse};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const WRITTEN: &str = "write the policy daily into the vault shop-weu";

fn keep(cluster: &mut Cluster, days: u32) {
    cluster.edit_policy(|policy| {
        policy.spec.retention.daily = Some(DailyRetention { keep: days });
    });
    cluster.converge(&ALL);
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// The vault's edits of this day are all made.
fn spend(cluster: &mut Cluster) {
    let now = cluster.azure.now;
    let status = cluster.policy.as_mut().unwrap().status.as_mut().unwrap();
    status.vaults[0].edits = vec![Time(now); 45];
}

/// A policy that follows the clocks, just before they go forward, with twenty daily points.
fn following() -> Cluster {
    let mut cluster = Cluster::converged();
    cluster.edit_policy(|policy| policy.spec.schedule.daylight_saving = DaylightSaving::Follow);
    cluster.converge(&ALL);
    cluster.azure.now = at("2027-03-07T21:30:00Z");
    cluster.azure.live(&item_id(), 20, true);
    cluster.converge(&ALL);
    cluster.azure.calls.clear();
    cluster
}

fn next(cluster: &Cluster) -> String {
    let status = cluster.item.as_ref().unwrap().status.as_ref().unwrap();
    status.next_backup.clone().unwrap()
}

/// What the vault's policy says of its time, on its own clock.
fn in_force(cluster: &Cluster) -> String {
    let policy = cluster.azure.policies.values().next().unwrap();
    let terms = kluis_arm::policy::parse(&policy.properties).unwrap();
    match terms.frequency {
        kluis_policy::Frequency::Daily { at } => at.strftime("%H:%M").to_string(),
        other => panic!("{other:?}"),
    }
}

/// Sent again and again, an edit that the service takes and does not make would use up the vault's edits.
#[test]
fn an_edit_that_the_service_takes_and_does_not_make_is_sent_once() {
    for edits in [Edits::Ignored, Edits::IgnoredInTime] {
        let mut cluster = Cluster::backed_up();
        cluster.azure.edits = edits;
        keep(&mut cluster, 40);
        for _ in 0..10 {
            cluster.azure.now += SignedDuration::from_mins(20);
            cluster.converge(&ALL);
        }
        assert_eq!(cluster.sent(), WRITTEN);
        let status = cluster.policy.as_ref().unwrap().status.as_ref().unwrap();
        expect!["ChangeNotTaken The service accepted a change of the policy and did not make it."]
            .assert_eq(&format!(
                "{} {}",
                status.conditions[0].reason, status.conditions[0].message
            ));

        // Another wish is another edit, and so is the same one a day later.
        keep(&mut cluster, 41);
        assert_eq!(cluster.azure.calls, [WRITTEN; 2]);
        cluster.azure.edits = Edits::Made;
        cluster.converge(&ALL);
        assert_eq!(cluster.azure.calls, [WRITTEN; 2]);
        cluster.azure.now += DAY;
        cluster.converge(&ALL);
        assert_eq!(cluster.azure.calls, [WRITTEN; 3]);

        // What somebody else changes afterwards is put right at once.
        let theirs = cluster.azure.policies.clone();
        keep(&mut cluster, 42);
        cluster.azure.policies = theirs;
        cluster.converge(&ALL);
        assert_eq!(cluster.azure.calls, [WRITTEN; 5]);
    }
}

#[test]
fn an_edit_that_follows_the_clocks_is_another_one() {
    let mut cluster = Cluster::backed_up();
    cluster.azure.edits = Edits::Ignored;
    cluster.azure.now = "2027-03-27T12:00:00Z".parse().unwrap();
    cluster.edit_policy(|policy| {
        policy.spec.schedule.daylight_saving = DaylightSaving::Follow;
        policy.spec.retention.daily = Some(DailyRetention { keep: 40 });
    });
    cluster.converge(&ALL);
    assert_eq!(cluster.azure.calls, [WRITTEN; 1]);
    cluster.azure.now = "2027-03-28T02:00:00Z".parse().unwrap();
    cluster.converge(&ALL);
    assert_eq!(cluster.azure.calls, [WRITTEN; 2]);
}

/// Nor is one that was not there before: without the memory of it, it would be sent at every look.
#[test]
fn a_first_write_that_the_service_takes_and_does_not_make_is_sent_once() {
    for edits in [Edits::Ignored, Edits::IgnoredInTime] {
        let mut cluster = Cluster::applied();
        cluster.azure.edits = edits;
        let written = |cluster: &Cluster| {
            let calls = cluster.azure.calls.iter();
            calls.filter(|call| *call == WRITTEN).count()
        };
        for _ in 0..10 {
            cluster.converge(&ALL);
            cluster.azure.now += SignedDuration::from_mins(20);
        }
        assert_eq!(written(&cluster), 1, "{}", cluster.log);
        expect!["ChangeNotTaken The service accepted a change of the policy and did not make it."]
            .assert_eq(&cluster.says());
        let status = cluster.policy.as_ref().unwrap().status.as_ref().unwrap();
        assert_eq!(status.vaults[0].edits, [], "making a policy is no edit");
        cluster.azure.edits = Edits::Made;
        cluster.azure.now += DAY;
        cluster.converge(&ALL);
        assert_eq!(written(&cluster), 2);
        let item = cluster.item.unwrap().status.unwrap();
        assert_eq!(item.conditions[0].reason, "InitialBackupPending");
    }
}

/// What is next is told by what is in force: an edit that waits for room changes no run.
#[test]
fn the_next_run_is_that_of_the_policy_in_force_while_its_edit_waits() {
    let mut cluster = following();
    cluster.azure.now = at("2027-03-27T22:00:00Z");
    spend(&mut cluster);
    cluster.converge(&ALL);
    // The run after the change, as it will be once the policy is edited.
    assert_eq!(next(&cluster), "2027-03-28 22:30 +02:00");
    cluster.azure.now = at("2027-03-28T02:00:00Z");
    cluster.converge(&ALL);
    assert_eq!(
        (cluster.sent().as_str(), in_force(&cluster).as_str()),
        ("", "22:30")
    );
    assert!(
        cluster.says().starts_with("EditBudgetSpent"),
        "{}",
        cluster.says()
    );
    // 22:30 on the policy's own clock is half past eleven on the wall.
    assert_eq!(next(&cluster), "2027-03-28 22:30 +01:00");
    cluster.azure.now = at("2027-03-28T22:00:02Z");
    cluster.converge(&ALL);
    assert_eq!(
        (cluster.sent().as_str(), in_force(&cluster).as_str()),
        (WRITTEN, "21:30")
    );
    assert_eq!(next(&cluster), "2027-03-29 22:30 +02:00");
}

/// An edit that comes days after the clocks have changed, between the run by the new time and the one by the old, would leave the night
/// without a backup.
#[test]
fn a_late_edit_lets_the_run_by_the_old_time_be_made_first() {
    for day in ["28", "31"] {
        let mut cluster = following();
        cluster.azure.now = at(&format!("2027-03-{day}T20:45:00Z"));
        cluster.converge(&ALL);
        assert_eq!(
            (cluster.sent().as_str(), in_force(&cluster).as_str()),
            ("", "22:30")
        );
        assert!(cluster.says().starts_with("InForce"), "{}", cluster.says());
        assert_eq!(next(&cluster), format!("2027-03-{day} 22:30 +01:00"));

        // With another wish beside it the edit waits, too, and says what for.
        keep(&mut cluster, 40);
        assert_eq!(cluster.sent(), "");
        let said = cluster.says();
        let run = format!("RunFirst The run of 2027-03-{day} 21:30Z is made first");
        assert!(said.starts_with(&run), "{said}");

        cluster.azure.now = at(&format!("2027-03-{day}T21:30:01Z"));
        cluster.converge(&ALL);
        assert_eq!(
            (cluster.sent().as_str(), in_force(&cluster).as_str()),
            (WRITTEN, "21:30")
        );
    }
}

/// Before both runs of the day, or after both, nothing is lost by it.
#[test]
fn a_late_edit_that_costs_no_run_is_made_at_once() {
    for time in ["2027-03-31T12:00:00Z", "2027-03-31T21:45:00Z"] {
        let mut cluster = following();
        cluster.azure.now = at(time);
        cluster.converge(&ALL);
        assert_eq!(
            (cluster.sent().as_str(), in_force(&cluster).as_str()),
            (WRITTEN, "21:30")
        );
    }
}

/// Whoever takes their time to approve does not stop the clock: its edit costs nothing, and is another one. The approval still holds.
#[test]
fn the_clock_is_followed_while_an_approval_is_awaited() {
    for edits in [Edits::Made, Edits::Ignored, Edits::IgnoredInTime] {
        let mut cluster = following();
        keep(&mut cluster, 10);
        let digest = cluster.asked().unwrap().digest;
        assert_eq!(cluster.sent(), "");
        cluster.azure.edits = edits;
        for time in ["2027-03-28T02:00:00Z", "2027-03-28T09:00:00Z"] {
            cluster.azure.now = at(time);
            cluster.converge(&ALL);
            assert_eq!(cluster.sent(), WRITTEN);
            assert_eq!(cluster.asked().unwrap().digest, digest);
            assert!(
                cluster.says().starts_with("ApprovalRequired"),
                "{}",
                cluster.says()
            );
        }
        assert_eq!(in_force(&cluster) == "21:30", edits == Edits::Made);
        let points = &cluster.azure.points.values().next().unwrap();
        assert_eq!(points.len(), 20);

        cluster.azure.edits = Edits::Made;
        cluster.edit_policy(|policy| policy.spec.approved_loss = Some(digest.clone()));
        cluster.converge(&ALL);
        assert_eq!(cluster.azure.calls, [WRITTEN; 2]);
        assert_eq!(
            (cluster.asked(), in_force(&cluster).as_str()),
            (None, "21:30")
        );
    }
}

/// Another zone that waits for approval has other clocks: the policy in force is not edited by them.
#[test]
fn the_clocks_of_a_zone_that_is_not_in_force_are_not_followed() {
    let mut cluster = following();
    cluster.edit_policy(|policy| policy.spec.time_zone = "Europe/Helsinki".to_owned());
    keep(&mut cluster, 10);
    assert!(cluster.asked().is_some());
    cluster.azure.now = at("2027-03-28T02:00:00Z");
    cluster.converge(&ALL);
    assert_eq!(cluster.sent(), "");
    assert_eq!(in_force(&cluster), "22:30");
}

/// What is approved and cannot be sent yet was not approved into effect: the event goes with the edit.
#[test]
fn an_approved_loss_is_told_when_it_is_sent() {
    let mut cluster = Cluster::backed_up();
    spend(&mut cluster);
    keep(&mut cluster, 10);
    let digest = cluster.asked().unwrap().digest;
    cluster.log.clear();
    cluster.edit_policy(|policy| policy.spec.approved_loss = Some(digest));
    cluster.converge(&ALL);
    assert!(
        cluster.says().starts_with("EditBudgetSpent"),
        "{}",
        cluster.says()
    );
    assert_eq!(
        cluster.log.matches("LossApproved").count(),
        0,
        "{}",
        cluster.log
    );
    cluster.azure.now += DAY + SignedDuration::from_mins(1);
    cluster.converge(&ALL);
    assert_eq!(cluster.sent(), WRITTEN);
    assert_eq!(
        cluster.log.matches("LossApproved").count(),
        1,
        "{}",
        cluster.log
    );
}

/// A machine that names the policy by its name in Azure comes under it like any other.
#[test]
fn what_comes_by_the_policys_name_in_azure_is_looked_at_first() {
    let mut cluster = Cluster::converged();
    cluster.azure.calls.clear();
    let mut far: kluis_api::ProtectedVM = parse(ITEM);
    far.metadata.name = Some("far-1".to_owned());
    far.spec.vm.name = Some("far-1".to_owned());
    far.spec.policy_ref.name = None;
    far.spec.policy_ref.azure_name = Some("Daily".to_owned());
    cluster.by_azure_name = vec![far];
    keep(&mut cluster, 10);
    assert_eq!(cluster.sent(), "");
    assert!(cluster.says().contains("shop/far-1"), "{}", cluster.says());
    cluster.by_azure_name[0].status = Some(kluis_api::ProtectedVMStatus {
        observed_generation: 1,
        ..kluis_api::ProtectedVMStatus::default()
    });
    cluster.converge(&ALL);
    assert_eq!(cluster.sent(), WRITTEN);
}
