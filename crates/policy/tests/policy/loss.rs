//! What an edit costs: against the verdicts before and after it, and the sentences of Azure's documentation.

use jiff::civil::{Time, Weekday};
use jiff::{SignedDuration, Timestamp};
use kluis_policy::loss::{self, Comparison, Cost, InForce, Listed, Ruling, Tagged};
use kluis_policy::{
    Daily, Frequency, MonthDays, Monthly, Origin, Point, Retention, Schedule, Verdict, Week, Weekly,
};
use proptest::prelude::*;

use crate::almanac::{ZONES, at, zone};
use crate::retention::retentions;
use crate::schedule::frequencies;

fn daily_at_ten(name: &str) -> Schedule {
    Schedule {
        frequency: Frequency::Daily {
            at: Time::constant(22, 0, 0, 0),
        },
        zone: zone(name),
    }
}

fn days(keep: u32) -> Retention {
    Retention {
        daily: Some(Daily { keep }),
        ..Retention::default()
    }
}

fn weekly(keep: u32, on: Weekday) -> Retention {
    Retention {
        weekly: Some(Weekly { keep, on: vec![on] }),
        ..Retention::default()
    }
}

/// Points of a schedule, ten minutes after their runs, up to `now`.
fn points(schedule: &Schedule, days: i64, now: Timestamp) -> Vec<Timestamp> {
    let since = now
        .checked_sub(SignedDuration::from_hours(24 * days))
        .unwrap();
    std::iter::successors(schedule.next_after(since), |run| schedule.next_after(*run))
        .map(|run| run.checked_add(SignedDuration::from_mins(10)).unwrap())
        .take_while(|time| *time <= now)
        .collect()
}

/// What it costs an item that has no points but these, of its schedule.
fn cost(points: &[Timestamp], in_force: &InForce<'_>, wanted: &Ruling<'_>, now: Timestamp) -> Cost {
    loss::cost(points, points.last().copied(), in_force, wanted, now)
}

fn from_to(schedule: &Schedule, old: &Retention, new: &Retention, days: i64) -> Cost {
    let now = at("2026-03-01T12:00:00Z");
    let ruling = |retention| Ruling {
        schedule,
        retention,
    };
    let in_force = InForce::Ruling(ruling(old));
    cost(&points(schedule, days, now), &in_force, &ruling(new), now)
}

#[test]
fn shortened_costs_the_surplus_and_lengthened_nothing() {
    let utc = daily_at_ten("UTC");
    assert_eq!(from_to(&utc, &days(30), &days(60), 30), Cost::default());
    assert_eq!(
        from_to(&utc, &days(30), &days(7), 30),
        Cost {
            deleted: 23,
            shortened: 7,
            oldest: Some(at("2026-01-30T22:10:00Z")),
            newest: Some(at("2026-02-28T22:10:00Z")),
        }
    );
}

#[test]
fn from_daily_to_weekly_the_daily_points_are_lost() {
    let gfs = Retention {
        weekly: weekly(12, Weekday::Sunday).weekly,
        ..days(30)
    };
    let found = from_to(&daily_at_ten("UTC"), &gfs, &weekly(12, Weekday::Sunday), 28);
    assert_eq!(
        (found.deleted, found.shortened),
        (23, 1),
        "all but four Sundays; the newest stays until there is a newer one"
    );
}

/// A backup that somebody asked for after the last run is the newest: that of the last run goes like those before it.
#[test]
fn beside_a_newer_point_on_demand_none_of_the_schedule_stays_as_the_newest() {
    let utc = daily_at_ten("UTC");
    let now = at("2026-03-01T12:00:00Z");
    let times = points(&utc, 28, now);
    let (old, new) = (days(30), weekly(12, Weekday::Sunday));
    let ruling = |retention| Ruling {
        schedule: &utc,
        retention,
    };
    let deleted = |newest| {
        let in_force = InForce::Ruling(ruling(&old));
        let found = loss::cost(&times, newest, &in_force, &ruling(&new), now);
        (found.deleted, found.shortened)
    };
    assert_eq!(deleted(times.last().copied()), (27, 1));
    assert_eq!(deleted(Some(at("2026-03-01T11:00:00Z"))), (28, 0));
}

