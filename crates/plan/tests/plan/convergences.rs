//! Whole convergences, written down as they went.

use expect_test::expect;
use kluis_plan::Kind;

use crate::azure::item_id;
use crate::cluster::{ALL, Cluster, JOB, RESTORE, parse};

#[test]
fn from_nothing_to_protected() {
    let mut cluster = Cluster::applied();
    cluster.converge(&ALL);
    expect![[r#"
        ── 0 s, BackupService azure
        step  hold the object by our finalizer
        say   Ready yes (Connected) https://azure knows us, and the subscription.
        say   Reconciling no (Connected)
        say   Stalled no (Connected)
        event Connected https://azure knows us, and the subscription.
        next  after 10m

        ── 0 s, Vault shop/shop-weu
        step  hold the object by our finalizer
        step  make the vault shop-rg/shop-weu in westeurope (while the vault shop-weu and what was softly deleted of the vault shop-weu are as they were read)
        say   Ready no (CreateVault) Under way: making the vault.
        say   Reconciling yes (CreateVault) Under way: making the vault.
        say   Stalled no (CreateVault)
        next  at once

        ── 0 s, BackupPolicy shop/daily
        step  hold the object by our finalizer
        say   Ready no (VaultNotReady) The Vault shop/shop-weu is not Ready: Under way: making the vault.
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling yes (VaultNotReady) The Vault shop/shop-weu is not Ready: Under way: making the vault.
        say   Stalled no (VaultNotReady)
        next  after 5s

        ── 0 s, ProtectedVM shop/web-1
        step  hold the object by our finalizer
        say   Ready no (VaultNotReady) The Vault shop/shop-weu is not Ready: Under way: making the vault.
        say   Recoverable ? (NotCounted) The recovery points were not counted yet.
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling yes (VaultNotReady) The Vault shop/shop-weu is not Ready: Under way: making the vault.
        say   Stalled no (VaultNotReady)
        next  after 5s

        ── 5 s, BackupService azure
        say   Ready yes (Connected) https://azure knows us, and the subscription.
        say   Reconciling no (Connected)
        say   Stalled no (Connected)
        next  after 10m

        ── 5 s, Vault shop/shop-weu
        say   Ready no (OperationInProgress) Under way: making the vault.
        say   Reconciling yes (OperationInProgress) Under way: making the vault.
        say   Stalled no (OperationInProgress)
        next  after 5s

        ── 5 s, BackupPolicy shop/daily
        say   Ready no (VaultNotReady) The Vault shop/shop-weu is not Ready: Under way: making the vault.
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling yes (VaultNotReady) The Vault shop/shop-weu is not Ready: Under way: making the vault.
        say   Stalled no (VaultNotReady)
        next  after 5s

        ── 5 s, ProtectedVM shop/web-1
        say   Ready no (VaultNotReady) The Vault shop/shop-weu is not Ready: Under way: making the vault.
        say   Recoverable ? (NotCounted) The recovery points were not counted yet.
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling yes (VaultNotReady) The Vault shop/shop-weu is not Ready: Under way: making the vault.
        say   Stalled no (VaultNotReady)
        next  after 5s

        ── 10 s, Vault shop/shop-weu
        say   Ready yes (AsDeclared) The vault shop-weu is as declared.
        say   Reconciling no (AsDeclared)
        say   Stalled no (AsDeclared)
        event AsDeclared The vault shop-weu is as declared.
        next  after 10m

        ── 10 s, BackupPolicy shop/daily
        step  write the policy daily into the vault shop-weu (while the policy daily of the vault shop-weu is as it was read)
        say   Ready no (Rendering) Being written into its vaults.
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling yes (Rendering) Being written into its vaults.
        say   Stalled no (Rendering)
        next  at once

        ── 10 s, ProtectedVM shop/web-1
        step  discover what the vault shop-weu can protect (while the item VM;iaasvmcontainerv2;shop-rg;web-1 of the vault shop-weu is as it was read)
        say   Ready no (DiscoverContainers) Under way: discovering what the vault can protect.
        say   Recoverable ? (NotCounted) The recovery points were not counted yet.
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling yes (DiscoverContainers) Under way: discovering what the vault can protect.
        say   Stalled no (DiscoverContainers)
        next  at once

        ── 15 s, BackupPolicy shop/daily
        say   Ready yes (InForce) In force in 1 vault.
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling no (InForce)
        say   Stalled no (InForce)
        event InForce In force in 1 vault.
        next  after 10m

        ── 15 s, ProtectedVM shop/web-1
        say   Ready no (OperationInProgress) Under way: discovering what the vault can protect.
        say   Recoverable ? (NotCounted) The recovery points were not counted yet.
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling yes (OperationInProgress) Under way: discovering what the vault can protect.
        say   Stalled no (OperationInProgress)
        next  after 5s

        ── 20 s, ProtectedVM shop/web-1
        step  protect shop-rg/web-1 in shop-weu by daily (while the item VM;iaasvmcontainerv2;shop-rg;web-1 of the vault shop-weu is as it was read)
        say   Ready no (Protect) Under way: beginning protection.
        say   Recoverable ? (NotCounted) The recovery points were not counted yet.
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling yes (Protect) Under way: beginning protection.
        say   Stalled no (Protect)
        next  at once

        ── 25 s, ProtectedVM shop/web-1
        say   Ready no (OperationInProgress) Under way: beginning protection.
        say   Recoverable ? (NotCounted) The recovery points were not counted yet.
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling yes (OperationInProgress) Under way: beginning protection.
        say   Stalled no (OperationInProgress)
        next  after 5s

        ── 30 s, ProtectedVM shop/web-1
        say   Ready yes (InitialBackupPending) Protected by daily; the first backup is still to come.
        say   Recoverable no (NoRecoveryPoint) There is no recovery point.
        say   Healthy yes (NothingWrong)
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling no (InitialBackupPending)
        say   Stalled no (InitialBackupPending)
        event InitialBackupPending Protected by daily; the first backup is still to come.
        next  after 10m

    "#]].assert_eq(&cluster.log);
}

#[test]
fn a_backup_on_demand() {
    let mut cluster = Cluster::converged();
    cluster.job = Some(parse(JOB));
    cluster.converge(&ALL);
    expect![[r#"
        ── 40 s, BackupJob shop/now
        step  hold the object by our finalizer
        say   Succeeded ? (Intended) About to begin.
        say   Reconciling yes (Intended) About to begin.
        say   Stalled no (Intended)
        next  at once

        ── 45 s, BackupJob shop/now
        step  back up shop-rg/web-1 into shop-weu (while the item VM;iaasvmcontainerv2;shop-rg;web-1 of the vault shop-weu is as it was read)
        say   Succeeded ? (Beginning) About to begin.
        say   Reconciling yes (Beginning) About to begin.
        say   Stalled no (Beginning)
        next  at once

        ── 50 s, BackupJob shop/now
        say   Succeeded ? (InProgress) Under way.
        say   Reconciling yes (InProgress) Under way.
        say   Stalled no (InProgress)
        next  after 2s

        ── 60 s, ProtectedVM shop/web-1
        say   Ready yes (Protected) Protected by daily.
        say   Recoverable yes (RecoveryPointExists) 1 recovery point, the newest of 2026-11-22 12:00Z.
        say   WithinRPO yes (WithinObjective) Met until 2026-11-23 14:00Z.
        say   Healthy yes (NothingWrong)
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling no (Protected)
        say   Stalled no (Protected)
        event Protected Protected by daily.
        event RecoveryPointExists 1 recovery point, the newest of 2026-11-22 12:00Z.
        event BackupCompleted The backup job-1 Completed
        next  after 10m

        ── 60 s, BackupJob shop/now
        say   Succeeded yes (Completed) The recovery point rp-1 of 2026-11-22 12:00:45Z exists.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        event Completed The recovery point rp-1 of 2026-11-22 12:00:45Z exists.
        next  at once

        ── 65 s, BackupJob shop/now
        step  let the object go
        say   Succeeded yes (Completed) The recovery point rp-1 of 2026-11-22 12:00:45Z exists.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        next  at once

        ── 70 s, BackupJob shop/now
        say   Succeeded yes (Completed) The recovery point rp-1 of 2026-11-22 12:00:45Z exists.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        next  after 59m 50s

    "#]].assert_eq(&cluster.log);
}

#[test]
fn a_backup_by_a_token_in_git() {
    let mut cluster = Cluster::converged();
    cluster.edit_item(|item| item.spec.backup_request = Some("before-upgrade".to_owned()));
    cluster.converge(&ALL);
    expect![[r#"
        ── 40 s, ProtectedVM shop/web-1
        say   Ready yes (BackupInProgress) Protected by daily; the first backup is still to come. A backup is about to begin.
        say   Recoverable no (NoRecoveryPoint) There is no recovery point.
        say   Healthy yes (NothingWrong)
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling yes (BackupInProgress) Protected by daily; the first backup is still to come. A backup is about to begin.
        say   Stalled no (BackupInProgress)
        event BackupInProgress Protected by daily; the first backup is still to come. A backup is about to begin.
        next  at once

        ── 45 s, ProtectedVM shop/web-1
        step  back up shop-rg/web-1 into shop-weu (while the item VM;iaasvmcontainerv2;shop-rg;web-1 of the vault shop-weu is as it was read)
        say   Ready yes (BackupInProgress) Protected by daily; the first backup is still to come. A backup is about to begin.
        say   Recoverable no (NoRecoveryPoint) There is no recovery point.
        say   Healthy yes (NothingWrong)
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling yes (BackupInProgress) Protected by daily; the first backup is still to come. A backup is about to begin.
        say   Stalled no (BackupInProgress)
        next  at once

        ── 50 s, ProtectedVM shop/web-1
        say   Ready yes (BackupInProgress) Protected by daily; the first backup is still to come. A backup is under way.
        say   Recoverable no (NoRecoveryPoint) There is no recovery point.
        say   Healthy yes (NothingWrong)
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling yes (BackupInProgress) Protected by daily; the first backup is still to come. A backup is under way.
        say   Stalled no (BackupInProgress)
        next  after 2s

        ── 60 s, ProtectedVM shop/web-1
        say   Ready yes (Protected) Protected by daily.
        say   Recoverable yes (RecoveryPointExists) 1 recovery point, the newest of 2026-11-22 12:00Z.
        say   WithinRPO yes (WithinObjective) Met until 2026-11-23 14:00Z.
        say   Healthy yes (NothingWrong)
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling no (Protected)
        say   Stalled no (Protected)
        event Protected Protected by daily.
        event RecoveryPointExists 1 recovery point, the newest of 2026-11-22 12:00Z.
        event BackupCompleted The backup job-1 Completed
        next  after 10m

    "#]].assert_eq(&cluster.log);
}

#[test]
fn a_restore_of_disks() {
    let mut cluster = Cluster::converged();
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    cluster.log.clear();
    cluster.restore = Some(parse(RESTORE));
    cluster.converge(&ALL);
    expect![[r#"
        ── 50 s, Restore shop/back
        step  hold the object by our finalizer
        say   Succeeded ? (Intended) About to begin.
        say   Reconciling yes (Intended) About to begin.
        say   Stalled no (Intended)
        next  at once

        ── 55 s, Restore shop/back
        step  restore rp-1 of shop-rg/web-1 from shop-weu (while the item VM;iaasvmcontainerv2;shop-rg;web-1 of the vault shop-weu is as it was read)
        say   Succeeded ? (Beginning) About to begin.
        say   Reconciling yes (Beginning) About to begin.
        say   Stalled no (Beginning)
        next  at once

        ── 60 s, Restore shop/back
        say   Succeeded ? (InProgress) Under way.
        say   Reconciling yes (InProgress) Under way.
        say   Stalled no (InProgress)
        next  after 2s

        ── 70 s, Restore shop/back
        say   Succeeded yes (Completed) Restored web-1-os-1 into shop-restored.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        event Completed Restored web-1-os-1 into shop-restored.
        next  at once

        ── 75 s, Restore shop/back
        step  let the object go
        say   Succeeded yes (Completed) Restored web-1-os-1 into shop-restored.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        next  at once

        ── 80 s, Restore shop/back
        say   Succeeded yes (Completed) Restored web-1-os-1 into shop-restored.
        say   Reconciling no (Completed)
        say   Stalled no (Completed)
        next  await a change

    "#]].assert_eq(&cluster.log);
}

#[test]
fn a_scheduled_run_that_did_not_happen() {
    let mut cluster = Cluster::converged();
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&[Kind::ProtectedVM]);
    cluster.log.clear();
    // The run of 22:30 Amsterdam time comes and goes; the grace is two hours.
    cluster.azure.now = "2026-11-22T21:32:00Z".parse().unwrap();
    cluster.reconcile(Kind::ProtectedVM).unwrap();
    cluster.azure.now = "2026-11-22T23:31:00Z".parse().unwrap();
    cluster.converge(&[Kind::ProtectedVM]);
    expect![[r#"
        ── 34320 s, ProtectedVM shop/web-1
        say   Ready yes (Protected) Protected by daily.
        say   Recoverable yes (RecoveryPointExists) 1 recovery point, the newest of 2026-11-22 12:00Z.
        say   WithinRPO yes (WithinObjective) Met until 2026-11-23 14:00Z. The next scheduled run is later than that.
        say   Healthy yes (NothingWrong)
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling no (Protected)
        say   Stalled no (Protected)
        next  after 5m

        ── 41460 s, ProtectedVM shop/web-1
        say   Ready yes (Protected) Protected by daily.
        say   Recoverable yes (RecoveryPointExists) 1 recovery point, the newest of 2026-11-22 12:00Z.
        say   WithinRPO yes (WithinObjective) Met until 2026-11-23 14:00Z. The next scheduled run is later than that. The backup that was due at 2026-11-22 21:30Z did not begin: look at the vault's jobs, and whether the service runs.
        say   Healthy yes (NothingWrong)
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling no (Protected)
        say   Stalled no (Protected)
        event ! ScheduledRunMissed The backup that was due at 2026-11-22 21:30Z did not begin: look at the vault's jobs, and whether the service runs.
        next  after 5m

    "#]].assert_eq(&cluster.log);
}

#[test]
fn an_edit_that_would_cost_recovery_points() {
    let mut cluster = Cluster::converged();
    let id = item_id();
    for day in 1..=20 {
        cluster.azure.now = format!("2026-12-{day:02}T21:30:00Z").parse().unwrap();
        cluster.azure.run_schedule(&id);
    }
    cluster.converge(&ALL);
    cluster.log.clear();
    cluster.edit_policy(|policy| policy.spec.retention.daily.as_mut().unwrap().keep = 10);
    cluster.converge(&ALL);
    cluster.edit_policy(|policy| policy.spec.retention.daily.as_mut().unwrap().keep = 60);
    cluster.converge(&ALL);
    expect![[r#"
        ── 2453410 s, BackupPolicy shop/daily
        say   Ready no (ApprovalRequired) Not carried out: the edit would delete 10 recovery points and keep 10 more for a shorter time, the oldest of 2026-12-01 21:30Z, the newest of 2026-12-20 21:30Z (shop/web-1: 10 deleted, 10 shortened). If that is meant, add to spec: `approvedLoss: "5a734cdf183fba6a46b4e441932d1605"`; if not, take the edit back.
        say   ApprovalRequired yes (RecoveryPointsAtStake) Not carried out: the edit would delete 10 recovery points and keep 10 more for a shorter time, the oldest of 2026-12-01 21:30Z, the newest of 2026-12-20 21:30Z (shop/web-1: 10 deleted, 10 shortened). If that is meant, add to spec: `approvedLoss: "5a734cdf183fba6a46b4e441932d1605"`; if not, take the edit back.
        say   Reconciling no (ApprovalRequired)
        say   Stalled yes (ApprovalRequired) Not carried out: the edit would delete 10 recovery points and keep 10 more for a shorter time, the oldest of 2026-12-01 21:30Z, the newest of 2026-12-20 21:30Z (shop/web-1: 10 deleted, 10 shortened). If that is meant, add to spec: `approvedLoss: "5a734cdf183fba6a46b4e441932d1605"`; if not, take the edit back.
        event ! ApprovalRequired Not carried out: the edit would delete 10 recovery points and keep 10 more for a shorter time, the oldest of 2026-12-01 21:30Z, the newest of 2026-12-20 21:30Z (shop/web-1: 10 deleted, 10 shortened). If that is meant, add to spec: `approvedLoss: "5a734cdf183fba6a46b4e441932d1605"`; if not, take the edit back.
        next  after 2m

        ── 2453420 s, BackupPolicy shop/daily
        step  write the policy daily into the vault shop-weu (while the policy daily of the vault shop-weu is as it was read)
        say   Ready no (Rendering) Being written into its vaults.
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling yes (Rendering) Being written into its vaults.
        say   Stalled no (Rendering)
        next  at once

        ── 2453425 s, BackupPolicy shop/daily
        say   Ready yes (InForce) In force in 1 vault.
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling no (InForce)
        say   Stalled no (InForce)
        event InForce In force in 1 vault.
        next  after 10m

    "#]].assert_eq(&cluster.log);
}

#[test]
fn everything_goes_in_the_order_of_its_uses() {
    let mut cluster = Cluster::converged();
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    cluster.log.clear();
    cluster.edit_vault(|vault| vault.spec.deletion_policy = kluis_api::VaultDeletionPolicy::Retain);
    for kind in [
        Kind::BackupService,
        Kind::Vault,
        Kind::BackupPolicy,
        Kind::ProtectedVM,
    ] {
        cluster.delete(kind);
    }
    cluster.converge(&ALL);
    assert!(
        cluster.service.is_none()
            && cluster.vault.is_none()
            && cluster.policy.is_none()
            && cluster.item.is_none()
    );
    expect![[r#"
        ── 50 s, BackupService azure
        say   Ready no (InUse) Still used by Vault shop/shop-weu: it goes when that is gone.
        say   Reconciling yes (InUse) Still used by Vault shop/shop-weu: it goes when that is gone.
        say   Stalled no (InUse)
        next  after 5s

        ── 50 s, Vault shop/shop-weu
        say   Ready no (InUse) Still used by BackupPolicy shop/daily, ProtectedVM shop/web-1: it goes when that is gone.
        say   Reconciling yes (InUse) Still used by BackupPolicy shop/daily, ProtectedVM shop/web-1: it goes when that is gone.
        say   Stalled no (InUse)
        next  after 5s

        ── 50 s, BackupPolicy shop/daily
        say   Ready no (InUse) Still used by ProtectedVM shop/web-1: it goes when that is gone.
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling yes (InUse) Still used by ProtectedVM shop/web-1: it goes when that is gone.
        say   Stalled no (InUse)
        next  after 5s

        ── 50 s, ProtectedVM shop/web-1
        step  stop protecting shop-rg/web-1 in shop-weu, keeping its recovery points (while the item VM;iaasvmcontainerv2;shop-rg;web-1 of the vault shop-weu is as it was read)
        say   Ready no (StopProtection) Under way: stopping protection, keeping its recovery points.
        say   Recoverable yes (RecoveryPointExists) 1 recovery point, the newest of 2026-11-22 12:00Z.
        say   WithinRPO yes (WithinObjective) Met until 2026-11-23 14:00Z.
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling yes (StopProtection) Under way: stopping protection, keeping its recovery points.
        say   Stalled no (StopProtection)
        next  at once

        ── 55 s, ProtectedVM shop/web-1
        say   Ready no (OperationInProgress) Under way: stopping protection, keeping its recovery points.
        say   Recoverable yes (RecoveryPointExists) 1 recovery point, the newest of 2026-11-22 12:00Z.
        say   WithinRPO yes (WithinObjective) Met until 2026-11-23 14:00Z.
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling yes (OperationInProgress) Under way: stopping protection, keeping its recovery points.
        say   Stalled no (OperationInProgress)
        next  after 5s

        ── 60 s, ProtectedVM shop/web-1
        step  let the object go (while the item VM;iaasvmcontainerv2;shop-rg;web-1 of the vault shop-weu is as it was read)
        say   nothing: the object is going
        next  await a change

        ── 65 s, Vault shop/shop-weu
        say   Ready no (InUse) Still used by BackupPolicy shop/daily: it goes when that is gone.
        say   Reconciling yes (InUse) Still used by BackupPolicy shop/daily: it goes when that is gone.
        say   Stalled no (InUse)
        next  after 5s

        ── 65 s, BackupPolicy shop/daily
        step  take the policy daily out of the vault shop-weu (while the policy daily of the vault shop-weu is as it was read)
        say   Ready no (Removing) Being taken out of its vaults.
        say   ApprovalRequired no (NothingAtStake)
        say   Reconciling yes (Removing) Being taken out of its vaults.
        say   Stalled no (Removing)
        next  at once

        ── 70 s, BackupPolicy shop/daily
        step  let the object go (while the policy daily of the vault shop-weu is as it was read)
        say   nothing: the object is going
        next  await a change

        ── 75 s, Vault shop/shop-weu
        step  let the object go
        say   nothing: the object is going
        next  await a change

        ── 80 s, BackupService azure
        step  let the object go
        say   nothing: the object is going
        next  await a change

    "#]].assert_eq(&cluster.log);
}
