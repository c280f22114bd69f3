//! Time: runs at their hour in their zone, retention under a moving clock, runs that came late, cleanup in the vault too.

use std::collections::BTreeMap;

use expect_test::expect;
use http::Method;
use kluis_vault::FailureCode;
use serde_json::json;

use super::world::{ITEM, World, at};

#[test]
fn a_daily_policy_runs_at_its_hour_at_the_zones_base_offset_all_year() {
    let mut world = World::new();
    // Windows' name of Europe/Amsterdam's zone: UTC+1 in winter and, for backups, in summer too.
    world.daily_policy("evening", "22:30", "W. Europe Standard Time", 30);
    world.protect_with("evening");
    world.live(24 * 3);
    world.now = at("2026-07-01T00:00:00Z");
    world.live(24);
    expect![[r#"
        2026-03-02T09:00:00Z ConfigureBackup Completed
        2026-03-02T21:30:00Z Backup Completed
        2026-03-03T21:30:00Z Backup Completed
        2026-03-04T21:30:00Z Backup Completed
        2026-07-01T00:00:00Z Backup CompletedWithWarnings (The run that was due at 6/30/2026 9:30:00 PM began 2 h 30 min late because the service was not running; 117 earlier runs were missed.)
        2026-07-01T21:30:00Z Backup Completed
    "#]]
    .assert_eq(&world.jobs());
}

#[test]
fn retention_lets_go_of_points_once_a_day_and_the_vault_lets_go_with_it() {
    let mut world = World::new();
    world.daily_policy("week", "20:00", "UTC", 7);
    world.protect_with("week");
    world.live(24 * 30);
    // Midnight has passed since the run of the 23rd expired on the 30th; that of the 24th has not.
    assert_eq!(world.now, at("2026-04-01T09:00:00Z"));
    expect![[r#"
        [
            "2026-03-31T20:00:00Z",
            "2026-03-30T20:00:00Z",
            "2026-03-29T20:00:00Z",
            "2026-03-28T20:00:00Z",
            "2026-03-27T20:00:00Z",
            "2026-03-26T20:00:00Z",
            "2026-03-25T20:00:00Z",
        ]
    "#]]
    .assert_debug_eq(&world.points());
    assert_eq!(
        world.snapshots.values().map(BTreeMap::len).sum::<usize>(),
        7
    );
}

#[test]
fn points_stay_until_the_mover_says_that_their_snapshots_are_gone() {
    let mut world = World::new();
    world.daily_policy("week", "20:00", "UTC", 7);
    world.protect_with("week");
    world.live(24 * 7 + 12);
    assert_eq!(
        world.points().len(),
        8,
        "the first point expired at 20:00 and is there until midnight"
    );
    world.now = at("2026-03-10T00:00:00Z");
    world.tick();
    let removal = world.movers.keys().next().cloned().unwrap();
    assert_eq!(world.points().len(), 8);
    world.fail(&removal, FailureCode::NoSpace);
    assert_eq!(
        world.points().len(),
        8,
        "a removal that failed removes nothing"
    );
    world.live(24);
    assert_eq!(
        world.points().len(),
        7,
        "the next day's removes what that one did not, and one more"
    );
}

#[test]
fn an_hourly_policy_runs_in_its_window() {
    let mut world = World::new();
    world.protect_with("EnhancedPolicy");
    world.live(24);
    expect![[r#"
        2026-03-02T09:00:00Z ConfigureBackup Completed
        2026-03-02T12:00:00Z Backup Completed
        2026-03-02T16:00:00Z Backup Completed
        2026-03-02T20:00:00Z Backup Completed
        2026-03-03T08:00:00Z Backup Completed
    "#]]
    .assert_eq(&world.jobs());
}

#[test]
fn a_run_that_is_due_while_the_item_is_held_waits_and_says_so() {
    let mut world = World::new();
    world.protect();
    world.now = at("2026-03-02T19:50:00Z");
    let job = world.backup_now();
    world.now = at("2026-03-02T20:00:00Z");
    world.tick();
    world.tick();
    assert_eq!(world.movers.len(), 1, "one job at a time holds an item");
    assert!(
        world.next_due().unwrap() > world.now,
        "what waits for a job is not due: the job's end starts it"
    );
    world.now = at("2026-03-02T20:20:00Z");
    world.succeed(&job);
    world.settle();
    expect![[r#"
        2026-03-02T09:00:00Z ConfigureBackup Completed
        2026-03-02T19:50:00Z Backup Completed
        2026-03-02T20:20:00Z Backup Completed (The run that was due at 3/2/2026 8:00:00 PM began 20 min late because job 00000000-0000-0000-0000-000000000007 held the item.)
    "#]]
    .assert_eq(&world.jobs());
}

#[test]
fn another_policy_counts_from_now_and_its_retention_reaches_old_points() {
    let mut world = World::new();
    world.daily_policy("month", "20:00", "UTC", 30);
    world.daily_policy("week", "06:00", "UTC", 7);
    world.protect_with("month");
    world.live(24 * 20);
    assert_eq!(world.points().len(), 20);
    world.protect_with("week");
    world.tick();
    world.settle();
    assert_eq!(
        world.points().len(),
        7,
        "what the new policy no longer keeps is cleaned up"
    );
    world.live(24);
    assert_eq!(world.points()[0], "2026-03-23T06:00:00Z");
}

#[test]
fn editing_a_policy_in_use_is_accepted_and_takes_effect() {
    let mut world = World::new();
    assert_eq!(world.daily_policy("mine", "20:00", "UTC", 30).status, 200);
    world.protect_with("mine");
    assert_eq!(
        world.get("backupPolicies/mine")["properties"]["protectedItemsCount"],
        json!(1)
    );
    world.live(24 * 20);
    let response = world.daily_policy("mine", "20:00", "UTC", 7);
    assert_eq!((response.status, &response.body), (202, &None));
    let url = response
        .header("Azure-AsyncOperation")
        .unwrap()
        .replace("https://localhost", "");
    assert!(url.contains("/backupPolicies/mine/operations/"), "{url}");
    assert_eq!(
        world.get(url.split('?').next().unwrap())["status"],
        "Succeeded"
    );
    world.tick();
    world.settle();
    assert_eq!(world.points().len(), 7);
}

#[test]
fn the_newest_point_stays_when_every_backup_fails() {
    let mut world = World::new();
    world.daily_policy("week", "20:00", "UTC", 7);
    world.protect_with("week");
    world.live(24 * 2);
    world.inventory_without("web-1");
    world.live(24 * 60);
    assert_eq!(world.points(), ["2026-03-03T20:00:00Z"]);
    let jobs = world.get("backupJobs?$filter=status eq 'Failed'");
    let id = jobs["value"][0]["name"].as_str().unwrap().to_owned();
    assert_eq!(
        world.job(&id)["errorDetails"][0]["errorTitle"],
        "UserErrorVmNotFoundV2"
    );
    let item = world.item();
    assert_eq!(
        (&item["lastBackupStatus"], &item["healthStatus"]),
        (&json!("Failed"), &json!("ActionRequired"))
    );
}

#[test]
fn on_demand_points_go_when_they_were_said_to_whatever_the_policy() {
    let mut world = World::new();
    world.daily_policy("week", "20:00", "UTC", 7);
    world.protect_with("week");
    let body = json!({"properties": {"objectType": "IaasVMBackupRequest", "recoveryPointExpiryTimeInUTC": "2026-03-04T12:00:00Z"}});
    world.accept(Method::POST, &format!("{ITEM}/backup"), Some(&body));
    world.settle();
    world.live(24 * 2);
    assert_eq!(world.points().last().unwrap(), "2026-03-02T09:00:00Z");
    world.live(24);
    assert_eq!(world.points().last().unwrap(), "2026-03-02T20:00:00Z");
}

#[test]
fn no_more_movers_run_than_may_and_a_removal_runs_alone() {
    let mut world = World::new();
    world.max_jobs = 1;
    world.protect();
    let second = ITEM.replace("web-1", "web-2");
    let body = super::world::protection(
        &super::world::WEB_1.replace("web-1", "web-2"),
        "DefaultPolicy",
    );
    world.accept(Method::PUT, &second, Some(&body));
    let first = world.backup_now();
    let other = world.accept(
        Method::POST,
        &format!("{second}/backup"),
        Some(&super::world::backup_request()),
    );
    assert_eq!(world.movers.keys().collect::<Vec<_>>(), [&first]);
    assert_eq!(world.job(&other)["status"], "InProgress");
    world.succeed(&first);
    assert_eq!(world.movers.keys().collect::<Vec<_>>(), [&other]);
    world.settle();

    world.max_jobs = 4;
    world.daily_policy("midnight", "00:00", "UTC", 7);
    for vm in ["web-1", "web-2"] {
        let body = super::world::protection(&super::world::WEB_1.replace("web-1", vm), "midnight");
        world.accept(Method::PUT, &ITEM.replace("web-1", vm), Some(&body));
    }
    world.now = at("2026-03-02T23:00:00Z");
    world.live(24 * 7);
    world.now = at("2026-03-10T00:00:00Z");
    world.tick();
    // Both items' runs and the cleanup are due at this moment. Snapshots may go straight into the vault: the removal waits for them.
    let words = |world: &World| -> Vec<String> {
        let running = world.started.iter().rev().take(world.movers.len());
        let mut words: Vec<_> = running
            .map(|word| word.split(' ').next().unwrap().to_owned())
            .collect();
        words.sort();
        words
    };
    for (round, next) in [("snapshot", "backup"), ("backup", "forget")] {
        assert_eq!(words(&world), [round, round]);
        let movers: Vec<String> = world.movers.keys().cloned().collect();
        for job in &movers {
            world.succeed_once(job);
        }
        assert_eq!(words(&world)[0], next, "alone, and in its turn");
    }
    assert_eq!(world.movers.len(), 1);
    world.settle();
    assert!(!world.busy());
}
