//! Every stop, and what declaring the machine again makes of it; and vaults that are in the way of each other, or of their own change.

use expect_test::expect;
use jiff::SignedDuration;
use kluis_api::{
    AdoptionPolicy, ConditionStatus, ItemDeletionPolicy, ProtectionState as Declared, Redundancy,
    SoftDelete, SoftDeleteState, Vault, VaultDeletionPolicy,
};
use kluis_arm::item::ProtectionState;
use kluis_plan::Kind;

use crate::azure::{item_id, key};
use crate::cluster::{ALL, Cluster, ITEM, parse};

/// A machine with a recovery point.
fn backed_up() -> Cluster {
    let mut cluster = Cluster::converged();
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    cluster.azure.calls.clear();
    cluster
}

/// Whose object went with this wish, and is declared again.
fn again(wish: ItemDeletionPolicy, suspend: bool) -> Cluster {
    let mut cluster = backed_up();
    cluster.azure.is_immutable = wish == ItemDeletionPolicy::Suspend;
    cluster.edit_item(|item| item.spec.deletion_policy = wish);
    cluster.converge(&ALL);
    cluster.delete(Kind::ProtectedVM);
    cluster.converge(&ALL);
    assert!(cluster.item.is_none(), "{}", cluster.log);
    cluster.item = Some(parse(ITEM));
    cluster.edit_item(|item| item.spec.suspend = suspend);
    cluster.converge(&ALL);
    cluster
}

fn state(cluster: &Cluster) -> Option<ProtectionState> {
    cluster.azure.items[&key(&item_id())]
        .protection_state
        .clone()
}

fn said(cluster: &Cluster, kind: Kind) -> String {
    let conditions = match kind {
        Kind::Vault => {
            &cluster
                .vault
                .as_ref()
                .unwrap()
                .status
                .as_ref()
                .unwrap()
                .conditions
        }
        _ => {
            &cluster
                .item
                .as_ref()
                .unwrap()
                .status
                .as_ref()
                .unwrap()
                .conditions
        }
    };
    let stalled = conditions.last().unwrap().status == ConditionStatus::True;
    let stance = if stalled { "stalled: " } else { "" };
    format!(
        "{stance}{}: {}",
        conditions[0].reason, conditions[0].message
    )
}

