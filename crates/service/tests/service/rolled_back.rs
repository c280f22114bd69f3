//! An older state is put back over a vault that has gone on: what the vault knows better is taken in, what it has no more is
//! marked, and both are said.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use kluis_service::shell::Threads;
use kluis_service::{Config, Movers, Scrub, start};
use serde_json::{Value, json};

use crate::movers::Site;
use crate::shell::{call, config};

/// The comparison is made once the service runs.
const LIMIT: Duration = Duration::from_secs(120);

fn site(dir: &Path) -> Site<'_> {
    Site::start(dir, Movers::Own(Box::new(Threads)))
}

fn points(site: &Site<'_>) -> Vec<Value> {
    let found = site.get(&format!("{}/recoveryPoints", site.item()));
    found["value"].as_array().unwrap().clone()
}

fn tier(point: &Value, tier: &str) -> Option<String> {
    let tiers = point["properties"]["recoveryPointTierDetails"].as_array()?;
    let found = tiers.iter().find(|found| found["type"] == tier)?;
    found["status"].as_str().map(str::to_owned)
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

fn advance(site: &Site<'_>, dir: &Path, by: &str) {
    let headers = [("Authorization", site.token.as_str())];
    let body = format!(r#"{{"advance":"{by}"}}"#);
    let moved = call(&site.running, dir, "POST", "/_kluis/clock", &headers, &body);
    assert_eq!(moved.status, 200, "{}", moved.body);
}

/// The points as they are told, but for the tier beside the machine, whose files an older state does not know.
fn told(points: &[Value]) -> Vec<Value> {
    let each = points.iter().map(|point| {
        let mut point = point.clone();
        let properties = point["properties"].as_object_mut().unwrap();
        properties.remove("recoveryPointTierDetails");
        // Of the newest it is said that it is; which one that is has just been decided anew.
        properties.remove("recoveryPointProperties");
        point
    });
    each.collect()
}

#[test]
fn points_that_a_state_put_back_does_not_know_are_taken_in_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("web-2-os.raw"), vec![1; 1 << 20]).unwrap();
    let first = site(dir);
    first.protect();
    assert_eq!(first.back_up()["status"], "Completed");
    first.running.shutdown().unwrap();
    let (state, older) = (dir.join("data/state.db"), dir.join("older.db"));
    fs::copy(&state, &older).unwrap();

    let second = site(dir);
    advance(&second, dir, "P1D");
    fs::write(dir.join("web-2-os.raw"), vec![2; 1 << 20]).unwrap();
    assert_eq!(second.back_up()["status"], "Completed");
    let before = points(&second);
    assert!(before.len() >= 3, "one of the schedule, too: {before:?}");
    second.running.shutdown().unwrap();
    let snapshots = dir.join("data/snapshots/shop-rg/v1");
    let beside = fs::read_dir(&snapshots).unwrap().count();

    put_back(&older, &state);
    let third = site(dir);
    until("the points were not taken in", || {
        points(&third).len() == before.len()
    });
    let after = points(&third);
    assert_eq!(told(&after), told(&before));
    let all_there = |point: &Value| tier(point, "HardenedRP").as_deref() == Some("Valid");
    assert!(after.iter().all(all_there), "{after:?}");
    let item = third.get(&third.item());
    assert_eq!(
        item["properties"]["lastRecoveryPoint"], before[0]["properties"]["recoveryPointTime"],
        "{item}"
    );
    assert_eq!(
        fs::read_dir(&snapshots).unwrap().count(),
        beside,
        "what an older state does not know is not swept away"
    );
    // A state that was put back may have older policies: for a while nothing goes by its age.
    third.running.shutdown().unwrap();
}

/// The state is of a day on which the vault was not locked yet.
#[test]
fn a_lock_that_a_state_put_back_does_not_know_is_put_back_too() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("web-2-os.raw"), vec![1; 1 << 20]).unwrap();
    let first = site(dir);
    first.protect();
    assert_eq!(first.back_up()["status"], "Completed");
    first.running.shutdown().unwrap();
    let (state, older) = (dir.join("data/state.db"), dir.join("older.db"));
    fs::copy(&state, &older).unwrap();

    let second = site(dir);
    for step in ["Unlocked", "Locked"] {
        let settings = json!({ "properties": { "securitySettings": { "immutabilitySettings": { "state": step } } } });
        let set = second.call("PATCH", "", &settings);
        assert!(set.status < 300, "{}", set.body);
    }
    fs::write(dir.join("web-2-os.raw"), vec![2; 1 << 20]).unwrap();
    assert_eq!(second.back_up()["status"], "Completed");
    second.running.shutdown().unwrap();

    put_back(&older, &state);
    let third = site(dir);
    let lock = |site: &Site<'_>| {
        let vault = site.get("");
        vault["properties"]["securitySettings"]["immutabilitySettings"]["state"].clone()
    };
    until("the lock was not put back", || lock(&third) == "Locked");
    let refused = third.call("DELETE", &third.item(), &Value::Null);
    assert!(refused.status >= 400, "{}", refused.body);
    third.running.shutdown().unwrap();
}

