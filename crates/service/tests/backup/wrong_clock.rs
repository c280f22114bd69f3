//! A clock that leaps destroys nothing: what is kept, what is held back, and how it goes on.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use jiff::{SignedDuration, Timestamp};
use kluis_service::core::{self, ClockGap, ClockTrust, ClockVerdict};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::keeping::kept;
use super::world::{ITEM, VAULT, World, at};
use crate::service_time::Machine;

const DAYS: fn(i64) -> SignedDuration = |days| SignedDuration::from_hours(24 * days);

/// The time goes ahead by so much that nothing bears out.
fn leap(world: &mut World, by: SignedDuration) {
    world.clock = ClockTrust {
        verdict: ClockVerdict::Trusted,
        gaps: vec![ClockGap {
            from: world.now,
            at: world.now,
            by,
            doubted: by,
        }],
    };
    world.now += by;
}

fn doubt(world: &mut World, doubted: SignedDuration) {
    world.clock.gaps[0].doubted = doubted;
}

/// Ten daily points of a policy that keeps seven days.
fn with_a_week_of_points() -> World {
    let mut world = World::new();
    world.daily_policy("week", "20:00", "UTC", 7);
    world.protect_with("week");
    world.live(24 * 10);
    assert_eq!(world.points().len(), 7);
    world
}

#[test]
fn no_point_goes_by_a_leap_and_all_go_on_when_it_is_borne_out() {
    let mut world = with_a_week_of_points();
    let before = kept(&mut world);
    leap(&mut world, DAYS(3650));
    world.tick();
    world.settle();
    let after = kept(&mut world);
    for line in before.lines() {
        assert!(after.contains(line), "{line} is gone, of\n{after}");
    }
    assert_eq!(
        world.points().len(),
        8,
        "the run that was missed was made good"
    );
    // A week later, by time that really passed, each has had its time.
    world.live(24 * 7);
    assert!(world.points().len() >= 7);
    for line in before.lines() {
        assert!(!kept(&mut world).contains(line), "{line}");
    }
}

/// What an item and its vault say is wrong, by name; and how many points the vault says are held back.
fn told(world: &mut World) -> (Vec<String>, Vec<String>, u64) {
    let names = |of: &serde_json::Value| {
        let all = of.as_array().into_iter().flatten();
        let names = all.filter_map(|one| one["title"].as_str().map(str::to_owned));
        names.collect::<Vec<_>>()
    };
    let item = names(&world.item()["healthDetails"]);
    let answer = world.request(Method::GET, &format!("/kluis/v1{VAULT}/health"), None);
    let health = answer.body.unwrap();
    let held = health["expiries"]["heldBack"].as_u64().unwrap();
    (item, names(&health["problems"]), held)
}

#[test]
fn what_is_held_back_is_told_until_it_is_borne_out() {
    let mut world = with_a_week_of_points();
    let is_told = |names: &[String]| names.iter().any(|name| name == "ExpiriesHeldBack");
    let (item, vault, held) = told(&mut world);
    assert!(!is_told(&item) && !is_told(&vault) && held == 0);
    leap(&mut world, DAYS(3650));
    world.tick();
    world.settle();
    let (item, vault, held) = told(&mut world);
    assert!(is_told(&item) && is_told(&vault), "{item:?} {vault:?}");
    assert_eq!(held, 7);
    doubt(&mut world, SignedDuration::ZERO);
    world.live(24 * 2);
    let (item, vault, held) = told(&mut world);
    assert!(
        !is_told(&item) && !is_told(&vault) && held == 0,
        "{item:?} {vault:?} {held}"
    );
}

#[test]
fn a_clock_that_is_not_believed_is_told_of_its_vaults() {
    let mut world = with_a_week_of_points();
    for (verdict, name) in [
        (ClockVerdict::Behind { by: DAYS(1) }, "ClockBehind"),
        (ClockVerdict::Ahead { by: DAYS(400) }, "ClockAhead"),
    ] {
        world.clock.verdict = verdict;
        let (_, vault, _) = told(&mut world);
        assert!(vault.iter().any(|one| one == name), "{vault:?}");
    }
}

