//! Statuses that would lie, and losses that nobody asked for: each of these once went wrong.

use expect_test::expect;
use jiff::SignedDuration;
use kluis_api::{ConditionStatus, ConditionType, ItemDeletionPolicy};
use kluis_arm::item::ProtectionState;
use kluis_arm::vault::ProvisioningState;
use kluis_plan::{Kind, ObjectKey};

use crate::azure::{item_id, key};
use crate::cluster::{ALL, Cluster, JOB, RESTORE, parse};

/// A vault whose making failed is not one that is there: it is made again, and says so meanwhile.
#[test]
fn a_vault_that_failed_is_made_again() {
    let mut cluster = Cluster::converged();
    let vault = cluster.azure.vaults.values_mut().next().unwrap();
    let state = &mut vault.properties.as_mut().unwrap().provisioning_state;
    *state = Some(ProvisioningState::Failed);
    cluster.azure.calls.clear();
    let said = cluster.reconcile(Kind::Vault).unwrap().plan.report.status;
    assert_ne!(
        said.unwrap().conditions()[0].status,
        ConditionStatus::True,
        "{}",
        cluster.log
    );
    cluster.converge(&ALL);
    assert_eq!(
        cluster.azure.calls,
        ["make the vault shop-rg/shop-weu in westeurope"]
    );
    let ready = &cluster.vault.unwrap().status.unwrap().conditions[0];
    assert_eq!(ready.status, ConditionStatus::True);
}

/// Nor is one in a state that this version has not heard of.
#[test]
fn a_vault_in_an_unheard_state_is_waited_for() {
    let mut cluster = Cluster::converged();
    let vault = cluster.azure.vaults.values_mut().next().unwrap();
    let state = &mut vault.properties.as_mut().unwrap().provisioning_state;
    *state = Some(ProvisioningState::from("Pondering"));
    let plan = cluster.reconcile(Kind::Vault).unwrap().plan;
    assert!(plan.steps.is_empty());
    assert_eq!(
        plan.report.status.unwrap().conditions()[0].reason,
        "StillProvisioning"
    );
}

/// Two restores at one time: neither takes the other's job for its own, though each began after both were meant.
#[test]
fn a_restore_does_not_take_another_restores_job() {
    let mut cluster = Cluster::converged();
    cluster.azure.run_schedule(&item_id());
    cluster.azure.now += SignedDuration::from_hours(24);
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    let of = |point: &str| {
        let mut restore: kluis_api::Restore = parse(RESTORE);
        restore.spec.from = kluis_api::RestoreFrom {
            recovery_point: Some(point.to_owned()),
            ..kluis_api::RestoreFrom::default()
        };
        restore
    };
    let mut other = Some(of("rp-1"));
    cluster.restore = Some(of("rp-2"));
    for _ in 0..40 {
        cluster.reconcile(Kind::Restore);
        std::mem::swap(&mut cluster.restore, &mut other);
        cluster.reconcile(Kind::Restore);
        std::mem::swap(&mut cluster.restore, &mut other);
        cluster.azure.tick(crate::cluster::PERIOD);
    }
    assert_eq!(cluster.azure.disks.len(), 2, "{}", cluster.log);
    let jobs = [cluster.restore, other].map(|restore| {
        let status = restore.unwrap().status.unwrap();
        assert_eq!(status.conditions[0].status, ConditionStatus::True);
        status.job.unwrap()
    });
    assert_eq!(jobs, ["job-3", "job-4"]);
}

/// A backup that is kept for another time is not the one that was asked for.
#[test]
fn a_backup_kept_until_another_day_is_another_backup() {
    let mut cluster = Cluster::converged();
    let mut other: Option<kluis_api::BackupJob> = Some(parse(JOB));
    other.as_mut().unwrap().spec.retain_until =
        Some(kluis_api::Time("2026-12-01T00:00:00Z".parse().unwrap()));
    cluster.job = Some(parse(JOB));
    for _ in 0..40 {
        cluster.reconcile(Kind::BackupJob);
        std::mem::swap(&mut cluster.job, &mut other);
        cluster.reconcile(Kind::BackupJob);
        std::mem::swap(&mut cluster.job, &mut other);
        cluster.azure.tick(crate::cluster::PERIOD);
    }
    assert_eq!(cluster.azure.jobs.len(), 2, "{}", cluster.log);
}

