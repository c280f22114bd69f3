//! The service's time beside a machine whose clock does what it likes: bounded by what was told and by what really passed.

use std::env;

use jiff::{SignedDuration, Timestamp};
use kluis_service::core::{AGREE, ClockReading, ClockVerdict, ServiceTime};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 31);
const YEAR: i64 = 365 * 24;

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// A machine, the real world around it, and the service's time on it.
pub(crate) struct Machine {
    pub(crate) real: Timestamp,
    /// How far its clock is off.
    pub(crate) off: SignedDuration,
    ran: SignedDuration,
    boots: u32,
    pub(crate) time: ServiceTime,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self::with_clock_off(SignedDuration::ZERO)
    }

    fn with_clock_off(off: SignedDuration) -> Self {
        let real: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let reading = ClockReading {
            wall: real + off,
            ran: minutes(1),
            boot: "0".to_owned(),
        };
        let mut machine = Self {
            real,
            off,
            ran: minutes(1),
            boots: 0,
            time: ServiceTime::begin(None, &reading),
        };
        machine.look();
        machine
    }

    fn reading(&self) -> ClockReading {
        ClockReading {
            wall: self.real + self.off,
            ran: self.ran,
            boot: self.boots.to_string(),
        }
    }

    pub(crate) fn look(&mut self) -> Timestamp {
        self.time.read(&self.reading(), LONGEST)
    }

    /// It runs for so long, and the service looks every half minute, or a thousand times.
    pub(crate) fn run(&mut self, length: SignedDuration) -> Timestamp {
        let steps = (length.as_secs() / 30).clamp(1, 1_000);
        for _ in 0..steps {
            let step = length / i32::try_from(steps).unwrap();
            self.real += step;
            self.ran += step;
            self.look();
        }
        self.time.now()
    }

    /// It is off for so long.
    pub(crate) fn off_for(&mut self, length: SignedDuration) -> Timestamp {
        self.real += length;
        self.boots += 1;
        self.ran = minutes(1);
        self.look()
    }

    fn shows(&mut self, wall: &str) -> Timestamp {
        self.off = wall.parse::<Timestamp>().unwrap().duration_since(self.real);
        self.look()
    }

    pub(crate) fn is_right(&mut self) -> Timestamp {
        self.off = SignedDuration::ZERO;
        self.look()
    }

    fn verdict(&self) -> ClockVerdict {
        self.time.trust().verdict
    }

    fn error(&self) -> SignedDuration {
        self.time.now().duration_since(self.real)
    }

    fn proven(&self, since: Timestamp) -> Timestamp {
        self.time.trust().proven(self.time.now(), since)
    }
}

#[test]
fn a_clock_that_is_right_is_followed_to_the_moment() {
    let mut machine = Machine::new();
    for _ in 0..100 {
        machine.run(minutes(7));
        assert_eq!(machine.error(), SignedDuration::ZERO);
    }
    let now = machine.off_for(hours(9));
    assert_eq!(now, machine.real, "a night off is nothing unusual");
    machine.run(hours(2));
    assert!(!machine.time.trust().holds_back());
}

#[test]
fn a_clock_that_is_wrong_for_a_minute_changes_nothing() {
    for shown in [
        "2036-11-30T12:00:00Z",
        "2026-12-20T12:00:00Z",
        "1970-01-01T00:00:00Z",
        "2026-11-01T00:00:00Z",
    ] {
        let mut machine = Machine::new();
        machine.run(hours(1));
        let before = machine.shows(shown);
        assert!(before.duration_since(machine.real).abs() < AGREE, "{shown}");
        assert_ne!(machine.verdict(), ClockVerdict::Trusted, "{shown}");
        machine.run(minutes(1));
        machine.is_right();
        assert!(machine.error().abs() < minutes(1), "{shown}");
        assert_eq!(machine.verdict(), ClockVerdict::Trusted);
        assert!(!machine.time.trust().holds_back(), "{shown}");
    }
}

#[test]
fn a_start_with_a_dead_clock_goes_on_from_the_last_commit() {
    for shown in ["1970-01-01T00:00:10Z", "2036-02-07T06:28:16Z"] {
        let mut machine = Machine::new();
        machine.run(hours(48));
        let last = machine.time.now();
        machine.off_for(minutes(30));
        machine.off = SignedDuration::ZERO;
        let mut machine = Machine {
            time: machine.time.clone(),
            boots: machine.boots + 1,
            ..Machine::new()
        };
        machine.real = last + minutes(30);
        let now = machine.shows(shown);
        assert!(now.duration_since(last).abs() <= minutes(31), "{shown}");
        machine.run(minutes(10));
        machine.is_right();
        assert_eq!(
            machine.time.now(),
            machine.real,
            "a clock that is set then is followed"
        );
    }
}

#[test]
fn time_goes_on_beside_a_clock_that_was_set_back() {
    let mut machine = Machine::new();
    machine.shows("2016-01-01T00:00:00Z");
    let before = machine.time.now();
    machine.run(hours(32));
    assert_eq!(machine.time.now().duration_since(before), hours(30));
    // Two hours are caught up by running slower.
    let mut machine = Machine::new();
    machine.off = -hours(2);
    machine.run(hours(32));
    assert_eq!(machine.verdict(), ClockVerdict::Trusted);
    assert!(
        machine
            .time
            .now()
            .duration_since(machine.real + machine.off)
            <= AGREE
    );
}

