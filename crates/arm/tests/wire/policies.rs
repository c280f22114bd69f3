//! Policies: what is written reads back, and differs only where it means something else.

use jiff::civil::{Weekday, time};
use kluis_arm::policy::{
    Difference, Generation, Policy, ProtectionPolicy, Terms, as_stored, check_limits, differences,
    parse, render,
};
use kluis_arm::time::WireTime;
use kluis_policy::{Daily, Frequency, MonthDays, Monthly, Retention, Week, Weekly, Workload};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::any_terms::terms;

fn wire(terms: &Terms) -> ProtectionPolicy {
    render(terms).unwrap()
}

proptest! {
    #[test]
    fn what_is_rendered_parses_back(terms in terms()) {
        prop_assert_eq!(parse(&wire(&terms)).unwrap(), terms.through_the_wire().unwrap());
    }

    #[test]
    fn what_is_rendered_survives_the_wire(terms in terms()) {
        let policy = wire(&terms);
        let text = serde_json::to_string(&policy).unwrap();
        prop_assert_eq!(serde_json::from_str::<ProtectionPolicy>(&text).unwrap(), policy);
    }

    #[test]
    fn what_a_service_fills_in_is_no_difference(terms in terms()) {
        let wanted = wire(&terms);
        let mut stored = as_stored(wanted.clone());
        let ProtectionPolicy::VirtualMachine(policy) = &mut stored else { panic!("a VM's policy") };
        policy.protected_items_count = Some(3);
        prop_assert_eq!(differences(&stored, &wanted).unwrap(), vec![]);
        prop_assert_eq!(as_stored(stored.clone()), stored);
    }

    #[test]
    fn two_policies_differ_exactly_when_their_terms_do(one in terms(), part in 0usize..9, other in terms()) {
        let other = with_part(part, &one, &other);
        let found = differences(&wire(&one), &wire(&other)).unwrap();
        let ordered = |terms: &Terms| parse(&wire(terms)).map(in_order).unwrap();
        prop_assert_eq!(found.is_empty(), ordered(&one) == ordered(&other), "{:?}", found);
    }

    #[test]
    fn the_order_of_days_makes_no_difference(terms in terms()) {
        prop_assert_eq!(differences(&wire(&terms), &wire(&in_order(terms.clone()))).unwrap(), vec![]);
    }
}

/// Terms that are as the others in one part alone.
fn with_part(part: usize, terms: &Terms, other: &Terms) -> Terms {
    let mut terms = terms.clone();
    let (retention, other_retention) = (&mut terms.retention, other.retention.clone());
    match part {
        0 => terms.generation = other.generation,
        1 => terms.frequency = other.frequency.clone(),
        2 => terms.time_zone.clone_from(&other.time_zone),
        3 => terms.instant_restore_days = other.instant_restore_days,
        8 => terms.archive = other.archive,
        4 => retention.daily = other_retention.daily,
        5 => retention.weekly = other_retention.weekly,
        6 => retention.monthly = other_retention.monthly,
        _ => retention.yearly = other_retention.yearly,
    }
    terms
}

/// The same terms with every list in its natural order and each member once.
fn in_order(mut terms: Terms) -> Terms {
    fn weekdays(on: &mut Vec<Weekday>) {
        on.sort_by_key(|day| day.to_monday_zero_offset());
        on.dedup();
    }
    fn days(on: &mut MonthDays) {
        match on {
            MonthDays::Weekdays { weeks, on } => {
                weeks.sort();
                weekdays(on);
            }
            MonthDays::Dates(dates) => {
                dates.sort();
                dates.dedup();
            }
        }
    }
    if let Frequency::Weekly { on, .. } = &mut terms.frequency {
        weekdays(on);
    }
    let Retention {
        weekly,
        monthly,
        yearly,
        ..
    } = &mut terms.retention;
    weekly
        .iter_mut()
        .for_each(|weekly| weekdays(&mut weekly.on));
    monthly.iter_mut().for_each(|monthly| days(&mut monthly.on));
    yearly.iter_mut().for_each(|yearly| days(&mut yearly.on));
    terms
}

