//! Schedules against a reference that asks of every quarter of an hour whether it is a run.

use jiff::civil::Time;
use kluis_policy::{Frequency, Schedule};
use proptest::prelude::*;

use crate::almanac::{DAY, HOUR, WEEKDAYS, ZONES, at, day_of, second, zone};

const QUARTER: i64 = HOUR / 4;

/// Is the local second `local` a run? Written from the documentation: wall clock at the base offset, nothing else.
fn is_run(frequency: &Frequency, local: i64) -> bool {
    let seconds = |time: &Time| i64::from(time.hour()) * HOUR + i64::from(time.minute()) * 60;
    let (_, day) = day_of(local);
    match frequency {
        Frequency::Daily { at } => local.rem_euclid(DAY) == seconds(at),
        Frequency::Weekly { on, at } => {
            local.rem_euclid(DAY) == seconds(at) && on.contains(&WEEKDAYS[day.weekday])
        }
        Frequency::Hourly {
            every,
            from,
            window,
        } => {
            let passed = (local.rem_euclid(DAY) - seconds(from)).rem_euclid(DAY);
            passed % (i64::from(*every) * HOUR) == 0 && passed <= i64::from(*window) * HOUR
        }
        Frequency::Minutes { every } => local.rem_euclid(DAY) % (i64::from(*every) * 60) == 0,
    }
}

pub(crate) fn frequencies() -> impl Strategy<Value = Frequency> {
    let time = || {
        (0..24i8, prop_oneof![Just(0i8), Just(30)]).prop_map(|(h, m)| Time::constant(h, m, 0, 0))
    };
    prop_oneof![
        time().prop_map(|at| Frequency::Daily { at }),
        (
            proptest::sample::subsequence(WEEKDAYS.to_vec(), 1..=7),
            time()
        )
            .prop_map(|(on, at)| Frequency::Weekly { on, at }),
        (
            prop_oneof![Just(4u8), Just(6), Just(8), Just(12), Just(24)],
            time(),
            4..=24u8
        )
            .prop_map(|(every, from, window)| Frequency::Hourly {
                every,
                from,
                window
            }),
        prop_oneof![Just(15u16), Just(60), Just(105), Just(720), Just(1_440)]
            .prop_map(|every| Frequency::Minutes { every }),
    ]
}

proptest! {
    #![proptest_config(crate::cases(4_000))]

    /// From 2024 to 2038, in every zone: the next run is the first quarter of an hour that is one, and the last run
    /// the last that was.
    #[test]
    fn finds_the_neighbouring_runs(
        frequency in frequencies(),
        (name, offset) in proptest::sample::select(ZONES.to_vec()),
        moment in 1_704_067_200i64..2_145_916_800,
        on_the_dot in any::<bool>(),
    ) {
        let moment = if on_the_dot { moment - moment.rem_euclid(QUARTER) } else { moment };
        let schedule = Schedule { frequency, zone: zone(name) };
        let quarter = moment - moment.rem_euclid(QUARTER);
        let run = |t: &i64| is_run(&schedule.frequency, t + offset);
        let next = (1..).map(|n| quarter + n * QUARTER).find(run).unwrap();
        let last = (0..).map(|n| quarter - n * QUARTER).find(run).unwrap();
        prop_assert_eq!(schedule.next_after(second(moment)), Some(second(next)));
        prop_assert_eq!(schedule.previous_at_or_before(second(moment)), Some(second(last)));
    }

    /// Every run is found from the one before it, and nothing lies between two neighbours.
    #[test]
    fn walks_forth_and_back_over_the_same_runs(
        frequency in frequencies(),
        (name, _) in proptest::sample::select(ZONES.to_vec()),
        moment in -2_000_000_000i64..4_000_000_000,
    ) {
        let schedule = Schedule { frequency, zone: zone(name) };
        let next = schedule.next_after(second(moment)).unwrap();
        prop_assert!(next > second(moment));
        prop_assert_eq!(schedule.previous_at_or_before(next), Some(next));
        let before = schedule.previous_at_or_before(second(moment)).unwrap();
        prop_assert!(before <= second(moment));
        prop_assert_eq!(schedule.next_after(before), Some(next));
    }
}

#[test]
fn a_window_of_twelve_hours_every_four_has_four_runs() {
    let frequency = Frequency::Hourly {
        every: 4,
        from: Time::constant(8, 0, 0, 0),
        window: 12,
    };
    let schedule = Schedule {
        frequency,
        zone: zone("UTC"),
    };
    let runs: Vec<String> = schedule
        .on("2026-03-10".parse().unwrap())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        runs,
        [
            "2026-03-10T08:00:00Z",
            "2026-03-10T12:00:00Z",
            "2026-03-10T16:00:00Z",
            "2026-03-10T20:00:00Z"
        ]
    );
}

#[test]
fn nothing_is_due_where_nothing_can_be() {
    let at_noon = Time::constant(12, 0, 0, 0);
    let never = Schedule {
        frequency: Frequency::Weekly {
            on: vec![],
            at: at_noon,
        },
        zone: zone("UTC"),
    };
    assert_eq!(never.next_after(at("2026-01-01T00:00:00Z")), None);
    assert_eq!(
        never.previous_at_or_before(at("2026-01-01T00:00:00Z")),
        None
    );
    let daily = Schedule {
        frequency: Frequency::Daily { at: at_noon },
        zone: zone("Europe/Amsterdam"),
    };
    assert_eq!(daily.next_after(jiff::Timestamp::MAX), None);
    assert_eq!(daily.previous_at_or_before(jiff::Timestamp::MIN), None);
    let always = Frequency::Hourly {
        every: 0,
        from: at_noon,
        window: u8::MAX,
    };
    let schedule = Schedule {
        frequency: always,
        zone: zone("UTC"),
    };
    assert_eq!(
        schedule.next_after(at("2026-01-01T11:30:00Z")),
        Some(at("2026-01-01T12:00:00Z"))
    );
    let odd = Frequency::Hourly {
        every: 5,
        from: Time::constant(0, 0, 0, 0),
        window: u8::MAX,
    };
    let schedule = Schedule {
        frequency: odd,
        zone: zone("UTC"),
    };
    let next = schedule.next_after(at("2026-01-01T20:00:00Z"));
    assert_eq!(
        next,
        Some(at("2026-01-02T00:00:00Z")),
        "the next day's window ends this one's"
    );
}
