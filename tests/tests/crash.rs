//! Killed at the worst moment, started again: the work is finished once, the
//! vault checks clean, nothing hangs.

use std::time::Duration;

use kluis_tests::place::scratch;
use kluis_tests::portal::Portal;
use kluis_tests::process::signal;
use kluis_tests::restic::Restic;
use kluis_tests::service::Service;
use kluis_tests::until::{Look, seconds, until};
use kluis_tests::world::{Estate, RESOURCE_GROUP, Sizes, VAULT, VM, World, compare, condition_of};
use rustix::process::Signal;

const LIMIT: Duration = seconds(180);

/// A variable of the service's: it aborts at a mover's event, just before what
/// that means is written down, or just after.
const HOOK: &str = "KLUIS_CRASH_ON_MOVER_EVENT";

/// Every backup that is said to be complete left one point, every point is a
/// snapshot, no snapshot is without its point; restic reads all of it.
fn consistent(portal: &Portal, backups: usize) {
    let jobs = portal.jobs("Backup").unwrap();
    let completed = jobs
        .iter()
        .filter(|job| {
            let status = job["properties"]["status"].as_str();
            status.is_some_and(|status| status.starts_with("Completed"))
        })
        .count();
    assert_eq!((jobs.len(), completed), (backups, backups), "{jobs:?}");
    assert_eq!(portal.points().unwrap().len(), backups);
    let restic = Restic::new(
        &portal.service.vault_dir(RESOURCE_GROUP, VAULT),
        &portal.service.passphrase(),
    );
    assert_eq!(restic.snapshots().unwrap().len(), backups);
    restic.check().unwrap();
}

/// Starts the service again with the hook set, or without.
fn restarted(service: Service, hook: Option<&str>) -> Service {
    let mut setup = service.setup().clone();
    setup.env = hook
        .map(|hook| (HOOK.to_owned(), hook.to_owned()))
        .into_iter()
        .collect();
    drop(service);
    Service::start(setup).unwrap()
}

/// Waits for the hook to have struck, and starts the service again.
fn struck(mut portal: Portal) -> Portal {
    portal.service.daemon().wait(LIMIT).unwrap();
    Portal {
        service: restarted(portal.service, None),
        estate: portal.estate,
    }
}

#[test]
fn a_service_that_dies_on_an_event_of_a_backup_finishes_it_once() {
    let dir = scratch("crash-backup").unwrap();
    let mut portal = Portal::open(dir.path(), Sizes::SMALL).unwrap();
    portal.protect().unwrap();
    let mut backups = 0;
    for event in ["Started", "Progress", "Saved", "Finished"] {
        for moment in ["before", "after"] {
            let hook = format!("{moment}:{event}");
            portal.service = restarted(portal.service, Some(&hook));
            // The service may be gone before it has answered that there is a job.
            let _ = portal.begin_backup();
            portal = struck(portal);
            backups += 1;
            for job in portal.jobs("Backup").unwrap() {
                portal
                    .completed(job["name"].as_str().unwrap())
                    .unwrap_or_else(|why| panic!("after {hook}: {why:#}"));
            }
            consistent(&portal, backups);
        }
    }
    portal.restore_and_compare().unwrap();
}

#[test]
fn a_service_that_dies_on_an_event_of_a_restore_finishes_it_once() {
    let dir = scratch("crash-restore").unwrap();
    let mut portal = Portal::open(dir.path(), Sizes::SMALL).unwrap();
    portal.protect().unwrap();
    portal.back_up().unwrap();
    let point = portal.newest_point().unwrap();
    let moments = ["before", "after"];
    let events = ["Started", "Progress", "Restored", "Finished"];
    let hooks = events.map(|event| moments.map(|moment| format!("{moment}:{event}")));
    for (restores, (hook, into)) in (1..).zip(hooks.iter().flatten().zip(Estate::spare_groups())) {
        portal.service = restarted(portal.service, Some(hook));
        // The service may be gone before it has answered that there is a job.
        let _ = portal.begin_restore(&point, &into);
        portal = struck(portal);
        let jobs = portal.jobs("Restore").unwrap();
        assert_eq!(jobs.len(), restores, "after {hook}");
        for job in jobs {
            portal
                .completed(job["name"].as_str().unwrap())
                .unwrap_or_else(|why| panic!("after {hook}: {why:#}"));
        }
        let restored: Vec<_> = portal.estate.restored(&into).into_iter().collect();
        compare(&portal.estate.disks, &restored)
            .unwrap_or_else(|why| panic!("after {hook}: {why:#}"));
    }
    consistent(&portal, 1);
}

