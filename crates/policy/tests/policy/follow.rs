//! Daylight saving time that is followed: what the clock on the wall shows at each run, through the changes.

use expect_test::{Expect, expect};
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use kluis_policy::follow::{next_change, next_edit, next_run, shifted};
use kluis_policy::simulate::timeline;
use kluis_policy::{Between, Daily, DaylightSaving, Frequency, Log, Retention, Strategy, Workload};

use crate::almanac::{at, zone};

fn daily(hour: i8, minute: i8) -> Frequency {
    Frequency::Daily {
        at: Time::constant(hour, minute, 0, 0),
    }
}

fn following(full: Frequency, zone: TimeZone) -> Strategy {
    Strategy {
        workload: Workload::VirtualMachine,
        zone,
        daylight_saving: DaylightSaving::Follow,
        full,
        retention: Retention {
            daily: Some(Daily { keep: 30 }),
            ..Retention::default()
        },
        differential: None,
        incremental: None,
        log: None,
        instant_days: None,
    }
}

/// What the clock on the wall shows at the runs between two instants.
fn walls(strategy: &Strategy, from: &str, to: &str) -> Vec<Zoned> {
    timeline(strategy, at(from), at(to))
        .map(|made| made.due.to_zoned(strategy.zone.clone()))
        .collect()
}