/// A first Sunday's point keeps its five years when the tier is edited to last Sundays, and the vault says so. Made shorter after
/// that, or taken away, the tier lets it go: within the days of the daily tier nothing else shows that it was ever tagged.
#[test]
fn a_tag_that_the_vault_tells_of_outlives_an_edit_of_the_days() {
    let utc = daily_at_ten("UTC");
    let now = at("2026-11-22T12:00:00Z");
    let monthly = |keep, week| Retention {
        monthly: Some(Monthly {
            keep,
            on: MonthDays::Weekdays {
                weeks: vec![week],
                on: vec![Weekday::Sunday],
            },
        }),
        ..days(30)
    };
    let tagged = at("2026-11-01T22:10:00Z");
    let told = |until: &str| -> Vec<Listed> {
        let since = at("2026-11-01T00:00:00Z");
        let all = points(&utc, 30, now)
            .into_iter()
            .filter(|made| *made > since);
        all.map(|made| Listed {
            made,
            until: Some(match made == tagged {
                true => at(until),
                false => made + SignedDuration::from_hours(24 * 30),
            }),
        })
        .collect()
    };
    let cost = |points: &[Listed], old: &Retention, new: &Retention| {
        let ruling = |retention| Ruling {
            schedule: &utc,
            retention,
        };
        let newest = points.last().map(|point| point.made);
        loss::cost(
            points,
            newest,
            &InForce::Ruling(ruling(old)),
            &ruling(new),
            now,
        )
    };
    let (first, last) = (monthly(60, Week::First), monthly(60, Week::Last));
    let listed = told("2031-11-01T22:00:00Z");
    assert_eq!(cost(&listed, &first, &last), Cost::default());
    for shorter in [monthly(1, Week::Last), days(30)] {
        let found = cost(&listed, &last, &shorter);
        assert_eq!((found.deleted, found.shortened), (0, 1), "{shorter:?}");
        assert_eq!((found.oldest, found.newest), (Some(tagged), Some(tagged)));
    }
    // What is longer is no loss, and neither is what leaves the tier alone.
    for longer in [
        monthly(61, Week::Last),
        Retention {
            daily: Some(Daily { keep: 31 }),
            ..last.clone()
        },
    ] {
        assert_eq!(cost(&listed, &last, &longer), Cost::default());
    }
    // An end that no tier in force explains is somebody's promise all the same.
    let found = cost(
        &told("2036-11-01T22:00:00Z"),
        &last,
        &monthly(61, Week::Last),
    );
    assert_eq!((found.deleted, found.shortened), (0, 1));
}

#[test]
fn another_day_costs_nothing() {
    let (sunday, monday) = (weekly(12, Weekday::Sunday), weekly(12, Weekday::Monday));
    let sundays = Schedule {
        frequency: Frequency::Weekly {
            on: vec![Weekday::Sunday],
            at: Time::constant(22, 0, 0, 0),
        },
        zone: zone("UTC"),
    };
    assert_eq!(from_to(&sundays, &sunday, &monday, 84), Cost::default());
}

/// Taking up a stopped protection again ends "for ever" for every point: what goes at once is counted, and no more.
#[test]
fn after_a_stop_only_what_goes_at_once_is_counted() {
    let (schedule, retention) = (daily_at_ten("UTC"), days(30));
    let now = at("2026-03-01T12:00:00Z");
    let wanted = Ruling {
        schedule: &schedule,
        retention: &retention,
    };
    let found = cost(
        &points(&schedule, 100, now),
        &InForce::ForEver(Tagged::AsWanted),
        &wanted,
        now,
    );
    assert_eq!((found.deleted, found.shortened), (70, 0));
}

