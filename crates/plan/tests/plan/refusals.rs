//! What stands in the way, one at a time: the cause, the way out, and that nothing is called.

use expect_test::{Expect, expect};
use kluis_api::{AdoptionPolicy, ConditionStatus, ConditionType};
use kluis_arm::vault::{SoftDeleteSettings, SoftDeleteState};
use kluis_plan::{Cause, Kind};

use crate::cluster::{ALL, Cluster, JOB, RESTORE, parse};

/// Converges, and holds what an object then says, and what was called since.
fn check(mut cluster: Cluster, kind: Kind, expected: &Expect) {
    cluster.azure.calls.clear();
    cluster.converge(&ALL);
    expected.assert_eq(&said(&mut cluster, kind));
}

fn said(cluster: &mut Cluster, kind: Kind) -> String {
    let report = cluster.reconcile(kind).unwrap().plan.report;
    let status = report.status.unwrap();
    let of = |type_| {
        status
            .conditions()
            .iter()
            .find(|condition| condition.type_ == type_)
            .map(|condition| condition.status)
    };
    let summary = &status.conditions()[0];
    let standing = match (of(ConditionType::Stalled), of(ConditionType::Reconciling)) {
        (Some(ConditionStatus::True), _) => "stalled",
        (_, Some(ConditionStatus::True)) => "reconciling",
        _ => "settled",
    };
    let calls: String = cluster
        .azure
        .calls
        .iter()
        .map(|call| format!("\ncalled: {call}"))
        .collect();
    format!("{standing}: {}: {}{calls}", summary.reason, summary.message)
}

#[test]
fn no_service() {
    let mut cluster = Cluster::applied();
    cluster.service = None;
    check(
        cluster,
        Kind::Vault,
        &expect![
            "stalled: ServiceNotFound: There is no BackupService azure: create it, or correct serviceRef."
        ],
    );
}

#[test]
fn no_consent() {
    let mut cluster = Cluster::applied();
    cluster.service.as_mut().unwrap().spec.namespaces.clear();
    check(
        cluster,
        Kind::Vault,
        &expect![
            "stalled: NoConsent: The BackupService azure does not let the namespace shop use the resource group shop-rg: whoever owns the service lists both under spec.namespaces."
        ],
    );
}

#[test]
fn an_unknown_subscription() {
    let mut cluster = Cluster::applied();
    cluster.service.as_mut().unwrap().spec.subscription_id =
        "22222222-2222-3333-4444-555555555555".to_owned();
    check(
        cluster,
        Kind::BackupService,
        &expect![
            "stalled: SubscriptionNotFound: The service does not know the subscription 22222222-2222-3333-4444-555555555555, or does not show it to us: correct spec.subscriptionId, or give the identity a role there."
        ],
    );
}

#[test]
fn a_vault_of_somebody_else() {
    let mut cluster = Cluster::converged();
    let vault = cluster.azure.vaults.values_mut().next().unwrap();
    vault.tags = Some([("kluis.dev/managed-by".to_owned(), "other/vault".to_owned())].into());
    check(
        cluster,
        Kind::Vault,
        &expect![
            "stalled: ForeignVault: /subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu belongs to another Vault: its tag kluis.dev/managed-by says other/vault. Choose another azureName, or set adoptionPolicy: Always to take it over."
        ],
    );
}

#[test]
fn a_vault_that_was_there_before() {
    let mut cluster = Cluster::converged();
    cluster.azure.vaults.values_mut().next().unwrap().tags = None;
    let mut again = Cluster::applied();
    again.azure.vaults = cluster.azure.vaults;
    check(
        again,
        Kind::Vault,
        &expect![
            "stalled: ForeignVault: /subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu exists and was not made by Kluis. Set adoptionPolicy: Always to take it over as it is, or choose another azureName."
        ],
    );
}