fn shows(strategy: &Strategy, from: &str, to: &str, expected: &Expect) {
    let lines: Vec<String> = walls(strategy, from, to)
        .iter()
        .map(|wall| {
            format!(
                "{}  {}",
                wall.timestamp(),
                wall.strftime("%a %d %b %H:%M %Z")
            )
        })
        .collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn the_clock_on_the_wall_shows_the_declared_time_all_year() {
    for name in [
        "Europe/Amsterdam",
        "America/New_York",
        "Australia/Sydney",
        "Europe/Dublin",
    ] {
        let strategy = following(daily(22, 30), zone(name));
        let runs = walls(&strategy, "2026-01-01T00:00:00Z", "2036-01-01T00:00:00Z");
        assert!(
            (3_651..=3_653).contains(&runs.len()),
            "{name}: {}",
            runs.len()
        );
        for (run, next) in runs.iter().zip(runs.iter().skip(1)) {
            assert_eq!((run.hour(), run.minute()), (22, 30), "{name}: {run}");
            assert_eq!(run.date().tomorrow().unwrap(), next.date(), "{name}: {run}");
        }
    }
}

#[test]
fn a_run_in_the_hour_that_is_skipped_is_made_by_the_old_time() {
    shows(
        &following(daily(2, 30), zone("Europe/Amsterdam")),
        "2026-03-27T12:00:00Z",
        "2026-03-31T12:00:00Z",
        &expect![[r#"
            2026-03-28T01:30:00Z  Sat 28 Mar 02:30 CET
            2026-03-29T01:30:00Z  Sun 29 Mar 03:30 CEST
            2026-03-30T00:30:00Z  Mon 30 Mar 02:30 CEST
            2026-03-31T00:30:00Z  Tue 31 Mar 02:30 CEST"#]],
    );
}

#[test]
fn a_run_in_the_hour_that_comes_twice_is_made_once() {
    shows(
        &following(daily(2, 30), zone("Europe/Amsterdam")),
        "2026-10-23T12:00:00Z",
        "2026-10-27T12:00:00Z",
        &expect![[r#"
            2026-10-24T00:30:00Z  Sat 24 Oct 02:30 CEST
            2026-10-25T00:30:00Z  Sun 25 Oct 02:30 CEST
            2026-10-26T01:30:00Z  Mon 26 Oct 02:30 CET
            2026-10-27T01:30:00Z  Tue 27 Oct 02:30 CET"#]],
    );
}

/// Half past midnight in summer would be 23:30 of the day before on the policy's clock: Sunday's weekly point would be
/// Saturday's. So it stays where it is, an hour late by the clock on the wall, as without following.
#[test]
fn a_run_that_would_fall_on_another_day_can_t_follow() {
    let amsterdam = zone("Europe/Amsterdam");
    let summer = at("2026-07-01T12:00:00Z");
    assert_eq!(shifted(&daily(0, 30), &amsterdam, summer), None);
    assert_eq!(shifted(&daily(1, 0), &amsterdam, summer), Some(daily(0, 0)));
    let windows = |from: i8, window: u8| Frequency::Hourly {
        every: 4,
        from: Time::constant(from, 0, 0, 0),
        window,
    };
    assert_eq!(
        shifted(&windows(8, 12), &amsterdam, summer),
        Some(windows(7, 12))
    );
    assert_eq!(
        shifted(&windows(8, 16), &amsterdam, summer),
        None,
        "the run at midnight would be one at 23:00"
    );
    shows(
        &following(daily(0, 30), amsterdam),
        "2026-03-28T00:00:00Z",
        "2026-03-30T12:00:00Z",
        &expect![[r#"
            2026-03-28T23:30:00Z  Sun 29 Mar 00:30 CET
            2026-03-29T23:30:00Z  Mon 30 Mar 01:30 CEST"#]],
    );
}

#[test]
fn the_next_edit_is_at_the_change_or_a_little_later() {
    let amsterdam = zone("Europe/Amsterdam");
    let january = at("2026-01-15T12:00:00Z");
    let change = at("2026-03-29T01:00:00Z");
    assert_eq!(
        next_change(&amsterdam, january).map(|(at, _)| at),
        Some(change)
    );
    assert_eq!(next_change(&zone("UTC"), january), None);
    assert_eq!(
        next_edit(&daily(22, 30), &amsterdam, january),
        Some((change, Some(daily(21, 30))))
    );
    let after_its_run = at("2026-03-29T01:30:01Z");
    let edit = Some((after_its_run, Some(daily(1, 30))));
    assert_eq!(next_edit(&daily(2, 30), &amsterdam, january), edit);
    assert_eq!(
        next_edit(&daily(2, 30), &amsterdam, change),
        edit,
        "while it waits, too"
    );
    assert_eq!(
        shifted(&daily(2, 30), &amsterdam, change),
        Some(daily(2, 30))
    );
    assert_eq!(
        next_edit(&daily(22, 30), &zone("Asia/Tokyo"), january),
        None
    );
}

/// An answer holds from one edit to the next, for every half hour of the day.
#[test]
fn between_two_edits_the_policy_says_the_same() {
    for name in [
        "Europe/Amsterdam",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Europe/Dublin",
    ] {
        let zone = zone(name);
        for half in 0..48 {
            let frequency = daily(half / 2, half % 2 * 30);
            let mut now = at("2026-01-01T00:00:00Z");
            for _ in 0..3 {
                let (edit, then) = next_edit(&frequency, &zone, now).unwrap();
                let said = shifted(&frequency, &zone, now);
                let just_before = Timestamp::from_second(edit.as_second() - 1).unwrap();
                assert_eq!(
                    shifted(&frequency, &zone, just_before),
                    said,
                    "{name} {frequency:?}"
                );
                assert_eq!(
                    shifted(&frequency, &zone, edit),
                    then,
                    "{name} {frequency:?}"
                );
                assert_ne!(said, then);
                now = edit;
            }
        }
    }
}

/// Whatever the time of day, ten years of a followed policy have one run a day of the clock on the wall.
#[test]
fn no_run_is_lost_and_none_is_made_twice() {
    for name in [
        "Europe/Amsterdam",
        "America/St_Johns",
        "Australia/Lord_Howe",
    ] {
        for half in 0..48 {
            let strategy = following(daily(half / 2, half % 2 * 30), zone(name));
            let runs = walls(&strategy, "2026-01-01T12:00:00Z", "2031-01-01T12:00:00Z");
            for (run, next) in runs.iter().zip(runs.iter().skip(1)) {
                let apart = next.timestamp().duration_since(run.timestamp()).as_hours();
                assert!((23..=25).contains(&apart), "{name} at {run}: {apart} hours");
            }
        }
    }
}

/// Asking for run after run is walking the timeline, through edits and where nothing can follow.
#[test]
fn the_next_run_is_the_timeline_s() {
    for name in ["Europe/Amsterdam", "Australia/Lord_Howe", "UTC"] {
        for half in [0, 1, 4, 5, 6, 44] {
            let strategy = following(daily(half / 2, half % 2 * 30), zone(name));
            let from = at("2026-01-01T12:00:00Z");
            let next = |after: &Timestamp| next_run(&strategy.full, &strategy.zone, *after);
            let asked = std::iter::successors(next(&from), next).take(400);
            let walked = timeline(&strategy, from, at("2028-01-01T00:00:00Z"));
            assert!(
                asked.eq(walked.map(|made| made.due).take(400)),
                "{name} {half}"
            );
        }
    }
}

/// All of a database's times follow by one edit, its logs are left alone.
#[test]
fn a_database_follows_with_all_its_times() {
    let weekly = Frequency::Weekly {
        on: vec![Weekday::Sunday],
        at: Time::constant(22, 0, 0, 0),
    };
    let strategy = Strategy {
        workload: Workload::SqlServer,
        differential: Some(Between {
            on: vec![Weekday::Monday],
            at: Time::constant(21, 0, 0, 0),
            keep_days: 30,
        }),
        log: Some(Log {
            every_minutes: 720,
            keep_days: 15,
        }),
        ..following(weekly, zone("Europe/Amsterdam"))
    };
    shows(
        &strategy,
        "2026-03-22T12:00:00Z",
        "2026-03-31T00:00:00Z",
        &expect![[r#"
            2026-03-22T21:00:00Z  Sun 22 Mar 22:00 CET
            2026-03-22T23:00:00Z  Mon 23 Mar 00:00 CET
            2026-03-23T11:00:00Z  Mon 23 Mar 12:00 CET
            2026-03-23T20:00:00Z  Mon 23 Mar 21:00 CET
            2026-03-23T23:00:00Z  Tue 24 Mar 00:00 CET
            2026-03-24T11:00:00Z  Tue 24 Mar 12:00 CET
            2026-03-24T23:00:00Z  Wed 25 Mar 00:00 CET
            2026-03-25T11:00:00Z  Wed 25 Mar 12:00 CET
            2026-03-25T23:00:00Z  Thu 26 Mar 00:00 CET
            2026-03-26T11:00:00Z  Thu 26 Mar 12:00 CET
            2026-03-26T23:00:00Z  Fri 27 Mar 00:00 CET
            2026-03-27T11:00:00Z  Fri 27 Mar 12:00 CET
            2026-03-27T23:00:00Z  Sat 28 Mar 00:00 CET
            2026-03-28T11:00:00Z  Sat 28 Mar 12:00 CET
            2026-03-28T23:00:00Z  Sun 29 Mar 00:00 CET
            2026-03-29T11:00:00Z  Sun 29 Mar 13:00 CEST
            2026-03-29T20:00:00Z  Sun 29 Mar 22:00 CEST
            2026-03-29T23:00:00Z  Mon 30 Mar 01:00 CEST
            2026-03-30T11:00:00Z  Mon 30 Mar 13:00 CEST
            2026-03-30T19:00:00Z  Mon 30 Mar 21:00 CEST
            2026-03-30T23:00:00Z  Tue 31 Mar 01:00 CEST"#]],
    );
}
