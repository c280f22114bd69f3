//! A whole namespace deleted at once: it ends clean in any order, with data that is to be deleted, with a backup under way, with a vault
//! that is to go, with data that are kept, and when the service's consent was withdrawn before. And a vault that somebody else deleted.

use crate::simulation::{Order, Simulation, manifest};
use futures::executor::block_on;
use jiff::SignedDuration;
use kluis_client::Method;
use kluis_operator::Kind;
use serde_json::{Value, json};

/// A machine with a recovery point; `edit` changes the manifests before they are applied.
fn backed_up(seed: u64, edit: impl Fn(Kind, &mut Value)) -> Simulation {
    let mut world = Simulation::new(Order::Shuffled(seed), None);
    for kind in [
        Kind::BackupService,
        Kind::Vault,
        Kind::BackupPolicy,
        Kind::ProtectedVM,
        Kind::BackupJob,
    ] {
        let mut object = manifest(kind);
        edit(kind, &mut object);
        world.objects.apply(kind, &object);
    }
    block_on(world.settle());
    assert_eq!(world.azure.points(), 1, "{}", world.log());
    world
}

fn delete_everything(world: &mut Simulation) {
    for key in world.objects.keys() {
        world.objects.delete_by_hand(&key);
    }
    world.tell("everything is deleted at once");
}

#[test]
fn with_its_data_while_a_backup_is_under_way() {
    for seed in 0..6 {
        let mut world = backed_up(seed, |kind, object| {
            if kind == Kind::ProtectedVM {
                object["spec"]["deletionPolicy"] = "DeleteData".into();
            }
        });
        let machine = "iaasvmcontainerv2;shop-rg;web-1";
        let backup = format!(
            "backupFabrics/Azure/protectionContainers/IaasVMContainer;{machine}/protectedItems/VM;{machine}/backup"
        );
        let body = json!({ "properties": { "objectType": "IaasVMBackupRequest" } });
        let status = world.azure.ask(Method::Post, &backup, Some(body));
        assert_eq!(status, 202);
        delete_everything(&mut world);
        block_on(world.settle());
        assert_eq!(world.objects.keys(), [], "seed {seed}:\n{}", world.log());
        let item = world.azure.item().unwrap();
        assert_eq!(item["isScheduledForDeferredDelete"], true, "{item}");
    }
}

#[test]
fn with_the_vault_where_nothing_is_kept() {
    for seed in 0..6 {
        let mut world = backed_up(seed, |kind, object| match kind {
            Kind::ProtectedVM => object["spec"]["deletionPolicy"] = "DeleteData".into(),
            Kind::Vault => {
                object["spec"]["deletionPolicy"] = "Delete".into();
                object["spec"]["softDelete"] = json!({ "state": "Disabled", "retentionDays": 14 });
            }
            _ => {}
        });
        delete_everything(&mut world);
        block_on(world.settle());
        assert_eq!(world.objects.keys(), [], "seed {seed}:\n{}", world.log());
        assert_eq!(world.azure.ask(Method::Get, "", None), 404);
    }
}

/// Everything that is declared of a backed-up machine, again, after it was deleted.
fn declare_again(world: &mut Simulation) {
    for kind in [
        Kind::BackupService,
        Kind::Vault,
        Kind::BackupPolicy,
        Kind::ProtectedVM,
    ] {
        world.objects.apply(kind, &manifest(kind));
    }
    world.tell("it is declared again");
    block_on(world.settle());
}

/// By the default the vault goes softly, with its softly deleted items; and who declares it again has all of it back.
#[test]
fn with_the_vault_and_back_where_deletions_are_soft() {
    for seed in 0..6 {
        let mut world = backed_up(seed, |kind, object| match kind {
            Kind::ProtectedVM => object["spec"]["deletionPolicy"] = "DeleteData".into(),
            Kind::Vault => object["spec"]["deletionPolicy"] = "Delete".into(),
            _ => {}
        });
        delete_everything(&mut world);
        block_on(world.settle());
        assert_eq!(world.objects.keys(), [], "seed {seed}:\n{}", world.log());
        assert_eq!(world.azure.ask(Method::Get, "", None), 404);
        assert_eq!(world.azure.deleted_vaults(), [world.azure.path_of("")]);
        declare_again(&mut world);
        assert_eq!(world.azure.deleted_vaults(), [""; 0]);
        assert_eq!(world.azure.points(), 1, "seed {seed}:\n{}", world.log());
        let item = world.azure.item().unwrap();
        assert_eq!(item["protectionState"], "Protected", "{item}");
    }
}

/// What is kept is nobody's to delete: the vault stays, and with it its namespace, until a person says otherwise; and the object says how.
#[test]
fn where_data_are_kept_the_vault_says_what_stands_in_its_way() {
    for seed in 0..6 {
        let mut world = backed_up(seed, |kind, object| {
            if kind == Kind::Vault {
                object["spec"]["deletionPolicy"] = "Delete".into();
            }
        });
        delete_everything(&mut world);
        block_on(world.settle());
        let left = world.objects.keys();
        let vault = left.iter().find(|key| key.kind == Kind::Vault).unwrap();
        let kinds: Vec<Kind> = left.iter().map(|key| key.kind).collect();
        assert_eq!(kinds, [Kind::BackupService, Kind::Vault], "{}", world.log());
        let object = world.objects.peek(vault).unwrap();
        let ready = &object["status"]["conditions"][0];
        assert_eq!(ready["reason"], "VaultNotEmpty", "{ready}");
        let told = ready["message"].as_str().unwrap();
        assert!(
            told.contains("machine shop-rg/web-1.")
                && told.contains("deletionPolicy: DeleteData")
                && told.ends_with("set spec.deletionPolicy: Retain."),
            "{told}"
        );
        let mut retained = object.clone();
        retained["spec"]["deletionPolicy"] = "Retain".into();
        world.objects.apply(Kind::Vault, &retained);
        block_on(world.settle());
        assert_eq!(world.objects.keys(), [], "seed {seed}:\n{}", world.log());
        assert_eq!(world.azure.points(), 1);
    }
}