/// Thirty days daily, twelve Sundays, five years of first Sundays.
pub(crate) fn grandfather() -> Terms {
    let on = MonthDays::Weekdays {
        weeks: vec![Week::First],
        on: vec![Weekday::Sunday],
    };
    let at = time(22, 30, 0, 0);
    let retention = Retention {
        daily: Some(Daily { keep: 30 }),
        weekly: Some(Weekly {
            keep: 12,
            on: vec![Weekday::Sunday],
        }),
        monthly: Some(Monthly { keep: 60, on }),
        yearly: None,
    };
    Terms {
        instant_restore_days: Some(2),
        ..Terms::new(
            Workload::VirtualMachine,
            Frequency::Daily { at },
            "Europe/Amsterdam",
            retention,
        )
    }
}

#[test]
fn a_daily_policy_on_the_wire() {
    let at = json!(["2024-01-01T22:30:00Z"]);
    let expected = json!({
        "backupManagementType": "AzureIaasVM",
        "policyType": "V1",
        "schedulePolicy": {
            "schedulePolicyType": "SimpleSchedulePolicy",
            "scheduleRunFrequency": "Daily",
            "scheduleRunTimes": at,
        },
        "retentionPolicy": {
            "retentionPolicyType": "LongTermRetentionPolicy",
            "dailySchedule": {"retentionTimes": at, "retentionDuration": {"count": 30, "durationType": "Days"}},
            "weeklySchedule": {
                "daysOfTheWeek": ["Sunday"],
                "retentionTimes": at,
                "retentionDuration": {"count": 12, "durationType": "Weeks"},
            },
            "monthlySchedule": {
                "retentionScheduleFormatType": "Weekly",
                "retentionScheduleWeekly": {"daysOfTheWeek": ["Sunday"], "weeksOfTheMonth": ["First"]},
                "retentionTimes": at,
                "retentionDuration": {"count": 60, "durationType": "Months"},
            },
        },
        "tieringPolicy": {"ArchivedRP": {"tieringMode": "DoNotTier", "duration": 0, "durationType": "Invalid"}},
        "instantRpRetentionRangeInDays": 2,
        "timeZone": "W. Europe Standard Time",
    });
    assert_eq!(
        serde_json::to_value(wire(&grandfather())).unwrap(),
        expected
    );
}

#[test]
fn an_hourly_policy_is_v2_and_its_retention_has_no_times() {
    let frequency = Frequency::Hourly {
        every: 4,
        from: time(8, 0, 0, 0),
        window: 12,
    };
    let policy = wire(&Terms {
        generation: Generation::Enhanced,
        frequency,
        ..grandfather()
    });
    let policy = serde_json::to_value(policy).unwrap();
    assert_eq!(policy["policyType"], "V2");
    assert_eq!(
        policy["schedulePolicy"],
        json!({
            "schedulePolicyType": "SimpleSchedulePolicyV2",
            "scheduleRunFrequency": "Hourly",
            "hourlySchedule": {
                "interval": 4,
                "scheduleWindowStartTime": "2024-01-01T08:00:00Z",
                "scheduleWindowDuration": 12,
            },
        })
    );
    assert!(!policy.to_string().contains("retentionTimes"));
}

/// What real vaults hold from their first day.
fn default_policies() -> [(Value, Terms); 2] {
    let times = json!(["2024-05-13T20:00:00Z"]);
    let thirty_days = json!({"count": 30, "durationType": "Days"});
    let default = json!({"properties": {
        "backupManagementType": "AzureIaasVM", "instantRPDetails": {},
        "schedulePolicy": {"schedulePolicyType": "SimpleSchedulePolicy", "scheduleRunFrequency": "Daily",
            "scheduleRunTimes": times, "scheduleWeeklyFrequency": 0},
        "retentionPolicy": {"retentionPolicyType": "LongTermRetentionPolicy",
            "dailySchedule": {"retentionTimes": times, "retentionDuration": thirty_days}},
        "instantRpRetentionRangeInDays": 2, "timeZone": "UTC", "protectedItemsCount": 0}});
    let enhanced = json!({"properties": {
        "backupManagementType": "AzureIaasVM", "policyType": "V2", "instantRPDetails": {},
        "schedulePolicy": {"schedulePolicyType": "SimpleSchedulePolicyV2", "scheduleRunFrequency": "Hourly",
            "hourlySchedule": {"interval": 4, "scheduleWindowStartTime": "2024-05-13T08:00:00Z",
                "scheduleWindowDuration": 12}},
        "retentionPolicy": {"retentionPolicyType": "LongTermRetentionPolicy",
            "dailySchedule": {"retentionTimes": ["2024-05-13T08:00:00Z"], "retentionDuration": thirty_days}},
        "instantRpRetentionRangeInDays": 2, "timeZone": "UTC", "protectedItemsCount": 0}});
    let retention = Retention {
        daily: Some(Daily { keep: 30 }),
        ..Retention::default()
    };
    let terms = |generation, frequency| Terms {
        generation,
        instant_restore_days: Some(2),
        ..Terms::new(
            Workload::VirtualMachine,
            frequency,
            "UTC",
            retention.clone(),
        )
    };
    let hourly = Frequency::Hourly {
        every: 4,
        from: time(8, 0, 0, 0),
        window: 12,
    };
    [
        (
            default,
            terms(
                Generation::Standard,
                Frequency::Daily {
                    at: time(20, 0, 0, 0),
                },
            ),
        ),
        (enhanced, terms(Generation::Enhanced, hourly)),
    ]
}

