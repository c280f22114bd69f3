//! What a status says of runs and points, and what an edit's cost counts.

use expect_test::expect;
use jiff::SignedDuration;
use kluis_api::{
    ConditionStatus, ConditionType, Consistency, ConsistencyObjective, DailyRetention,
    ItemDeletionPolicy, Objectives, RunResult, StorageTier,
};
use kluis_arm::job::JobStatus;
use kluis_arm::recovery_point::{self as wire, Tier};
use kluis_plan::Kind;

use crate::azure::{item_id, key};
use crate::cluster::{ALL, Cluster, ITEM, JOB, PERIOD, parse};

/// A point is there from its snapshot on, and once its run has ended it is said where else it is.
#[test]
fn where_the_newest_point_is() {
    let mut cluster = Cluster::converged();
    let now = cluster.azure.now;
    cluster.azure.tiers = vec![Tier::InstantRp];
    cluster.azure.back_up(&item_id());
    cluster.azure.points.insert(key(&item_id()), vec![now]);
    let item = cluster.azure.items.get_mut(&key(&item_id())).unwrap();
    item.last_backup_time = Some(now.into());
    for _ in 0..3 {
        cluster.reconcile(Kind::ProtectedVM);
    }
    let said = |cluster: &Cluster| {
        let status = cluster.item.as_ref().unwrap().status.clone().unwrap();
        let points = status.recovery_points.unwrap();
        (
            points.newest_tier,
            points.newest_consistency,
            status.runs[0].result,
        )
    };
    let crash = Some(Consistency::Crash);
    assert_eq!(
        said(&cluster),
        (Some(StorageTier::Snapshot), crash, RunResult::InProgress)
    );
    cluster.azure.tiers.push(Tier::HardenedRp);
    cluster.azure.jobs[0].1.status = Some(JobStatus::Completed);
    for _ in 0..3 {
        cluster.reconcile(Kind::ProtectedVM);
    }
    assert_eq!(
        said(&cluster),
        (
            Some(StorageTier::SnapshotAndVault),
            crash,
            RunResult::Completed
        )
    );
    // And then it is at rest: its points are not read again.
    assert_eq!(cluster.reads(Kind::ProtectedVM), 3);
}

#[test]
fn the_place_of_a_job_that_waits() {
    let mut cluster = Cluster::converged();
    cluster.job = Some(parse(JOB));
    cluster.reconcile(Kind::BackupJob);
    cluster.reconcile(Kind::BackupJob);
    cluster.azure.say("Queue Place", "3".to_owned());
    for _ in 0..2 {
        cluster.azure.tick(PERIOD);
        cluster.reconcile(Kind::BackupJob);
    }
    let status = cluster.job.as_ref().unwrap().status.as_ref().unwrap();
    assert_eq!(status.progress.as_deref(), Some("queue: 3"));
    assert_eq!(
        status.conditions[0].message,
        "Waits for its turn: it is number 3 in the queue."
    );

    let mut cluster = Cluster::converged();
    cluster.edit_item(|item| item.spec.backup_request = Some("now".to_owned()));
    cluster.reconcile(Kind::ProtectedVM);
    cluster.reconcile(Kind::ProtectedVM);
    cluster.azure.say("Queue Place", "16".to_owned());
    for _ in 0..2 {
        cluster.azure.tick(PERIOD);
        cluster.reconcile(Kind::ProtectedVM);
    }
    let status = cluster.item.as_ref().unwrap().status.as_ref().unwrap();
    assert_eq!(status.runs[0].queue_place, Some(16));
    assert!(
        status.conditions[0]
            .message
            .contains("number 16 in the queue")
    );
    cluster.converge(&ALL);
    let status = cluster.item.as_ref().unwrap().status.as_ref().unwrap();
    assert_eq!(status.runs[0].result, RunResult::Completed);
}

/// What somebody asked for is kept until the day that they said, whatever the policy: an edit costs none of it.
#[test]
fn an_edits_cost_leaves_out_points_on_demand() {
    for (on_demand, ready) in [
        (vec!["rp-1".to_owned()], ConditionStatus::True),
        (vec![], ConditionStatus::False),
    ] {
        let mut cluster = Cluster::converged();
        cluster.azure.run_schedule(&item_id());
        cluster.azure.now += SignedDuration::from_hours(24 * 20);
        cluster.azure.run_schedule(&item_id());
        cluster.azure.on_demand = on_demand;
        cluster.azure.on_demand.push("rp-2".to_owned());
        cluster.converge(&ALL);
        cluster.edit_policy(|policy| {
            policy.spec.retention.daily = Some(DailyRetention { keep: 10 });
        });
        cluster.converge(&ALL);
        let status = cluster.policy.as_ref().unwrap().status.as_ref().unwrap();
        assert_eq!(status.conditions[0].status, ready, "{}", cluster.log);
    }
}

