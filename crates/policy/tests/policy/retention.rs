//! Retention against a reference that knows days by walking them and keeps no tags: it looks at all points of an item
//! and asks of each whether any sentence of the documentation keeps it.

use jiff::civil::Weekday;
use kluis_policy::{
    Daily, DayOfMonth, Month, MonthDays, Monthly, Origin, Point, Pruning, Reason, Retention, Tier,
    Verdict, Week, Weekly, Yearly, verdicts,
};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::almanac::{
    DAY, HOUR, WEEKDAYS, ZONES, day_of, is_nth_weekday, length, months_later, second, zone,
};

const WEEKS: [Week; 5] = [
    Week::First,
    Week::Second,
    Week::Third,
    Week::Fourth,
    Week::Last,
];

fn qualifies(local: i64, days: &MonthDays) -> bool {
    let (number, day) = day_of(local);
    match days {
        MonthDays::Weekdays { weeks, on } => {
            on.contains(&WEEKDAYS[day.weekday])
                && weeks.iter().any(|week| {
                    is_nth_weekday(number, WEEKS.iter().position(|w| w == week).unwrap())
                })
        }
        MonthDays::Dates(dates) => dates.iter().any(|date| match date {
            DayOfMonth::Day(wanted) => day.day == i64::from(*wanted),
            DayOfMonth::Last => day.day == length(day.year, day.month),
        }),
    }
}

/// The last moment, as a local second, at which some sentence of the documentation keeps the scheduled point `local`.
fn reference(policy: &Retention, local: i64, all: &[i64]) -> Option<i64> {
    let first = all
        .iter()
        .filter(|other| other.div_euclid(DAY) == local.div_euclid(DAY))
        .min()
        == Some(&local);
    let (_, day) = day_of(local);
    let mut until = Vec::new();
    if let Some(daily) = &policy.daily {
        until.push(local + i64::from(daily.keep) * DAY);
    }
    if let Some(weekly) = &policy.weekly
        && first
        && weekly.on.contains(&WEEKDAYS[day.weekday])
    {
        until.push(local + i64::from(weekly.keep) * 7 * DAY);
    }
    if let Some(monthly) = &policy.monthly
        && first
        && qualifies(local, &monthly.on)
    {
        until.push(months_later(local, i64::from(monthly.keep)));
    }
    if let Some(yearly) = &policy.yearly
        && first
        && yearly
            .months
            .iter()
            .any(|month| i64::from(month.number()) == day.month)
        && qualifies(local, &yearly.on)
    {
        until.push(months_later(local, 12 * i64::from(yearly.keep)));
    }
    until.into_iter().max()
}

fn weekdays() -> impl Strategy<Value = Vec<Weekday>> {
    subsequence(WEEKDAYS.to_vec(), 1..=7)
}

fn month_days() -> impl Strategy<Value = MonthDays> {
    let dates: Vec<DayOfMonth> = (1..=28)
        .map(DayOfMonth::Day)
        .chain([DayOfMonth::Last])
        .collect();
    prop_oneof![
        (subsequence(WEEKS.to_vec(), 1..=5), weekdays())
            .prop_map(|(weeks, on)| MonthDays::Weekdays { weeks, on }),
        subsequence(dates, 1..=4).prop_map(MonthDays::Dates),
    ]
}

pub(crate) fn retentions() -> impl Strategy<Value = Retention> {
    let daily = (7..60u32).prop_map(|keep| Daily { keep });
    let weekly = (1..30u32, weekdays()).prop_map(|(keep, on)| Weekly { keep, on });
    let monthly = (1..40u32, month_days()).prop_map(|(keep, on)| Monthly { keep, on });
    let yearly = (
        1..12u32,
        subsequence(Month::ALL.to_vec(), 1..=3),
        month_days(),
    )
        .prop_map(|(keep, months, on)| Yearly { keep, months, on });
    (of(daily), of(weekly), of(monthly), of(yearly)).prop_map(|(daily, weekly, monthly, yearly)| {
        Retention {
            daily,
            weekly,
            monthly,
            yearly,
        }
    })
}

/// Local seconds of runs: some days of some years, one to four times a day.
fn histories() -> impl Strategy<Value = Vec<i64>> {
    let day = (19_700i64..23_000, 0..24i64, 1..=4i64);
    proptest::collection::vec(day, 1..25).prop_map(|days| {
        let mut runs: Vec<i64> = days
            .into_iter()
            .flat_map(|(day, hour, count)| {
                (0..count).map(move |n| day * DAY + (hour + 4 * n) % 24 * HOUR)
            })
            .collect();
        runs.sort_unstable();
        runs.dedup();
        runs
    })
}