#[test]
fn azures_default_policies_are_understood_and_differ_from_ours_in_nothing() {
    for (policy, terms) in default_policies() {
        let policy: Policy = serde_json::from_value(policy).unwrap();
        assert_eq!(parse(&policy.properties).unwrap(), terms);
        assert_eq!(check_limits(&policy.properties), Ok(()));
        assert_eq!(differences(&policy.properties, &wire(&terms)).unwrap(), []);
    }
}

#[test]
fn a_difference_names_the_field_and_both_sides() {
    let mut other = grandfather();
    other.retention.daily = Some(Daily { keep: 14 });
    other.time_zone = "Europe/Rome".to_owned();
    let found = differences(&wire(&grandfather()), &wire(&other)).unwrap();
    let daily = Difference {
        field: "retention.daily".to_owned(),
        have: "30 days".to_owned(),
        want: "14 days".to_owned(),
    };
    assert_eq!(found, [daily], "Amsterdam and Rome are one zone to Azure");
}

#[test]
fn a_policy_in_force_that_defies_the_terms_differs_there() {
    let mut in_force = serde_json::to_value(wire(&grandfather())).unwrap();
    in_force["schedulePolicy"]["scheduleRunTimes"] =
        json!(["2024-01-01T01:00:00Z", "2024-01-01T13:00:00Z"]);
    let in_force: ProtectionPolicy = serde_json::from_value(in_force).unwrap();
    let found = differences(&in_force, &wire(&grandfather())).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].field, "schedulePolicy.scheduleRunTimes");
}

#[test]
fn a_policy_is_kept_as_azure_keeps_it() {
    let mut sent = serde_json::to_value(wire(&grandfather())).unwrap();
    sent["schedulePolicy"]["scheduleRunTimes"] = json!(["2018-01-24T22:30:00.000Z"]);
    sent["retentionPolicy"]["dailySchedule"]["retentionTimes"] =
        json!(["2018-01-24T22:30:00+00:00"]);
    sent["extra"] = json!("kept");
    sent.as_object_mut().unwrap().remove("timeZone");
    sent.as_object_mut()
        .unwrap()
        .remove("instantRpRetentionRangeInDays");
    let stored = serde_json::to_value(as_stored(serde_json::from_value(sent).unwrap())).unwrap();
    assert_eq!(
        stored["schedulePolicy"]["scheduleRunTimes"],
        json!(["2018-01-24T22:30:00Z"])
    );
    assert_eq!(stored["schedulePolicy"]["scheduleWeeklyFrequency"], 0);
    assert_eq!(
        stored["retentionPolicy"]["dailySchedule"]["retentionTimes"],
        json!(["2018-01-24T22:30:00Z"])
    );
    assert_eq!(stored["timeZone"], "UTC");
    assert_eq!(stored["instantRpRetentionRangeInDays"], 2);
    assert_eq!(stored["instantRPDetails"], json!({}));
    assert_eq!(stored["extra"], "kept");
}

#[test]
fn a_policys_hour_is_the_wall_clocks_whatever_zone_is_written_behind_it() {
    for text in [
        "2018-01-24T10:00:00Z",
        "2018-01-24T10:00:00+00:00",
        "2018-01-24T10:00:00.000Z",
        "2018-01-24T10:00:00",
    ] {
        assert_eq!(
            WireTime::from(text).time_of_day(),
            Ok(time(10, 0, 0, 0)),
            "{text}"
        );
    }
}
