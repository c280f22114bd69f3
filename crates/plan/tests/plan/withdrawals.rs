//! An object that is deleted while its work is under way: the job is cancelled where it can be, and what becomes of it is said.

use expect_test::expect;
use jiff::SignedDuration;
use kluis_arm::job::{JobAction, JobStatus};
use kluis_plan::{Cause, Kind};

use crate::azure::item_id;
use crate::cluster::{ALL, Cluster, JOB, PERIOD, RESTORE, parse};

/// A backup that takes its time, known to its object by its job.
fn backing_up(can_be_cancelled: bool) -> Cluster {
    let mut cluster = Cluster::converged();
    cluster.job = Some(parse(JOB));
    under_way(&mut cluster, Kind::BackupJob, can_be_cancelled);
    cluster
}

fn restoring() -> Cluster {
    let mut cluster = Cluster::converged();
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    cluster.restore = Some(parse(RESTORE));
    under_way(&mut cluster, Kind::Restore, true);
    cluster
}

fn under_way(cluster: &mut Cluster, kind: Kind, can_be_cancelled: bool) {
    for _ in 0..3 {
        cluster.reconcile(kind);
    }
    let (_, job) = cluster.azure.jobs.last_mut().unwrap();
    job.actions_info = can_be_cancelled.then(|| vec![JobAction::Cancellable]);
    // Operations end at the second tick, and jobs later.
    for _ in 0..2 {
        cluster.azure.tick(SignedDuration::from_millis(100));
    }
    cluster.reconcile(kind);
    assert_eq!(last(cluster), Some(JobStatus::InProgress));
    cluster.log.clear();
    cluster.azure.calls.clear();
}

fn last(cluster: &Cluster) -> Option<JobStatus> {
    cluster.azure.jobs.last().unwrap().1.status.clone()
}

/// Until the object is gone.
fn until_gone(cluster: &mut Cluster, kind: Kind) {
    for _ in 0..8 {
        if cluster.reconcile(kind).is_none() {
            return;
        }
        cluster.azure.tick(SignedDuration::from_millis(100));
    }
    panic!("it stays:\n{}", cluster.log);
}