/// The points as a service would have made them: each tagged when its run came, with what was there before it.
fn tagged(policy: &Retention, runs: &[i64], offset: i64, name: &str) -> Vec<Point> {
    let zone = zone(name);
    let due = |local: &i64| second(local - offset);
    runs.iter()
        .enumerate()
        .map(|(n, local)| {
            let tags = policy.tags(due(local), runs[..n].iter().map(due), &zone);
            Point {
                time: due(local),
                origin: Origin::Scheduled { tags },
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(crate::cases(3_000))]

    #[test]
    fn keeps_what_the_documentation_keeps(
        policy in retentions(),
        runs in histories(),
        (name, offset) in select(ZONES.to_vec()),
        pick in any::<proptest::sample::Index>(),
        nudge in -2..=2i64,
        late in 0..4_000i64,
    ) {
        let points = tagged(&policy, &runs, offset, name);
        // Half of the moments are within two seconds of an expiry, where mistakes live.
        let picked = *pick.get(&runs);
        let now = match reference(&policy, picked, &runs) {
            Some(until) if nudge != 2 => until + nudge,
            _ => picked + late * DAY,
        };
        for (local, verdict) in runs.iter().zip(policy.verdicts(&points, &zone(name), second(now - offset))) {
            match reference(&policy, *local, &runs) {
                Some(until) if until > now => {
                    let Verdict::Kept { until: Some(kept), .. } = verdict else {
                        return Err(TestCaseError::fail(format!("{local} is to be kept: {verdict:?}")));
                    };
                    prop_assert_eq!(kept, second(until - offset));
                }
                Some(until) => prop_assert_eq!(verdict, Verdict::Expired { since: second(until - offset) }),
                None => prop_assert_eq!(verdict, Verdict::Expired { since: second(now - offset) }),
            }
        }
    }

    /// What has expired once does not come back, and no longer duration keeps less.
    #[test]
    fn is_monotone_in_time_and_in_duration(
        policy in retentions(),
        runs in histories(),
        longer in 0..50u32,
        (earlier, later) in (0..3_000i64, 0..3_000i64),
    ) {
        let points = tagged(&policy, &runs, 0, "UTC");
        let utc = zone("UTC");
        let kept = |policy: &Retention, now: i64| -> Vec<bool> {
            policy.verdicts(&points, &utc, second(now)).iter().map(Verdict::is_kept).collect()
        };
        let start = runs[0] + earlier * DAY;
        let (now, then) = (kept(&policy, start), kept(&policy, start + later * DAY));
        prop_assert!(now.iter().zip(&then).all(|(now, then)| *now || !then));
        let mut generous = policy.clone();
        generous.daily.iter_mut().for_each(|tier| tier.keep += longer);
        generous.weekly.iter_mut().for_each(|tier| tier.keep += longer);
        generous.monthly.iter_mut().for_each(|tier| tier.keep += longer);
        generous.yearly.iter_mut().for_each(|tier| tier.keep += longer);
        prop_assert!(now.iter().zip(kept(&generous, start)).all(|(now, more)| more || !now));
    }

    /// The three endings, whatever the policy: all, all that the policy keeps and the newest, and what it keeps.
    #[test]
    fn ends_in_three_ways(policy in retentions(), runs in histories(), late in 0..5_000i64) {
        let points = tagged(&policy, &runs, 0, "UTC");
        let now = second(runs[0] + late * DAY);
        let utc = zone("UTC");
        let ask = |pruning| verdicts(pruning, &policy, &points, &utc, now);
        let for_ever = |verdict: &Verdict| matches!(verdict, Verdict::Kept { until: None, .. });
        prop_assert!(ask(Pruning::KeepAll).iter().all(for_ever));
        let (by_policy, keep_newest) = (ask(Pruning::ByPolicy), ask(Pruning::KeepNewest));
        let newest = points.len() - 1;
        prop_assert_eq!(&by_policy[..newest], &keep_newest[..newest]);
prop_assert!(for_ever(&keep_newest[newest]));
        // The order of the points is nobody's business.
        let mut backwards = points.clone();
        backwards.reverse();
        let mut again = verdicts(Pruning::KeepNewest, &policy, &backwards, &utc, now);
        again.reverse();
        prop_assert_eq!(again, keep_newest);
    }
}

/// A point on demand expires when its maker said, under any policy and none.
#[test]
fn points_on_demand_have_their_own_expiry() {
    let until = second(1_800_000_000);
    let point = [Point {
        time: second(1_790_000_000),
        origin: Origin::OnDemand { until },
    }];
    let utc = zone("UTC");
    for policy in [
        Retention::default(),
        Retention {
            daily: Some(Daily { keep: 9_999 }),
            ..Retention::default()
        },
    ] {
        assert!(policy.verdicts(&point, &utc, second(1_799_999_999))[0].is_kept());
        assert_eq!(
            policy.verdicts(&point, &utc, until),
            [Verdict::Expired { since: until }]
        );
    }
}

/// The largest retention a caller can write is for ever in practice, and no panic.
#[test]
fn absurd_durations_do_not_overflow() {
    let on = MonthDays::Dates(vec![DayOfMonth::Day(1)]);
    let policy = Retention {
        daily: Some(Daily { keep: u32::MAX }),
        weekly: Some(Weekly {
            keep: u32::MAX,
            on: WEEKDAYS.to_vec(),
        }),
        monthly: Some(Monthly {
            keep: u32::MAX,
            on: on.clone(),
        }),
        yearly: Some(Yearly {
            keep: u32::MAX,
            months: Month::ALL.to_vec(),
            on,
        }),
    };
    let points = tagged(&policy, &[20_089 * DAY], 0, "UTC");
    let verdict = policy.verdicts(&points, &zone("UTC"), second(4_000_000_000))[0];
    let reason = Reason::Tier(Tier::Yearly);
    assert_eq!(
        verdict,
        Verdict::Kept {
            until: Some(jiff::Timestamp::MAX),
            reason
        }
    );
}