#[test]
fn a_killed_mover_does_not_take_its_job_along() {
    let dir = scratch("crash-mover").unwrap();
    // Large enough that the mover is still at work when it is found.
    let portal = Portal::open(
        dir.path(),
        Sizes {
            os: 384,
            os_fill: 200,
            data: 32,
            data_fill: 8,
        },
    )
    .unwrap();
    portal.protect().unwrap();
    let (mut backups, mut killed) = (0, 0);
    while killed < 2 {
        assert!(
            backups < MOST_TRIES,
            "no mover was at work when it was looked for"
        );
        let job = portal.begin_backup().unwrap();
        backups += 1;
        let mover = movers_of(&portal, &job).first().copied();
        // One that has just ended is no longer there to be killed.
        killed += usize::from(mover.is_some_and(|id| signal(id, Signal::KILL).is_ok()));
        portal.completed(&job).unwrap();
        consistent(&portal, backups);
    }
    portal.restore_and_compare().unwrap();
}

/// More backups on demand are not taken in a day.
const MOST_TRIES: usize = 8;

/// The movers that are at work, as soon as there are any; none when the job was quicker.
fn movers_of(portal: &Portal, job: &str) -> Vec<u32> {
    until("a mover", LIMIT, || {
        let movers = portal.service.movers()?;
        Ok(if movers.is_empty() && !portal.has_ended(job)? {
            Look::NotYet("none".to_owned())
        } else {
            Look::Done(movers)
        })
    })
    .unwrap()
}

#[test]
fn a_service_killed_in_the_middle_takes_its_movers_along_and_goes_on() {
    let dir = scratch("crash-service").unwrap();
    let mut portal = Portal::open(
        dir.path(),
        Sizes {
            os: 384,
            os_fill: 200,
            data: 32,
            data_fill: 8,
        },
    )
    .unwrap();
    portal.protect().unwrap();
    let mut backups = 0;
    let (job, movers) = loop {
        assert!(
            backups < MOST_TRIES,
            "no mover was at work when it was looked for"
        );
        let job = portal.begin_backup().unwrap();
        backups += 1;
        let movers = movers_of(&portal, &job);
        if !movers.is_empty() {
            break (job, movers);
        }
    };
    portal.service.kill().unwrap();
    for mover in movers {
        until("the mover to go with its service", LIMIT, || {
            let stat = std::fs::read_to_string(format!("/proc/{mover}/stat")).unwrap_or_default();
            let gone = stat.is_empty()
                || stat
                    .rsplit_once(')')
                    .is_some_and(|(_, after)| after.trim_start().starts_with('Z'));
            Ok(if gone {
                Look::Done(())
            } else {
                Look::NotYet(stat)
            })
        })
        .unwrap();
    }
    portal.service = restarted(portal.service, None);
    portal.completed(&job).unwrap();
    consistent(&portal, backups);
    portal.restore_and_compare().unwrap();
}

/// The operator dies after every single step it takes, from the first call to
/// the last, and is started again each time.
#[test]
fn an_operator_that_dies_after_every_step_does_the_work_once() {
    let mut world = World::without_operator("crash-operator", Sizes::SMALL).unwrap();
    world.apply_service().unwrap();
    world.apply_examples().unwrap();
    let mut deaths = 0;
    deaths += stumble(&mut world, |world| ready(world, "protectedvm", VM, "Ready"));

    let job = world.create("backup-now.yaml").unwrap();
    deaths += stumble(&mut world, |world| {
        ready(world, "backupjob", &job, "Succeeded")
    });
    let restore = world.create("restore.yaml").unwrap();
    deaths += stumble(&mut world, |world| {
        ready(world, "restore", &restore, "Succeeded")
    });
    // Vault, policy, discovery, protection, backup, restore: each took a step at least.
    assert!(
        deaths >= 5,
        "the operator died only {deaths} times: is the hook still there?"
    );

    assert_eq!(world.jobs("ConfigureBackup").unwrap().len(), 1);
    assert_eq!(world.jobs("Backup").unwrap().len(), 1);
    assert_eq!(world.jobs("Restore").unwrap().len(), 1);
    assert_eq!(world.points().unwrap().len(), 1);
    let restored: Vec<_> = world.estate.restored("shop-restored").into_iter().collect();
    compare(&world.estate.disks, &restored).unwrap();
    assert_eq!(world.restic().snapshots().unwrap().len(), 1);
    world.restic().check().unwrap();
}

/// Runs operators that die after one step each until `done`; how many died.
fn stumble(world: &mut World, done: impl Fn(&World) -> bool) -> usize {
    let mut deaths = 0;
    world.start_operator(Some(1)).unwrap();
    until(
        "the work to be done by operators that die",
        seconds(600),
        || {
            if done(world) {
                return Ok(Look::Done(()));
            }
            let ended = world
                .operator
                .as_mut()
                .map(|operator| operator.daemon().ended())
                .transpose()?
                .flatten();
            if ended.is_some() {
                deaths += 1;
                assert!(deaths < 60, "the operator dies and dies and gets nowhere");
                world.start_operator(Some(1))?;
            }
            Ok(Look::NotYet(format!("{deaths} deaths")))
        },
    )
    .unwrap();
    world.operator = None;
    deaths
}

fn ready(world: &World, kind: &str, name: &str, condition: &str) -> bool {
    let object = world.kubectl.get(kind, name).unwrap();
    let Some(object) = object else { return false };
    let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
    current && condition_of(&object, condition).is_some_and(|found| found["status"] == "True")
}
