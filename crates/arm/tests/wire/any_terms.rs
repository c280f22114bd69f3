//! Terms for virtual machines with any numbers at all, far beyond the limits: what is read and written loses nothing even
//! then.

use jiff::civil::{Time, Weekday, time};
use kluis_arm::policy::{Archive, Generation, Terms};
use kluis_policy::{
    Daily, DayOfMonth, Frequency, Month, MonthDays, Monthly, Retention, Week, Weekly, Workload,
    Yearly,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const WEEKDAYS: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];
const WEEKS: [Week; 5] = [
    Week::First,
    Week::Second,
    Week::Third,
    Week::Fourth,
    Week::Last,
];

fn at() -> impl Strategy<Value = Time> {
    (0i8..24, 0i8..60).prop_map(|(hour, minute)| time(hour, minute, 0, 0))
}

fn weekdays() -> impl Strategy<Value = Vec<Weekday>> {
    subsequence(WEEKDAYS.to_vec(), 0..=7).prop_shuffle()
}

fn frequency() -> impl Strategy<Value = Frequency> {
    prop_oneof![
        at().prop_map(|at| Frequency::Daily { at }),
        (weekdays(), at()).prop_map(|(on, at)| Frequency::Weekly { on, at }),
        (any::<u8>(), at(), any::<u8>()).prop_map(|(every, from, window)| Frequency::Hourly {
            every,
            from,
            window
        }),
    ]
}

fn month_days() -> impl Strategy<Value = MonthDays> {
    let day = prop_oneof![
        any::<i8>().prop_map(DayOfMonth::Day),
        Just(DayOfMonth::Last)
    ];
    prop_oneof![
        (subsequence(WEEKS.to_vec(), 0..=5), weekdays())
            .prop_map(|(weeks, on)| MonthDays::Weekdays { weeks, on }),
        vec(day, 0..4).prop_map(MonthDays::Dates),
    ]
}

fn retention() -> impl Strategy<Value = Retention> {
    let keep = || 0..=i32::MAX.unsigned_abs();
    let daily = keep().prop_map(|keep| Daily { keep });
    let weekly = (keep(), weekdays()).prop_map(|(keep, on)| Weekly { keep, on });
    let monthly = (keep(), month_days()).prop_map(|(keep, on)| Monthly { keep, on });
    let yearly = (
        keep(),
        subsequence(Month::ALL.to_vec(), 0..=12),
        month_days(),
    );
    let yearly = yearly.prop_map(|(keep, months, on)| Yearly { keep, months, on });
    (
        proptest::option::of(daily),
        proptest::option::of(weekly),
        proptest::option::of(monthly),
        proptest::option::of(yearly),
    )
        .prop_map(|(daily, weekly, monthly, yearly)| Retention {
            daily,
            weekly,
            monthly,
            yearly,
        })
}

pub(crate) fn terms() -> impl Strategy<Value = Terms> {
    let generation = select(vec![Generation::Standard, Generation::Enhanced]);
    let zone = select(vec![
        "UTC",
        "Europe/Amsterdam",
        "America/New_York",
        "Asia/Kolkata",
        "Pacific/Auckland",
    ]);
    let days = 0..=i32::MAX.unsigned_abs();
    (generation, frequency(), zone, retention(), days, archive()).prop_map(
        |(generation, frequency, zone, retention, days, archive)| Terms {
            generation,
            instant_restore_days: Some(days),
            archive,
            ..Terms::new(Workload::VirtualMachine, frequency, zone, retention)
        },
    )
}

fn archive() -> impl Strategy<Value = Option<Archive>> {
    let count = || 0..=i32::MAX.unsigned_abs();
    prop_oneof![
        Just(None),
        Just(Some(Archive::Recommended)),
        count().prop_map(|months| Some(Archive::After { months })),
        count().prop_map(|days| Some(Archive::AfterDays { days })),
    ]
}