#[test]
fn what_was_stopped_is_resumed() {
    let cluster = again(ItemDeletionPolicy::RetainData, false);
    assert_eq!(state(&cluster), Some(ProtectionState::Protected));
    expect![[r#"
        stop protecting shop-rg/web-1 in shop-weu, keeping its recovery points
        protect shop-rg/web-1 in shop-weu by daily"#]]
    .assert_eq(&cluster.azure.calls.join("\n"));
}

#[test]
fn what_was_softly_deleted_is_brought_back_and_resumed() {
    let cluster = again(ItemDeletionPolicy::DeleteData, false);
    assert_eq!(state(&cluster), Some(ProtectionState::Protected));
    assert_eq!(cluster.azure.points[&key(&item_id())].len(), 1);
    expect![[r#"
        delete shop-rg/web-1 from shop-weu, with its recovery points
        bring back shop-rg/web-1 in shop-weu
        protect shop-rg/web-1 in shop-weu by daily"#]]
    .assert_eq(&cluster.azure.calls.join("\n"));
}

/// Suspended keeps every recovery point: what would go in some days is brought back, and no backup begins.
#[test]
fn what_was_softly_deleted_and_is_declared_suspended_is_kept() {
    let cluster = again(ItemDeletionPolicy::DeleteData, true);
    assert_eq!(state(&cluster), Some(ProtectionState::ProtectionStopped));
    expect![[r#"
        delete shop-rg/web-1 from shop-weu, with its recovery points
        bring back shop-rg/web-1 in shop-weu"#]]
    .assert_eq(&cluster.azure.calls.join("\n"));
    let status = cluster.item.as_ref().unwrap().status.as_ref().unwrap();
    assert_eq!(status.state, Some(Declared::ProtectionStopped));
    assert_eq!(status.recovery_points.as_ref().unwrap().total, 1);
}

#[test]
fn what_was_suspended_is_resumed() {
    let cluster = again(ItemDeletionPolicy::Suspend, false);
    assert_eq!(state(&cluster), Some(ProtectionState::Protected));
    expect![[r#"
        suspend the protection of shop-rg/web-1 in shop-weu
        protect shop-rg/web-1 in shop-weu by daily"#]]
    .assert_eq(&cluster.azure.calls.join("\n"));
}

#[test]
fn what_was_let_alone_is_as_it_was() {
    let cluster = again(ItemDeletionPolicy::Orphan, false);
    assert_eq!(state(&cluster), Some(ProtectionState::Protected));
    assert!(cluster.azure.calls.is_empty(), "{:?}", cluster.azure.calls);
}

/// Azure's own suspension lets points expire by the policy; ours keeps them all.
#[test]
fn suspended_keeps_every_point() {
    let mut cluster = backed_up();
    let item = cluster.azure.items.get_mut(&key(&item_id())).unwrap();
    item.protection_state = Some(ProtectionState::BackupsSuspended);
    cluster.edit_item(|item| item.spec.suspend = true);
    cluster.converge(&ALL);
    assert_eq!(state(&cluster), Some(ProtectionState::ProtectionStopped));
}

#[test]
fn a_change_of_disks_is_a_change_of_the_protection() {
    let mut cluster = backed_up();
    for disks in [
        "{ exclude: [1, 0] }",
        "{ include: [2] }",
        "{ osDiskOnly: true }",
    ] {
        cluster.edit_item(|item| item.spec.disks = Some(parse(disks)));
        cluster.converge(&ALL);
        assert_eq!(
            cluster.azure.calls.len(),
            1,
            "{disks}: {:?}",
            cluster.azure.calls
        );
        cluster.azure.calls.clear();
        cluster.azure.now += SignedDuration::from_hours(1);
        cluster.converge(&ALL);
        assert!(
            cluster.azure.calls.is_empty(),
            "{disks}: {:?}",
            cluster.azure.calls
        );
    }
    let sent = |cluster: &Cluster| {
        let item = &cluster.azure.items[&key(&item_id())];
        let properties = item.extended_properties.as_ref().unwrap();
        let chosen = properties.disk_exclusion_properties.as_ref().unwrap();
        (chosen.disk_lun_list.clone(), chosen.is_inclusion_list)
    };
    assert_eq!(sent(&cluster), (Some(vec![]), Some(true)));
    cluster.edit_item(|item| item.spec.disks = None);
    cluster.converge(&ALL);
    assert_eq!(sent(&cluster), (Some(vec![]), Some(false)));
}

/// An Enhanced policy's machine cannot go to a Standard one; the other way it can.
#[test]
fn from_an_enhanced_policy_to_a_standard_one() {
    let mut cluster = Cluster::applied();
    cluster.edit_policy(|policy| policy.spec.tier = kluis_api::Tier::Enhanced);
    cluster.converge(&ALL);
    let enhanced = cluster.policy.clone();
    cluster.policy = None;
    let mut plain = Cluster::applied().policy.unwrap();
    plain.metadata.name = Some("plain".to_owned());
    cluster.policy = Some(plain);
    cluster.edit_item(|item| item.spec.policy_ref.name = Some("plain".to_owned()));
    cluster.azure.calls.clear();
    cluster.converge(&ALL);
    expect!["stalled: TierDowngrade: The machine is protected by daily, which is Enhanced, and cannot go to plain, which is Standard: name a policy with tier: Enhanced."].assert_eq(&said(&cluster, Kind::ProtectedVM));
    expect!["write the policy plain into the vault shop-weu"]
        .assert_eq(&cluster.azure.calls.join("\n"));

    let mut cluster = Cluster::converged();
    cluster.policy = enhanced.map(|mut policy| {
        policy.metadata.name = Some("better".to_owned());
        policy.status = None;
        policy
    });
    cluster.edit_item(|item| item.spec.policy_ref.name = Some("better".to_owned()));
    cluster.converge(&ALL);
    assert_eq!(
        said(&cluster, Kind::ProtectedVM),
        "InitialBackupPending: Protected by better; the first backup is still to come."
    );
}

/// Nor by way of a stop before its first recovery point, by which the service could tell.
#[test]
fn what_was_enhanced_before_it_was_stopped_stays_enhanced() {
    let mut cluster = Cluster::applied();
    cluster.edit_policy(|policy| policy.spec.tier = kluis_api::Tier::Enhanced);
    cluster.converge(&ALL);
    cluster.edit_item(|item| item.spec.suspend = true);
    cluster.converge(&ALL);
    let mut plain = Cluster::applied().policy.unwrap();
    plain.metadata.name = Some("plain".to_owned());
    cluster.policy = Some(plain);
    cluster.edit_item(|item| {
        item.spec.suspend = false;
        item.spec.policy_ref.name = Some("plain".to_owned());
    });
    cluster.converge(&ALL);
    assert_eq!(state(&cluster), Some(ProtectionState::ProtectionStopped));
    let said = said(&cluster, Kind::ProtectedVM);
    assert!(said.starts_with("stalled: TierDowngrade"), "{said}");
    assert!(said.contains("protected by daily"), "{said}");
}

#[test]
fn another_redundancy_once_an_item_is_registered() {
    let mut cluster = backed_up();
    cluster.edit_vault(|vault| {
        vault.spec.redundancy = Redundancy::LocallyRedundant;
        vault.spec.soft_delete = SoftDelete {
            state: SoftDeleteState::Enabled,
            retention_days: 30,
        };
    });
    cluster.converge(&ALL);
    // What can be changed is; the rest is not asked for at all.
    expect!["change the vault shop-rg/shop-weu: soft delete"]
        .assert_eq(&cluster.azure.calls.join("\n"));
    expect!["stalled: RedundancyLocked: The vault is GeoRedundant and cannot become LocallyRedundant: an item is registered in it (rule 39). Set redundancy: GeoRedundant, or make another Vault."].assert_eq(&said(&cluster, Kind::Vault));
}

#[test]
fn another_redundancy_before_that() {
    let mut cluster = Cluster::applied();
    cluster.item = None;
    cluster.converge(&ALL);
    cluster.azure.calls.clear();
    cluster.edit_vault(|vault| vault.spec.redundancy = Redundancy::ZoneRedundant);
    cluster.converge(&ALL);
    assert_eq!(
        cluster.azure.calls,
        ["change the vault shop-rg/shop-weu: redundancy"]
    );
}

fn namesake(made: &str) -> Vault {
    let mut vault: Vault = Cluster::applied().vault.unwrap();
    vault.metadata.name = Some("twin".to_owned());
    vault.metadata.creation_timestamp = Some(kluis_api::Time(made.parse().unwrap()));
    vault.spec.azure_name = Some("SHOP-weu".to_owned());
    vault
}

fn made(cluster: &mut Cluster, at: &str) {
    let metadata = &mut cluster.vault.as_mut().unwrap().metadata;
    metadata.creation_timestamp = Some(kluis_api::Time(at.parse().unwrap()));
}

#[test]
fn of_two_objects_for_one_vault_the_older_has_it() {
    let mut cluster = Cluster::applied();
    made(&mut cluster, "2026-11-22T11:00:00Z");
    cluster.namesake = Some(namesake("2026-11-22T10:00:00Z"));
    cluster.converge(&ALL);
    assert!(cluster.azure.calls.is_empty(), "{:?}", cluster.azure.calls);
    expect!["stalled: DeclaredBy: Vault shop/twin declares this vault in Azure already: delete one of the two, or choose another azureName."].assert_eq(&said(&cluster, Kind::Vault));
    expect!["stalled: VaultNotReady: The Vault shop/shop-weu is not Ready: Vault shop/twin declares this vault in Azure already: delete one of the two, or choose another azureName."].assert_eq(&said(&cluster, Kind::ProtectedVM));

    cluster.namesake = Some(namesake("2026-11-22T12:00:00Z"));
    cluster.converge(&ALL);
    assert_eq!(cluster.azure.vaults.len(), 1);
}

/// One that goes leaves the vault to the one that stays, whatever it wished.
#[test]
fn an_object_that_goes_leaves_the_vault_to_the_other() {
    let mut cluster = Cluster::applied();
    cluster.item = None;
    made(&mut cluster, "2026-11-22T10:00:00Z");
    cluster.edit_vault(|vault| vault.spec.deletion_policy = VaultDeletionPolicy::Delete);
    cluster.converge(&ALL);
    cluster.namesake = Some(namesake("2026-11-22T12:00:00Z"));
    cluster.delete(Kind::BackupPolicy);
    cluster.delete(Kind::Vault);
    cluster.converge(&ALL);
    assert!(cluster.vault.is_none());
    assert_eq!(cluster.azure.vaults.len(), 1);
}

/// Somebody whom the service does not let in cannot keep a vault from its owner by naming it first.
#[test]
fn an_outsiders_object_counts_for_nothing() {
    let mut cluster = Cluster::applied();
    made(&mut cluster, "2026-11-22T11:00:00Z");
    let mut twin = namesake("2026-11-22T10:00:00Z");
    twin.metadata.namespace = Some("squatter".to_owned());
    cluster.namesake = Some(twin);
    cluster.converge(&ALL);
    assert_eq!(cluster.azure.vaults.len(), 1, "{}", cluster.log);
}

/// `Never` makes its own vault, knows it again whenever the process dies, and takes none that was there.
#[test]
fn a_vault_that_takes_nothing_over() {
    for crash in 0..4 {
        let mut cluster = Cluster::applied();
        cluster.edit_vault(|vault| vault.spec.adoption_policy = AdoptionPolicy::Never);
        cluster.crash_after = Some(crash);
        cluster.converge(&ALL);
        cluster.converge(&ALL);
        assert!(
            said(&cluster, Kind::Vault).starts_with("AsDeclared"),
            "{}",
            cluster.log
        );

        let mut again = Cluster::applied();
        again.edit_vault(|vault| vault.spec.adoption_policy = AdoptionPolicy::Never);
        again.azure.vaults = cluster.azure.vaults;
        again.converge(&ALL);
        assert!(again.azure.calls.is_empty());
        expect!["stalled: ForeignVault: /subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu exists already, and adoptionPolicy is Never. Choose another azureName, or set adoptionPolicy: Always to take it over."].assert_eq(&said(&again, Kind::Vault));
    }
}

/// Who may ask nothing of Azure any more goes without its end there, and nothing there is touched.
#[test]
fn a_withdrawn_consent_holds_nothing() {
    for wish in [
        ItemDeletionPolicy::RetainData,
        ItemDeletionPolicy::DeleteData,
    ] {
        let mut cluster = backed_up();
        cluster.edit_item(|item| item.spec.deletion_policy = wish);
        cluster.edit_vault(|vault| vault.spec.deletion_policy = VaultDeletionPolicy::Delete);
        cluster.converge(&ALL);
        cluster.azure.calls.clear();
        cluster.service.as_mut().unwrap().spec.namespaces.clear();
        for kind in ALL {
            cluster.delete(kind);
        }
        let plan = cluster.reconcile(Kind::ProtectedVM).unwrap().plan;
        expect![[r#"
            step  let the object go
            say   nothing: the object is going
            event ! ProtectionLeftAsItIs The BackupService azure does not let the namespace shop use the resource group shop-rg: whoever owns the service lists both under spec.namespaces. What is protected in Azure goes on as it is.
            next  await a change
        "#]].assert_eq(&plan.to_string());
        cluster.converge(&ALL);
        assert!(cluster.item.is_none() && cluster.policy.is_none() && cluster.vault.is_none());
        assert!(cluster.service.is_none());
        let touched = cluster
            .azure
            .calls
            .iter()
            .filter(|call| !call.starts_with("take the policy"));
        assert_eq!(touched.count(), 0, "{:?}", cluster.azure.calls);
        assert_eq!(cluster.azure.points[&key(&item_id())].len(), 1);
    }
}

#[test]
fn what_is_in_the_way_of_going_names_the_way_out() {
    let mut cluster = backed_up();
    cluster.edit_vault(|vault| vault.spec.deletion_policy = VaultDeletionPolicy::Delete);
    cluster.converge(&ALL);
    cluster.delete(Kind::ProtectedVM);
    cluster.delete(Kind::BackupPolicy);
    cluster.converge(&[Kind::ProtectedVM, Kind::BackupPolicy]);
    cluster.delete(Kind::Vault);
    cluster.reconcile(Kind::Vault);
    expect!["stalled: VaultNotEmpty: The vault shop-weu is not empty, and nobody asked to delete what is in it: machine shop-rg/web-1. Delete its data first, by a ProtectedVM with deletionPolicy: DeleteData or by another client of the service. To let this object go without it, set spec.deletionPolicy: Retain."].assert_eq(&said(&cluster, Kind::Vault));
    cluster.edit_vault(|vault| vault.spec.deletion_policy = VaultDeletionPolicy::Retain);
    cluster.converge(&ALL);
    assert!(cluster.vault.is_none());
}