#[test]
fn a_vault_that_is_taken_over() {
    let mut cluster = Cluster::converged();
    cluster.azure.vaults.values_mut().next().unwrap().tags = None;
    let mut again = Cluster::applied();
    again.azure.vaults = cluster.azure.vaults;
    again.edit_vault(|vault| vault.spec.adoption_policy = AdoptionPolicy::Always);
    check(
        again,
        Kind::Vault,
        &expect![[r#"
        settled: AsDeclared: The vault shop-weu is as declared.
        called: change the vault shop-rg/shop-weu: tags
        called: write the policy daily into the vault shop-weu
        called: discover what the vault shop-weu can protect
        called: protect shop-rg/web-1 in shop-weu by daily"#]],
    );
}

#[test]
fn a_service_that_does_not_answer() {
    let mut cluster = Cluster::applied();
    cluster.reconcile(Kind::BackupService);
    cluster.reconcile(Kind::BackupService);
    cluster.azure.refuse = Some(Cause::Unreachable {
        message: "connection refused".to_owned(),
    });
    cluster.reconcile(Kind::Vault);
    let vault = cluster.vault.as_ref().unwrap().status.as_ref().unwrap();
    expect!["ServiceUnreachable Make the vault shop-rg/shop-weu in westeurope: the service does not answer (connection refused). Tried again; if it stays so, look at spec.endpoint, the network, and spec.caBundle."].assert_eq(&format!(
        "{} {}",
        vault.conditions[0].reason, vault.conditions[0].message
    ));
}

/// The service refuses `Enabled` where soft delete is always on, so the days go along with what is there.
#[test]
fn a_vault_whose_soft_delete_is_always_on_gets_its_days() {
    let mut cluster = Cluster::converged();
    let vault = cluster.azure.vaults.values_mut().next().unwrap();
    let properties = vault.properties.get_or_insert_default();
    let security = properties.security_settings.get_or_insert_default();
    let settings = security.soft_delete_settings.get_or_insert_default();
    settings.soft_delete_state = Some(SoftDeleteState::AlwaysOn);
    let always = settings.clone();
    cluster.edit_vault(|vault| vault.spec.soft_delete.retention_days = 30);
    cluster.converge(&ALL);
    let vault = cluster.azure.vaults.values().next().unwrap();
    let properties = vault.properties.as_ref().unwrap();
    let security = properties.security_settings.as_ref().unwrap();
    let expected = SoftDeleteSettings {
        soft_delete_retention_period_in_days: Some(30),
        ..always
    };
    assert_eq!(security.soft_delete_settings, Some(expected));
}

#[test]
fn a_machine_that_does_not_exist() {
    let mut cluster = Cluster::applied();
    cluster.item.as_mut().unwrap().spec.vm.name = Some("web-9".to_owned());
    check(
        cluster,
        Kind::ProtectedVM,
        &expect![[r#"
            stalled: VmNotFound: There is no virtual machine shop-rg/web-9: create it, or name the one that is meant in another ProtectedVM.
            called: make the vault shop-rg/shop-weu in westeurope
            called: write the policy daily into the vault shop-weu"#]],
    );
}

#[test]
fn a_machine_in_another_region() {
    let mut cluster = Cluster::applied();
    cluster.item.as_mut().unwrap().spec.vm.name = Some("far-1".to_owned());
    check(
        cluster,
        Kind::ProtectedVM,
        &expect![[r#"
        stalled: RegionMismatch: The machine is in northeurope and the vault in westeurope; both have to be in one region (rule 26): use a Vault in northeurope.
        called: make the vault shop-rg/shop-weu in westeurope
        called: write the policy daily into the vault shop-weu"#]],
    );
}

#[test]
fn a_policy_that_does_not_exist() {
    let mut cluster = Cluster::applied();
    cluster.policy = None;
    check(
        cluster,
        Kind::ProtectedVM,
        &expect![[r#"
        stalled: PolicyNotFound: There is no BackupPolicy daily: create it, or correct policyRef.
        called: make the vault shop-rg/shop-weu in westeurope"#]],
    );
}

#[test]
fn a_policy_that_the_vault_does_not_have() {
    let mut cluster = Cluster::applied();
    let spec = &mut cluster.item.as_mut().unwrap().spec;
    spec.policy_ref = kluis_api::PolicyRef {
        name: None,
        azure_name: Some("Unheard".to_owned()),
    };
    check(
        cluster,
        Kind::ProtectedVM,
        &expect![[r#"
            stalled: PolicyNotInVault: The vault shop-weu has no policy Unheard: correct policyRef.azureName, or name a BackupPolicy.
            called: make the vault shop-rg/shop-weu in westeurope"#]],
    );
}

#[test]
fn a_zone_that_does_not_exist() {
    let mut cluster = Cluster::applied();
    cluster.policy.as_mut().unwrap().spec.time_zone = "Europe/Utopia".to_owned();
    check(
        cluster,
        Kind::BackupPolicy,
        &expect![[r#"
        stalled: PolicyNotExpressible: The policy cannot be said in Azure's terms: "Europe/Utopia" is not an IANA time zone; write one such as Europe/Amsterdam or UTC.
        called: make the vault shop-rg/shop-weu in westeurope"#]],
    );
}

#[test]
fn a_policy_for_something_else_than_machines() {
    let mut cluster = Cluster::applied();
    let spec = &mut cluster.policy.as_mut().unwrap().spec;
    spec.workload = kluis_api::Workload::SQLServer;
    check(
        cluster,
        Kind::BackupPolicy,
        &expect![[r#"
            settled: NotUsed: No item uses it yet; it is written into a vault when one does.
            called: make the vault shop-rg/shop-weu in westeurope"#]],
    );
    let mut cluster = Cluster::applied();
    let spec = &mut cluster.policy.as_mut().unwrap().spec;
    spec.workload = kluis_api::Workload::SQLServer;
    check(
        cluster,
        Kind::ProtectedVM,
        &expect![[r#"
            stalled: PolicyNotReady: The BackupPolicy daily cannot be used: it is for SQLServer, and this is a virtual machine.
            called: make the vault shop-rg/shop-weu in westeurope"#]],
    );
}

#[test]
fn a_policy_for_a_backup_vault() {
    let mut cluster = Cluster::applied();
    cluster.policy.as_mut().unwrap().spec.workload = kluis_api::Workload::Disk;
    check(
        cluster,
        Kind::BackupPolicy,
        &expect![[r#"
            settled: NotUsed: No item uses it yet; it is written into a vault when one does.
            called: make the vault shop-rg/shop-weu in westeurope"#]],
    );
}

#[test]
fn a_job_for_an_item_that_does_not_exist() {
    let mut cluster = Cluster::converged();
    cluster.job = Some(parse(JOB));
    cluster.job.as_mut().unwrap().spec.item.name = "web-9".to_owned();
    cluster.item = None;
    check(
        cluster,
        Kind::BackupJob,
        &expect![
            "stalled: ItemNotFound: There is no ProtectedVM shop/web-9: correct spec.item, or create it."
        ],
    );
}

#[test]
fn a_restore_of_nothing() {
    let mut cluster = Cluster::converged();
    cluster.restore = Some(parse(RESTORE));
    check(
        cluster,
        Kind::Restore,
        &expect![
            "stalled: RecoveryPointNotFound: There is no recovery point of this item: `kluis points` lists those there are."
        ],
    );
}

#[test]
fn a_vault_that_is_not_empty() {
    let mut cluster = Cluster::converged();
    cluster.azure.run_schedule(&crate::azure::item_id());
    cluster.converge(&ALL);
    cluster.edit_vault(|vault| vault.spec.deletion_policy = kluis_api::VaultDeletionPolicy::Delete);
    for kind in [Kind::ProtectedVM, Kind::BackupPolicy] {
        cluster.delete(kind);
    }
    cluster.converge(&ALL);
    cluster.delete(Kind::Vault);
    cluster.reconcile(Kind::Vault);
    let vault = cluster.vault.as_ref().unwrap().status.as_ref().unwrap();
    expect!["VaultNotEmpty The vault shop-weu is not empty, and nobody asked to delete what is in it: machine shop-rg/web-1. Delete its data first, by a ProtectedVM with deletionPolicy: DeleteData or by another client of the service. To let this object go without it, set spec.deletionPolicy: Retain."].assert_eq(&format!(
        "{} {}",
        vault.conditions[0].reason, vault.conditions[0].message
    ));
}

#[test]
fn an_item_whose_vault_is_gone_is_not_held_for_ever() {
    let mut cluster = Cluster::converged();
    cluster.vault = None;
    cluster.delete(Kind::ProtectedVM);
    let plan = cluster.reconcile(Kind::ProtectedVM).unwrap().plan;
    expect![[r#"
        step  let the object go
        say   nothing: the object is going
        event ! ProtectionLeftAsItIs There is no Vault shop/shop-weu: create it, or correct vaultRef. What is protected in Azure goes on as it is.
        next  await a change
    "#]].assert_eq(&plan.to_string());
    assert!(cluster.item.is_none());
}
