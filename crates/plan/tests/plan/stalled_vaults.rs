//! A vault that waits for a person freezes nothing in it; one that is not there, or not ours, is told as what it is.

use expect_test::expect;
use jiff::SignedDuration;
use kluis_api::{Condition, Redundancy, SoftDelete, SoftDeleteState, VaultDeletionPolicy};
use kluis_arm::vault::SoftDeleteState as Found;
use kluis_plan::{Cause, Kind};

use crate::azure::item_id;
use crate::cluster::{ALL, Cluster, JOB, RESTORE, parse};

/// A machine with a recovery point.
fn backed_up() -> Cluster {
    let mut cluster = Cluster::converged();
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    cluster
}

/// What an object says of itself: its summary, and whether a person has to do something.
fn said(cluster: &mut Cluster, kind: Kind) -> String {
    let status = cluster.reconcile(kind).unwrap().plan.report.status.unwrap();
    in_short(status.conditions())
}

fn in_short(conditions: &[Condition]) -> String {
    let (summary, stalled) = (&conditions[0], &conditions[conditions.len() - 1]);
    format!(
        "{:?} {} {:?}",
        summary.status, summary.reason, stalled.status
    )
}

#[test]
fn a_vault_whose_edit_waits_for_approval_is_backed_up_to_and_restored_from() {
    let mut cluster = backed_up();
    cluster.edit_vault(|vault| {
        vault.spec.soft_delete = SoftDelete {
            state: SoftDeleteState::Disabled,
            retention_days: 14,
        };
    });
    cluster.converge(&ALL);
    cluster.log.clear();
    cluster.job = Some(parse(JOB));
    cluster.converge(&ALL);
    cluster.restore = Some(parse(RESTORE));
    cluster.converge(&ALL);
    expect![[r#"
        ── 60 s, BackupJob shop/now
        step  hold the object by our finalizer
        say   Succeeded ? (Intended) About to begin.
        say   Reconciling yes (Intended) About to begin.
        say   Stalled no (Intended)
        next  at once

        ── 65 s, BackupJob shop/now
        step  back up shop-rg/web-1 into shop-weu (while the item VM;iaasvmcontainerv2;shop-rg;web-1 of the vault shop-weu is as it was read)
        say   Succeeded ? (Beginning) About to begin.
        say   Reconciling yes (Beginning) About to begin.
        say   Stalled no (Beginning)
        next  at once

        ── 70 s, BackupJob shop/now
        say   Succeeded ? (InProgress) Under way.
        say   Reconciling yes (InProgress) Under way.
        say   Stalled no (InProgress)
        next  after 2s

        ── 80 s, ProtectedVM shop/web-1
        say   Ready yes (Protected) Protected by daily.
        say   Recoverable yes (RecoveryPointExists) 2 recovery points, the newest of 2026-11-22 12:01Z.
        say   WithinRPO yes (WithinObjective) Met until 2026-11-23 14:01Z.
        say   Healthy yes (NothingWrong)
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling no (Protected)
        say   Stalled no (Protected)
        event BackupCompleted The backup job-2 Completed
        next  after 10m

        ── 80 s, BackupJob shop/now
        say   Succeeded yes (Completed) The recovery point rp-2 of 2026-11-22 12:01:05Z exists.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        event Completed The recovery point rp-2 of 2026-11-22 12:01:05Z exists.
        next  at once

        ── 85 s, BackupJob shop/now
        step  let the object go
        say   Succeeded yes (Completed) The recovery point rp-2 of 2026-11-22 12:01:05Z exists.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        next  at once

        ── 90 s, BackupJob shop/now
        say   Succeeded yes (Completed) The recovery point rp-2 of 2026-11-22 12:01:05Z exists.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        next  after 59m 50s

        ── 95 s, Restore shop/back
        step  hold the object by our finalizer
        say   Succeeded ? (Intended) About to begin.
        say   Reconciling yes (Intended) About to begin.
        say   Stalled no (Intended)
        next  at once

        ── 100 s, Restore shop/back
        step  restore rp-2 of shop-rg/web-1 from shop-weu (while the item VM;iaasvmcontainerv2;shop-rg;web-1 of the vault shop-weu is as it was read)
        say   Succeeded ? (Beginning) About to begin.
        say   Reconciling yes (Beginning) About to begin.
        say   Stalled no (Beginning)
        next  at once

        ── 105 s, Restore shop/back
        say   Succeeded ? (InProgress) Under way.
        say   Reconciling yes (InProgress) Under way.
        say   Stalled no (InProgress)
        next  after 2s

        ── 115 s, Restore shop/back
        say   Succeeded yes (Completed) Restored web-1-os-1 into shop-restored.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        event Completed Restored web-1-os-1 into shop-restored.
        next  at once

        ── 120 s, Restore shop/back
        step  let the object go
        say   Succeeded yes (Completed) Restored web-1-os-1 into shop-restored.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        next  at once

        ── 125 s, Restore shop/back
        say   Succeeded yes (Completed) Restored web-1-os-1 into shop-restored.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        next  await a change

    "#]].assert_eq(&cluster.log);
    assert_eq!(
        said(&mut cluster, Kind::Vault),
        "False ApprovalRequired True"
    );
}

#[test]
fn what_cannot_be_changed_of_a_vault_stops_no_work_in_it() {
    let another_redundancy = |cluster: &mut Cluster| {
        cluster.edit_vault(|vault| vault.spec.redundancy = Redundancy::LocallyRedundant);
    };
    let no_soft_delete = |cluster: &mut Cluster| {
        let vault = cluster.azure.vaults.values_mut().next().unwrap();
        let properties = vault.properties.get_or_insert_default();
        let security = properties.security_settings.get_or_insert_default();
        let settings = security.soft_delete_settings.get_or_insert_default();
        settings.soft_delete_state = Some(Found::AlwaysOn);
        cluster.edit_vault(|vault| vault.spec.soft_delete.state = SoftDeleteState::Disabled);
    };
    let is_going = |cluster: &mut Cluster| {
        cluster.edit_vault(|vault| vault.spec.deletion_policy = VaultDeletionPolicy::Retain);
        cluster.delete(Kind::Vault);
    };
    let cannot_be_read = |cluster: &mut Cluster| {
        cluster.azure.refuse = Some(Cause::Refused {
            status: 403,
            code: "AuthorizationFailed".to_owned(),
            message: "not you".to_owned(),
        });
        cluster.edit_vault(|vault| vault.spec.soft_delete.retention_days = 30);
    };
    type Change = fn(&mut Cluster);
    let cases: [(&str, Change); 4] = [
        ("False RedundancyLocked True", another_redundancy),
        ("False SoftDeleteAlwaysOn True", no_soft_delete),
        ("False InUse False", is_going),
        ("False NotAuthorized True", cannot_be_read),
    ];
    for (stands, change) in cases {
        let mut cluster = backed_up();
        change(&mut cluster);
        cluster.reconcile(Kind::Vault);
        let status = cluster.vault.clone().unwrap().status.unwrap();
        assert_eq!(in_short(&status.conditions), stands);
        cluster.job = Some(parse(JOB));
        cluster.restore = Some(parse(RESTORE));
        let work = [Kind::ProtectedVM, Kind::BackupJob, Kind::Restore];
        cluster.converge(&work);
        let jobs = &cluster.azure.jobs;
        assert_eq!(jobs.len(), 3, "{stands}:\n{}", cluster.log);
        assert_eq!(cluster.azure.disks.len(), 1, "{stands}:\n{}", cluster.log);
        assert_eq!(
            said(&mut cluster, Kind::ProtectedVM),
            "True Protected False"
        );
    }
}

/// While it is made, everything waits; when it turns out to be somebody else's, everything that names it says that a person is needed.
#[test]
fn a_vault_that_is_not_ours_is_worked_in_by_nobody() {
    let mut cluster = backed_up();
    let vault = cluster.azure.vaults.values_mut().next().unwrap();
    vault.tags = Some([("kluis.dev/managed-by".to_owned(), "other/vault".to_owned())].into());
    cluster.converge(&ALL);
    cluster.job = Some(parse(JOB));
    cluster.restore = Some(parse(RESTORE));
    cluster.azure.calls.clear();
    cluster.converge(&ALL);
    assert_eq!(cluster.azure.calls.join("\n"), "");
    assert_eq!(said(&mut cluster, Kind::Vault), "False ForeignVault True");
    // The policy is none the worse for it: what it is in force in is told by the vault and by who uses it there.
    let policy = said(&mut cluster, Kind::BackupPolicy);
    assert_eq!(policy, "True NotUsed False");
    for (kind, status) in [
        (Kind::ProtectedVM, "False"),
        (Kind::BackupJob, "Unknown"),
        (Kind::Restore, "Unknown"),
    ] {
        assert_eq!(
            said(&mut cluster, kind),
            format!("{status} VaultNotReady True")
        );
    }
}

/// Also where it was ours before, and cannot be made again.
#[test]
fn a_vault_that_is_gone_is_worked_in_by_nobody() {
    let mut cluster = backed_up();
    cluster.azure.vaults.clear();
    cluster.azure.policies.clear();
    cluster.azure.items.clear();
    cluster.azure.refuse = Some(Cause::Refused {
        status: 403,
        code: "AuthorizationFailed".to_owned(),
        message: "not you".to_owned(),
    });
    cluster.reconcile(Kind::Vault);
    cluster.restore = Some(parse(RESTORE));
    assert_eq!(
        said(&mut cluster, Kind::Restore),
        "Unknown VaultNotReady True"
    );
    assert_eq!(
        said(&mut cluster, Kind::ProtectedVM),
        "False VaultNotReady True"
    );
    // Nobody refuses it any more: it is made, and everything in it waits meanwhile.
    cluster.reconcile(Kind::Vault);
    assert_eq!(
        said(&mut cluster, Kind::Restore),
        "Unknown VaultNotReady False"
    );
}

/// What is deleted waits for those who use it, and for no more of them.
#[test]
fn a_vault_that_is_going_takes_no_new_machine() {
    let mut cluster = Cluster::applied();
    let item = cluster.item.take();
    cluster.converge(&ALL);
    cluster.item = item;
    cluster.delete(Kind::Vault);
    cluster.azure.tick(SignedDuration::from_secs(5));
    cluster.converge(&ALL);
    assert_eq!(
        said(&mut cluster, Kind::ProtectedVM),
        "False VaultNotReady False"
    );
    assert!(cluster.azure.items.is_empty(), "{}", cluster.log);
}
