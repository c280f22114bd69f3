//! `schedule.daylightSaving: Follow` through a year of changes: the clock on the wall shows the same time at each backup, and Azure's own
//! clock, which never changes, is what it goes by in between.

use crate::simulation::{Order, Simulation, manifest};
use futures::executor::block_on;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use kluis_operator::{Key, Kind};
use serde_json::{Value, json};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn world(daylight_saving: &str, at: &str) -> Simulation {
    let mut world = Simulation::new(Order::Plain, None);
    let mut policy = manifest(Kind::BackupPolicy);
    policy["spec"]["schedule"] =
        json!({ "daily": { "at": at }, "daylightSaving": daylight_saving });
    policy["spec"]["retention"]["daily"]["keep"] = json!(60);
    world.objects.apply(Kind::BackupPolicy, &policy);
    for kind in [Kind::BackupService, Kind::Vault, Kind::ProtectedVM] {
        world.objects.apply(kind, &manifest(kind));
    }
    block_on(world.settle());
    world
}

/// What the clock on the wall showed at each backup.
fn on_the_wall(world: &Simulation) -> Vec<String> {
    let zone = TimeZone::get("Europe/Amsterdam").unwrap();
    let mut points: Vec<_> = world.azure.recovery_points();
    points.sort_by_key(|(_, time)| *time);
    let shown = points.iter().map(|(_, time)| time.to_zoned(zone.clone()));
    shown
        .map(|time| time.strftime("%H:%M").to_string())
        .collect()
}

fn policy(world: &Simulation) -> Value {
    let key = Key::new(Kind::BackupPolicy, "shop", "daily");
    world.objects.peek(&key).unwrap()
}

fn said_in_the_vault(world: &Simulation) -> String {
    let policy = world.azure.get("backupPolicies/daily").unwrap();
    let times = &policy["properties"]["schedulePolicy"]["scheduleRunTimes"];
    let time = times[0].as_str().unwrap();
    time[11..16].to_owned()
}

#[test]
fn a_policy_that_follows_the_clocks_shows_the_same_time_all_year() {
    let mut world = world("Follow", "22:30");
    assert_eq!(said_in_the_vault(&world), "22:30");
    let ahead = &policy(&world)["status"]["daylightSaving"];
    assert_eq!(ahead["nextChange"], "2026-03-29 03:00 +02:00", "{ahead}");
    assert_eq!(ahead["then"], "daily at 21:30");
    let made = world.azure.policies_written().len();

    // From 2 March on, half an hour apart around the two changes, 29 March and 25 October.
    for _ in 0..26 {
        block_on(world.live(DAY));
    }
    let item = Key::new(Kind::ProtectedVM, "shop", "web-1");
    let mut next = Vec::new();
    for _ in 0..96 {
        block_on(world.live(SignedDuration::from_mins(30)));
        let status = world.objects.peek(&item).unwrap()["status"].clone();
        next.push(status["nextBackup"].as_str().unwrap().to_owned());
    }
    assert!(next.iter().all(|next| next.contains(" 22:30 ")), "{next:?}");
    assert_eq!(said_in_the_vault(&world), "21:30");
    let spring = on_the_wall(&world);
    assert!(spring.len() >= 27, "{}", spring.len());
    let ahead = policy(&world)["status"]["daylightSaving"].clone();
    assert_eq!(ahead["nextChange"], "2026-10-25 02:00 +01:00", "{ahead}");
    for _ in 0..208 {
        block_on(world.live(DAY));
    }
    for _ in 0..240 {
        block_on(world.live(SignedDuration::from_mins(30)));
    }
    assert_eq!(said_in_the_vault(&world), "22:30");
    let autumn = on_the_wall(&world);
    assert!(autumn.len() >= 60, "{}", autumn.len());
    for shown in [spring, autumn] {
        assert!(shown.iter().all(|shown| shown == "22:30"), "{shown:?}");
    }
    assert_eq!(world.azure.policies_written().len() - made, 2);
    let events = world.objects.events();
    let told = |word: &str| events.iter().filter(|event| event.contains(word)).count();
    assert_eq!(told("DaylightSavingAhead"), 3, "{events:?}");
    assert_eq!(told("ScheduledRunMissed"), 0, "{events:?}");
    assert_eq!(told("Approv"), 0, "{events:?}");
}

/// Azure's own way: an hour later by the clock on the wall, and no edit.
#[test]
fn a_policy_that_does_not_is_left_alone() {
    let mut world = world("Ignore", "22:30");
    let made = world.azure.policies_written().len();
    for _ in 0..40 {
        block_on(world.live(DAY));
    }
    assert_eq!(world.azure.policies_written().len(), made);
    let shown = on_the_wall(&world);
    assert!(shown.contains(&"22:30".to_owned()) && shown.contains(&"23:30".to_owned()));
    assert!(policy(&world)["status"]["daylightSaving"].is_null());
}

/// A run just after midnight would fall on the day before in summer, and its retention with it.
#[test]
fn a_time_that_cannot_follow_is_refused_before_summer() {
    let world = world("Follow", "00:30");
    let said = policy(&world)["status"]["conditions"][0].clone();
    assert_eq!(said["reason"], "PolicyNotExpressible", "{said}");
    assert!(world.azure.policies_written().is_empty());
}