/// An edit that would cost the points of an item that is not managed here is not carried out for a new item that has none.
#[test]
fn a_new_item_does_not_hide_a_foreign_one() {
    let mut cluster = Cluster::converged();
    let ours = cluster.azure.items.remove(&key(&item_id())).unwrap();
    let foreign = key(&item_id()).replace("web-1", "far-1");
    cluster.azure.items.insert(foreign.clone(), ours);
    let points = (1..20).map(|day| cluster.azure.now - SignedDuration::from_hours(24 * day));
    cluster.azure.points.insert(foreign, points.collect());
    cluster.azure.calls.clear();
    cluster.edit_policy(|policy| {
        policy.spec.retention.daily = Some(kluis_api::DailyRetention { keep: 7 });
    });
    let plan = cluster.reconcile(Kind::BackupPolicy).unwrap().plan;
    let status = plan.report.status.unwrap();
    let said = &status.conditions()[0];
    assert_eq!(said.reason, "ApprovalRequired");
    assert!(
        said.message.contains("machine shop-rg/far-1"),
        "{}",
        said.message
    );
    assert!(cluster.azure.calls.is_empty(), "{:?}", cluster.azure.calls);
}

/// What is gone from the vault is not told of as if it were there.
#[test]
fn an_item_that_is_gone_is_not_recoverable() {
    let mut cluster = Cluster::converged();
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    cluster.azure.items.clear();
    cluster.azure.points.clear();
    cluster.edit_item(|item| item.spec.suspend = true);
    cluster.converge(&ALL);
    let status = cluster.item.unwrap().status.unwrap();
    assert_eq!(
        standing(&status, ConditionType::Recoverable),
        ConditionStatus::False
    );
    assert_ne!(
        standing(&status, ConditionType::WithinRPO),
        ConditionStatus::True
    );
    assert_eq!(status.recovery_points.unwrap().total, 0);
    assert_eq!(status.last_backup_time, None);
}

/// A suspended item is taken up again, by the policy that it never left.
#[test]
fn a_suspended_item_is_taken_up_again() {
    let mut cluster = Cluster::converged();
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    let item = cluster.azure.items.get_mut(&key(&item_id())).unwrap();
    item.protection_state = Some(ProtectionState::BackupsSuspended);
    cluster.converge(&ALL);
    let state = &cluster.azure.items[&key(&item_id())].protection_state;
    assert_eq!(*state, Some(ProtectionState::Protected), "{}", cluster.log);
}

/// A point that is being removed is not one to come back to.
#[test]
fn a_point_that_is_being_removed_does_not_count() {
    let mut cluster = Cluster::converged();
    for _ in 0..2 {
        cluster.azure.now += SignedDuration::from_hours(24);
        cluster.azure.run_schedule(&item_id());
    }
    cluster.azure.removing.push("rp-2".to_owned());
    cluster.converge(&ALL);
    let status = cluster.item.as_ref().unwrap().status.clone().unwrap();
    let points = status.recovery_points.unwrap();
    assert_eq!((points.total, points.crash_consistent), (1, 1));
    assert_eq!(points.newest_name.as_deref(), Some("rp-1"));
    cluster.restore = Some(parse(RESTORE));
    cluster.converge(&ALL);
    let status = cluster.restore.unwrap().status.unwrap();
    assert_eq!(status.recovery_point.unwrap().name, "rp-1");
}

/// Of two objects that declare one machine the one that has it is named to the other, which asks for nothing.
#[test]
fn a_machine_that_another_object_declares() {
    let mut cluster = Cluster::applied();
    cluster.rival = Some(ObjectKey::new(Kind::ProtectedVM, "other", "web"));
    cluster.converge(&ALL);
    assert_eq!(cluster.reads(Kind::ProtectedVM), 0);
    assert!(cluster.azure.items.is_empty(), "{:?}", cluster.azure.calls);
    let status = cluster.item.unwrap().status.unwrap();
    assert_eq!(
        standing(&status, ConditionType::Stalled),
        ConditionStatus::True
    );
    expect!["DeclaredBy: ProtectedVM other/web declares this machine in this vault already: delete one of the two."].assert_eq(&format!(
        "{}: {}", status.conditions[0].reason, status.conditions[0].message
    ));
}

/// An object that goes takes nothing from another that declares the same machine and stays.
#[test]
fn an_object_that_goes_leaves_the_machine_to_the_other() {
    for wish in [
        ItemDeletionPolicy::DeleteData,
        ItemDeletionPolicy::RetainData,
        ItemDeletionPolicy::Suspend,
    ] {
        let mut cluster = Cluster::converged();
        cluster.edit_item(|item| item.spec.deletion_policy = wish);
        cluster.converge(&ALL);
        cluster.azure.calls.clear();
        cluster.rival = Some(ObjectKey::new(Kind::ProtectedVM, "other", "web"));
        cluster.delete(Kind::ProtectedVM);
        assert_eq!(cluster.reads(Kind::ProtectedVM), 0);
        cluster.converge(&ALL);
        assert!(cluster.item.is_none());
        assert!(cluster.azure.calls.is_empty(), "{:?}", cluster.azure.calls);
    }
}

fn standing(status: &kluis_api::ProtectedVMStatus, type_: ConditionType) -> ConditionStatus {
    let mut conditions = status.conditions.iter();
    conditions
        .find(|condition| condition.type_ == type_)
        .unwrap()
        .status
}
