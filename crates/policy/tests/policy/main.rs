//! The laws of `kluis-policy`, checked against references written from Azure's documentation and from nothing in the
//! crate: they count seconds and walk a calendar day by day, where the crate uses jiff.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod almanac;
mod chain;
mod follow;
mod item;
mod loss;
mod months;
mod objective;
mod policy_changes;
mod reference;
mod retention;
mod runs;
mod schedule;
mod simulate;
mod summer_time;

use proptest::test_runner::{Config, RngSeed};

/// Where the random cases begin.
const SEED: u64 = 0x6b6c_7569_7300;

/// The same cases on every machine and every run: a failure is found again by running the test again.
fn cases(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(SEED),
        failure_persistence: None,
        ..Config::default()
    }
}