#[test]
fn three_weeks_off_are_believed_after_a_while_and_borne_out_by_a_week_a_day() {
    let mut machine = Machine::new();
    machine.run(hours(1));
    let made = machine.time.now();
    machine.off_for(hours(21 * 24));
    assert!(matches!(machine.verdict(), ClockVerdict::Ahead { .. }));
    machine.run(minutes(16));
    assert_eq!(machine.time.now(), machine.real);
    assert_eq!(machine.verdict(), ClockVerdict::Trusted);
    let proven = |machine: &Machine| machine.proven(made).duration_since(made);
    assert!(proven(&machine) < hours(2), "nothing of it is proven yet");
    machine.run(hours(24));
    assert!((proven(&machine) - hours(7 * 24)).abs() < hours(2));
    machine.run(hours(72));
    assert_eq!(machine.proven(made), machine.time.now());
}

#[test]
fn a_longer_pause_waits_for_a_person_and_what_was_made_meanwhile_keeps_its_whole_time() {
    let mut machine = Machine::new();
    let old = machine.time.now();
    machine.off_for(hours(120 * 24));
    machine.run(hours(72));
    assert!(matches!(machine.verdict(), ClockVerdict::Ahead { .. }));
    let meanwhile = machine.time.now();
    assert!(meanwhile.duration_since(old) < hours(73));
    machine.run(hours(1));
    assert!(!machine.time.confirm(&machine.reading(), LONGEST));
    assert_eq!(machine.time.now(), machine.real);
    assert_eq!(machine.proven(old), machine.real, "a person said so");
    machine.run(hours(24));
    let passed = machine.proven(meanwhile).duration_since(meanwhile);
    assert_eq!(
        passed,
        hours(25),
        "of what was made an hour before, a day and an hour passed"
    );
    let fresh = machine.time.now();
    machine.run(hours(1));
    assert_eq!(machine.proven(fresh), machine.real);
}

#[test]
fn a_person_turns_time_back_that_followed_a_wrong_clock() {
    let mut machine = Machine::new();
    machine.off = hours(20 * 24);
    machine.run(hours(1));
    machine.is_right();
    assert!(matches!(machine.verdict(), ClockVerdict::Behind { .. }));
    assert!(
        machine.time.confirm(&machine.reading(), LONGEST),
        "it goes back"
    );
    assert_eq!(
        (machine.time.now(), machine.verdict()),
        (machine.real, ClockVerdict::Trusted)
    );
}

#[test]
fn a_first_start_before_this_program_was_written_is_not_believed() {
    let mut machine = Machine::with_clock_off(-hours(56 * YEAR));
    assert!(machine.time.now() >= "2025-01-01T00:00:00Z".parse().unwrap());
    machine.is_right();
    machine.time.confirm(&machine.reading(), LONGEST);
    assert_eq!(machine.time.now(), machine.real);
}

#[derive(Debug, Clone)]
enum Act {
    Run(i64),
    Off(i64),
    SetBy(i64),
    Right,
    Fast(i64, i64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1..3_000_i64).prop_map(Act::Run),
        2 => (1..100_000_i64).prop_map(Act::Off),
        2 => (-8_000_000..8_000_000_i64).prop_map(Act::SetBy),
        2 => (-6_000..6_000_i64).prop_map(Act::SetBy),
        1 => (-10..10_i64).prop_map(Act::SetBy),
        2 => Just(Act::Right),
        1 => ((1..300_i64), (1..300_i64)).prop_map(|(times, by)| Act::Fast(times, by)),
    ]
}

/// Whatever the clock does, the machine's pauses included: no time is proven faster than a week a day of the machine's run, time never goes
/// back, and never stands still.
#[test]
fn no_single_clock_destroys() {
    let cases = env::var("KLUIS_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    let config = Config {
        cases: cases.unwrap_or(300),
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let acts = prop::collection::vec(act(), 1..40);
    let law = |acts: Vec<Act>| {
        let mut machine = Machine::new();
        let mut total = SignedDuration::ZERO;
        let mut made = vec![(machine.time.now(), total)];
        for act in acts {
            let before = machine.time.now();
            let mut ran = SignedDuration::ZERO;
            match act {
                Act::Run(length) => {
                    ran = minutes(length);
                    machine.run(ran);
                }
                Act::Off(length) => {
                    machine.off_for(minutes(length));
                }
                Act::SetBy(by) => {
                    machine.off += minutes(by);
                    machine.look();
                }
                Act::Right => {
                    machine.is_right();
                }
                Act::Fast(times, by) => {
                    // A clock that gains in little steps.
                    for _ in 0..times {
                        ran += minutes(1);
                        machine.off += SignedDuration::from_secs(by);
                        machine.run(minutes(1));
                    }
                }
            }
            total += ran;
            let now = machine.time.now();
            prop_assert!(now >= before, "time went back from {before} to {now}");
            let least = ran - ran / 15 - AGREE;
            prop_assert!(now.duration_since(before) >= least, "time stood still");
            for (label, then) in &made {
                let proven = machine.proven(*label).duration_since(*label);
                let most = (total - *then).saturating_mul(8) + AGREE + AGREE;
                prop_assert!(
                    proven <= most,
                    "{proven:?} are proven of {most:?} since {label}"
                );
            }
            made.push((now, total));
        }
        Ok(())
    };
    runner.run(&acts, law).unwrap();
}
