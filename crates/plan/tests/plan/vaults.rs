//! Vaults that go, come back, and are made immutable; and the ends of protection that depend on that.

use kluis_api::{
    AdoptionPolicy, ConditionStatus, Immutability, ItemDeletionPolicy, VaultDeletionPolicy,
};
use kluis_arm::vault as wire;
use kluis_plan::Kind;

use crate::azure::{item_id, key};
use crate::cluster::{ALL, Cluster, parse};

/// A machine with a recovery point.
fn backed_up() -> Cluster {
    let mut cluster = Cluster::converged();
    cluster.azure.run_schedule(&item_id());
    cluster.converge(&ALL);
    cluster.azure.calls.clear();
    cluster.log.clear();
    cluster
}

/// `stalled: Reason: message` of the Vault.
fn said(cluster: &Cluster) -> String {
    let status = cluster.vault.as_ref().unwrap().status.as_ref().unwrap();
    let is_stalled = status.conditions.last().unwrap().status == ConditionStatus::True;
    let ready = &status.conditions[0];
    let stance = if is_stalled { "stalled: " } else { "" };
    format!("{stance}{}: {}", ready.reason, ready.message)
}

fn item_said(cluster: &Cluster) -> String {
    let status = cluster.item.as_ref().unwrap().status.as_ref().unwrap();
    let ready = &status.conditions[0];
    format!("{}: {}", ready.reason, ready.message)
}

fn immutability(cluster: &Cluster) -> Option<wire::Immutability> {
    let vault = cluster.azure.vaults.values().next()?;
    let security = vault.properties.as_ref()?.security_settings.as_ref()?;
    security.immutability_settings.as_ref()?.state.clone()
}

#[test]
fn a_vault_that_somebody_softly_deleted_is_brought_back_and_not_made_anew() {
    let mut cluster = backed_up();
    cluster.azure.delete_softly(item_id().vault());
    cluster.converge(&ALL);
    assert_eq!(
        cluster.azure.calls,
        ["bring back the vault shop-rg/shop-weu, with all that was in it"]
    );
    assert_eq!(
        said(&cluster),
        "AsDeclared: The vault shop-weu is as declared."
    );
    let told = "event ! VaultSoftlyDeleted The vault shop-weu was softly deleted on 2026-11-22 12:00Z. It is brought back with all \
                that was in it; it would have gone for good on 2026-12-06 12:00Z.";
    assert!(cluster.log.contains(told), "{}", cluster.log);
}

/// Also by a Vault that is declared for the first time: the one before it went with its vault.
#[test]
fn who_declares_a_softly_deleted_vault_again_has_it_back() {
    let mut cluster = backed_up();
    cluster.azure.delete_softly(item_id().vault());
    cluster.vault.as_mut().unwrap().status = None;
    cluster.converge(&ALL);
    assert_eq!(
        cluster.azure.calls,
        ["bring back the vault shop-rg/shop-weu, with all that was in it"]
    );
}

#[test]
fn one_that_takes_nothing_over_makes_no_vault_over_a_softly_deleted_one() {
    let mut cluster = backed_up();
    cluster.azure.delete_softly(item_id().vault());
    cluster.edit_vault(|vault| {
        vault.spec.adoption_policy = AdoptionPolicy::Never;
        vault.status = None;
    });
    cluster.converge(&[Kind::Vault]);
    assert_eq!(cluster.azure.calls, Vec::<String>::new());
    assert_eq!(
        said(&cluster),
        format!(
            "stalled: VaultSoftlyDeleted: {} was softly deleted and can be brought back until 2026-12-06 12:00Z; adoptionPolicy is Never, \
             and a vault of that name now would shut the way back. Choose another azureName, or set adoptionPolicy: IfTagged to bring it back.",
            item_id().vault()
        )
    );
}

#[test]
fn a_vault_that_cannot_come_back_is_made_anew_and_that_is_told() {
    let mut cluster = backed_up();
    cluster.azure.vaults.clear();
    cluster.azure.items.clear();
    cluster.converge(&[Kind::Vault]);
    assert_eq!(
        cluster.azure.calls,
        ["make the vault shop-rg/shop-weu in westeurope"]
    );
    let told = "event ! VaultLost The vault shop-weu was deleted, and is not among those that can be brought back: what was in it is \
                lost. It is made anew, empty.";
    assert!(cluster.log.contains(told), "{}", cluster.log);
}

