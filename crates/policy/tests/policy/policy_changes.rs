//! What an edit of a policy does to the points that are there: the sentences of Azure's documentation, one a test.

use jiff::civil::Weekday;
use jiff::{Timestamp, ToSpan};
use kluis_policy::{Daily, Origin, Point, Reason, Retention, Tier, Verdict, Weekly};

use crate::almanac::{at, zone};

/// One point a day at 22:00 for as many days up to and including Saturday 28 February 2026, tagged by `policy`.
fn points(policy: &Retention, days: i64) -> Vec<Point> {
    let last = at("2026-02-28T22:00:00Z");
    (0..days)
        .rev()
        .map(|ago| last.checked_sub((24 * ago).hours()).unwrap())
        .map(|time| Point {
            time,
            origin: Origin::Scheduled {
                tags: policy.tags(time, [], &zone("UTC")),
            },
        })
        .collect()
}

fn kept(policy: &Retention, points: &[Point], now: Timestamp) -> usize {
    policy
        .verdicts(points, &zone("UTC"), now)
        .iter()
        .filter(|verdict| verdict.is_kept())
        .count()
}

fn daily(keep: u32) -> Retention {
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

#[test]
fn shortened_prunes_the_surplus_and_lengthened_keeps_longer() {
    let (points, now) = (points(&daily(30), 30), at("2026-03-01T12:00:00Z"));
    assert_eq!(kept(&daily(30), &points, now), 30);
    assert_eq!(kept(&daily(7), &points, now), 7);
    let later = at("2026-03-20T12:00:00Z");
    assert_eq!(kept(&daily(30), &points, later), 11);
    assert_eq!(kept(&daily(60), &points, later), 30);
}

#[test]
fn from_daily_to_weekly_the_daily_points_go() {
    let both = Retention {
        weekly: weekly(12, Weekday::Sunday).weekly,
        ..daily(30)
    };
    let points = points(&both, 28);
    let now = at("2026-03-01T12:00:00Z");
    assert_eq!(kept(&both, &points, now), 28);
    assert_eq!(
        kept(&weekly(12, Weekday::Sunday), &points, now),
        4,
        "the four Sundays of February"
    );
}

#[test]
fn from_weekly_to_daily_the_weekly_points_live_out_the_days_of_the_new_policy() {
    let sundays: Vec<Point> = points(&weekly(12, Weekday::Sunday), 84)
        .into_iter()
        .filter(|point| matches!(point.origin, Origin::Scheduled { tags } if tags.weekly))
        .collect();
    assert_eq!(sundays.len(), 12);
    let now = at("2026-03-01T12:00:00Z");
    assert_eq!(kept(&daily(30), &sundays, now), 4);
    let verdict = daily(30).verdicts(&sundays, &zone("UTC"), now)[11];
    let until = Some(at("2026-03-24T22:00:00Z"));
    assert_eq!(
        verdict,
        Verdict::Kept {
            until,
            reason: Reason::Tier(Tier::Daily)
        }
    );
}

#[test]
fn another_day_with_the_same_retention_leaves_existing_points_their_own() {
    let points = points(&weekly(12, Weekday::Sunday), 84);
    let now = at("2026-03-01T12:00:00Z");
    assert_eq!(kept(&weekly(12, Weekday::Sunday), &points, now), 12);
    assert_eq!(kept(&weekly(12, Weekday::Monday), &points, now), 12);
}
