//! What a vault holds is read again in time and in nobody's way, and what is found damaged is said until it is whole again.

use std::collections::BTreeMap;

use http::Method;
use jiff::SignedDuration;
use kluis_service::{OnDemand, Scrub, core};
use kluis_vault::{DamagedSnapshot, Event};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::world::{ITEM, VAULT, World, no_damage, restore_request, snapshot};

fn scrubbed() -> World {
    let mut world = World::new();
    world.scrub = Scrub::default();
    world.protect();
    world
}

fn health(world: &mut World) -> Value {
    let answer = world.request(Method::GET, &format!("/kluis/v1{VAULT}/health"), None);
    answer.body.unwrap()
}

fn titles(problems: &Value, name: &str) -> Vec<String> {
    let problems = problems.as_array().cloned().unwrap_or_default();
    let title = |problem: &Value| problem[name].as_str().unwrap().to_owned();
    problems.iter().map(title).collect()
}

fn damaged(jobs: &[String], disks: &[&str]) -> Event {
    let disks: Vec<String> = disks.iter().map(|disk| (*disk).to_owned()).collect();
    Event::Damage {
        blobs: jobs.len() as u64,
        packs: 1,
        first: vec!["Pack 1 is not what was written: 1 of its blobs are lost.".to_owned()],
        snapshots: jobs
            .iter()
            .map(|job| DamagedSnapshot {
                snapshot: snapshot(job),
                disks: disks.clone(),
            })
            .collect(),
        repaired: 0,
        repaired_packs: Vec::new(),
    }
}

/// The values of a gauge, by the words of its label.
fn counts(world: &mut World, name: &str) -> BTreeMap<String, f64> {
    let told = world.run(|ctx, tx| Ok((core::gauges(ctx, tx)?, Vec::new())));
    let found = told.into_iter().find(|gauge| gauge.name == name).unwrap();
    let values = found.values.into_iter();
    values
        .map(|(mut labels, value)| (labels.pop().unwrap().1, value))
        .collect()
}

fn scrubs(world: &World) -> usize {
    let words = world.started.iter();
    words.filter(|word| word.starts_with("scrub ")).count()
}

/// Lives until a scrub's mover runs, and returns its job.
fn until_a_scrub(world: &mut World) -> String {
    let mut job = None;
    for _ in 0..100 {
        let due = world.next_due().unwrap();
        world.now = world.now.max(due);
        world.tick();
        let running = world.movers.values();
        let mut scrubs = running.filter(|file| matches!(file.task, kluis_vault::Task::Scrub(_)));
        if let Some(file) = scrubs.next() {
            job = Some(file.job.clone());
            break;
        }
        world.settle();
    }
    job.unwrap()
}

