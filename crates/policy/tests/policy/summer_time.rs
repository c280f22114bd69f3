//! Daylight saving time makes no adjustment: what the clocks show around both changes, in both hemispheres.

use expect_test::{Expect, expect};
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use kluis_policy::{Frequency, Retention, Schedule, Weekly, wall_clock};

use crate::almanac::{ZONES, at, second, zone};

fn daily(hour: i8, minute: i8, name: &str) -> Schedule {
    Schedule {
        frequency: Frequency::Daily {
            at: Time::constant(hour, minute, 0, 0),
        },
        zone: zone(name),
    }
}

/// A few runs from `from` on: the instant, and what the clock on the wall of the zone shows.
fn runs(schedule: &Schedule, from: &str, expected: &Expect) {
    let first = schedule.next_after(at(from));
    let lines: Vec<String> = std::iter::successors(first, |run| schedule.next_after(*run))
        .take(4)
        .map(|run| {
            format!(
                "{run}  {}",
                run.to_zoned(schedule.zone.clone())
                    .strftime("%a %d %b %H:%M %Z")
            )
        })
        .collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn amsterdam_into_summer() {
    runs(
        &daily(2, 30, "Europe/Amsterdam"),
        "2026-03-27T12:00:00Z",
        &expect![[r#"
            2026-03-28T01:30:00Z  Sat 28 Mar 02:30 CET
            2026-03-29T01:30:00Z  Sun 29 Mar 03:30 CEST
            2026-03-30T01:30:00Z  Mon 30 Mar 03:30 CEST
            2026-03-31T01:30:00Z  Tue 31 Mar 03:30 CEST"#]],
    );
}

#[test]
fn amsterdam_out_of_summer() {
    runs(
        &daily(2, 30, "Europe/Amsterdam"),
        "2026-10-23T12:00:00Z",
        &expect![[r#"
            2026-10-24T01:30:00Z  Sat 24 Oct 03:30 CEST
            2026-10-25T01:30:00Z  Sun 25 Oct 02:30 CET
            2026-10-26T01:30:00Z  Mon 26 Oct 02:30 CET
            2026-10-27T01:30:00Z  Tue 27 Oct 02:30 CET"#]],
    );
}

#[test]
fn sydney_into_summer() {
    runs(
        &daily(22, 0, "Australia/Sydney"),
        "2026-10-02T14:00:00Z",
        &expect![[r#"
            2026-10-03T12:00:00Z  Sat 03 Oct 22:00 AEST
            2026-10-04T12:00:00Z  Sun 04 Oct 23:00 AEDT
            2026-10-05T12:00:00Z  Mon 05 Oct 23:00 AEDT
            2026-10-06T12:00:00Z  Tue 06 Oct 23:00 AEDT"#]],
    );
}

#[test]
fn sydney_out_of_summer() {
    runs(
        &daily(22, 0, "Australia/Sydney"),
        "2026-04-03T14:00:00Z",
        &expect![[r#"
            2026-04-04T12:00:00Z  Sat 04 Apr 23:00 AEDT
            2026-04-05T12:00:00Z  Sun 05 Apr 22:00 AEST
            2026-04-06T12:00:00Z  Mon 06 Apr 22:00 AEST
            2026-04-07T12:00:00Z  Tue 07 Apr 22:00 AEST"#]],
    );
}

#[test]
fn every_daily_run_of_ten_years_is_24_hours_after_the_one_before() {
    for (name, _) in ZONES {
        let schedule = daily(2, 30, name);
        let mut run = schedule.next_after(at("2025-01-01T00:00:00Z")).unwrap();
        while run < at("2035-01-01T00:00:00Z") {
            let next = schedule.next_after(run).unwrap();
            assert_eq!(
                next.duration_since(run),
                SignedDuration::from_hours(24),
                "{name} after {run}"
            );
            run = next;
        }
    }
}

#[test]
fn the_base_offset_is_the_same_all_year() {
    for (name, offset) in ZONES {
        let zone = zone(name);
        for day in 0..3_650 {
            let moment = at("2025-01-01T00:00:00Z")
                .checked_add((day * 24).hours())
                .unwrap();
            assert_eq!(
                i64::from(wall_clock::base_offset(&zone, moment).seconds()),
                offset,
                "{name} at {moment}"
            );
        }
    }
}

/// A zone that gives up summer time keeps its clock, and a change of standard time is followed.
#[test]
fn a_change_of_standard_time_moves_the_base_offset() {
    let hours = |name: &str, moment: &str| {
        wall_clock::base_offset(&zone(name), at(moment)).seconds() / 3_600
    };
    assert_eq!(hours("Europe/Istanbul", "2015-07-01T00:00:00Z"), 2);
    assert_eq!(hours("Europe/Istanbul", "2017-01-01T00:00:00Z"), 3);
    assert_eq!(hours("Europe/Moscow", "2014-07-01T00:00:00Z"), 4);
    assert_eq!(hours("Europe/Moscow", "2014-12-01T00:00:00Z"), 3);
    assert_eq!(hours("America/Sao_Paulo", "2018-12-01T00:00:00Z"), -3);
    assert_eq!(hours("America/Sao_Paulo", "2026-12-01T00:00:00Z"), -3);
}

/// 23:30 on a summer Sunday is half past midnight on Monday by the clock on the wall, and still Sunday's run.
#[test]
fn a_run_belongs_to_the_day_of_its_policy_clock() {
    let schedule = daily(23, 30, "Europe/Amsterdam");
    let sunday = schedule.next_after(at("2026-07-12T12:00:00Z")).unwrap();
    assert_eq!(sunday, at("2026-07-12T22:30:00Z"));
    let sundays = Weekly {
        keep: 4,
        on: vec![jiff::civil::Weekday::Sunday],
    };
    let retention = Retention {
        weekly: Some(sundays),
        ..Retention::default()
    };
    assert!(retention.tags(sunday, [], &schedule.zone).weekly);
    assert!(
        retention.tags(sunday, [sunday], &schedule.zone).weekly,
        "a point is not earlier than itself"
    );
    let monday = schedule.next_after(sunday).unwrap();
    assert!(!retention.tags(monday, [sunday], &schedule.zone).weekly);
}

/// A reading of the policy's clock and its instant are each other's inverse.
#[test]
fn readings_and_instants_agree() {
    for name in ZONES
        .map(|(name, _)| name)
        .into_iter()
        .chain(["Pacific/Kiritimati", "Etc/GMT+12"])
    {
        let zone: TimeZone = zone(name);
        for hour in 0..20_000 {
            let moment: Timestamp = second(1_735_689_600 + hour * 3_601 * 5);
            assert_eq!(
                wall_clock::instant(&zone, wall_clock::reading(&zone, moment)),
                Some(moment),
                "{name}"
            );
        }
    }
}
