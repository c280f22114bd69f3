//! The recovery point objective, at its edges and over random histories.

use jiff::SignedDuration;
use kluis_policy::{Objective, Standing};
use proptest::prelude::*;

use crate::almanac::{HOUR, second};

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