/// While protection is stopped nothing prunes what somebody asked for. Taken up again, what is past its day goes at once, but for the
/// newest of all.
#[test]
fn a_resumption_costs_the_points_on_demand_whose_day_is_over() {
    for (on_demand, until, deleted) in [
        (vec!["rp-1"], "2026-01-01T00:00:00Z", Some(1)),
        (vec!["rp-1"], "2036-01-01T00:00:00Z", None),
        (vec!["rp-2"], "2026-01-01T00:00:00Z", None),
    ] {
        let mut cluster = Cluster::converged();
        cluster.azure.run_schedule(&item_id());
        cluster.azure.now += SignedDuration::from_hours(1);
        cluster.azure.run_schedule(&item_id());
        cluster.azure.on_demand = on_demand.into_iter().map(str::to_owned).collect();
        cluster.azure.asked_until = Some(until.to_owned());
        cluster.edit_item(|item| item.spec.deletion_policy = ItemDeletionPolicy::RetainData);
        cluster.converge(&ALL);
        cluster.delete(Kind::ProtectedVM);
        cluster.converge(&ALL);
        cluster.item = Some(parse(ITEM));
        cluster.converge(&ALL);
        let status = cluster.item.as_ref().unwrap().status.as_ref().unwrap();
        let asked = status.approval.as_ref().map(|approval| approval.deleted);
        assert_eq!(asked, deleted, "{}", cluster.log);
    }
}

/// What the newest point is good for is held against what is declared, and told once when it is less.
#[test]
fn a_point_that_is_weaker_than_its_objective() {
    let mut cluster = Cluster::converged();
    let said = |cluster: &Cluster| {
        let status = cluster.item.as_ref().unwrap().status.as_ref().unwrap();
        let mut conditions = status.conditions.iter();
        let found = conditions.find(|one| one.type_ == ConditionType::ConsistencyMet)?;
        Some(format!(
            "{:?} {}: {}",
            found.status, found.reason, found.message
        ))
    };
    assert_eq!(said(&cluster), None, "nothing is declared");
    cluster.edit_item(|item| {
        item.spec.objectives = Some(Objectives {
            consistency: Some(ConsistencyObjective::ApplicationConsistent),
            ..Objectives::default()
        });
    });
    cluster.converge(&ALL);
    let mut told = vec![said(&cluster).unwrap()];
    for consistency in [
        wire::Consistency::CrashConsistent,
        wire::Consistency::FileSystemConsistent,
        wire::Consistency::AppConsistent,
    ] {
        cluster.azure.now += SignedDuration::from_hours(24);
        cluster.azure.consistency = consistency;
        cluster.azure.run_schedule(&item_id());
        cluster.converge(&ALL);
        told.push(said(&cluster).unwrap());
    }
    expect![[r#"
        Unknown NoRecoveryPoint: There is no recovery point yet that says how consistent it is.
        False WeakerThanObjective: The newest recovery point is crash-consistent and not consistent for applications: a machine that is off gives no other (rule 32), nor one without an agent, nor a policy that asks for crash consistency alone. Start the machine before its backup, or relax spec.objectives.consistency.
        False WeakerThanObjective: The newest recovery point is consistent for file systems and not consistent for applications: a Linux machine gives others only with a pre- and a post-script that succeed (rule 33), a Windows machine when its writers do; the job says what failed. Mend that, or relax spec.objectives.consistency.
        True WithinObjective: The newest recovery point is consistent for applications."#]].assert_eq(&told.join("\n"));
    assert_eq!(
        cluster.log.matches("event ! WeakerThanObjective").count(),
        1,
        "{}",
        cluster.log
    );
    // The machine is backed up all the while.
    let ready = &cluster
        .item
        .as_ref()
        .unwrap()
        .status
        .as_ref()
        .unwrap()
        .conditions[0];
    assert_eq!(ready.status, ConditionStatus::True);
}

/// A backup that takes more than a day is told of while it does, and once.
#[test]
fn a_backup_over_a_day_is_told_of_before_it_ends() {
    let mut cluster = Cluster::converged();
    let began = cluster.azure.now;
    cluster.azure.back_up(&item_id());
    let item = cluster.azure.items.get_mut(&key(&item_id())).unwrap();
    item.last_backup_time = Some(began.into());
    for hours in [1, 23, 25, 26, 27] {
        cluster.azure.now = began + SignedDuration::from_hours(hours);
        cluster.reconcile(Kind::ProtectedVM);
        let run = cluster.item.as_ref().unwrap().status.as_ref().unwrap().runs[0].clone();
        assert_eq!(
            (run.result, run.over_a_day),
            (RunResult::InProgress, hours > 24)
        );
    }
    assert_eq!(
        cluster.log.matches("event ! BackupOverADay").count(),
        1,
        "{}",
        cluster.log
    );
}
