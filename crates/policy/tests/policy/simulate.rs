//! What a policy will make and keep: Azure's own example, the agreement with the verdicts, and the time it takes.

use expect_test::expect;
use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use kluis_policy::backups::{self, Backup};
use kluis_policy::chain::Kind;
use kluis_policy::simulate::{Made, existing, timeline};
use kluis_policy::{
    Between, Daily, DaylightSaving, Frequency, Log, MonthDays, Monthly, Origin, Point, Pruning,
    Reason, Retention, Strategy, Tags, Tier, Verdict, Week, Weekly, Workload,
};

use crate::almanac::{at, zone};

fn time(hour: i8) -> Time {
    Time::constant(hour, 0, 0, 0)
}

fn weekly(keep: u32, on: Weekday) -> Retention {
    Retention {
        weekly: Some(Weekly { keep, on: vec![on] }),
        ..Retention::default()
    }
}

fn policy(workload: Workload, full: Frequency, retention: Retention) -> Strategy {
    Strategy {
        workload,
        zone: zone("UTC"),
        daylight_saving: DaylightSaving::Ignore,
        full,
        retention,
        differential: None,
        incremental: None,
        log: None,
        instant_days: None,
    }
}

/// Fulls every Monday, logs every two hours, all kept 30 days. Azure rounds a full's weeks; here it is 30 days as
/// Azure's example has it, by a policy whose daily tier says so.
fn documented() -> Strategy {
    let mondays = Frequency::Weekly {
        on: vec![Weekday::Monday],
        at: time(0),
    };
    let thirty = Retention {
        daily: Some(Daily { keep: 30 }),
        ..Retention::default()
    };
    Strategy {
        log: Some(Log {
            every_minutes: 120,
            keep_days: 30,
        }),
        ..policy(Workload::SqlServer, mondays, thirty)
    }
}

/// "The full of 16 November is to be kept until 16 December. The last log for it is made on 22 November and kept until
/// 22 December: until then the full can't be deleted."
#[test]
fn the_full_of_16_november_stays_until_22_december() {
    let points: Vec<Made> = timeline(
        &documented(),
        at("2026-11-16T00:00:00Z"),
        at("2026-11-24T00:00:00Z"),
    )
    .collect();
    let full = points[0];
    assert_eq!(
        (full.due, full.kind),
        (at("2026-11-16T00:00:00Z"), Kind::Full)
    );
    assert_eq!(full.until, Some(at("2026-12-22T22:00:00Z")));
    assert_eq!(full.reason, Reason::ChainNeeds(at("2026-11-22T22:00:00Z")));
    let fulls: Vec<Timestamp> = points
        .iter()
        .filter(|made| made.kind == Kind::Full)
        .map(|made| made.due)
        .collect();
    assert_eq!(
        fulls,
        [at("2026-11-16T00:00:00Z"), at("2026-11-23T00:00:00Z")]
    );

    let on = |moment: &str| existing(&documented(), at("2026-11-16T00:00:00Z"), at(moment));
    assert_eq!(
        on("2026-12-22T21:59:59Z").first().map(|made| made.due),
        Some(full.due)
    );
    assert_eq!(
        on("2026-12-22T22:00:00Z").first().map(|made| made.due),
        Some(at("2026-11-23T00:00:00Z"))
    );
}

