//! Less soft delete: asked for whatever the vault holds, and brought about by nothing else that is written to the vault.

use expect_test::expect;
use jiff::SignedDuration;
use kluis_api::{ConditionType, SoftDelete, SoftDeleteState};
use kluis_arm::item::Item;
use kluis_arm::recovery_point::RecoveryPoint;
use kluis_arm::vault::ProvisioningState;
use serde_json::{Value, json};

use crate::azure::SUBSCRIPTION;
use crate::cluster::{ALL, Cluster};

#[test]
fn less_soft_delete_waits_for_approval_and_the_rest_does_not() {
    let mut cluster = Cluster::backed_up();
    cluster.edit_vault(|vault| {
        vault.spec.soft_delete = SoftDelete {
            state: SoftDeleteState::Disabled,
            retention_days: 14,
        };
    });
    cluster.azure.vaults.values_mut().next().unwrap().tags = None;
    cluster.converge(&ALL);
    assert_eq!(cluster.sent(), "change the vault shop-rg/shop-weu: tags");
    let status = cluster.vault.clone().unwrap().status.unwrap();
    let approval = status.approval.unwrap();
    assert_eq!((approval.deleted, approval.shortened), (0, 20));
    assert_eq!(status.conditions[1].type_, ConditionType::ApprovalRequired);
    expect![[r#"Not carried out: soft delete Disabled instead of Enabled, 14 days, once they are deleted, would keep 20 recovery points for a shorter time, the oldest of 2026-12-01 21:30Z, the newest of 2026-12-20 21:30Z (machine shop-rg/web-1: 20 shortened). If that is meant, add to spec: `approvedLoss: "DIGEST"`; if not, take the edit back."#]].assert_eq(&status.conditions[1].message.replace(&approval.digest, "DIGEST"));

    cluster.edit_vault(|vault| vault.spec.approved_loss = Some(approval.digest.clone()));
    cluster.converge(&ALL);
    assert!(
        cluster.sent().ends_with("soft delete"),
        "{}",
        cluster.sent()
    );
    let status = cluster.vault.clone().unwrap().status.unwrap();
    assert_eq!(status.approval, None);
    assert!(
        status
            .conditions
            .iter()
            .all(|condition| condition.type_ != ConditionType::ApprovalRequired)
    );
}

/// More of it, and less of it while there is nothing to lose, are as any edit.
#[test]
fn soft_delete_of_what_is_not_there_is_not_asked_for() {
    let mut cluster = Cluster::converged();
    cluster.azure.calls.clear();
    for days in [30, 20] {
        cluster.edit_vault(|vault| vault.spec.soft_delete.retention_days = days);
        cluster.converge(&ALL);
    }
    assert_eq!(cluster.azure.calls.len(), 2, "{}", cluster.log);
}

fn weaken(cluster: &mut Cluster) {
    cluster.edit_vault(|vault| {
        vault.spec.soft_delete = SoftDelete {
            state: SoftDeleteState::Disabled,
            retention_days: 14,
        };
    });
    cluster.converge(&ALL);
}

fn message(cluster: &Cluster) -> String {
    let status = cluster.vault.as_ref().unwrap().status.as_ref().unwrap();
    let approval = status.approval.as_ref().unwrap();
    let ready = status.conditions[0].message.clone();
    ready.replace(&approval.digest, "DIGEST")
}

/// Something else than a machine in the vault, as Azure lists it.
fn other(fabric: &str, container: &str, name: &str, properties: &Value) -> Item {
    let vault = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu"
    );
    let id = format!(
        "{vault}/backupFabrics/{fabric}/protectionContainers/{container}/protectedItems/{name}"
    );
    serde_json::from_value(json!({ "id": id, "name": name, "properties": properties })).unwrap()
}

fn points(all: &[Value]) -> Vec<RecoveryPoint> {
    let points = all.iter().map(|point| json!({ "properties": point }));
    points
        .map(|point| serde_json::from_value(point).unwrap())
        .collect()
}

/// A file share, a database, and a server with an agent whose points are not listed here.
fn with_others() -> Cluster {
    let mut cluster = Cluster::backed_up();
    let share = other(
        "Azure",
        "StorageContainer;storage;shop-rg;files",
        "AzureFileShare;0a1b",
        &json!({ "protectedItemType": "AzureFileShareProtectedItem", "backupManagementType": "AzureStorage",
            "workloadType": "AzureFileShare", "friendlyName": "orders", "protectionState": "Protected" }),
    );
    let of_share = points(&[
        json!({ "objectType": "AzureFileShareRecoveryPoint", "recoveryPointTime": "2026-11-30T10:00:00Z" }),
        json!({ "objectType": "AzureFileShareRecoveryPoint", "recoveryPointTime": "2026-12-01T10:00:00Z" }),
    ]);
    let database = other(
        "Azure",
        "VMAppContainer;Compute;shop-rg;sql-1",
        "SQLDataBase;mssqlserver;orders",
        &json!({ "protectedItemType": "AzureVmWorkloadSQLDatabase", "backupManagementType": "AzureWorkload",
            "workloadType": "SQLDataBase", "friendlyName": "orders", "protectionState": "ProtectionStopped" }),
    );
    let of_database = points(&[
        json!({ "objectType": "AzureWorkloadSQLRecoveryPoint", "recoveryPointTimeInUTC": "2026-11-20T10:00:00Z" }),
        json!({ "objectType": "AzureWorkloadSQLPointInTimeRecoveryPoint", "timeRanges": [] }),
    ]);
    let agent = other(
        "Windows",
        "Windows;fs-1",
        "FileFolder;1",
        &json!({ "protectedItemType": "MabFileFolderProtectedItem", "backupManagementType": "MAB",
            "workloadType": "FileFolder", "friendlyName": "C:\\" }),
    );
    cluster.azure.others = vec![
        (share, of_share),
        (database, of_database),
        (agent, Vec::new()),
    ];
    cluster
}

#[test]
fn less_soft_delete_is_asked_for_whatever_the_vault_holds() {
    let mut cluster = with_others();
    weaken(&mut cluster);
    assert_eq!(cluster.sent(), "");
    let said = message(&cluster);
    expect![[r#"Not carried out: soft delete Disabled instead of Enabled, 14 days, once they are deleted, would keep 24 recovery points for a shorter time, the oldest of 2026-11-20 10:00Z, the newest of 2026-12-20 21:30Z (machine shop-rg/web-1: 20 shortened; AzureFileShare orders: 2 shortened; SQLDataBase orders: 2 shortened); besides, it would shorten the retention of 1 item whose recovery points cannot be counted. If that is meant, add to spec: `approvedLoss: "DIGEST"`; if not, take the edit back."#]].assert_eq(&said);
    // Looked at again and again it says the same.
    for minutes in [5, 30, 90] {
        cluster.azure.now += SignedDuration::from_mins(minutes);
        cluster.converge(&ALL);
        assert_eq!(message(&cluster), said);
    }
    let digest = |cluster: &Cluster| {
        let status = cluster.vault.as_ref().unwrap().status.clone().unwrap();
        status.approval.unwrap().digest
    };
    let before = digest(&cluster);
    let gone = cluster.azure.others.pop();
    cluster.converge(&ALL);
    assert_ne!(
        digest(&cluster),
        before,
        "the items are named by the digest"
    );
    cluster.azure.others.extend(gone);
    cluster.edit_vault(|vault| vault.spec.approved_loss = Some(before));
    cluster.converge(&ALL);
    assert!(
        cluster.sent().ends_with("soft delete"),
        "{}",
        cluster.sent()
    );
}

/// Of what lists no points here none are taken to be there.
#[test]
fn less_soft_delete_is_asked_for_where_nothing_can_be_counted() {
    let mut cluster = with_others();
    cluster.azure.items.clear();
    cluster.azure.points.clear();
    cluster.azure.others.drain(..2);
    cluster.item = None;
    weaken(&mut cluster);
    assert_eq!(cluster.sent(), "");
    let said = message(&cluster);
    cluster.azure.now += SignedDuration::from_mins(10);
    cluster.converge(&ALL);
    assert_eq!(message(&cluster), said);
    assert!(
        said.contains(
            "would shorten the retention of 1 item whose recovery points cannot be counted"
        ),
        "{said}"
    );
}

/// A vault that has failed is asked for again, as it is: its soft delete may protect what is in it, and others have their tags there.
#[test]
fn a_failed_vault_is_made_again_with_what_it_has() {
    let mut cluster = Cluster::backed_up();
    let vault = cluster.azure.vaults.values_mut().next().unwrap();
    let theirs = vault.tags.get_or_insert_default();
    theirs.insert("cost-centre".to_owned(), "17".to_owned());
    let properties = vault.properties.as_mut().unwrap();
    properties.provisioning_state = Some(ProvisioningState::Failed);
    weaken(&mut cluster);
    assert_eq!(
        cluster.sent(),
        "make the vault shop-rg/shop-weu in westeurope"
    );
    let vault = cluster.azure.vaults.values().next().unwrap();
    assert_eq!(vault.tags.as_ref().unwrap()["cost-centre"], "17");
    assert!(message(&cluster).contains("would keep 20 recovery points"));
}