#[test]
fn a_vault_is_read_again_within_its_period_and_no_customer_sees_the_jobs() {
    let mut world = scrubbed();
    world.live(24 * 100);
    // Each reads this small vault whole: the first after a day, the others a day before a period is over.
    assert_eq!(scrubs(&world), 4);
    let told = health(&mut world);
    let oldest: jiff::Timestamp = told["scrub"]["oldestUnread"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(world.now.duration_since(oldest) < SignedDuration::from_hours(30 * 24));
    assert_eq!(told["problems"], json!([]));
    assert!(!world.jobs().contains("Scrub"));
    until_a_scrub(&mut world);
    assert!(!world.jobs().contains("Scrub"));
    let asked = world.get("backupJobs?$filter=operation eq 'Scrub'");
    assert_eq!(asked["value"].as_array().unwrap().len(), 1);
}

#[test]
fn a_scrub_gives_its_place_to_whoever_wants_it_and_goes_on() {
    let mut world = scrubbed();
    world.max_jobs = 1;
    let scrub = until_a_scrub(&mut world);
    let backup = world.backup_now();
    assert!(world.killed.contains(&scrub));
    assert!(!world.movers.contains_key(&backup));
    world.exit(&scrub, None);
    assert!(world.movers.contains_key(&backup), "{:?}", world.movers);
    world.succeed(&backup);
    assert!(
        world.movers.contains_key(&scrub),
        "it goes on when nobody waits"
    );
    world.succeed(&scrub);
    assert!(!world.busy());
}

#[test]
fn a_scrub_stops_for_a_restore_of_its_vault() {
    let mut world = scrubbed();
    let backup = world.backup_now();
    world.succeed(&backup);
    world.max_jobs = 3;
    let scrub = until_a_scrub(&mut world);
    let point = world.newest_point();
    let path = format!("{ITEM}/recoveryPoints/{point}/restore");
    let restore = world.accept(Method::POST, &path, Some(&restore_request("shop-restored")));
    assert!(world.killed.contains(&scrub));
    assert!(
        world.movers.contains_key(&restore),
        "there is a place for both"
    );
    world.exit(&scrub, None);
    assert!(
        !world.movers.contains_key(&scrub),
        "not while the restore reads"
    );
    world.succeed(&restore);
    assert!(world.movers.contains_key(&scrub));
}

#[test]
fn damaged_points_are_marked_refused_and_given_back() {
    let mut world = scrubbed();
    let first = world.backup_now();
    world.succeed(&first);
    world.live(24 * 10);
    let point = world.newest_point();
    // All that is in the vault of this machine is hit, on one disk.
    let repository = std::path::Path::new("/data/vaults/shop-rg/shop-weu");
    let jobs: Vec<String> = world.snapshots[repository].values().cloned().collect();
    world.damage = Some(damaged(&jobs, &["web-1-lun0"]));
    let scrub = until_a_scrub(&mut world);
    world.succeed(&scrub);

    let tiers = world.get(&format!("{ITEM}/recoveryPoints/{point}"))["properties"]["recoveryPointTierDetails"].clone();
    let hardened = tiers
        .as_array()
        .unwrap()
        .iter()
        .find(|tier| tier["type"] == "HardenedRP");
    assert_eq!(hardened.unwrap()["status"], "Invalid");
    let item = world.item();
    assert_eq!(item["healthStatus"], "ActionRequired");
    assert_eq!(
        titles(&item["healthDetails"], "title"),
        ["RecoveryPointsDamaged"]
    );
    let told = health(&mut world);
    assert_eq!(titles(&told["problems"], "title"), ["VaultDamaged"]);
    assert_eq!(told["scrub"]["damagedPoints"], jobs.len());

    // Without its snapshot files the whole of it is refused early; disks that are not hit are not.
    world.files.snapshots.borrow_mut().clear();
    let path = format!("{ITEM}/recoveryPoints/{point}/restore");
    let refused = world.refused(Method::POST, &path, Some(&restore_request("shop-restored")));
    assert!(
        refused.contains("UserErrorRecoveryPointDamaged"),
        "{refused}"
    );
    let mut some = restore_request("shop-restored");
    some["properties"]["restoreDiskLunList"] = json!([1]);
    let restore = world.accept(Method::POST, &path, Some(&some));
    world.succeed(&restore);

    // The next backup tells that all is whole again.
    world.damage = None;
    let next = world.backup_to_the_vault();
    world.evidence(&next);
    world.hear(&next, no_damage());
    world.hear(&next, Event::Finished);
    world.exit(&next, Some(0));
    let item = world.item();
    assert_eq!(item["healthStatus"], "Passed");
    assert_eq!(health(&mut world)["problems"], json!([]));
    let restore = world.accept(Method::POST, &path, Some(&restore_request("shop-restored")));
    world.succeed(&restore);
}

#[test]
fn a_scrub_that_fails_says_so_and_tries_again() {
    let mut world = scrubbed();
    let scrub = until_a_scrub(&mut world);
    world.fail(&scrub, kluis_vault::FailureCode::Io);
    assert_eq!(
        titles(&health(&mut world)["problems"], "title"),
        ["ScrubFailed"]
    );
    world.live(48);
    assert_eq!(health(&mut world)["problems"], json!([]));
}

#[test]
fn damage_that_was_found_and_healed_leaves_a_trace() {
    let mut world = scrubbed();
    let first = world.backup_now();
    world.succeed(&first);
    let told = |world: &mut World| {
        ["damage_found", "damage_repaired"].map(|name| {
            let counts = counts(world, name);
            (counts["Packs"], counts["Blobs"])
        })
    };
    assert_eq!(told(&mut world), [(0.0, 0.0), (0.0, 0.0)]);
    world.damage = Some(damaged(&[first], &["web-1-lun0"]));
    let scrub = until_a_scrub(&mut world);
    world.succeed(&scrub);
    assert_eq!(told(&mut world), [(1.0, 1.0), (0.0, 0.0)]);
    // The next backup stores the blob again and has the pack repaired; of another it was never told.
    let next = world.backup_to_the_vault();
    world.evidence(&next);
    world.hear(
        &next,
        Event::Damage {
            blobs: 0,
            packs: 0,
            first: Vec::new(),
            snapshots: Vec::new(),
            repaired: 2,
            repaired_packs: vec!["1".to_owned(), "2".to_owned()],
        },
    );
    world.hear(&next, Event::Finished);
    world.exit(&next, Some(0));
    assert_eq!(told(&mut world), [(2.0, 1.0), (2.0, 1.0)]);
    // A disk that gives back what it had lost.
    world.damage = Some(damaged(&["nobody".to_owned()], &[]));
    let scrub = until_a_scrub(&mut world);
    world.succeed(&scrub);
    world.damage = None;
    let scrub = until_a_scrub(&mut world);
    world.succeed(&scrub);
    assert_eq!(told(&mut world), [(3.0, 2.0), (3.0, 2.0)]);
}

#[test]
fn what_nobody_has_ever_read_is_as_old_as_its_vault() {
    const DAY: f64 = 86_400.0;
    let mut world = World::new();
    assert_eq!(unread(&mut world), 0.0, "there is nothing to be read");
    world.protect();
    let backup = world.backup_now();
    world.succeed(&backup);
    // Scrubs are off.
    world.live(24 * 60);
    assert_eq!(unread(&mut world), 60.0 * DAY);
    // They begin, and never get a place.
    world.scrub = Scrub::default();
    let problems = health(&mut world)["problems"].clone();
    assert_eq!(titles(&problems, "title"), ["ScrubBehind"]);
    assert_eq!(problems[0]["since"], "2026-03-02T09:00:00Z");
    let scrub = until_a_scrub(&mut world);
    world.succeed(&scrub);
    assert_eq!(unread(&mut world), 0.0);
    assert_eq!(health(&mut world)["problems"], json!([]));
}

fn unread(world: &mut World) -> f64 {
    let told = world.run(|ctx, tx| Ok((core::gauges(ctx, tx)?, Vec::new())));
    let found = told
        .iter()
        .find(|gauge| gauge.name == "oldest_unread_seconds");
    found.unwrap().values[0].1
}

#[test]
fn the_problems_of_vaults_are_counted_by_their_titles() {
    let mut world = World::new();
    world.make_vault("shop-neu");
    let problems = counts(&mut world, "vault_problems");
    assert_eq!(problems["ScrubOff"], 2.0);
    assert_eq!(problems["VaultKeyMissing"], 0.0, "there before it is one");
    world.scrub = Scrub::default();
    world.protect();
    assert!(
        counts(&mut world, "vault_problems")
            .values()
            .all(|count| *count == 0.0)
    );
    let scrub = until_a_scrub(&mut world);
    world.fail(&scrub, kluis_vault::FailureCode::Io);
    let problems = counts(&mut world, "vault_problems");
    assert_eq!((problems["ScrubFailed"], problems["ScrubOff"]), (1.0, 0.0));
}

/// What becomes of a machine's points and of the vault that they are in.
#[derive(Debug, Clone)]
enum Act {
    Backup,
    /// A mover tells of damage, the new point's own included, before it tells that the point is there.
    BackupThatTellsFirst(u64),
    Scrub(u64),
    Heal,
    KillService,
    Hours(i64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::Backup),
        2 => any::<u64>().prop_map(Act::BackupThatTellsFirst),
        3 => any::<u64>().prop_map(Act::Scrub),
        1 => Just(Act::Heal),
        1 => Just(Act::KillService),
        2 => (1..90_i64).prop_map(Act::Hours),
    ]
}