/// Weekly fulls, differentials between, logs twice a day: what keeps each, and until when.
#[test]
fn a_week_of_a_database() {
    let sundays = Frequency::Weekly {
        on: vec![Weekday::Sunday],
        at: time(22),
    };
    let strategy = Strategy {
        differential: Some(Between {
            // Not on Sunday, which has a full.
            on: vec![Weekday::Sunday, Weekday::Wednesday],
            at: time(22),
            keep_days: 10,
        }),
        log: Some(Log {
            every_minutes: 1_440,
            keep_days: 7,
        }),
        ..policy(Workload::SqlServer, sundays, weekly(1, Weekday::Sunday))
    };
    let lines: Vec<String> = timeline(
        &strategy,
        at("2026-03-01T00:00:00Z"),
        at("2026-03-09T12:00:00Z"),
    )
    .map(|made| {
        let until = made.until.unwrap();
        format!(
            "{} {:?} until {until}: {:?}",
            made.due, made.kind, made.reason
        )
    })
    .collect();
    expect![[r#"
        2026-03-01T22:00:00Z Full until 2026-03-15T00:00:00Z: ChainNeeds(2026-03-08T00:00:00Z)
        2026-03-02T00:00:00Z Log until 2026-03-11T00:00:00Z: ChainNeeds(2026-03-04T00:00:00Z)
        2026-03-03T00:00:00Z Log until 2026-03-11T00:00:00Z: ChainNeeds(2026-03-04T00:00:00Z)
        2026-03-04T00:00:00Z Log until 2026-03-11T00:00:00Z: Days
        2026-03-04T22:00:00Z Differential until 2026-03-15T00:00:00Z: ChainNeeds(2026-03-08T00:00:00Z)
        2026-03-05T00:00:00Z Log until 2026-03-15T00:00:00Z: ChainNeeds(2026-03-08T00:00:00Z)
        2026-03-06T00:00:00Z Log until 2026-03-15T00:00:00Z: ChainNeeds(2026-03-08T00:00:00Z)
        2026-03-07T00:00:00Z Log until 2026-03-15T00:00:00Z: ChainNeeds(2026-03-08T00:00:00Z)
        2026-03-08T00:00:00Z Log until 2026-03-15T00:00:00Z: Days
        2026-03-08T22:00:00Z Full until 2026-03-22T00:00:00Z: ChainNeeds(2026-03-15T00:00:00Z)
        2026-03-09T00:00:00Z Log until 2026-03-18T00:00:00Z: ChainNeeds(2026-03-11T00:00:00Z)"#]].assert_eq(&lines.join("\n"));
}

/// What exists on a day is what the verdicts on all that was made keep.
#[test]
fn what_exists_is_what_the_verdicts_keep() {
    let gfs = Retention {
        daily: Some(Daily { keep: 30 }),
        weekly: weekly(12, Weekday::Sunday).weekly,
        monthly: Some(Monthly {
            keep: 24,
            on: MonthDays::Weekdays {
                weeks: vec![Week::First],
                on: vec![Weekday::Sunday],
            },
        }),
        ..Retention::default()
    };
    let daily = Frequency::Daily { at: time(22) };
    for strategy in [policy(Workload::VirtualMachine, daily, gfs), documented()] {
        let (from, now) = (at("2026-01-01T00:00:00Z"), at("2026-12-25T12:30:00Z"));
        let made: Vec<Made> = timeline(&strategy, from, now).collect();
        let backups: Vec<Backup> = made
            .iter()
            .map(|made| Backup {
                kind: made.kind,
                point: Point {
                    time: made.due,
                    origin: Origin::Scheduled { tags: made.tags },
                },
            })
            .collect();
        let verdicts = backups::verdicts(Pruning::ByPolicy, &strategy, &backups, now);
        let kept: Vec<Timestamp> = made
            .iter()
            .zip(&verdicts)
            .filter(|(_, verdict)| verdict.is_kept())
            .map(|(made, _)| made.due)
            .collect();
        let existing: Vec<Timestamp> = existing(&strategy, from, now)
            .iter()
            .map(|made| made.due)
            .collect();
        assert!(existing == kept, "{} and {}", existing.len(), kept.len());
        assert!(kept.len() > 30);
    }
}

/// A kind that the policy no longer makes is cleaned up, but for what others need.
#[test]
fn differentials_of_a_policy_that_has_none_go_when_no_log_needs_them() {
    let strategy = Strategy {
        differential: None,
        ..documented()
    };
    let backup = |time: &str, kind| Backup {
        kind,
        point: Point {
            time: at(time),
            origin: Origin::Scheduled {
                tags: Tags::default(),
            },
        },
    };
    let backups = [
        backup("2026-11-02T00:00:00Z", Kind::Full),
        backup("2026-11-03T00:00:00Z", Kind::Differential),
        backup("2026-11-04T00:00:00Z", Kind::Differential),
        backup("2026-11-04T02:00:00Z", Kind::Log),
    ];
    let now = at("2026-11-05T00:00:00Z");
    let verdicts = backups::verdicts(Pruning::ByPolicy, &strategy, &backups, now);
    let until = Some(at("2026-12-04T02:00:00Z"));
    let reason = Reason::ChainNeeds(at("2026-11-04T02:00:00Z"));
    assert_eq!(verdicts[0], Verdict::Kept { until, reason });
    assert_eq!(verdicts[1], Verdict::Expired { since: now });
    assert_eq!(verdicts[2], Verdict::Kept { until, reason });
    let gone = backups::verdicts(
        Pruning::KeepNewest,
        &strategy,
        &backups,
        at("2030-01-01T00:00:00Z"),
    );
    let for_ever = |reason| Verdict::Kept {
        until: None,
        reason,
    };
    assert_eq!(
        gone,
        [
            for_ever(Reason::ChainNeeds(at("2026-11-04T02:00:00Z"))),
            Verdict::Expired {
                since: at("2030-01-01T00:00:00Z")
            },
            for_ever(Reason::ChainNeeds(at("2026-11-04T02:00:00Z"))),
            for_ever(Reason::NewestOfLostSource),
        ],
        "the newest can be restored: what it needs stays with it"
    );
}

/// The newest point never goes by its age, and a point that no tier keeps goes at once.
#[test]
fn the_newest_stays_and_what_no_tier_keeps_goes() {
    let daily = Frequency::Daily { at: time(22) };
    let strategy = policy(Workload::VirtualMachine, daily, weekly(1, Weekday::Sunday));
    let points = existing(
        &strategy,
        at("2026-03-01T00:00:00Z"),
        at("2026-03-12T12:00:00Z"),
    );
    let found: Vec<(Timestamp, Reason)> =
        points.iter().map(|made| (made.due, made.reason)).collect();
    assert_eq!(
        found,
        [
            (at("2026-03-08T22:00:00Z"), Reason::Tier(Tier::Weekly)),
            (at("2026-03-11T22:00:00Z"), Reason::Newest),
        ]
    );
    let monday = timeline(
        &strategy,
        at("2026-03-02T00:00:00Z"),
        at("2026-03-03T00:00:00Z"),
    )
    .next();
    assert_eq!(
        monday.map(|made| (made.until, made.reason)),
        Some((None, Reason::NoTier))
    );
}

/// A strategy that never makes a full makes nothing, and says so at once.
#[test]
fn nothing_is_made_without_a_full() {
    let never = Frequency::Weekly {
        on: vec![],
        at: time(0),
    };
    let strategy = Strategy {
        full: never,
        ..documented()
    };
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2036-01-01T00:00:00Z"));
    assert_eq!(timeline(&strategy, from, to).next(), None);
    assert!(existing(&strategy, from, to).is_empty());
}

/// Ten years of a policy that runs every hour, and of a database's logs every quarter of an hour. (`make bench` says how
/// long that takes.)
#[test]
fn ten_years_have_no_gap() {
    let hourly = Frequency::Hourly {
        every: 1,
        from: time(0),
        window: 23,
    };
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2036-01-01T00:00:00Z"));
    let disk = policy(Workload::Disk, hourly, documented().retention);
    assert_eq!(timeline(&disk, from, to).count(), 24 * 3_652);
    let database = Strategy {
        log: Some(Log {
            every_minutes: 15,
            keep_days: 15,
        }),
        ..documented()
    };
    // The first full is that of Monday 5 January, 522 weeks before the end.
    let (mut fulls, mut logs) = (0, 0);
    for made in timeline(&database, from, to) {
        match made.kind {
            Kind::Full => fulls += 1,
            _ => logs += 1,
        }
    }
    assert_eq!((fulls, logs), (522, 96 * (3_652 - 4)));
}