#[test]
fn a_backup_that_can_be_cancelled_is() {
    let mut cluster = backing_up(true);
    cluster.delete(Kind::BackupJob);
    until_gone(&mut cluster, Kind::BackupJob);
    assert_eq!(last(&cluster), Some(JobStatus::Cancelled));
    assert_eq!(
        cluster.azure.calls,
        ["cancel the job job-1 of the vault shop-weu"]
    );
    expect![[r#"
        ── 40 s, BackupJob shop/now
        step  cancel the job job-1 of the vault shop-weu (while the job job-1 of the vault shop-weu is as it was read)
        say   Succeeded ? (Cancelling) The job job-1 is being cancelled.
        say   Reconciling yes (Cancelling) The job job-1 is being cancelled.
        say   Stalled no (Cancelling)
        next  after 2s

        ── 40 s, BackupJob shop/now
        say   Succeeded ? (Cancelling) The job job-1 is being cancelled.
        say   Reconciling yes (Cancelling) The job job-1 is being cancelled.
        say   Stalled no (Cancelling)
        next  after 2s

        ── 40 s, BackupJob shop/now
        step  let the object go
        say   nothing: the object is going
        event JobCancelled The job job-1 was cancelled.
        next  await a change

    "#]].assert_eq(&cluster.log);
}

#[test]
fn a_backup_past_its_snapshots_runs_on_and_is_told_of() {
    let mut cluster = backing_up(false);
    cluster.delete(Kind::BackupJob);
    until_gone(&mut cluster, Kind::BackupJob);
    assert_ne!(last(&cluster), Some(JobStatus::Cancelled));
    assert!(cluster.azure.calls.is_empty());
    expect![[r#"
        ── 40 s, BackupJob shop/now
        step  let the object go
        say   nothing: the object is going
        event ! JobRunsOn The job job-1 can't be cancelled any more and runs on in the vault shop-weu: a backup can be cancelled until its snapshots are taken, a restore until it is done.
        next  await a change

    "#]].assert_eq(&cluster.log);
}

#[test]
fn a_restore_is_cancelled_too() {
    let mut cluster = restoring();
    cluster.delete(Kind::Restore);
    until_gone(&mut cluster, Kind::Restore);
    assert_eq!(last(&cluster), Some(JobStatus::Cancelled));
    assert!(cluster.azure.disks.is_empty());
}

/// Wherever the operator dies, the job is cancelled once, and the object goes.
#[test]
fn a_crash_cancels_nothing_twice() {
    for steps in 0..3 {
        let mut cluster = backing_up(true);
        cluster.delete(Kind::BackupJob);
        cluster.crash_after = Some(steps);
        until_gone(&mut cluster, Kind::BackupJob);
        assert_eq!(last(&cluster), Some(JobStatus::Cancelled));
        assert_eq!(cluster.azure.calls.len(), 1, "{:?}", cluster.azure.calls);
    }
}

/// The service says that it is too late: the next look finds it so.
#[test]
fn a_job_that_is_just_past_it_runs_on() {
    let mut cluster = backing_up(true);
    cluster.delete(Kind::BackupJob);
    cluster.azure.refuse = Some(Cause::Refused {
        status: 400,
        code: "UserErrorJobNotCancellable".to_owned(),
        message: "Its snapshots are taken.".to_owned(),
    });
    cluster.reconcile(Kind::BackupJob);
    cluster.azure.jobs.last_mut().unwrap().1.actions_info = None;
    until_gone(&mut cluster, Kind::BackupJob);
    assert_ne!(last(&cluster), Some(JobStatus::Cancelled));
    assert!(cluster.log.contains("JobRunsOn"), "{}", cluster.log);
}

/// What was never begun leaves nothing to cancel; what has ended is not held.
#[test]
fn what_is_not_under_way_goes_at_once() {
    let mut cluster = Cluster::converged();
    cluster.job = Some(parse(JOB));
    cluster.reconcile(Kind::BackupJob);
    cluster.delete(Kind::BackupJob);
    until_gone(&mut cluster, Kind::BackupJob);
    assert!(cluster.azure.jobs.is_empty());

    cluster.job = Some(parse(JOB));
    cluster.converge(&ALL);
    let metadata = &cluster.job.as_ref().unwrap().metadata;
    assert_eq!(metadata.finalizers, None, "{}", cluster.log);
    cluster.delete(Kind::BackupJob);
    assert!(cluster.job.is_none());
}

/// Somebody who deletes a namespace does not wait for ever for a service that is gone.
#[test]
fn a_service_that_stays_silent_holds_nobody_for_ever() {
    let mut cluster = backing_up(true);
    cluster.delete(Kind::BackupJob);
    cluster.azure.jobs.clear();
    cluster.vault = None;
    until_gone(&mut cluster, Kind::BackupJob);
    assert!(cluster.log.contains("! JobLeft"), "{}", cluster.log);
}

/// A limit of backups on demand is waited for, with the service's number and until when; nothing is sent meanwhile, nor after a restart.
#[test]
fn a_backup_beyond_the_days_number_waits_for_the_next_day() {
    let mut cluster = Cluster::converged();
    let until = cluster.azure.now + SignedDuration::from_hours(3);
    cluster.job = Some(parse(JOB));
    cluster.reconcile(Kind::BackupJob);
    cluster.azure.refuse = Some(spent(until));
    for _ in 0..20 {
        cluster.reconcile(Kind::BackupJob);
        cluster.azure.tick(PERIOD);
    }
    assert!(cluster.azure.jobs.is_empty());
    assert_eq!(cluster.reads(Kind::BackupJob), 1, "the item alone");
    let status = cluster.job.as_ref().unwrap().status.clone().unwrap();
    expect!["LimitReached: 'web-1' was backed up on demand 9 times within 24 hours; no more than 9 are taken (rule 7). Asked again from 2026-11-22 15:00Z on."].assert_eq(&format!(
        "{}: {}",
        status.conditions[0].reason, status.conditions[0].message
    ));
    cluster.azure.now = until;
    cluster.converge(&ALL);
    assert_eq!(cluster.azure.jobs.len(), 1, "{}", cluster.log);
    let status = cluster.job.as_ref().unwrap().status.clone().unwrap();
    assert_eq!(status.conditions[0].reason, "Completed");
}

/// The same of a token in Git: the item stays Ready, and says that it waits.
#[test]
fn a_token_beyond_the_days_number_waits_for_the_next_day() {
    let mut cluster = Cluster::converged();
    let until = cluster.azure.now + SignedDuration::from_hours(3);
    cluster.edit_item(|item| item.spec.backup_request = Some("again".to_owned()));
    cluster.reconcile(Kind::ProtectedVM);
    cluster.azure.refuse = Some(spent(until));
    for _ in 0..20 {
        cluster.reconcile(Kind::ProtectedVM);
        cluster.azure.tick(PERIOD);
    }
    assert!(cluster.azure.jobs.is_empty());
    let status = cluster.item.as_ref().unwrap().status.clone().unwrap();
    assert_eq!(status.backup_request, None);
    expect!["True LimitReached: Protected by daily; the first backup is still to come. The backup that was asked for waits: 'web-1' was backed up on demand 9 times within 24 hours; no more than 9 are taken (rule 7). Asked again from 2026-11-22 15:00Z on."].assert_eq(&format!(
        "{:?} {}: {}",
        status.conditions[0].status, status.conditions[0].reason, status.conditions[0].message
    ));
    cluster.azure.now = until;
    cluster.converge(&ALL);
    assert_eq!(cluster.azure.jobs.len(), 1, "{}", cluster.log);
    let status = cluster.item.as_ref().unwrap().status.clone().unwrap();
    assert_eq!(status.backup_request.as_deref(), Some("again"));
}

fn spent(until: jiff::Timestamp) -> Cause {
    Cause::Spent {
        until,
        message: "'web-1' was backed up on demand 9 times within 24 hours; no more than 9 are taken (rule 7).".to_owned(),
    }
}

/// The second of two cancels is refused because the first was taken. What came of the job counts, whatever was answered.
#[test]
fn a_cancel_that_is_sent_twice_cancels_all_the_same() {
    let refusals = [
        (400, "UserErrorJobNotCancellable"),
        (409, "UserErrorSomethingIsThere"),
        (404, "ResourceNotFound"),
    ];
    for (begun, kind) in [
        (backing_up as fn(bool) -> Cluster, Kind::BackupJob),
        (|_| restoring(), Kind::Restore),
    ] {
        for (status, code) in refusals {
            let mut cluster = begun(true);
            let cause = Cause::Refused {
                status,
                code: code.to_owned(),
                message: "It is being cancelled already.".to_owned(),
            };
            cluster.azure.instead = Some((0, cause));
            cluster.delete(kind);
            until_gone(&mut cluster, kind);
            assert_eq!(last(&cluster), Some(JobStatus::Cancelled), "{code}");
            assert_eq!(
                cluster.azure.calls.len(),
                1,
                "{code}: {:?}",
                cluster.azure.calls
            );
            let told = &cluster.log;
            assert!(told.contains("event JobCancelled"), "{code}:\n{told}");
        }
    }
}