fn chosen(made: &[(String, String)], bits: u64) -> Vec<String> {
    let is_chosen = |number: usize| bits >> (number % 64) & 1 == 1;
    let all = made.iter().enumerate();
    let hit = all.filter(|(number, _)| is_chosen(*number));
    hit.map(|(_, (_, job))| job.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever movers tell, and in whatever order: a point is called whole exactly as long as the last word about the
    /// vault's damage does not name its snapshot.
    #[test]
    fn no_point_that_leans_on_damage_is_called_whole(acts in prop::collection::vec(act(), 1..24)) {
        let mut world = scrubbed();
        world.on_demand = OnDemand {
            advised: 1_000,
            most: 1_000,
        };
        let (mut made, mut hit) = (Vec::<(String, String)>::new(), Vec::<String>::new());
        for act in acts {
            // No two points have one time, so that the newest is the one that was made last.
            world.now += SignedDuration::from_secs(61);
            match act {
                Act::Backup => {
                    let job = world.backup_now();
                    world.succeed(&job);
                    made.push((world.newest_point(), job));
                }
                Act::BackupThatTellsFirst(bits) => {
                    let job = world.backup_to_the_vault();
                    made.push((world.newest_point(), job.clone()));
                    hit = chosen(&made, bits);
                    world.hear(&job, damaged(&hit, &[]));
                    world.succeed(&job);
                }
                Act::Scrub(bits) => {
                    hit = chosen(&made, bits);
                    world.damage = Some(damaged(&hit, &[]));
                    let scrub = until_a_scrub(&mut world);
                    world.succeed(&scrub);
                }
                Act::Heal => {
                    hit.clear();
                    world.damage = None;
                    let scrub = until_a_scrub(&mut world);
                    world.succeed(&scrub);
                }
                Act::KillService => world.restart(),
                Act::Hours(hours) => world.live(hours),
            }
            world.damage = (!hit.is_empty()).then(|| damaged(&hit, &[]));
            world.settle();
            for (point, job) in &made {
                let path = format!("{ITEM}/recoveryPoints/{point}");
                let answer = world.request(Method::GET, &path, None);
                if answer.status == 404 {
                    continue;
                }
                let body = answer.body.unwrap();
                let tiers = body["properties"]["recoveryPointTierDetails"].as_array().cloned().unwrap();
                let is_invalid = tiers.iter().any(|tier| tier["status"] == "Invalid");
                prop_assert_eq!(is_invalid, hit.contains(job), "{} of {}", point, job);
            }
        }
    }
}
