//! What somebody changes in Azure of what is declared is put back, and told with what it was and what it had become; what we change is not.

use kluis_api::DiskChoice;
use kluis_arm::item::VmItem;
use kluis_arm::policy::Policy;
use kluis_arm::vault::SoftDeleteState;
use kluis_plan::{DRIFT_REPAIRED, Kind};
use serde_json::{Value, json};

use crate::cluster::{ALL, Cluster};

/// The drift that one look at the object tells of.
fn told(cluster: &mut Cluster, kind: Kind) -> Vec<String> {
    let events = cluster.reconcile(kind).unwrap().plan.report.events;
    let drifts = events
        .into_iter()
        .filter(|event| event.reason == DRIFT_REPAIRED);
    drifts.map(|event| event.note).collect()
}

fn edited<T: serde::Serialize + serde::de::DeserializeOwned>(
    value: &mut T,
    edit: impl FnOnce(&mut Value),
) {
    let mut json = serde_json::to_value(&*value).unwrap();
    edit(&mut json);
    *value = serde_json::from_value(json).unwrap();
}

fn edit_policy(cluster: &mut Cluster, edit: impl FnOnce(&mut Value)) {
    let policy: &mut Policy = cluster.azure.policies.values_mut().next().unwrap();
    edited(policy, edit);
}

fn edit_item(cluster: &mut Cluster, edit: impl FnOnce(&mut Value)) {
    let item: &mut VmItem = cluster.azure.items.values_mut().next().unwrap();
    edited(item, edit);
}

#[test]
fn a_policy_that_somebody_edits_is_put_back_and_told_field_by_field() {
    let mut cluster = Cluster::converged();
    edit_policy(&mut cluster, |policy| {
        policy["properties"]["retentionPolicy"]["dailySchedule"]["retentionDuration"]["count"] =
            json!(99);
    });
    let told_of = told(&mut cluster, Kind::BackupPolicy);
    assert_eq!(told_of.len(), 1, "{}", cluster.log);
    assert!(told_of[0].starts_with("The policy in the vault shop/shop-weu was changed there and not here (retention.daily: "), "{told_of:?}");
    assert!(told_of[0].contains("→ 99"), "{told_of:?}");
    assert!(
        told_of[0].contains("as seen at 2026-11-22T")
            || told_of[0].contains("as seen at 2026-11-22 "),
        "{told_of:?}"
    );
    cluster.converge(&ALL);
    assert!(told(&mut cluster, Kind::BackupPolicy).is_empty());

    cluster.azure.policies.clear();
    assert_eq!(
        told(&mut cluster, Kind::BackupPolicy).len(),
        1,
        "one that is gone"
    );
    cluster.converge(&ALL);

    cluster.edit_policy(|policy| policy.spec.retention.daily.as_mut().unwrap().keep += 1);
    assert!(
        told(&mut cluster, Kind::BackupPolicy).is_empty(),
        "our own edit"
    );
}

#[test]
fn a_vaults_settings_that_somebody_edits_are_put_back_and_told() {
    let mut cluster = Cluster::converged();
    let vault = cluster.azure.vaults.values_mut().next().unwrap();
    let security = vault
        .properties
        .as_mut()
        .unwrap()
        .security_settings
        .as_mut()
        .unwrap();
    security
        .soft_delete_settings
        .as_mut()
        .unwrap()
        .soft_delete_state = Some(SoftDeleteState::Disabled);
    let told_of = told(&mut cluster, Kind::Vault);
    assert_eq!(told_of.len(), 1, "{}", cluster.log);
    assert!(
        told_of[0].contains("soft delete: Enabled, 14 days → Disabled"),
        "{told_of:?}"
    );
    cluster.converge(&ALL);
    assert!(told(&mut cluster, Kind::Vault).is_empty());
    cluster.edit_vault(|vault| vault.spec.soft_delete.retention_days = 30);
    assert!(told(&mut cluster, Kind::Vault).is_empty(), "our own edit");
}

#[test]
fn a_protection_that_somebody_stops_moves_or_narrows_is_put_back_and_told() {
    let other = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu/backupPolicies/Other";
    let cases: [(Value, &str); 2] = [
        (
            json!({ "protectionState": "ProtectionStopped", "policyId": "" }),
            "→ ProtectionStopped",
        ),
        (
            json!({ "extendedProperties": { "diskExclusionProperties": { "diskLunList": [0], "isInclusionList": false } } }),
            "disks: all → all but LUN 0",
        ),
    ];
    for (patch, wanted) in cases {
        let mut cluster = Cluster::converged();
        edit_item(&mut cluster, |item| {
            for (name, value) in patch.as_object().unwrap() {
                item[name] = value.clone();
            }
        });
        let told_of = told(&mut cluster, Kind::ProtectedVM);
        assert_eq!(told_of.len(), 1, "{wanted}: {}", cluster.log);
        assert!(told_of[0].contains(wanted), "{told_of:?}");
        cluster.converge(&ALL);
        assert!(told(&mut cluster, Kind::ProtectedVM).is_empty());
    }
    // Another policy, of the same terms: nothing is lost by the way back.
    let mut cluster = Cluster::converged();
    let mut same = cluster.azure.policies.values().next().unwrap().clone();
    same.id = Some(other.to_owned());
    same.name = Some("Other".to_owned());
    cluster
        .azure
        .policies
        .insert(crate::azure::key(other), same);
    edit_item(&mut cluster, |item| item["policyId"] = json!(other));
    let told_of = told(&mut cluster, Kind::ProtectedVM);
    assert!(
        told_of.iter().any(|note| note.contains("→ Other")),
        "{told_of:?}\n{}",
        cluster.log
    );

    let mut cluster = Cluster::converged();
    cluster.edit_item(|item| {
        item.spec.disks = Some(DiskChoice {
            exclude: Some(vec![0]),
            include: None,
            os_disk_only: None,
        });
    });
    assert!(
        told(&mut cluster, Kind::ProtectedVM).is_empty(),
        "our own edit"
    );
}
