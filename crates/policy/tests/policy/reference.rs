//! The independent reference: what Azure's documentation says of retention, written down a second time.
//!
//! It shares nothing with the engine. A policy is a [`paper::Paper`] of plain numbers; a day is a row of the almanac;
//! whether a run begins is asked of every quarter of an hour; every point is asked of every sentence of the
//! documentation, each time; what a restore needs is read off the list of what is there. It is slow and says what it
//! means.
//!
//! Ten thousand random items live ten years under policies that are edited, with runs that are missed, requests on
//! demand, protection that is stopped, suspended or orphaned, and cleanups on random days and at the very second
//! something expires. After each, the engine and the reference must have kept the same points, until the same
//! instants, for the same reasons.

mod case;
mod forecast;
mod history;
mod paper;
mod runs;
mod sentences;
mod span;

use proptest::test_runner::{Config, TestError, TestRunner};

use case::{Case, cases};
use history::Tally;

const CASES: u32 = 10_000;

#[test]
fn ten_thousand_policies_and_histories_of_ten_years() {
    let mut runner = TestRunner::new(Config {
        max_shrink_time: 30_000,
        ..crate::cases(CASES)
    });
    let tally = Tally::default();
    let outcome = runner.run(&cases(), |case: Case| history::live(&case, &tally));
    match outcome {
        Ok(()) => {
            let tally = tally.into_inner();
            assert_eq!(tally.len(), 10, "every reason came up: {tally:?}");
            assert!(tally.values().all(|count| *count > 100), "{tally:?}");
        }
        Err(TestError::Fail(why, case)) => panic!(
            "seed {:#x}: the engine and the documentation disagree: {why}\nthe smallest case found: {case:#?}",
            crate::SEED
        ),
        Err(TestError::Abort(why)) => panic!("seed {:#x}: {why}", crate::SEED),
    }
}

/// The same without anything going wrong: what the simulation shows is what the documentation keeps.
#[test]
fn the_simulation_shows_what_the_documentation_keeps() {
    let mut runner = TestRunner::new(Config {
        max_shrink_time: 30_000,
        ..crate::cases(CASES / 10)
    });
    let outcome = runner.run(&case::forecasts(), |forecast| forecast::foresee(&forecast));
    if let Err(error) = outcome {
        panic!("seed {:#x}: {error}", crate::SEED);
    }
}
