//! The laws, held against random orders, crashes, edits and changes behind the operator's back.

use jiff::SignedDuration;
use kluis_api::{ItemDeletionPolicy, RunResult};
use kluis_arm::item::ProtectionState;
use kluis_plan::{Kind, Next, Outcome};
use proptest::prelude::*;

use crate::azure::{item_id, key};
use crate::cluster::{ALL, Cluster, JOB, RESTORE, parse};

/// Any order of the kinds.
fn orders() -> impl Strategy<Value = Vec<Kind>> {
    Just(ALL.to_vec()).prop_shuffle()
}

/// The calls that change something, without their order.
fn effects(cluster: &Cluster) -> Vec<String> {
    let mut calls = cluster.azure.calls.clone();
    calls.sort();
    calls
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Law 1: it converges from any order, to the same end, and then says nothing twice.
    #[test]
    fn it_converges(order in orders()) {
        let mut cluster = Cluster::applied();
        cluster.converge(&order);
        let mut calm = Cluster::applied();
        calm.converge(&ALL);
        prop_assert_eq!(effects(&cluster), effects(&calm));
        cluster.azure.calls.clear();
        for kind in ALL {
            if let Some(again) = cluster.reconcile(kind) {
                prop_assert!(again.plan.steps.is_empty() && !again.changed, "{}", again.plan);
                prop_assert!(again.plan.report.events.is_empty(), "{}", again.plan);
            }
        }
        prop_assert!(cluster.azure.calls.is_empty());
    }

    /// Law 4: wherever the process dies, the work is done once.
    #[test]
    fn work_is_done_once_whatever_crashes(order in orders(), crashes in prop::collection::vec(0_usize..6, 0..4)) {
        let mut cluster = Cluster::applied();
        cluster.edit_item(|item| item.spec.backup_request = Some("once".to_owned()));
        let mut crashes = crashes.into_iter();
        for _ in 0..30 {
            if cluster.crash_after.is_none() {
                cluster.crash_after = crashes.next();
            }
            for kind in &order {
                cluster.reconcile(*kind);
            }
            cluster.azure.tick(crate::cluster::PERIOD);
        }
        cluster.crash_after = None;
        cluster.converge(&order);
        prop_assert_eq!(cluster.azure.jobs.len(), 1);
        let status = cluster.item.as_ref().unwrap().status.as_ref().unwrap();
        prop_assert_eq!(status.backup_request.as_deref(), Some("once"));
        prop_assert_eq!(status.runs[0].result, RunResult::Completed);
        prop_assert_eq!(status.recovery_points.as_ref().unwrap().total, 1);

        cluster.restore = Some(parse(RESTORE));
        cluster.crash_after = crashes.next().or(Some(0));
        cluster.converge(&order);
        prop_assert_eq!(cluster.azure.disks.len(), 1);
        prop_assert_eq!(cluster.restore.unwrap().status.unwrap().disks.len(), 1);
    }

    /// Law 3: no edit of a policy, no change of policies, no suspension and taking up again deletes a recovery point.
    #[test]
    fn no_edit_deletes_a_recovery_point(
        edits in prop::collection::vec((7_u32..60, prop::bool::ANY, 0_u8..3), 1..5),
        days in 1_i64..50,
        pause in 0_i64..40,
    ) {
        let mut cluster = Cluster::converged();
        let id = item_id();
        for _ in 0..days {
            cluster.azure.now += SignedDuration::from_hours(24);
            cluster.azure.run_schedule(&id);
        }
        cluster.converge(&ALL);
        let lost = cluster.azure.due_for_cleanup(&key(&id), cluster.azure.now);
        for (keep, suspend, weekly) in edits {
            cluster.edit_policy(|policy| {
                policy.spec.retention.daily = Some(kluis_api::DailyRetention { keep });
                policy.spec.retention.weekly = (weekly > 0).then(|| kluis_api::WeeklyRetention {
                    keep: u32::from(weekly),
                    on: Some(vec![kluis_api::Weekday::Sunday]),
                    on_unquoted: None,
                    days: None,
                });
            });
            cluster.edit_item(|item| item.spec.suspend = suspend);
            cluster.converge(&ALL);
            prop_assert!(cluster.azure.due_for_cleanup(&key(&id), cluster.azure.now) <= lost, "{}", cluster.log);
        }
        // Time goes on while the item may be stopped, when nothing expires; taking it up again must not make up for that.
        let stopped = cluster.azure.items[&key(&id)].protection_state == Some(ProtectionState::ProtectionStopped);
        cluster.azure.now += SignedDuration::from_hours(24 * pause);
        let lost = cluster.azure.due_for_cleanup(&key(&id), cluster.azure.now);
        cluster.edit_item(|item| item.spec.suspend = false);
        cluster.converge(&ALL);
        if stopped {
            prop_assert_eq!(lost, 0);
            let there = cluster.azure.points[&key(&id)].len();
            cluster.azure.clean_up(&key(&id));
            prop_assert_eq!(cluster.azure.points[&key(&id)].len(), there, "{}", cluster.log);
        }
        prop_assert!(!cluster.azure.calls.iter().any(|call| call.starts_with("delete")), "{:?}", cluster.azure.calls);
    }

    /// Nothing is deleted unless the object says so, whatever is deleted in whatever order.
    #[test]
    fn only_what_is_said_is_deleted(order in orders(), wish in 0_u8..4) {
        let wish = [ItemDeletionPolicy::RetainData, ItemDeletionPolicy::DeleteData, ItemDeletionPolicy::Suspend, ItemDeletionPolicy::Orphan]
            [usize::from(wish)];
        let mut cluster = Cluster::converged();
        cluster.azure.is_immutable = wish == ItemDeletionPolicy::Suspend;
        cluster.azure.run_schedule(&item_id());
        cluster.edit_item(|item| item.spec.deletion_policy = wish);
        cluster.converge(&ALL);
        cluster.azure.calls.clear();
        for kind in &order {
            cluster.delete(*kind);
        }
        cluster.converge(&order);
        prop_assert!(cluster.item.is_none() && cluster.policy.is_none() && cluster.vault.is_none() && cluster.service.is_none());
        let deletes = cluster.azure.calls.iter().filter(|call| call.starts_with("delete")).count();
        prop_assert_eq!(deletes, usize::from(wish == ItemDeletionPolicy::DeleteData), "{:?}", cluster.azure.calls);
        prop_assert_eq!(cluster.azure.vaults.len(), 1);
        prop_assert_eq!(cluster.azure.points[&key(&item_id())].len(), 1);
    }
}

