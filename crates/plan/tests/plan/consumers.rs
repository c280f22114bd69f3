//! A consumer's mistake shows at the consumer: what many use is as it is declared wherever it can be.

use kluis_api::{ConditionStatus, ProtectedVM, Vault, VaultType};
use kluis_plan::Kind;

use crate::cluster::{ALL, Cluster};

/// The machine of the cluster, naming another vault.
fn naming(cluster: &Cluster, vault: &str) -> ProtectedVM {
    let mut item = cluster.item.clone().unwrap();
    let (home, name) = vault.split_once('/').unwrap();
    item.metadata.name = Some("typo".to_owned());
    item.spec.vault_ref.name = name.to_owned();
    item.spec.vault_ref.namespace = (home != "shop").then(|| home.to_owned());
    item
}

/// The vault of the cluster as another one, in a namespace of its own choice.
fn vault(cluster: &Cluster, named: &str, edit: impl FnOnce(&mut Vault)) -> Vault {
    let mut vault = cluster.vault.clone().unwrap();
    let (home, name) = named.split_once('/').unwrap();
    vault.metadata.namespace = Some(home.to_owned());
    vault.metadata.name = Some(name.to_owned());
    vault.spec.azure_name = Some(name.to_owned());
    edit(&mut vault);
    vault
}

/// What the policy says once it has been looked at again: its conditions, and its word on each vault.
fn policy(cluster: &mut Cluster) -> (Vec<String>, Vec<Option<String>>) {
    cluster.converge(&[Kind::BackupPolicy]);
    let status = cluster.policy.as_ref().unwrap().status.as_ref().unwrap();
    let conditions = status
        .conditions
        .iter()
        .filter(|condition| condition.status == ConditionStatus::True)
        .map(|condition| {
            format!(
                "{:?} {} {}",
                condition.type_, condition.reason, condition.message
            )
        });
    let vaults = status.vaults.iter().map(|vault| vault.message.clone());
    (conditions.collect(), vaults.collect())
}

/// What a consumer names, what is said to it, and what its vault is.
type Mistake = (&'static str, &'static str, Option<fn(&mut Vault)>);

#[test]
fn a_policy_stays_ready_whatever_a_consumer_gets_wrong() {
    let mistakes: [Mistake; 6] = [
        ("shop/nope", "There is no Vault", None),
        (
            "bank/safe",
            "does not let the namespace shop use it",
            Some(|_| {}),
        ),
        (
            "shop/disks",
            "type Backup",
            Some(|vault| vault.spec.type_ = VaultType::Backup),
        ),
        (
            "shop/orphaned",
            "There is no BackupService",
            Some(|vault| {
                vault.spec.service_ref.name = "nobody".to_owned();
                vault.status.as_mut().unwrap().azure_id = None;
                stall(
                    vault,
                    "ServiceNotFound",
                    "There is no BackupService nobody.",
                );
            }),
        ),
        (
            "shop/foreign",
            "was not made by Kluis",
            Some(|vault| stall(vault, "ForeignVault", "It was not made by Kluis.")),
        ),
        (
            "shop/going",
            "Under way: deleting the vault",
            Some(|vault| {
                let now = "2026-11-22T12:00:00Z".parse().unwrap();
                vault.metadata.deletion_timestamp = Some(kluis_api::Time(now));
                stall(vault, "DeleteVault", "Under way: deleting the vault.");
            }),
        ),
    ];
    for (name, said, edit) in mistakes {
        let mut cluster = Cluster::converged();
        let object = edit.map(|edit| vault(&cluster, name, edit));
        let item = naming(&cluster, name);
        cluster.elsewhere.push((name, object, item));
        let (conditions, vaults) = policy(&mut cluster);
        assert_eq!(conditions, ["Ready InForce In force in 1 vault."], "{name}");
        let [None, Some(message)] = vaults.as_slice() else {
            panic!("{name}: {vaults:?}");
        };
        assert!(message.contains(said), "{name}: {message}");
    }
}

/// A vault whose object says that a person has to do something.
fn stall(vault: &mut Vault, reason: &str, message: &str) {
    let conditions = &mut vault.status.as_mut().unwrap().conditions;
    for condition in conditions {
        let is_stalled = condition.type_ == kluis_api::ConditionType::Stalled;
        condition.status = match is_stalled {
            true => ConditionStatus::True,
            false => ConditionStatus::False,
        };
        condition.reason = reason.to_owned();
        condition.message = message.to_owned();
    }
}

#[test]
fn a_policy_that_only_a_mistake_names_says_that_it_is_in_no_vault() {
    let mut cluster = Cluster::converged();
    let item = naming(&cluster, "shop/nope");
    cluster.item = None;
    cluster.azure.items.clear();
    cluster.elsewhere.push(("shop/nope", None, item));
    let (conditions, _) = policy(&mut cluster);
    assert_eq!(
        conditions,
        [
            "Ready NotUsed In no vault: its items name none that they can use, and say why. It is written into one when they do."
        ]
    );
}

#[test]
fn neither_a_vault_nor_a_service_says_what_is_wrong_with_who_uses_it() {
    let mut cluster = Cluster::applied();
    cluster.edit_item(|item| item.spec.vm.name = Some("nope".to_owned()));
    cluster.converge(&ALL);
    let ready = |conditions: &[kluis_api::Condition]| conditions[0].status;
    let vault = cluster.vault.as_ref().unwrap().status.as_ref().unwrap();
    assert_eq!(ready(&vault.conditions), ConditionStatus::True);
    let service = cluster.service.as_ref().unwrap().status.as_ref().unwrap();
    assert_eq!(ready(&service.conditions), ConditionStatus::True);
    let item = cluster.item.as_ref().unwrap().status.as_ref().unwrap();
    assert_eq!(item.conditions[0].reason, "VmNotFound");
}
