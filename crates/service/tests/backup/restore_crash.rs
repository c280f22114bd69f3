//! Each kind of restore, cut off before and after each thing its mover says, by the service's death and by the mover's:
//! done once, and nothing of it seen before it is whole.

use http::Method;
use kluis_vault::{Event, Task};
use serde_json::Value;

use super::restorable::{in_place, new_machine, with_a_point};
use super::world::{World, restore_request};

const ORIGINAL: [&str; 3] = ["web-1-os", "web-1-lun0", "web-1-lun1"];

/// Who dies.
#[derive(Debug, Clone, Copy)]
enum Death {
    Service,
    Mover,
}

/// What this mover would say, in order.
fn lines(world: &World, job: &str) -> Vec<Event> {
    let mut lines = vec![Event::Started { pid: 1 }];
    match &world.movers[job].task {
        Task::Restore(task) => {
            lines.extend(task.disks.iter().map(|disk| Event::Restored {
                disk: disk.name.clone(),
                bytes: 1 << 30,
                sha256: "5ha".to_owned(),
            }));
            lines.extend(task.documents.iter().map(|document| Event::Written {
                path: document.path.clone(),
                bytes: 1,
            }));
        }
        other => unreachable!("no restore: {other:?}"),
    }
    lines.push(Event::Finished);
    lines
}

/// Runs movers until it is the job's own turn, or it has ended.
fn until_its_turn(world: &mut World, job: &str) {
    while !world.movers.contains_key(job) && !world.movers.is_empty() {
        let next = world.movers.keys().next().cloned().unwrap();
        world.succeed(&next);
    }
}

fn die(world: &mut World, job: &str, death: Death) {
    match death {
        Death::Service => world.restart(),
        Death::Mover => world.exit(job, None),
    }
}

/// Cuts a restore off once, after so many of its mover's words, and lets it end. `seen` looks at each step whether what
/// can be seen is either nothing or all, and says which.
fn cut_off(body: &Value, death: Death, after: usize, seen: impl Fn(&mut World) -> bool) -> bool {
    let (mut world, path) = with_a_point();
    let job = world.accept(Method::POST, &path, Some(body));
    until_its_turn(&mut world, &job);
    assert!(!seen(&mut world), "seen before a byte was moved");
    let all = lines(&world, &job);
    world.work(&job);
    for event in all.iter().take(after).cloned() {
        world.hear(&job, event);
        seen(&mut world);
    }
    let ended = world.job(&job)["status"] == "Completed";
    if !ended || matches!(death, Death::Service) {
        die(&mut world, &job, death);
    }
    until_its_turn(&mut world, &job);
    world.settle();
    assert_eq!(
        world.job(&job)["status"],
        "Completed",
        "{death:?} after {after}: {}",
        world.job(&job)
    );
    assert!(seen(&mut world), "{death:?} after {after}");
    assert!(!world.busy());
    after >= all.len()
}

fn at_every_word(body: &Value, seen: impl Fn(&mut World) -> bool) {
    for death in [Death::Service, Death::Mover] {
        let mut after = 0;
        while !cut_off(body, death, after, &seen) {
            after += 1;
        }
        assert!(after > 4, "a restore says more than that");
    }
}

#[test]
fn disks_are_there_all_or_none() {
    at_every_word(&restore_request("shop-restored"), |world| {
        let disks = world.disks_in("shop-restored");
        assert!([0, 3].contains(&disks.len()), "{disks:?}");
        !disks.is_empty()
    });
}

#[test]
fn a_new_machine_is_there_whole_or_not_at_all() {
    at_every_word(&new_machine("web-9"), |world| {
        let disks = world.disks_in("shop-restored");
        let there = world.has_machine("shop-restored", "web-9");
        assert_eq!(disks.len(), if there { 3 } else { 0 }, "{disks:?}");
        there
    });
}

#[test]
fn a_machine_has_all_of_its_old_disks_or_all_of_the_new_ones() {
    at_every_word(&in_place(None), |world| {
        let disks = world.disks_of("shop-rg", "web-1");
        let old = disks
            .iter()
            .filter(|name| ORIGINAL.contains(&name.as_str()));
        let old = old.count();
        assert!([0, 3].contains(&old), "{disks:?}");
        let all = world.disks_in("shop-rg");
        let originals = all
            .iter()
            .filter(|line| ORIGINAL.contains(&line.split(' ').next().unwrap_or_default()));
        assert_eq!(originals.count(), 3, "the originals stay: {all:?}");
        old == 0
    });
}

#[test]
fn a_service_that_dies_during_the_backup_before_goes_on_with_both() {
    let (mut world, path) = with_a_point();
    let job = world.accept(Method::POST, &path, Some(&in_place(None)));
    let backup = world.movers.keys().next().cloned().unwrap();
    world.hear(&backup, Event::Started { pid: 1 });
    world.restart();
    assert!(!world.movers.contains_key(&job), "still its backup's turn");
    assert_eq!(world.disks_of("shop-rg", "web-1"), ORIGINAL);
    until_its_turn(&mut world, &job);
    world.settle();
    assert_eq!(world.job(&job)["status"], "Completed");
    assert_eq!(world.points().len(), 2, "one backup was made before");
}

#[test]
fn a_restore_that_was_given_up_when_the_service_died_leaves_no_file() {
    let (mut world, path) = with_a_point();
    let job = world.accept(Method::POST, &path, Some(&new_machine("web-9")));
    world.work(&job);
    world.request(Method::POST, &format!("backupJobs/{job}/cancel"), None);
    world.restart();
    assert_eq!(world.job(&job)["status"], "Cancelled");
    assert!(world.files.there.borrow().is_empty());
    assert!(!world.has_machine("shop-restored", "web-9"));
}
