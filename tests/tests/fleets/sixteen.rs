//! Sixteen machines that are due at the same minute, and two that may be backed up at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use kluis_tests::bench::Fleet;
use kluis_tests::operator::Operator;
use kluis_tests::process::signal;
use kluis_tests::service::Service;
use kluis_tests::until::{Look, every};
use kluis_tests::world::{condition_of, told};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Harbour, LIMIT, PACE};

const MACHINES: usize = 16;
const AT_ONCE: u32 = 2;

#[test]
fn sixteen_machines_due_at_once_all_get_their_point_two_at_a_time() {
    let fleet = Fleet {
        machines: MACHINES,
        vaults: 1,
    };
    let harbour = Harbour::open("sixteen", fleet, Some(AT_ONCE));
    let operator = Operator::start(&harbour.operator("operator")).unwrap();
    harbour.declare(22);
    harbour.until_ready();

    let most = while_looking(&harbour, |service| {
        let lived = service.advance("PT24H").unwrap();
        assert_eq!(lived.status, 200, "{}", lived.text);
    });
    assert!((1..=AT_ONCE as usize).contains(&most), "{most} at once");
    let done = harbour.jobs("Backup");
    assert_eq!(done.len(), MACHINES, "{done:?}");
    assert!(done.values().all(|times| *times == 1), "{done:?}");
    let mut times = BTreeSet::new();
    for machine in 0..MACHINES {
        let points = points(&harbour, machine);
        assert_eq!(points.len(), 1, "vm-{machine:04}");
        let time = points[0]["properties"]["recoveryPointTime"].as_str();
        // The minute: a point is of the time at which it was due, however long its turn took to come.
        times.insert(time.unwrap_or_default()[..16].to_owned());
    }
    assert_eq!(times.len(), 1, "{times:?}");
    every(PACE, "the points to be told of", LIMIT, || {
        let found = harbour.kubectl.list("protectedvms")?;
        let told_of = |object: &&Value| object["status"]["recoveryPoints"]["total"] == 1;
        Ok(match found.iter().filter(told_of).count() {
            MACHINES => Look::Done(()),
            some => Look::NotYet(format!("{some}")),
        })
    })
    .unwrap();

    asked_for_at_once(&harbour);
    drop(operator);
}

/// All of them on demand, and each tells its place while it waits.
fn asked_for_at_once(harbour: &Harbour) {
    harbour.service.advance("PT1S").unwrap();
    let jobs: Vec<Value> = (0..MACHINES)
        .map(|machine| {
            json!({ "apiVersion": "kluis.dev/v1alpha1", "kind": "BackupJob",
                "metadata": { "namespace": Fleet::NAMESPACE, "name": format!("now-{machine:04}") },
                "spec": { "item": { "kind": "ProtectedVM", "name": format!("vm-{machine:04}") } } })
        })
        .collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": jobs }).to_string();
    harbour.kubectl.feed(&["create", "-f", "-"], &list).unwrap();
    let mut places = BTreeSet::new();
    // Those whose turn it is are held up until one of the others has told its place.
    let mut held = BTreeSet::new();
    every(PACE, "a place in the queue to be told", LIMIT, || {
        for mover in harbour.service.movers()? {
            if held.insert(mover) {
                let _ = signal(mover, Signal::STOP);
            }
        }
        places.extend(harbour.kubectl.list("backupjobs")?.iter().filter_map(place));
        Ok(match places.is_empty() {
            false => Look::Done(()),
            true => Look::NotYet("none".to_owned()),
        })
    })
    .unwrap();
    for mover in held {
        // One that ended before it was held is gone.
        let _ = signal(mover, Signal::CONT);
    }
    every(PACE, "the backups to be done", LIMIT, || {
        let found = harbour.kubectl.list("backupjobs")?;
        let done = |object: &&Value| {
            condition_of(object, "Succeeded").is_some_and(|found| found["status"] == "True")
        };
        Ok(match found.iter().filter(done).count() {
            MACHINES => Look::Done(()),
            some => Look::NotYet(format!(
                "{some}; {:?}",
                found
                    .iter()
                    .map(told)
                    .find(|told| !told.contains("Succeeded=True"))
            )),
        })
    })
    .unwrap();
    // Two run, and everybody else has a place of its own.
    assert!(
        places.iter().all(|place| (1..MACHINES).contains(place)),
        "{places:?}"
    );
}

/// The place in the service's queue that a BackupJob tells, if it does.
fn place(object: &Value) -> Option<usize> {
    let said = told(object);
    let (_, after) = said.split_once("it is number ")?;
    after.split_whitespace().next()?.parse().ok()
}

fn points(harbour: &Harbour, machine: usize) -> Vec<Value> {
    let short = format!(
        "iaasvmcontainerv2;{};vm-{machine:04}",
        Fleet::RESOURCE_GROUP
    );
    let path = format!(
        "backupFabrics/Azure/protectionContainers/IaasVMContainer;{short}/protectedItems/VM;{short}/recoveryPoints"
    );
    harbour.service.list(&harbour.vault(0, &path)).unwrap()
}

/// Does something, and counts meanwhile how many movers there are at most. The first of them are held up until it is seen
/// who waits behind them, and in which order.
fn while_looking(harbour: &Harbour, work: impl FnOnce(&Service) + Send) -> usize {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut most = 0;
            let mut held = BTreeSet::new();
            while !over.load(Ordering::Relaxed) {
                let movers = harbour.service.movers().unwrap_or_default();
                most = most.max(movers.len());
                let fresh: Vec<u32> = movers.into_iter().filter(|id| !held.contains(id)).collect();
                if held.len() < AT_ONCE as usize {
                    for mover in fresh {
                        let _ = signal(mover, Signal::STOP);
                        held.insert(mover);
                    }
                    if held.len() == AT_ONCE as usize {
                        let waiting = queue(harbour);
                        for mover in &held {
                            // One that ended before it was held is gone.
                            let _ = signal(*mover, Signal::CONT);
                        }
                        is_fair(&waiting.unwrap());
                    }
                }
                thread::yield_now();
            }
            most
        });
        work(&harbour.service);
        over.store(true, Ordering::Relaxed);
        looking.join().unwrap()
    })
}

/// The machines whose jobs wait, by their places.
fn queue(harbour: &Harbour) -> anyhow::Result<BTreeMap<usize, String>> {
    let jobs = harbour.service.list(&harbour.vault(0, "backupJobs"))?;
    let waiting = jobs.iter().filter_map(|job| {
        let job = &job["properties"];
        let place = job["extendedInfo"]["propertyBag"]["Queue Place"].as_str()?;
        let machine = job["entityFriendlyName"].as_str()?;
        Some((place.parse().ok()?, machine.to_owned()))
    });
    Ok(waiting.collect())
}

/// First come, first served; those that came together by their names. Who has had its snapshots taken waits for its transfer
/// at the end, in the same order.
fn is_fair(waiting: &BTreeMap<usize, String>) {
    assert!(
        (1..MACHINES).contains(&waiting.len()) && waiting.keys().copied().eq(1..=waiting.len()),
        "{waiting:?}"
    );
    let names: Vec<&String> = waiting.values().collect();
    let falls = names.windows(2).filter(|pair| pair[0] >= pair[1]).count();
    assert!(
        falls == 0 || falls == 1 && names.last() < names.first(),
        "somebody was passed: {waiting:?}"
    );
}
