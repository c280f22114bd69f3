//! Runs that are due and runs that never happened: a scheduler that sleeps at random accounts for every one of them.

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};
use kluis_policy::runs::{Due, GRACE, LastRun, MISSED_MAX, due, last_run};
use kluis_policy::{Frequency, Schedule};
use proptest::prelude::*;

use crate::almanac::{DAY, HOUR, at, second, zone};

fn daily() -> Schedule {
    Schedule {
        frequency: Frequency::Daily {
            at: Time::constant(22, 0, 0, 0),
        },
        zone: zone("UTC"),
    }
}

fn every_four_hours() -> Schedule {
    let frequency = Frequency::Hourly {
        every: 4,
        from: Time::constant(0, 0, 0, 0),
        window: 24,
    };
    Schedule {
        frequency,
        zone: zone("UTC"),
    }
}

proptest! {
    #![proptest_config(crate::cases(2_000))]

    /// However long the scheduler was away, each run is either made or counted as missed, and none is both.
    #[test]
    fn every_run_is_made_or_counted(naps in proptest::collection::vec(1..3 * DAY, 1..30), start in 0..DAY) {
        let schedule = every_four_hours();
        let (mut now, mut handled, mut accounted) = (start, second(start), 0);
        for nap in naps {
            now += nap;
            if let Some(Due { at, missed }) = due(&schedule, handled, second(now)) {
                prop_assert!(at > handled && at <= second(now));
                prop_assert_eq!(at.as_second() % (4 * HOUR), 0);
                accounted += 1 + i64::try_from(missed).unwrap();
                handled = at;
            }
            prop_assert_eq!(due(&schedule, handled, second(now)), None);
        }
        prop_assert_eq!(accounted, now.div_euclid(4 * HOUR) - start.div_euclid(4 * HOUR));
    }

    /// A run that did not begin is noticed within one interval of the schedule, and one that did is never called missed.
    #[test]
    fn a_missed_run_is_noticed_within_one_interval(lost in 1..200i64, late in 0..2 * HOUR, asked in 0..4 * HOUR) {
        let schedule = every_four_hours();
        let run = lost * 4 * HOUR;
        let before: Vec<Timestamp> = (0..lost).map(|n| second(n * 4 * HOUR + late)).collect();
        let now = second(run + asked);
        let found = last_run(&schedule, second(-1), before.iter().copied(), GRACE, now);
        if asked >= 2 * HOUR {
            prop_assert_eq!(found, LastRun::Missed { due: second(run) });
        } else {
            let (due, at) = (second(run - 4 * HOUR), second(run - 4 * HOUR + late));
            prop_assert_eq!(found, LastRun::Began { due, at });
        }
        let began = before.into_iter().chain([second(run + late)]);
        let found = last_run(&schedule, second(-1), began, GRACE, second(run + 2 * HOUR));
        prop_assert_eq!(found, LastRun::Began { due: second(run), at: second(run + late) });
    }
}

#[test]
fn what_was_due_before_protection_is_nobodys_fault() {
    let protected = at("2026-05-01T22:00:00Z");
    assert_eq!(due(&daily(), protected, at("2026-05-02T21:59:59Z")), None);
    let first = Due {
        at: at("2026-05-02T22:00:00Z"),
        missed: 0,
    };
    assert_eq!(
        due(&daily(), protected, at("2026-05-02T22:00:00Z")),
        Some(first)
    );
    assert_eq!(
        last_run(&daily(), protected, [], GRACE, at("2026-05-02T23:59:59Z")),
        LastRun::NoneDue
    );
    let missed = LastRun::Missed {
        due: at("2026-05-02T22:00:00Z"),
    };
    assert_eq!(
        last_run(&daily(), protected, [], GRACE, at("2026-05-03T00:00:00Z")),
        missed
    );
}

#[test]
fn a_later_backup_makes_good_for_a_missed_run() {
    let (due, began) = (at("2026-05-01T22:00:00Z"), at("2026-05-02T22:30:00Z"));
    let ask = |backups: &[Timestamp]| {
        let since = at("2026-01-01T00:00:00Z");
        last_run(
            &daily(),
            since,
            backups.iter().copied(),
            GRACE,
            at("2026-05-02T23:00:00Z"),
        )
    };
    assert_eq!(ask(&[began]), LastRun::Began { due, at: began });
    assert_eq!(
        ask(&[began, due]),
        LastRun::Began { due, at: due },
        "the first of two, and punctual to the second"
    );
}

#[test]
fn the_count_of_missed_runs_is_bounded() {
    let found = due(
        &every_four_hours(),
        at("2000-01-01T00:00:00Z"),
        at("2026-01-01T00:00:00Z"),
    );
    assert_eq!(found.map(|due| due.missed), Some(MISSED_MAX));
    assert!(
        GRACE < SignedDuration::from_hours(4),
        "shorter than the shortest interval"
    );
}
