//! Objectives: what is promised, until when it holds if nothing happens, and that a schedule which cannot keep it is told of.

use kluis_api::{ConditionType, HourlySchedule, Objectives, ProtectedVMStatus, Schedule, Tier};
use kluis_plan::{Event, Kind};

use crate::azure::item_id;
use crate::cluster::{ALL, Cluster};

fn status(cluster: &Cluster) -> &ProtectedVMStatus {
    cluster.item.as_ref().unwrap().status.as_ref().unwrap()
}

fn within_rpo(cluster: &Cluster) -> &str {
    let mut conditions = status(cluster).conditions.iter();
    let found = conditions.find(|condition| condition.type_ == ConditionType::WithinRPO);
    &found.unwrap().message
}

fn with_rpo(cluster: &mut Cluster, rpo: &str) {
    cluster.edit_item(|item| {
        item.spec.objectives = Some(Objectives {
            rpo: Some(rpo.to_owned()),
            ..Objectives::default()
        });
    });
}

/// The events of one reason that reconciling the machine tells.
fn told(cluster: &mut Cluster, reason: &str) -> Vec<Event> {
    let events = cluster
        .reconcile(Kind::ProtectedVM)
        .unwrap()
        .plan
        .report
        .events;
    events
        .into_iter()
        .filter(|event| event.reason == reason)
        .collect()
}

#[test]
fn the_status_says_when_the_objective_is_broken_if_nothing_happens() {
    let mut cluster = Cluster::converged();
    cluster.azure.now = "2026-11-22T21:30:00Z".parse().unwrap();
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    let objectives = status(&cluster).objectives.clone().unwrap();
    // 22:30 in Amsterdam each day, and 26 hours after the newest.
    assert_eq!(
        objectives.newest.as_deref(),
        Some("2026-11-22 22:30 +01:00")
    );
    assert_eq!(objectives.next.as_deref(), Some("2026-11-23 22:30 +01:00"));
    assert_eq!(
        objectives.broken_at.as_deref(),
        Some("2026-11-24 00:30 +01:00")
    );
    assert_eq!(within_rpo(&cluster), "Met until 2026-11-23 23:30Z.");

    cluster.azure.now = "2026-11-23T23:31:00Z".parse().unwrap();
    cluster.converge(&ALL);
    assert!(
        within_rpo(&cluster)
            .starts_with("The newest recovery point is older than 26h since 2026-11-23 23:30Z."),
        "{}",
        within_rpo(&cluster)
    );
}

#[test]
fn a_schedule_that_cannot_keep_the_objective_is_told_of_once() {
    let mut cluster = Cluster::converged();
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    with_rpo(&mut cluster, "12h");
    let events = told(&mut cluster, "ObjectiveOutOfReach");
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(
        events[0].note.contains("up to 24h") && events[0].note.contains("of 12h"),
        "{}",
        events[0].note
    );
    assert!(
        within_rpo(&cluster).contains("cannot keep the objective of 12h"),
        "{}",
        within_rpo(&cluster)
    );
    assert_eq!(told(&mut cluster, "ObjectiveOutOfReach"), []);

    // A point that is made a minute after its run is a minute late at the next one.
    with_rpo(&mut cluster, "24h");
    assert_eq!(told(&mut cluster, "ObjectiveOutOfReach"), []);
    assert!(
        within_rpo(&cluster).contains("cannot keep the objective of 24h"),
        "{}",
        within_rpo(&cluster)
    );

    with_rpo(&mut cluster, "25h");
    assert_eq!(told(&mut cluster, "ObjectiveOutOfReach"), []);
    assert!(
        !within_rpo(&cluster).contains("cannot keep"),
        "{}",
        within_rpo(&cluster)
    );
}

/// Runs four hours apart have no grace of two hours and more: the next one would be due before anybody knew.
#[test]
fn a_missing_run_is_noticed_before_the_next_is_due() {
    let mut cluster = Cluster::converged();
    cluster.edit_policy(|policy| {
        policy.spec.tier = Tier::Enhanced;
        policy.spec.schedule = Schedule {
            hourly: Some(HourlySchedule {
                every: "4h".to_owned(),
                from: "00:00".to_owned(),
                for_: Some("24h".to_owned()),
            }),
            ..Schedule::default()
        };
    });
    cluster.converge(&ALL);
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    // The runs of 16:00 and 20:00 in Amsterdam.
    cluster.azure.now = "2026-11-22T15:05:00Z".parse().unwrap();
    assert_eq!(told(&mut cluster, "ScheduledRunMissed"), []);
    cluster.azure.now = "2026-11-22T18:59:00Z".parse().unwrap();
    let events = told(&mut cluster, "ScheduledRunMissed");
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(
        events[0].note.contains("2026-11-22 15:00Z"),
        "{}",
        events[0].note
    );
}