#[test]
fn a_pause_is_borne_out_bit_by_bit() {
    let mut world = with_a_week_of_points();
    leap(&mut world, DAYS(21));
    world.tick();
    world.settle();
    let held = world.points().len();
    assert_eq!(held, 8);
    doubt(&mut world, DAYS(18));
    world.live(24);
    let some = world.points().len();
    assert!(some < held + 1 && some > 2, "{some} points");
    doubt(&mut world, SignedDuration::ZERO);
    world.live(24);
    assert_eq!(world.points().len(), 3, "those of the days since the pause");
}

#[test]
fn snapshots_deleted_items_and_deleted_vaults_wait_as_well() {
    let mut world = with_a_week_of_points();
    let folders = world.folders.len();
    world.accept(Method::DELETE, ITEM, None);
    leap(&mut world, DAYS(400));
    world.tick();
    world.settle();
    assert_eq!(world.folders.len(), folders, "no snapshot went");
    let item = world.item();
    assert_eq!(item["protectionState"], "ProtectionStopped");
    assert_eq!(item["deferredDeleteTimeRemaining"], "00:00:00");
    assert_eq!(world.points().len(), 7, "and no point of what was deleted");
    world.live(24 * 15);
    assert_eq!(world.request(Method::GET, ITEM, None).status, 404);

    let mut world = with_a_week_of_points();
    world.accept(Method::DELETE, ITEM, None);
    let put_away = format!("{VAULT}?api-version=2026-07-01");
    assert_eq!(world.request(Method::DELETE, &put_away, None).status, 202);
    let snapshots: usize = world.snapshots.values().map(BTreeMap::len).sum();
    leap(&mut world, DAYS(400));
    world.tick();
    assert_eq!(world.next_due(), None);
    let list = "/subscriptions/11111111-2222-3333-4444-555555555555/providers/Microsoft.RecoveryServices/locations/westeurope/deletedVaults";
    assert_eq!(world.get(list)["value"].as_array().unwrap().len(), 1);
    assert_eq!(
        world.snapshots.values().map(BTreeMap::len).sum::<usize>(),
        snapshots
    );
    doubt(&mut world, SignedDuration::ZERO);
    world.tick();
    assert!(world.get(list)["value"].as_array().unwrap().is_empty());
}

#[test]
fn a_vault_stays_as_long_as_the_last_of_its_deleted_items() {
    let mut world = World::new();
    let days =
        |days: u32| serde_json::json!({"properties": {"softDeleteRetentionPeriodInDays": days}});
    let path = "backupconfig/vaultconfig";
    assert_eq!(
        world.request(Method::PATCH, path, Some(&days(180))).status,
        200
    );
    world.protect();
    world.backup_now();
    world.settle();
    world.accept(Method::DELETE, ITEM, None);
    assert_eq!(
        world.request(Method::PATCH, path, Some(&days(14))).status,
        200
    );
    let put_away = format!("{VAULT}?api-version=2026-07-01");
    assert_eq!(world.request(Method::DELETE, &put_away, None).status, 202);
    let list = "/subscriptions/11111111-2222-3333-4444-555555555555/providers/Microsoft.RecoveryServices/locations/westeurope/deletedVaults";
    let goes = world.get(list)["value"][0]["properties"]["purgeAt"].clone();
    assert_eq!(goes, (at("2026-03-02T09:00:00Z") + DAYS(180)).to_string());
}

