//! The limits that a write meets: just inside each one is taken, just outside refused for the right field.

use jiff::civil::{Weekday, time};
use kluis_arm::error::{ArmError, code};
use kluis_arm::policy::{Generation, Terms, check_limits, render};
use kluis_policy::{
    Daily, DayOfMonth, Frequency, Month, MonthDays, Monthly, Retention, Week, Weekly, Yearly,
};
use serde_json::json;

use crate::policies::grandfather;

/// The field whose limit is broken; empty when none is.
pub(crate) fn broken(terms: &Terms) -> String {
    check_limits(&render(terms).unwrap()).map_or_else(|broken| broken.field, |()| String::new())
}

fn with(change: impl FnOnce(&mut Terms)) -> Terms {
    let mut terms = grandfather();
    change(&mut terms);
    terms
}

fn weekly_policy() -> Terms {
    let on = vec![Weekday::Monday, Weekday::Sunday];
    Terms {
        frequency: Frequency::Weekly {
            on: on.clone(),
            at: time(3, 0, 0, 0),
        },
        retention: Retention {
            weekly: Some(Weekly { keep: 4, on }),
            ..Retention::default()
        },
        instant_restore_days: Some(5),
        ..grandfather()
    }
}

fn hourly_policy(every: u8, window: u8) -> Terms {
    let frequency = Frequency::Hourly {
        every,
        from: time(8, 0, 0, 0),
        window,
    };
    Terms {
        generation: Generation::Enhanced,
        frequency,
        instant_restore_days: Some(7),
        ..grandfather()
    }
}

#[test]
fn good_policies_are_taken() {
    for terms in [grandfather(), weekly_policy(), hourly_policy(4, 12)] {
        assert_eq!(broken(&terms), "", "{terms:?}");
    }
}

#[test]
fn retention_is_within_azures_bounds() {
    const DAILY: &str = "retentionPolicy.dailySchedule.retentionDuration";
    const WEEKLY: &str = "retentionPolicy.weeklySchedule.retentionDuration";
    const MONTHLY: &str = "retentionPolicy.monthlySchedule.retentionDuration";
    const YEARLY: &str = "retentionPolicy.yearlySchedule.retentionDuration";
    let on = || MonthDays::Dates(vec![DayOfMonth::Last]);
    for (keep, field) in [(6, DAILY), (7, ""), (9999, ""), (10_000, DAILY)] {
        assert_eq!(
            broken(&with(|t| t.retention.daily = Some(Daily { keep }))),
            field,
            "{keep} days"
        );
    }
    for (keep, field) in [(0, WEEKLY), (1, ""), (5163, ""), (5164, WEEKLY)] {
        let weekly = Weekly {
            keep,
            on: vec![Weekday::Friday],
        };
        assert_eq!(
            broken(&with(|t| t.retention.weekly = Some(weekly))),
            field,
            "{keep} weeks"
        );
    }
    for (keep, field) in [(0, MONTHLY), (1, ""), (1188, ""), (1189, MONTHLY)] {
        let monthly = Monthly { keep, on: on() };
        assert_eq!(
            broken(&with(|t| t.retention.monthly = Some(monthly))),
            field,
            "{keep} months"
        );
    }
    for (keep, field) in [(0, YEARLY), (1, ""), (99, ""), (100, YEARLY)] {
        let yearly = Yearly {
            keep,
            months: vec![Month::May],
            on: on(),
        };
        assert_eq!(
            broken(&with(|t| t.retention.yearly = Some(yearly))),
            field,
            "{keep} years"
        );
    }
}

#[test]
fn days_of_the_month_are_those_that_every_month_has() {
    let monthly = |on| with(|t| t.retention.monthly = Some(Monthly { keep: 6, on }));
    for (day, field) in [
        (0, "retentionPolicy.monthlySchedule"),
        (1, ""),
        (28, ""),
        (29, "retentionPolicy.monthlySchedule"),
    ] {
        assert_eq!(
            broken(&monthly(MonthDays::Dates(vec![DayOfMonth::Day(day)]))),
            field,
            "day {day}"
        );
    }
    assert_eq!(
        broken(&monthly(MonthDays::Dates(vec![]))),
        "retentionPolicy.monthlySchedule"
    );
    let nothing = MonthDays::Weekdays {
        weeks: vec![],
        on: vec![Weekday::Monday],
    };
    assert_eq!(broken(&monthly(nothing)), "retentionPolicy.monthlySchedule");
    let on = MonthDays::Dates(vec![DayOfMonth::Last]);
    let yearly = Yearly {
        keep: 1,
        months: vec![],
        on,
    };
    let no_month = with(|t| t.retention.yearly = Some(yearly));
    assert_eq!(
        broken(&no_month),
        "retentionPolicy.yearlySchedule.monthsOfYear"
    );
}

#[test]
fn a_schedule_is_one_that_azure_runs() {
    let at = |hour, minute| {
        with(|t| {
            t.frequency = Frequency::Daily {
                at: time(hour, minute, 0, 0),
            }
        })
    };
    assert_eq!(broken(&at(0, 30)), "");
    assert_eq!(broken(&at(22, 15)), "schedulePolicy.scheduleRunTimes");
    let hourly_v1 = Terms {
        generation: Generation::Standard,
        instant_restore_days: Some(2),
        ..hourly_policy(4, 12)
    };
    assert_eq!(broken(&hourly_v1), "schedulePolicy.scheduleRunFrequency");
    for every in 0..=25 {
        let field = if [4, 6, 8, 12, 24].contains(&every) {
            ""
        } else {
            "schedulePolicy.hourlySchedule.interval"
        };
        assert_eq!(
            broken(&hourly_policy(every, 24)),
            field,
            "every {every} hours"
        );
    }
    for (window, taken) in [(3, false), (4, true), (24, true), (25, false)] {
        assert_eq!(
            broken(&hourly_policy(4, window)).is_empty(),
            taken,
            "for {window} hours"
        );
    }
}