/// Law 2: a plan that was made from what no longer holds is not carried out.
#[test]
fn a_stale_plan_is_refused() {
    let mut cluster = Cluster::applied();
    for _ in 0..12 {
        for kind in [Kind::BackupService, Kind::Vault, Kind::BackupPolicy] {
            cluster.reconcile(kind);
        }
        cluster.azure.tick(crate::cluster::PERIOD);
    }
    let plan = loop {
        let done = cluster.reconcile(Kind::ProtectedVM).unwrap();
        cluster.azure.tick(crate::cluster::PERIOD);
        if done
            .plan
            .steps
            .iter()
            .any(|step| step.action.to_string().starts_with("protect"))
        {
            break done.plan;
        }
    };
    let step = plan
        .steps
        .iter()
        .find(|step| !step.guard.observed.is_empty())
        .unwrap();
    let (want, fingerprint) = step.guard.observed.first().unwrap();
    cluster.converge(&ALL);
    assert_ne!(
        kluis_plan::Fingerprint::of(&cluster.azure.read(want)),
        *fingerprint
    );
    let (_, next) = plan.report_after(&[Outcome::Stale {
        what: want.to_string(),
    }]);
    assert!(matches!(next, Next::After(_)));
}

/// Law 6: an object that is as declared asks for nothing but the one look that says so. Of a machine that is its item, its policy
/// and its subscription's locks, each out of a list that all share; of a vault itself, and what its service says of it where it has a word.
#[test]
fn what_is_settled_is_hardly_read() {
    let mut cluster = Cluster::converged();
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    for (kind, reads) in [
        (Kind::Vault, 2),
        (Kind::BackupPolicy, 1),
        (Kind::ProtectedVM, 3),
    ] {
        assert_eq!(cluster.reads(kind), reads, "{kind}");
    }
}

/// A BackupJob that has ended goes when its time is over, and makes no second backup.
#[test]
fn a_finished_job_goes_in_its_time() {
    let mut cluster = Cluster::converged();
    cluster.job = Some(parse(JOB));
    cluster.converge(&ALL);
    assert_eq!(cluster.azure.jobs.len(), 1);
    cluster.azure.now += SignedDuration::from_mins(59);
    cluster.converge(&ALL);
    assert!(cluster.job.is_some());
    cluster.azure.now += SignedDuration::from_mins(2);
    cluster.converge(&ALL);
    assert!(cluster.job.is_none());
    assert_eq!(cluster.azure.jobs.len(), 1);
}

/// Law 4: what was there already is not taken for the answer, though the clock stands still.
#[test]
fn a_second_backup_in_the_same_second_is_a_second_backup() {
    let mut cluster = Cluster::converged();
    let at = cluster.azure.now;
    for round in 1..=3 {
        cluster.azure.now = at;
        cluster.job = Some(parse(JOB));
        cluster.converge(&ALL);
        let status = cluster.job.take().unwrap().status.unwrap();
        assert_eq!(cluster.azure.jobs.len(), round);
        assert_eq!(status.job, Some(format!("job-{round}")));
        assert_eq!(status.recovery_point, Some(format!("rp-{round}")));
        assert_eq!(status.progress.as_deref(), Some("100%"));
    }
    cluster.azure.now = at;
    cluster.edit_item(|item| item.spec.backup_request = Some("again".to_owned()));
    cluster.converge(&ALL);
    assert_eq!(cluster.azure.jobs.len(), 4);
    let at = cluster.azure.now;
    for round in 1..=2 {
        cluster.azure.now = at;
        cluster.restore = Some(parse(RESTORE));
        cluster.converge(&ALL);
        let status = cluster.restore.take().unwrap().status.unwrap();
        assert_eq!(cluster.azure.disks.len(), round);
        assert_eq!(status.disks.len(), 1);
        assert!(status.disks[0].ends_with(&format!("web-1-os-{round}")));
    }
}