fn put_back(older: &Path, state: &Path) {
    fs::copy(older, state).unwrap();
    for beside in ["state.db-wal", "state.db-shm"] {
        drop(fs::remove_file(state.with_file_name(beside)));
    }
}

#[test]
fn points_that_the_vault_has_no_more_are_marked_and_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("web-2-os.raw"), vec![1; 1 << 20]).unwrap();
    let first = site(dir);
    first.protect();
    assert_eq!(first.back_up()["status"], "Completed");
    first.running.shutdown().unwrap();
    let vault = dir.join("data/vaults/shop-rg/v1");
    let (there, away) = (vault.join("snapshots"), dir.join("away"));
    fs::rename(&there, &away).unwrap();
    fs::create_dir(&there).unwrap();
    // The files beside the machine would do, too: it is the vault that is asked.
    fs::remove_dir_all(dir.join("data/snapshots")).unwrap();

    let second = site(dir);
    let status = |site: &Site<'_>| tier(&points(site)[0], "HardenedRP");
    until("the point was not marked", || {
        status(&second).as_deref() == Some("Deleted")
    });
    second.running.shutdown().unwrap();
    fs::remove_dir(&there).unwrap();
    fs::rename(&away, &there).unwrap();
    let third = site(dir);
    until("the point was not given back", || {
        status(&third).as_deref() == Some("Valid")
    });
    third.running.shutdown().unwrap();
}

/// Moves all that is in a folder to another.
fn move_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::rename(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn points_that_the_vault_loses_while_the_service_runs_are_marked_and_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("web-2-os.raw"), vec![1; 1 << 20]).unwrap();
    let running = start(Config {
        movers: Movers::Own(Box::new(Threads)),
        scrub: Scrub::default(),
        ..config(dir)
    });
    let site = Site::of(running.unwrap(), dir);
    site.protect();
    assert_eq!(site.back_up()["status"], "Completed");
    let first = points(&site)[0]["name"].as_str().unwrap().to_owned();
    let status = || {
        let points = points(&site);
        let first = points.iter().find(|point| point["name"] == first.as_str());
        tier(first.unwrap(), "HardenedRP").unwrap()
    };
    let titles = || {
        let path = format!("/kluis/v1{}/health", site.vault);
        let headers = [("Authorization", site.token.as_str())];
        let told = call(&site.running, dir, "GET", &path, &headers, "").body;
        let problems = told["problems"].as_array().unwrap().clone();
        let title = |problem: &Value| problem["title"].as_str().unwrap().to_owned();
        problems.iter().map(title).collect::<Vec<_>>()
    };
    assert_eq!(
        (status(), titles()),
        ("Valid".to_owned(), Vec::<String>::new())
    );
    let there = dir.join("data/vaults/shop-rg/v1/snapshots");
    let away = dir.join("away");

    // A backup does not find what it was to lean on.
    move_all(&there, &away);
    let job = site.back_up();
    assert!(job["status"].as_str().unwrap().starts_with("Completed"));
    until("a backup did not notice", || status() == "Deleted");
    assert_eq!(titles(), ["RecoveryPointsMissing", "StateDiffersFromVault"]);
    let item = site.get(&site.item());
    assert_eq!(
        item["properties"]["healthStatus"], "ActionRequired",
        "{item}"
    );
    // It is put back, and the next scrub sees it.
    move_all(&away, &there);
    advance(&site, dir, "P2D");
    until("it was not given back", || status() == "Valid");
    site.running.shutdown().unwrap();
}

#[test]
fn a_machine_that_the_state_does_not_know_keeps_its_snapshots() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("web-2-os.raw"), vec![1; 1 << 20]).unwrap();
    let first = site(dir);
    first.make_vault();
    first.running.shutdown().unwrap();
    let (state, older) = (dir.join("data/state.db"), dir.join("older.db"));
    fs::copy(&state, &older).unwrap();
    let second = site(dir);
    second.protect_by("DefaultPolicy");
    assert_eq!(second.back_up()["status"], "Completed");
    let before = points(&second);
    second.running.shutdown().unwrap();
    let snapshots = dir.join("data/vaults/shop-rg/v1/snapshots");
    put_back(&older, &state);
    let third = site(dir);
    advance(&third, dir, "P60D");
    assert_eq!(fs::read_dir(&snapshots).unwrap().count(), 1);
    // Protected again, and the service started again: it has what it had.
    third.protect_by("DefaultPolicy");
    third.running.shutdown().unwrap();
    let fourth = site(dir);
    until("the point was not taken in", || points(&fourth).len() == 1);
    assert_eq!(points(&fourth)[0]["name"], before[0]["name"]);
    let job = json!(fourth.back_up()["status"]);
    assert_eq!(job, "Completed");
    fourth.running.shutdown().unwrap();
}
