//! The service on a machine whose clock is wrong: what it says, and how a person sets it right.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use kluis_service::shell::Scripted;
use kluis_service::{ClockBelief, ClockMode, Config, Movers, start};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::movers::Site;
use crate::shell::{Answer, call, config};

fn site(dir: &Path, confirmed: bool) -> Site<'_> {
    let running = start(Config {
        clock: ClockMode::System,
        clock_belief: ClockBelief {
            confirmed,
            ..ClockBelief::default()
        },
        movers: Movers::Own(Box::new(Scripted::new(|_| Vec::new()))),
        ..config(dir)
    });
    Site::of(running.unwrap(), dir)
}

/// As though the service had committed itself that much later than it did, on a machine that was off since.
fn committed_later(dir: &Path, by: SignedDuration) {
    let database = Connection::open(dir.join("data/state.db")).unwrap();
    let body: String = database
        .query_row(
            "SELECT body FROM meta WHERE key = 'service time'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let mut body: Value = serde_json::from_str(&body).unwrap();
    let now: Timestamp = body["now"].as_str().unwrap().parse().unwrap();
    body["now"] = json!((now + by).to_string());
    body["boot"] = json!("another");
    database
        .execute(
            "UPDATE meta SET body = ?1 WHERE key = 'service time'",
            [body.to_string()],
        )
        .unwrap();
}

fn clock(site: &Site<'_>, dir: &Path, body: &str) -> Answer {
    let headers = [("Authorization", site.token.as_str())];
    let method = if body.is_empty() { "GET" } else { "POST" };
    call(&site.running, dir, method, "/_kluis/clock", &headers, body)
}

fn verdict(site: &Site<'_>, dir: &Path) -> String {
    let shown = clock(site, dir, "").body;
    shown["machine"]["verdict"].as_str().unwrap().to_owned()
}

fn now(site: &Site<'_>, dir: &Path) -> Timestamp {
    clock(site, dir, "").body["now"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

const YEAR: SignedDuration = SignedDuration::from_hours(24 * 365);

#[test]
fn a_clock_that_shows_less_than_was_committed_is_confirmed_by_an_owner() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let first = site(dir, false);
    assert_eq!(verdict(&first, dir), "Trusted");
    first.protect();
    first.running.shutdown().unwrap();
    committed_later(dir, YEAR);

    let again = site(dir, false);
    let right = Timestamp::now();
    assert_eq!(verdict(&again, dir), "Behind");
    assert!(now(&again, dir).duration_since(right) > YEAR - SignedDuration::from_hours(1));
    for (body, status, code) in [
        (json!({"confirm": "soon"}), 400, "InvalidConfirmation"),
        (
            json!({"confirm": (right + YEAR).to_string()}),
            400,
            "ClockDiffers",
        ),
    ] {
        let refused = clock(&again, dir, &body.to_string());
        assert_eq!(
            (refused.status, &refused.body["error"]["code"]),
            (status, &json!(code))
        );
    }
    let set = clock(
        &again,
        dir,
        &json!({"confirm": right.to_string()}).to_string(),
    );
    assert_eq!(set.status, 200, "{}", set.body);
    again.running.shutdown().unwrap();
    let last = site(dir, false);
    assert_eq!(verdict(&last, dir), "Trusted");
    assert!(now(&last, dir).duration_since(right) < SignedDuration::from_hours(1));
}

#[test]
fn a_clock_that_leapt_is_not_followed_until_somebody_says_so_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let first = site(dir, false);
    first.protect();
    first.running.shutdown().unwrap();
    committed_later(dir, -YEAR);

    let again = site(dir, false);
    let right = Timestamp::now();
    assert_eq!(verdict(&again, dir), "Ahead");
    assert!(right.duration_since(now(&again, dir)) > YEAR - SignedDuration::from_hours(1));
    again.running.shutdown().unwrap();
    let last = site(dir, true);
    assert_eq!(verdict(&last, dir), "Trusted");
    assert!(right.duration_since(now(&last, dir)) < SignedDuration::from_hours(1));
}

#[test]
fn where_nothing_is_protected_the_machines_clock_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    site(dir, false).running.shutdown().unwrap();
    committed_later(dir, YEAR);
    let again = site(dir, false);
    assert_eq!(verdict(&again, dir), "Trusted");
}

#[test]
fn a_virtual_clock_is_not_confirmed() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::start(
        dir.path(),
        Movers::Own(Box::new(Scripted::new(|_| Vec::new()))),
    );
    let refused = clock(
        &site,
        dir.path(),
        &json!({"confirm": Timestamp::now().to_string()}).to_string(),
    );
    assert_eq!(refused.body["error"]["code"], "ClockIsVirtual");
}