#[test]
fn a_vault_goes_with_what_is_softly_deleted_in_it_and_comes_back_with_it() {
    let mut cluster = backed_up();
    let (service, vault, policy, item) = (
        cluster.service.clone(),
        cluster.vault.clone(),
        cluster.policy.clone(),
        cluster.item.clone(),
    );
    cluster.edit_item(|item| item.spec.deletion_policy = ItemDeletionPolicy::DeleteData);
    cluster.edit_vault(|vault| vault.spec.deletion_policy = VaultDeletionPolicy::Delete);
    cluster.converge(&ALL);
    for kind in [Kind::ProtectedVM, Kind::BackupPolicy, Kind::Vault] {
        cluster.delete(kind);
    }
    cluster.converge(&ALL);
    assert!(cluster.vault.is_none(), "{}", cluster.log);
    assert!(cluster.azure.vaults.is_empty());
    let anew = |metadata: &kluis_api::ObjectMeta| kluis_api::ObjectMeta {
        name: metadata.name.clone(),
        namespace: metadata.namespace.clone(),
        generation: Some(1),
        ..kluis_api::ObjectMeta::default()
    };
    (cluster.service, cluster.vault, cluster.policy, cluster.item) = (service, vault, policy, item);
    let (vault, policy, item) = (
        cluster.vault.as_mut().unwrap(),
        cluster.policy.as_mut().unwrap(),
        cluster.item.as_mut().unwrap(),
    );
    (vault.metadata, vault.status) = (anew(&vault.metadata), None);
    (policy.metadata, policy.status) = (anew(&policy.metadata), None);
    (item.metadata, item.status) = (anew(&item.metadata), None);
    cluster.converge(&ALL);
    let status = cluster.item.as_ref().unwrap().status.as_ref().unwrap();
    assert_eq!(status.recovery_points.as_ref().unwrap().total, 1);
    assert_eq!(item_said(&cluster), "Protected: Protected by daily.");
}

#[test]
fn a_vault_in_which_data_are_kept_stays_and_says_whose_they_are() {
    let mut cluster = backed_up();
    cluster.edit_vault(|vault| vault.spec.deletion_policy = VaultDeletionPolicy::Delete);
    cluster.converge(&ALL);
    cluster.azure.calls.clear();
    for kind in [Kind::ProtectedVM, Kind::BackupPolicy, Kind::Vault] {
        cluster.delete(kind);
    }
    cluster.converge(&ALL);
    assert_eq!(
        said(&cluster),
        "stalled: VaultNotEmpty: The vault shop-weu is not empty, and nobody asked to delete what is in it: machine shop-rg/web-1. \
         Delete its data first, by a ProtectedVM with deletionPolicy: DeleteData or by another client of the service. \
         To let this object go without it, set spec.deletionPolicy: Retain."
    );
    let deletes = |call: &&String| call.starts_with("delete");
    assert_eq!(cluster.azure.calls.iter().find(deletes), None);
    cluster.azure.unprotect(&item_id());
    cluster.converge(&ALL);
    assert!(cluster.vault.is_none(), "{}", cluster.log);
}

#[test]
fn a_vault_is_made_immutable_and_locked_by_way_of_unlocked() {
    let mut cluster = backed_up();
    cluster.azure.is_immutable = false;
    let set = |cluster: &mut Cluster, wanted| {
        cluster.edit_vault(|vault| vault.spec.immutability = wanted);
        cluster.converge(&ALL);
    };
    set(&mut cluster, Some(Immutability::Disabled));
    assert_eq!(immutability(&cluster), None, "it is as declared");
    set(&mut cluster, Some(Immutability::Locked));
    assert_eq!(immutability(&cluster), Some(wire::Immutability::Locked));
    assert_eq!(
        cluster.azure.calls,
        ["change the vault shop-rg/shop-weu: immutability"; 2]
    );
    assert_eq!(
        said(&cluster),
        "AsDeclared: The vault shop-weu is as declared."
    );
    let status = cluster.vault.as_ref().unwrap().status.as_ref().unwrap();
    assert_eq!(status.immutability.as_deref(), Some("Locked"));
    set(&mut cluster, None);
    assert_eq!(
        said(&cluster),
        "AsDeclared: The vault shop-weu is as declared."
    );
    set(&mut cluster, Some(Immutability::Unlocked));
    assert_eq!(
        said(&cluster),
        "stalled: ImmutabilityLocked: The immutability of this vault is locked for ever and cannot become Unlocked: set immutability: Locked."
    );
    assert_eq!(cluster.azure.calls.len(), 2);
}

#[test]
fn what_cannot_be_suspended_says_so_before_and_is_not_asked_to_be() {
    let mut cluster = backed_up();
    cluster.azure.is_immutable = false;
    cluster.azure.now += jiff::SignedDuration::from_mins(11);
    cluster.edit_item(|item| item.spec.deletion_policy = ItemDeletionPolicy::Suspend);
    cluster.converge(&ALL);
    let way_out = "Backups can only be suspended, with recovery points that expire by the policy, in a vault with immutability, and the \
                   vault shop/shop-weu has none: set immutability: Unlocked on its Vault, or deletionPolicy: RetainData here, which keeps \
                   every point.";
    assert_eq!(
        item_said(&cluster),
        format!(
            "Protected: Protected by daily. Its deletionPolicy: Suspend could not be carried out. {way_out}"
        )
    );
    cluster.delete(Kind::ProtectedVM);
    cluster.converge(&ALL);
    assert_eq!(
        item_said(&cluster),
        format!(
            "VaultNotImmutable: {way_out} To let this object go without it, set spec.deletionPolicy: Orphan."
        )
    );
    assert_eq!(cluster.azure.calls, Vec::<String>::new());
    cluster.edit_vault(|vault| vault.spec.immutability = Some(Immutability::Unlocked));
    cluster.converge(&ALL);
    assert!(cluster.item.is_none(), "{}", cluster.log);
    assert!(cluster.azure.wrong.is_empty(), "{:?}", cluster.azure.wrong);
    assert_eq!(
        cluster.azure.items[&key(&item_id())].protection_state,
        Some(kluis_arm::item::ProtectionState::BackupsSuspended)
    );
}

