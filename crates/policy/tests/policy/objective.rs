//! The recovery point objective, at its edges and over random histories.

use jiff::SignedDuration;
use jiff::civil::Time;
use kluis_policy::{
    DaylightSaving, Frequency, Objective, Retention, Standing, Strategy, Workload, simulate,
};
use proptest::prelude::*;
use proptest::strategy::Strategy as _;

use crate::almanac::{HOUR, WEEKDAYS, ZONES, at, second, zone};

const RPO: Objective = Objective {
    rpo: SignedDuration::from_hours(26),
};

#[test]
fn it_is_broken_from_the_moment_the_point_is_that_old() {
    let ask = |now| RPO.standing(Some(second(0)), Some(second(24 * HOUR)), second(now));
    let until = second(26 * HOUR);
    let (newest, next) = (second(0), Some(second(24 * HOUR)));
    assert_eq!(
        ask(26 * HOUR - 1),
        Standing::Within {
            newest,
            next,
            until,
            gap: false
        }
    );
    assert_eq!(
        ask(26 * HOUR),
        Standing::Broken {
            newest,
            next,
            since: until
        }
    );
}

#[test]
fn without_a_point_it_is_not_met() {
    let standing = RPO.standing(None, Some(second(9)), second(0));
    assert_eq!(
        standing,
        Standing::NoPoint {
            next: Some(second(9))
        }
    );
    assert!(!standing.is_within());
}

#[test]
fn an_objective_tighter_than_the_schedule_is_said_before_it_breaks() {
    let gap = |next| match RPO.standing(Some(second(0)), next, second(1)) {
        Standing::Within { gap, .. } => gap,
        other => panic!("{other:?}"),
    };
    assert!(!gap(Some(second(24 * HOUR))));
    assert!(gap(Some(second(26 * HOUR))));
    assert!(gap(None), "nothing is scheduled, so it will break");
}

fn strategy(full: Frequency, name: &str, daylight_saving: DaylightSaving) -> Strategy {
    Strategy {
        workload: Workload::VirtualMachine,
        zone: zone(name),
        daylight_saving,
        full,
        retention: Retention::default(),
        differential: None,
        incremental: None,
        log: None,
        instant_days: None,
    }
}

fn daily(daylight_saving: DaylightSaving) -> Strategy {
    let full = Frequency::Daily {
        at: Time::constant(22, 30, 0, 0),
    };
    strategy(full, "Europe/Amsterdam", daylight_saving)
}

#[test]
fn an_objective_as_long_as_the_gap_is_out_of_reach() {
    let gap = |hours, daylight_saving| {
        let rpo = SignedDuration::from_hours(hours);
        let objective = Objective { rpo };
        let gap = objective.out_of_reach(&daily(daylight_saving), at("2026-01-01T00:00:00Z"));
        gap.map(|gap| gap.as_hours())
    };
    // A point is made a little after its run: at the next one it is 24 hours old and more.
    assert_eq!(gap(24, DaylightSaving::Ignore), Some(24));
    assert_eq!(gap(25, DaylightSaving::Ignore), None);
    // The night in October that has 25 hours.
    assert_eq!(gap(25, DaylightSaving::Follow), Some(25));
    assert_eq!(gap(26, DaylightSaving::Follow), None);
}

#[test]
fn what_runs_at_most_once_has_no_gap() {
    let never = Frequency::Weekly {
        on: Vec::new(),
        at: Time::midnight(),
    };
    let never = strategy(never, "UTC", DaylightSaving::Ignore);
    assert_eq!(RPO.out_of_reach(&never, second(0)), None);
}

fn frequencies() -> impl proptest::strategy::Strategy<Value = Frequency> {
    let time = (0..24i8, 0..60i8).prop_map(|(hour, minute)| Time::constant(hour, minute, 0, 0));
    prop_oneof![
        time.clone().prop_map(|at| Frequency::Daily { at }),
        (
            proptest::sample::subsequence(WEEKDAYS.to_vec(), 1..7),
            time.clone()
        )
            .prop_map(|(on, at)| Frequency::Weekly { on, at }),
        (1..13u8, time, 1..24u8).prop_map(|(every, from, window)| Frequency::Hourly {
            every,
            from,
            window
        }),
    ]
}

proptest! {
    #![proptest_config(crate::cases(150))]

    /// The days that are looked at have the longest gap of the year in them.
    #[test]
    fn no_gap_of_the_year_is_longer(
        full in frequencies(),
        (name, _) in proptest::sample::select(ZONES.to_vec()),
        follows in any::<bool>(),
        from in 1_600_000_000i64..1_900_000_000,
    ) {
        let saving = if follows { DaylightSaving::Follow } else { DaylightSaving::Ignore };
        let strategy = strategy(full, name, saving);
        let from = second(from);
        let year = from + SignedDuration::from_hours(24 * 365);
        let due: Vec<_> = simulate::timeline(&strategy, from, year).map(|made| made.due).collect();
        let longest = due.windows(2).map(|pair| pair[1].duration_since(pair[0])).max();
        let any = Objective { rpo: SignedDuration::ZERO };
        prop_assert!(any.out_of_reach(&strategy, from) >= longest);
        // Nor does it make one up.
        let later = year + SignedDuration::from_hours(24 * 50);
        let due: Vec<_> = simulate::timeline(&strategy, from, later).map(|made| made.due).collect();
        let longest = due.windows(2).map(|pair| pair[1].duration_since(pair[0])).max();
        prop_assert!(any.out_of_reach(&strategy, from) <= longest);
    }
}

proptest! {
    #![proptest_config(crate::cases(2_000))]

    /// Asked at the moment it named, the answer is another one; asked any moment before, the same one.
    #[test]
    fn names_the_moment_its_answer_changes(newest in 0..1_000_000i64, hours in 1..200i64, age in 0..1_000_000i64) {
        let objective = Objective { rpo: SignedDuration::from_hours(hours) };
        let ask = |now: i64| objective.standing(Some(second(newest)), None, second(now));
        let within = ask(newest + age);
        prop_assert_eq!(within.is_within(), age < hours * HOUR);
        if let Standing::Within { until, .. } = within {
            prop_assert!(!ask(until.as_second()).is_within());
            prop_assert_eq!(ask(until.as_second() - 1), within);
        }
    }
}