/// Points that another policy made carry none of the wanted one's tags: its Sundays save none of them.
#[test]
fn after_a_stop_another_policys_tiers_save_no_point() {
    let schedule = daily_at_ten("UTC");
    let retention = Retention {
        weekly: weekly(52, Weekday::Sunday).weekly,
        ..days(30)
    };
    let now = at("2026-03-01T12:00:00Z");
    let wanted = Ruling {
        schedule: &schedule,
        retention: &retention,
    };
    let made = points(&schedule, 100, now);
    let cost = |tagged| cost(&made, &InForce::ForEver(tagged), &wanted, now);
    assert_eq!(cost(Tagged::AsWanted).deleted, 60);
    assert_eq!(cost(Tagged::Otherwise).deleted, 70);
}

/// The weekly tag was moved from Sunday to Monday some time ago: the Sundays that are still there live by it, although
/// nothing in force says so, and shortening it costs them.
#[test]
fn what_an_earlier_policy_tagged_is_not_forgotten() {
    let utc = daily_at_ten("UTC");
    let gfs = |keep| Retention {
        weekly: weekly(keep, Weekday::Monday).weekly,
        ..days(7)
    };
    let (old, new) = (gfs(12), gfs(4));
    let now = at("2026-03-01T12:00:00Z");
    let sundays: Vec<Timestamp> = points(&utc, 84, now)
        .into_iter()
        .filter(|point| point.to_zoned(zone("UTC")).weekday() == Weekday::Sunday)
        .collect();
    let ruling = |retention| Ruling {
        schedule: &utc,
        retention,
    };
    let found = cost(&sundays, &InForce::Ruling(ruling(&old)), &ruling(&new), now);
    assert_eq!(
        (found.deleted, found.shortened),
        (8, 3),
        "of twelve, one is within the days"
    );
    let lengthened = gfs(20);
    let found = cost(
        &sundays,
        &InForce::Ruling(ruling(&old)),
        &ruling(&lengthened),
        now,
    );
    assert_eq!(found, Cost::default());
}

/// The schedule was moved from 08:00 to 22:00: a Sunday's point of eight in the morning is still Sunday's.
#[test]
fn points_of_an_earlier_schedule_keep_their_day() {
    let utc = daily_at_ten("UTC");
    let morning = Schedule {
        frequency: Frequency::Daily {
            at: Time::constant(8, 0, 0, 0),
        },
        zone: zone("UTC"),
    };
    let monthly = |keep| Retention {
        monthly: Some(Monthly {
            keep,
            on: MonthDays::Weekdays {
                weeks: vec![Week::First],
                on: vec![Weekday::Sunday],
            },
        }),
        ..days(7)
    };
    let now = at("2026-03-01T12:00:00Z");
    let first_sundays: Vec<Timestamp> = points(&morning, 190, now)
        .into_iter()
        .filter(|point| {
            let zoned = point.to_zoned(zone("UTC"));
            zoned.weekday() == Weekday::Sunday && zoned.day() <= 7
        })
        .collect();
    let (old, new) = (monthly(12), monthly(2));
    let ruling = |retention| Ruling {
        schedule: &utc,
        retention,
    };
    let found = cost(
        &first_sundays,
        &InForce::Ruling(ruling(&old)),
        &ruling(&new),
        now,
    );
    assert_eq!((found.deleted, found.shortened), (4, 3));
}

/// The points as their verdicts see them: by their runs, tagged by the policy that made them.
fn tagged(schedule: &Schedule, retention: &Retention, times: &[Timestamp]) -> Vec<Point> {
    let dues: Vec<Timestamp> = times
        .iter()
        .map(|time| schedule.previous_at_or_before(*time).unwrap())
        .collect();
    dues.iter()
        .enumerate()
        .map(|(index, due)| Point {
            time: *due,
            origin: Origin::Scheduled {
                tags: retention.tags(*due, dues[..index].iter().copied(), &schedule.zone),
            },
        })
        .collect()
}