#[test]
fn time_that_a_person_turned_back_schedules_anew() {
    let mut world = with_a_week_of_points();
    let right = world.now;
    world.now += DAYS(300);
    world.tick();
    world.settle();
    let wrong = world.newest_point();
    world.now = right;
    world.turned_back();
    assert_eq!(world.newest_point(), wrong, "nothing is newer yet");
    assert!(world.points().iter().all(|time| at(time) < right));
    assert!(!world.jobs().contains("2026-12"), "{}", world.jobs());
    world.live(24 * 3);
    let made: Vec<Timestamp> = world.points().iter().map(|time| at(time)).collect();
    let since = made
        .iter()
        .filter(|time| **time > right && **time < right + DAYS(4));
    assert_eq!(since.count(), 3, "a run a day again, of {made:?}");
    assert_ne!(world.newest_point(), wrong, "what was made since is newer");
    let last = world.item()["lastRecoveryPoint"].clone();
    assert_eq!(last.as_str(), Some(world.points()[0].as_str()));
    // By its policy alone it would go a week after a day that is not there yet.
    world.live(24 * 20);
    let page = world.get(&format!("{ITEM}/recoveryPoints"));
    let stays = page["value"].as_array().unwrap().iter();
    assert!(
        stays.map(|point| &point["name"]).any(|name| *name == wrong),
        "what was made by the wrong time stays"
    );
}

impl World {
    fn turned_back(&mut self) {
        self.run(|ctx, tx| Ok((core::clock_was_set(ctx, tx)?, Vec::new())));
    }
}

#[derive(Debug, Clone)]
enum Act {
    Run(i64),
    Off(i64),
    SetBy(i64),
    Right,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (1..60_i64).prop_map(Act::Run),
        2 => (1..2_000_i64).prop_map(Act::Off),
        2 => (-100_000..100_000_i64).prop_map(Act::SetBy),
        1 => (-40..40_i64).prop_map(Act::SetBy),
        2 => Just(Act::Right),
    ]
}

/// The whole core beside a machine whose clock does what it likes: a point of seven days goes when the machine has run for most of a day since it was made (a late run counts from its hour), at
/// the soonest, and a machine that had a point has one.
#[test]
fn no_point_goes_before_its_time_by_a_clock_alone() {
    let cases = std::env::var("KLUIS_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    let config = Config {
        cases: cases.unwrap_or(4),
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let law = |acts: Vec<Act>| {
        let mut world = World::new();
        let mut machine = Machine::new();
        world.now = machine.real;
        world.daily_policy("week", "20:00", "UTC", 7);
        world.protect_with("week");
        // By the point's time: how many hours the machine had run when it was first seen.
        let mut made: BTreeMap<String, i64> = BTreeMap::new();
        let mut ran = 0;
        let acts = [Act::Run(24 * 8)].into_iter().chain(acts);
        for act in acts {
            let hours = match act {
                Act::Run(hours) => hours,
                Act::Off(hours) => {
                    machine.off_for(SignedDuration::from_hours(hours));
                    0
                }
                Act::SetBy(hours) => {
                    machine.off += SignedDuration::from_hours(hours);
                    machine.look();
                    0
                }
                Act::Right => {
                    machine.is_right();
                    0
                }
            };
            for hour in 0..=hours {
                if hour > 0 {
                    machine.run(SignedDuration::from_hours(1));
                    ran += 1;
                }
                world.now = machine.time.now();
                world.clock = machine.time.trust().clone();
                world.tick();
                world.settle();
                let there: BTreeSet<String> = world.points().into_iter().collect();
                for (point, since) in &made {
                    prop_assert!(
                        there.contains(point) || ran - since >= 20,
                        "{point} is gone {} hours after it was made",
                        ran - since
                    );
                }
                prop_assert!(made.is_empty() || !there.is_empty());
                made.retain(|point, _| there.contains(point));
                for point in there {
                    made.entry(point).or_insert(ran);
                }
            }
        }
        prop_assert!(!made.is_empty(), "schedules go on");
        Ok(())
    };
    runner
        .run(&prop::collection::vec(act(), 1..15), law)
        .unwrap();
}