#[test]
fn data_in_a_vault_with_immutability_say_before_that_they_cannot_be_deleted_and_are_not_asked_to_be()
 {
    let mut cluster = backed_up();
    cluster.azure.is_immutable = true;
    cluster.edit_item(|item| item.spec.deletion_policy = ItemDeletionPolicy::DeleteData);
    cluster.converge(&ALL);
    let way_out = "The vault shop/shop-weu has immutability: no data in it are deleted before their time. Set deletionPolicy: Suspend here, \
                   by which recovery points expire by the policy, or RetainData; or, unless it is locked, set immutability: Disabled on its \
                   Vault first.";
    assert_eq!(
        item_said(&cluster),
        format!(
            "Protected: Protected by daily. Its deletionPolicy: DeleteData could not be carried out. {way_out}"
        )
    );
    cluster.delete(Kind::ProtectedVM);
    cluster.converge(&ALL);
    assert_eq!(
        item_said(&cluster),
        format!(
            "VaultImmutable: {way_out} To let this object go without it, set spec.deletionPolicy: Orphan."
        )
    );
    assert_eq!(cluster.azure.calls, Vec::<String>::new());
    cluster.edit_item(|item| item.spec.deletion_policy = ItemDeletionPolicy::Suspend);
    cluster.converge(&ALL);
    assert!(cluster.item.is_none(), "{}", cluster.log);
}

/// A manifest that says nothing of immutability leaves what others set.
#[test]
fn what_is_not_declared_is_left_as_it_is() {
    let vault: kluis_api::Vault = parse(
        "{ apiVersion: kluis.dev/v1alpha1, kind: Vault, metadata: { name: v }, spec: { serviceRef: { name: a }, resourceGroup: g, location: l } }",
    );
    assert_eq!(vault.spec.immutability, None);
    let mut cluster = backed_up();
    cluster.azure.is_immutable = true;
    cluster.converge(&ALL);
    assert_eq!(cluster.azure.calls, Vec::<String>::new());
}

/// The move is not sent, nobody is asked to approve it, and a resumption by the shorter policy is none either.
#[test]
fn a_shorter_policy_in_a_vault_with_immutability_is_said_to_be_refused_before_it_is_asked_for() {
    let mut cluster = backed_up();
    cluster.azure.is_immutable = true;
    cluster.edit_vault(|vault| vault.spec.immutability = Some(Immutability::Unlocked));
    cluster.converge(&ALL);
    let mut short = cluster.policy.clone().unwrap();
    short.metadata.name = Some("short".to_owned());
    short.spec.retention.daily = Some(kluis_api::DailyRetention { keep: 10 });
    short.status = None;
    let name_short = |cluster: &mut Cluster| {
        cluster.policy = Some(short.clone());
        cluster.edit_item(|item| item.spec.policy_ref.name = Some("short".to_owned()));
    };
    let refused = "RetentionImmutable: The vault shop/shop-weu has immutability: no recovery point ends before its time, and the policy short \
                   keeps them for a shorter time than the one that this machine has, or had when it was stopped. Name a policy that keeps \
                   each tier for at least as long; or, unless it is locked, set immutability: Disabled on its Vault first.";
    name_short(&mut cluster);
    cluster.azure.calls.clear();
    cluster.converge(&ALL);
    assert_eq!(item_said(&cluster), refused);
    let of_items = |cluster: &Cluster| {
        let calls = cluster.azure.calls.iter();
        calls.filter(|call| call.contains("web-1")).count()
    };
    assert_eq!(of_items(&cluster), 0, "{:?}", cluster.azure.calls);

    let mut cluster = backed_up();
    cluster.azure.is_immutable = true;
    cluster.edit_vault(|vault| vault.spec.immutability = Some(Immutability::Unlocked));
    cluster.edit_item(|item| item.spec.suspend = true);
    cluster.converge(&ALL);
    name_short(&mut cluster);
    cluster.edit_item(|item| item.spec.suspend = false);
    cluster.azure.calls.clear();
    cluster.converge(&ALL);
    assert_eq!(item_said(&cluster), refused);
    assert_eq!(of_items(&cluster), 0, "{:?}", cluster.azure.calls);
}