proptest! {
    #![proptest_config(crate::cases(500))]

    /// The cost is the difference of the verdicts under the two policies, point by point.
    #[test]
    fn is_the_difference_of_the_verdicts(
        frequency in frequencies(),
        (old, new) in (retentions(), retentions()),
        (name, _) in proptest::sample::select(ZONES.to_vec()),
        days in 1..12i64,
    ) {
        let days = match frequency {
            Frequency::Minutes { .. } => 2,
            Frequency::Hourly { .. } => days,
            _ => 10 * days,
        };
        let schedule = Schedule { frequency, zone: zone(name) };
        let now = at("2026-03-01T12:34:56Z");
        let all = points(&schedule, days, now);
        let until = |retention: &Retention| -> Vec<Option<Timestamp>> {
            let points = tagged(&schedule, &old, &all);
            let verdicts = retention.verdicts(&points, &schedule.zone, now);
            verdicts.iter().map(|verdict| match verdict {
                Verdict::Kept { until, .. } => *until,
                Verdict::Expired { .. } => None,
            }).collect()
        };
        // What is there is what the policy in force keeps.
        let kept: Vec<(Timestamp, Option<Timestamp>, Option<Timestamp>)> = all
            .iter()
            .zip(until(&old).into_iter().zip(until(&new)))
            .filter(|(_, (was, _))| was.is_some())
            .map(|(time, (was, will))| (*time, was, will))
            .collect();
        let times: Vec<Timestamp> = kept.iter().map(|(time, _, _)| *time).collect();
        let ruling = |retention| Ruling { schedule: &schedule, retention };
        // The first of a day may be gone while a later one is kept, which then looks like the first: only days whose
        // points all stand are compared.
        prop_assume!(times.len() == all.len() || !matches!(schedule.frequency, Frequency::Hourly { .. } | Frequency::Minutes { .. }));
        let comparison = Comparison::new(&InForce::Ruling(ruling(&old)), &ruling(&new), now);
        let found = comparison.cost(&times, times.last().copied());
        let lost = |(_, was, will): &&(Timestamp, Option<Timestamp>, Option<Timestamp>)| will < was;
        let lost: Vec<_> = kept.iter().filter(lost).collect();
        // The newest never goes by its age, but when there is a newer one.
        let deleted = lost
            .iter()
            .filter(|(time, _, will)| will.is_none() && Some(time) != times.last())
            .count();
        prop_assert_eq!(usize::try_from(found.deleted).unwrap(), deleted);
        prop_assert_eq!(usize::try_from(found.shortened).unwrap(), lost.len() - deleted);
        prop_assert_eq!(found.oldest, lost.first().map(|(time, _, _)| *time));
        prop_assert_eq!(found.newest, lost.last().map(|(time, _, _)| *time));
        prop_assert_eq!(cost(&times, &InForce::Ruling(ruling(&old)), &ruling(&new), now), found);
    }

    /// An edit that only lengthens costs nothing, whatever made the points and whoever tagged them.
    #[test]
    fn lengthening_costs_nothing(
        frequency in frequencies(),
        old in retentions(),
        longer in 0..50u32,
        times in proptest::collection::vec(1_600_000_000i64..1_772_000_000, 0..60),
    ) {
        let schedule = Schedule { frequency, zone: zone("Europe/Amsterdam") };
        let mut new = old.clone();
        new.daily.iter_mut().for_each(|tier| tier.keep += longer);
        new.weekly.iter_mut().for_each(|tier| tier.keep += longer);
        new.monthly.iter_mut().for_each(|tier| tier.keep += longer);
        new.yearly.iter_mut().for_each(|tier| tier.keep += longer);
        let mut times: Vec<Timestamp> = times.into_iter().map(crate::almanac::second).collect();
        times.sort_unstable();
        let ruling = |retention| Ruling { schedule: &schedule, retention };
        let now = at("2026-03-01T12:00:00Z");
        let found = cost(&times, &InForce::Ruling(ruling(&old)), &ruling(&new), now);
        prop_assert_eq!(found, Cost::default());
    }
}