/// Somebody deletes a declared vault with all that is in it. To make it anew would shut the way back to its points.
#[test]
fn of_a_declared_vault_by_somebody_else_are_undone() {
    for seed in 0..6 {
        let mut world = backed_up(seed, |_, _| {});
        let machine = "iaasvmcontainerv2;shop-rg;web-1";
        let item = format!(
            "backupFabrics/Azure/protectionContainers/IaasVMContainer;{machine}/protectedItems/VM;{machine}"
        );
        assert_eq!(world.azure.ask(Method::Delete, &item, None), 202);
        assert_eq!(world.azure.delete_vault(), 202);
        while world.azure.happen(0).is_some() {}
        assert_eq!(world.azure.deleted_vaults(), [world.azure.path_of("")]);
        world.tell("somebody deleted the vault");
        block_on(world.live(SignedDuration::from_mins(30)));
        block_on(world.settle());
        assert_eq!(world.azure.deleted_vaults(), [""; 0], "{}", world.log());
        assert_eq!(world.azure.points(), 1, "seed {seed}:\n{}", world.log());
        let item = world.azure.item().unwrap();
        assert_eq!(item["protectionState"], "Protected", "{item}");
        let told = world.objects.events();
        let told = told
            .iter()
            .any(|event| event.contains("VaultSoftlyDeleted"));
        assert!(told, "{:?}", world.objects.events());
    }
}

/// Whose consent was withdrawn may ask nothing of Azure any more, neither to stop nor to delete: the objects go, and say what they leave.
#[test]
fn after_the_consent_was_withdrawn() {
    for seed in 0..6 {
        let mut world = backed_up(seed, |kind, object| {
            if kind == Kind::ProtectedVM {
                object["spec"]["deletionPolicy"] = "DeleteData".into();
            }
        });
        let mut service = manifest(Kind::BackupService);
        service["spec"]["namespaces"] = json!([]);
        world.objects.apply(Kind::BackupService, &service);
        delete_everything(&mut world);
        block_on(world.settle());
        assert_eq!(world.objects.keys(), [], "seed {seed}:\n{}", world.log());
        let item = world.azure.item().unwrap();
        assert_eq!(item["protectionState"], "Protected", "{item}");
        assert_eq!(world.azure.points(), 1);
        let told = world.objects.events();
        assert!(
            told.iter()
                .any(|event| event.contains("ProtectionLeftAsItIs")),
            "{told:?}"
        );
    }
}

/// A list of several pages leaves out what is there when others' entries go meanwhile: neither is a machine told to be without recovery
/// points for it, nor does an object go whose item has not.
#[test]
fn while_lists_pass_over_what_is_there() {
    for seed in 0..6 {
        let mut world = backed_up(seed, |kind, object| match kind {
            Kind::ProtectedVM => object["spec"]["deletionPolicy"] = "DeleteData".into(),
            Kind::Vault => {
                object["spec"]["deletionPolicy"] = "Delete".into();
                object["spec"]["softDelete"] = json!({ "state": "Disabled", "retentionDays": 14 });
            }
            _ => {}
        });
        let end = world.end();
        world.azure.let_lists_slip();
        world.tell("lists come in pages, and pass over everything");
        block_on(world.live(SignedDuration::from_mins(3)));
        block_on(world.settle());
        assert_eq!(world.end(), end, "{}", world.log());

        delete_everything(&mut world);
        block_on(world.settle());
        assert_eq!(world.objects.keys(), [], "seed {seed}:\n{}", world.log());
        assert_eq!(world.azure.ask(Method::Get, "", None), 404);
    }
}

/// The same from the beginning: everything is protected and backed up once.
#[test]
fn where_lists_tell_of_nothing_at_all() {
    let mut world = Simulation::new(Order::Plain, None);
    world.azure.let_lists_slip();
    for kind in [
        Kind::BackupService,
        Kind::Vault,
        Kind::BackupPolicy,
        Kind::ProtectedVM,
        Kind::BackupJob,
    ] {
        world.objects.apply(kind, &manifest(kind));
    }
    block_on(world.settle());
    assert_eq!(world.azure.points(), 1, "{}", world.log());
    let times = |what: &str| world.log().matches(what).count();
    assert_eq!(times("  does: protect"), 1, "{}", world.log());
    assert!(
        world.azure.get("backupPolicies/daily").is_some(),
        "{}",
        world.log()
    );
    delete_everything(&mut world);
    block_on(world.settle());
    assert_eq!(world.objects.keys(), [], "{}", world.log());
    let item = world.azure.item().unwrap();
    assert_eq!(item["protectionState"], "ProtectionStopped", "{item}");
}
