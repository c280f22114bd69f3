//! A whole namespace deleted at once: it ends clean in any order, with data that is to be deleted, with a backup under way, with a vault
//! that is to go, and when the service's consent was withdrawn before.

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
