//! A whole convergence, in memory: what is done and said from the first manifest to the restored disks; the same with
//! the operator dying after every step, and in any order.

use crate::simulation::{Order, Simulation, manifest};
use expect_test::expect_file;
use futures::executor::block_on;
use kluis_operator::Kind;

/// The story: protect a machine, back it up, restore its disks.
async fn protect_back_up_restore(world: &mut Simulation) {
    let tell = |world: &mut Simulation, line: &str, kinds: &[Kind]| {
        world.tell(line);
        for kind in kinds {
            world.objects.apply(*kind, &manifest(*kind));
        }
    };
    let all = [
        Kind::BackupService,
        Kind::Vault,
        Kind::BackupPolicy,
        Kind::ProtectedVM,
    ];
    tell(world, "a machine is to be protected", &all);
    world.settle().await;
    tell(world, "a backup, now", &[Kind::BackupJob]);
    world.settle().await;
    tell(world, "its disks, back", &[Kind::Restore]);
    world.settle().await;
}

fn lived(order: Order, crash_after: Option<u64>) -> Simulation {
    let mut world = Simulation::new(order, crash_after);
    block_on(protect_back_up_restore(&mut world));
    world
}

#[test]
fn a_machine_is_protected_backed_up_and_restored() {
    let world = lived(Order::Plain, None);
    expect_file!["./convergence.txt"].assert_eq(&format!("{}\n{}", world.log(), world.end()));
}

#[test]
fn an_operator_that_dies_after_any_step_finishes_the_work_once() {
    let whole = lived(Order::Plain, None);
    assert!(whole.steps() > 5, "{} steps are no story", whole.steps());
    for step in 1..=whole.steps() {
        let crashed = lived(Order::Plain, Some(step));
        assert_eq!(crashed.crashes(), 1, "after step {step}");
        assert_eq!(
            crashed.end(),
            whole.end(),
            "after step {step}:\n{}",
            crashed.log()
        );
    }
}

#[test]
fn the_order_of_things_does_not_matter() {
    let plain = lived(Order::Plain, None).end();
    for seed in 0..16 {
        let shuffled = lived(Order::Shuffled(seed), None);
        assert_eq!(shuffled.end(), plain, "seed {seed}:\n{}", shuffled.log());
    }
}

#[test]
fn a_death_at_any_step_in_any_order_changes_nothing() {
    let plain = lived(Order::Plain, None);
    for seed in 0..16 {
        let step = seed % plain.steps() + 1;
        let world = lived(Order::Shuffled(seed), Some(step));
        assert_eq!(
            world.end(),
            plain.end(),
            "seed {seed}, step {step}:\n{}",
            world.log()
        );
    }
}

/// What lies between the operator and the service may send a write again: the second is refused because of the first.
#[test]
fn a_write_that_is_sent_twice_is_done_once() {
    let plain = lived(Order::Plain, None);
    assert!(plain.azure.writes() > 4);
    for nth in 1..=plain.azure.writes() {
        let mut world = Simulation::new(Order::Plain, None);
        world.azure.send_twice(nth);
        block_on(protect_back_up_restore(&mut world));
        // A protection that is asked for again is configured again, to the same.
        let configured = "\"ConfigureBackup Completed\"";
        let twice = format!("{configured}, {configured}");
        let end = world.end().replace(&twice, configured);
        assert_eq!(end, plain.end(), "write {nth}:\n{}", world.log());
    }
}

#[test]
fn what_is_at_rest_stays_at_rest() {
    let mut world = lived(Order::Plain, None);
    let (steps, log, events) = (world.steps(), world.log().len(), world.objects.events());
    block_on(world.settle());
    assert_eq!(world.steps(), steps, "{}", &world.log()[log..]);
    assert_eq!(&world.log()[log..], "");
    assert_eq!(world.objects.events(), events);
}

#[test]
fn everything_deleted_at_once_goes_and_leaves_the_points() {
    for seed in 0..8 {
        let mut world = lived(Order::Shuffled(seed), None);
        for key in world.objects.keys() {
            world.objects.delete_by_hand(&key);
        }
        world.tell("everything is deleted at once");
        block_on(world.settle());
        assert_eq!(world.objects.keys(), [], "seed {seed}:\n{}", world.log());
        // RetainData and Retain are the defaults: protection stops, the recovery point and its vault stay.
        assert_eq!(world.azure.points(), 1, "seed {seed}:\n{}", world.log());
    }
}

#[test]
fn two_backups_at_the_same_instant_are_two() {
    for crash_after in [None, Some(1)] {
        let mut world = lived(Order::Plain, None);
        world.stand_still();
        for name in ["first", "second"] {
            let mut again = manifest(Kind::BackupJob);
            again["metadata"]["name"] = name.into();
            if let (Some(step), "second") = (crash_after, name) {
                world.die_after(step);
            }
            world.objects.apply(Kind::BackupJob, &again);
            block_on(world.settle());
        }
        assert_eq!(world.azure.points(), 3, "{}", world.log());
        assert_eq!(world.crashes(), crash_after.unwrap_or_default());
    }
}

#[test]
fn a_backup_request_runs_one_backup() {
    let mut world = lived(Order::Plain, None);
    let mut asks = manifest(Kind::ProtectedVM);
    for request in ["before the upgrade", "before the upgrade", "after it"] {
        asks["spec"]["backupRequest"] = request.into();
        world.objects.apply(Kind::ProtectedVM, &asks);
        block_on(world.settle());
    }
    assert_eq!(world.azure.points(), 3, "{}", world.log());
    assert!(
        world.end().contains("backupRequest: \"after it\""),
        "{}",
        world.end()
    );
}

#[test]
fn of_two_objects_for_the_same_machine_the_older_one_has_it() {
    let mut world = lived(Order::Plain, None);
    let mut second = manifest(Kind::ProtectedVM);
    second["metadata"]["name"] = "web-1-again".into();
    second["spec"]["vm"]["name"] = "WEB-1".into();
    second["spec"]["deletionPolicy"] = "DeleteData".into();
    let second = world.objects.apply(Kind::ProtectedVM, &second);
    block_on(world.settle());
    assert!(world.end().contains("DeclaredBy"), "{}", world.end());

    // Neither the one that never had it takes anything along, nor the one that had it while the other stays.
    world.objects.delete_by_hand(&second);
    block_on(world.settle());
    assert!(world.objects.peek(&second).is_none(), "{}", world.log());
    assert_eq!(world.azure.points(), 1, "{}", world.log());
    assert!(
        world.end().contains("state: \"Protected\""),
        "{}",
        world.end()
    );
}