#[test]
fn a_weekly_schedule_keeps_only_what_it_makes() {
    let change = |change: fn(&mut Retention)| {
        let mut terms = weekly_policy();
        change(&mut terms.retention);
        broken(&terms)
    };
    assert_eq!(
        change(|r| r.daily = Some(Daily { keep: 30 })),
        "retentionPolicy.dailySchedule"
    );
    assert_eq!(
        change(|r| r.weekly = None),
        "retentionPolicy.weeklySchedule"
    );
    assert_eq!(
        change(|r| r.weekly = Some(Weekly {
            keep: 4,
            on: vec![Weekday::Tuesday]
        })),
        "retentionPolicy.weeklySchedule.daysOfTheWeek"
    );
    assert_eq!(
        change(|r| r.monthly = Some(Monthly {
            keep: 4,
            on: MonthDays::Dates(vec![DayOfMonth::Day(1)])
        })),
        "retentionPolicy.monthlySchedule"
    );
    let on = |day| MonthDays::Weekdays {
        weeks: vec![Week::Last],
        on: vec![day],
    };
    let mut terms = weekly_policy();
    terms.retention.monthly = Some(Monthly {
        keep: 4,
        on: on(Weekday::Sunday),
    });
    assert_eq!(broken(&terms), "");
    terms.retention.yearly = Some(Yearly {
        keep: 4,
        months: vec![Month::May],
        on: on(Weekday::Tuesday),
    });
    assert_eq!(broken(&terms), "retentionPolicy.yearlySchedule");
    assert_eq!(
        broken(&with(|t| t.retention.daily = None)),
        "retentionPolicy.dailySchedule"
    );
}

#[test]
fn snapshots_stay_as_long_as_azure_lets_them() {
    const FIELD: &str = "instantRpRetentionRangeInDays";
    for (days, field) in [(0, FIELD), (1, ""), (5, ""), (6, FIELD)] {
        assert_eq!(
            broken(&with(|t| t.instant_restore_days = Some(days))),
            field,
            "{days} days, daily"
        );
    }
    for (days, field) in [(4, FIELD), (5, ""), (6, FIELD)] {
        assert_eq!(
            broken(&Terms {
                instant_restore_days: Some(days),
                ..weekly_policy()
            }),
            field,
            "{days} days, weekly"
        );
    }
    for (days, field) in [(0, FIELD), (1, ""), (30, ""), (31, FIELD)] {
        assert_eq!(
            broken(&Terms {
                instant_restore_days: Some(days),
                ..hourly_policy(4, 12)
            }),
            field,
            "{days} days, V2"
        );
    }
    let mut outliving = Terms {
        instant_restore_days: Some(8),
        ..hourly_policy(4, 12)
    };
    outliving.retention.daily = Some(Daily { keep: 7 });
    let refusal = check_limits(&render(&outliving).unwrap()).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.field.as_str()),
        (code::INSTANT_RP_OUTLIVES_VAULT, FIELD)
    );
}

#[test]
fn retention_times_repeat_the_schedules() {
    let good = serde_json::to_value(render(&grandfather()).unwrap()).unwrap();
    let check = |times: serde_json::Value| {
        let mut policy = good.clone();
        policy["retentionPolicy"]["weeklySchedule"]["retentionTimes"] = times;
        check_limits(&serde_json::from_value(policy).unwrap()).is_ok()
    };
    assert!(
        check(json!(["2019-03-03T22:30:00Z"])),
        "the date before the time means nothing"
    );
    assert!(!check(json!(["2019-03-03T22:00:00Z"])));
    assert!(!check(json!([])));
    assert!(!check(json!([
        "2019-03-03T22:30:00Z",
        "2019-03-03T22:30:00Z"
    ])));
}

#[test]
fn what_is_no_policy_is_refused_by_its_field() {
    for (path, value, field) in [
        ("/timeZone", json!("Middle Earth Standard Time"), "timeZone"),
        (
            "/schedulePolicy/scheduleRunTimes",
            json!(["noon"]),
            "schedulePolicy.scheduleRunTimes",
        ),
        (
            "/schedulePolicy/scheduleRunFrequency",
            json!("Hardly"),
            "schedulePolicy.scheduleRunFrequency",
        ),
        (
            "/retentionPolicy/dailySchedule/retentionDuration/durationType",
            json!("Years"),
            "retentionPolicy.dailySchedule.retentionDuration",
        ),
        (
            "/retentionPolicy/dailySchedule/retentionDuration/count",
            json!(-30),
            "retentionPolicy.dailySchedule.retentionDuration",
        ),
        (
            "/instantRpRetentionRangeInDays",
            json!(-1),
            "instantRpRetentionRangeInDays",
        ),
        (
            "/schedulePolicy",
            json!({}),
            "schedulePolicy.schedulePolicyType",
        ),
    ] {
        let mut policy = serde_json::to_value(render(&grandfather()).unwrap()).unwrap();
        *policy.pointer_mut(path).unwrap() = value;
        let broken = check_limits(&serde_json::from_value(policy).unwrap()).unwrap_err();
        assert_eq!(
            (broken.field.as_str(), broken.code),
            (field, code::INVALID_POLICY),
            "{path}"
        );
        let answer = ArmError::from(broken);
        assert_eq!(answer.target, Some(format!("properties.{field}")));
    }
}
