//! Policies of Backup vaults: their rules, the forms in which other clients write them, and what they cannot say.

use jiff::civil::{Weekday, time};
use kluis_arm::dataprotection::{BackupPolicy, check_limits, keeping, parse, render};
use kluis_arm::error::code;
use kluis_arm::policy::Terms;
use kluis_policy::{
    Daily, DayOfMonth, Frequency, Month, MonthDays, Monthly, Retention, Week, Weekly, Workload,
    Yearly,
};
use serde_json::{Value, json};

fn policy(body: Value) -> BackupPolicy {
    serde_json::from_value(body).unwrap()
}

/// A policy for PostgreSQL with these intervals and zone, tags beside the default one and retention rules.
fn rules(schedule: &Value, tags: &[Value], kept: &[(&str, &str)]) -> Value {
    let mut tagging = vec![json!({
        "tagInfo": {"tagName": "Default", "id": "Default_"}, "taggingPriority": 99, "isDefault": true,
    })];
    tagging.extend_from_slice(tags);
    let store = json!({"dataStoreType": "VaultStore", "objectType": "DataStoreInfoBase"});
    let mut rules = vec![json!({
        "name": "BackupIntervals", "objectType": "AzureBackupRule",
        "backupParameters": {"objectType": "AzureBackupParams", "backupType": "Full"},
        "trigger": {"objectType": "ScheduleBasedTriggerContext", "schedule": schedule, "taggingCriteria": tagging},
        "dataStore": store,
    })];
    rules.extend(kept.iter().map(|(name, length)| {
        json!({
            "name": name, "objectType": "AzureRetentionRule", "isDefault": *name == "Default",
            "lifecycles": [{
                "deleteAfter": {"objectType": "AbsoluteDeleteOption", "duration": length},
                "sourceDataStore": store, "targetDataStoreCopySettings": [],
            }],
        })
    }));
    json!({
        "objectType": "BackupPolicy",
        "datasourceTypes": ["Microsoft.DBforPostgreSQL/servers/databases"],
        "policyRules": rules,
    })
}

fn weekly() -> Value {
    json!({"repeatingTimeIntervals": ["R/2021-05-23T02:30:00+00:00/P1W"]})
}

fn tag(name: &str, priority: i64, criteria: &Value) -> Value {
    let mut criteria = criteria.clone();
    criteria["objectType"] = json!("ScheduleBasedBackupCriteria");
    json!({"tagInfo": {"tagName": name}, "taggingPriority": priority, "isDefault": false, "criteria": [criteria]})
}

fn every_sunday() -> MonthDays {
    MonthDays::Weekdays {
        weeks: vec![
            Week::First,
            Week::Second,
            Week::Third,
            Week::Fourth,
            Week::Last,
        ],
        on: vec![Weekday::Sunday],
    }
}

#[test]
fn a_daily_policy_for_disks_on_the_wire() {
    let retention = Retention {
        daily: Some(Daily { keep: 7 }),
        weekly: Some(Weekly {
            keep: 4,
            on: vec![Weekday::Sunday],
        }),
        ..Retention::default()
    };
    let frequency = Frequency::Hourly {
        every: 4,
        from: time(9, 0, 0, 0),
        window: 24,
    };
    let terms = Terms::new(Workload::Disk, frequency, "Europe/Amsterdam", retention);
    let store = json!({"dataStoreType": "OperationalStore", "objectType": "DataStoreInfoBase"});
    let kept = |name: &str, length: &str| {
        json!({
            "objectType": "AzureRetentionRule", "name": name, "isDefault": name == "Default",
            "lifecycles": [{
                "deleteAfter": {"objectType": "AbsoluteDeleteOption", "duration": length},
                "sourceDataStore": store, "targetDataStoreCopySettings": [],
            }],
        })
    };
    let expected = json!({
        "objectType": "BackupPolicy",
        "datasourceTypes": ["Microsoft.Compute/disks"],
        "policyRules": [
            {
                "objectType": "AzureBackupRule", "name": "BackupHourly",
                "backupParameters": {"objectType": "AzureBackupParams", "backupType": "Incremental"},
                "trigger": {
                    "objectType": "ScheduleBasedTriggerContext",
                    "schedule": {
                        "repeatingTimeIntervals": ["R/2024-01-01T09:00:00+01:00/PT4H"],
                        "timeZone": "W. Europe Standard Time",
                    },
                    "taggingCriteria": [
                        {"tagInfo": {"tagName": "Default"}, "taggingPriority": 99, "isDefault": true},
                        {
                            "tagInfo": {"tagName": "Weekly"}, "taggingPriority": 10, "isDefault": false,
                            "criteria": [{
                                "objectType": "ScheduleBasedBackupCriteria",
                                "daysOfTheWeek": ["Sunday"],
                                "scheduleTimes": ["2024-01-01T01:00:00+01:00"],
                            }],
                        },
                    ],
                },
                "dataStore": store,
            },
            kept("Default", "P7D"),
            kept("Weekly", "P4W"),
        ],
    });
    assert_eq!(
        serde_json::to_value(render(&terms).unwrap()).unwrap(),
        expected
    );
}

#[test]
fn a_default_in_months_or_years_is_the_tier_that_has_every_backup() {
    let found = |length| parse(&policy(rules(&weekly(), &[], &[("Default", length)]))).unwrap();
    let only = |retention| {
        let on = vec![Weekday::Sunday];
        let at = time(2, 30, 0, 0);
        let frequency = Frequency::Weekly { on, at };
        Terms::new(Workload::PostgreSql, frequency, "UTC", retention)
    };
    let months = Monthly {
        keep: 4,
        on: every_sunday(),
    };
    let retention = Retention {
        monthly: Some(months),
        ..Retention::default()
    };
    assert_eq!(found("P4M"), only(retention));
    let years = Yearly {
        keep: 2,
        months: Month::ALL.to_vec(),
        on: every_sunday(),
    };
    let retention = Retention {
        yearly: Some(years),
        ..Retention::default()
    };
    assert_eq!(found("P2Y"), only(retention));
    let weeks = Weekly {
        keep: 12,
        on: vec![Weekday::Sunday],
    };
    let retention = Retention {
        weekly: Some(weeks),
        ..Retention::default()
    };
    assert_eq!(found("P12W"), only(retention));
    for length in ["P4M", "P2Y", "P12W", "P30D"] {
        let stored = policy(rules(&weekly(), &[], &[("Default", length)]));
        let again = render(&parse(&stored).unwrap()).unwrap();
        assert_eq!(parse(&again), parse(&stored), "{length}");
    }
}

#[test]
fn the_first_of_a_month_is_the_day_on_which_the_schedule_makes_it() {
    let first = tag(
        "Monthly",
        15,
        &json!({"absoluteCriteria": ["FirstOfMonth"]}),
    );
    let kept = [("Default", "P4W"), ("Monthly", "P1Y")];
    let found = |schedule: &Value| {
        parse(&policy(rules(
            schedule,
            std::slice::from_ref(&first),
            &kept,
        )))
        .unwrap()
        .retention
        .monthly
    };
    let on = MonthDays::Weekdays {
        weeks: vec![Week::First],
        on: vec![Weekday::Sunday],
    };
    assert_eq!(found(&weekly()), Some(Monthly { keep: 12, on }));
    let daily = json!({"repeatingTimeIntervals": ["R/2021-05-23T02:30:00+00:00/P1D"]});
    let on = MonthDays::Dates(vec![DayOfMonth::Day(1)]);
    assert_eq!(found(&daily), Some(Monthly { keep: 12, on }));
}

#[test]
fn an_interval_says_the_time_on_the_base_clock_of_its_zone() {
    let at = |interval: &str, zone: Option<&str>| {
        let schedule = json!({"repeatingTimeIntervals": [interval], "timeZone": zone});
        let body = rules(&schedule, &[], &[("Default", "P30D")]);
        parse(&policy(body)).map(|terms| (terms.frequency, terms.time_zone))
    };
    let daily = |hour, minute, zone: &str| {
        let at = time(hour, minute, 0, 0);
        Ok((Frequency::Daily { at }, zone.to_owned()))
    };
    let berlin = Some("W. Europe Standard Time");
    assert_eq!(
        at("R/2024-01-10T22:30:00+01:00/P1D", berlin),
        daily(22, 30, "Europe/Berlin")
    );
    assert_eq!(
        at("R/2024-07-10T22:30:00+02:00/P1D", berlin),
        daily(21, 30, "Europe/Berlin"),
        "it repeats by 24 hours, and so runs at 21:30 in winter"
    );
    assert_eq!(
        at("R/2024-07-10T20:30:00Z/PT24H", berlin),
        daily(21, 30, "Europe/Berlin")
    );
    assert_eq!(
        at("R/2024-07-10T20:30:00/P1D", berlin),
        daily(20, 30, "Europe/Berlin"),
        "without an offset it is the zone's"
    );
    assert_eq!(
        at("R/2024-07-10T20:30:00-08:00/P1D", None),
        daily(20, 30, "Etc/GMT+8")
    );
    assert_eq!(
        at(
            "R/2024-07-10T20:30:00+00:00/P1D",
            Some("Coordinated Universal Time")
        ),
        daily(20, 30, "UTC")
    );
    assert!(at("R/2024-07-10T20:30:00+05:30/P1D", None).is_err());
    for wrong in [
        "",
        "R/",
        "R//",
        "R/2024-07-10T20:30:00Z",
        "R5/2024-07-10T20:30:00Z/P1D",
        "R/2024-07-10T20:30:00Z/P2D",
        "R/2024-07-10T20:30:00Z/PT5H",
        "R/2024-07-10T20:30:00Z/P1M",
        "R/2024-07-10T20:30:00Z/PT0H",
        "R/2024-07-10T20:30:00Z/-P1D",
        "R/noon/P1D",
        "R/2024-07-10T20:30:00Z/P1DT1S",
        "R/2024-07-10/P1D",
        "R/-009999-01-01T00:00:00+25:59/P1D",
    ] {
        assert!(at(wrong, berlin).is_err(), "{wrong}");
    }
}

#[test]
fn what_terms_cannot_say_is_refused_by_its_field() {
    let default = [("Default", "P4W")];
    let tagged = |criteria: Value| {
        let kept = [("Default", "P4W"), ("Weekly", "P12W")];
        rules(&weekly(), &[tag("Weekly", 20, &criteria)], &kept)
    };
    let with = |path: &str, value: Value| {
        let mut body = rules(&weekly(), &[], &default);
        *body.pointer_mut(path).unwrap() = value;
        body
    };
    let copy = json!([{"copyAfter": {"objectType": "CopyOnExpiryOption"},
        "dataStore": {"dataStoreType": "ArchiveStore", "objectType": "DataStoreInfoBase"}}]);
    let hourly = json!({"repeatingTimeIntervals": ["R/2021-05-23T02:30:00+00:00/PT4H"]});
    let cases = [
        (
            with(
                "/datasourceTypes",
                json!(["Microsoft.ContainerService/managedClusters"]),
            ),
            "datasourceTypes",
        ),
        (
            with(
                "/policyRules/1/lifecycles/0/targetDataStoreCopySettings",
                copy,
            ),
            "policyRules[Default].lifecycles.targetDataStoreCopySettings",
        ),
        (
            with(
                "/policyRules/1/lifecycles/0/deleteAfter/duration",
                json!("P1Y6M"),
            ),
            "policyRules[Default].lifecycles.deleteAfter.duration",
        ),
        (rules(&weekly(), &[], &[]), "policyRules"),
        (
            with(
                "/policyRules/0/backupParameters/backupType",
                json!("Incremental"),
            ),
            "policyRules[AzureBackupRule].backupParameters.backupType",
        ),
        (
            tagged(json!({"absoluteCriteria": ["FirstOfDay"]})),
            "policyRules[AzureBackupRule].trigger.taggingCriteria[Weekly].criteria",
        ),
        (
            // A tag that takes its backups from one that keeps longer.
            rules(
                &weekly(),
                &[tag("Weekly", 20, &json!({"daysOfTheWeek": ["Sunday"]}))],
                &[("Default", "P30W"), ("Weekly", "P12W")],
            ),
            "policyRules[AzureBackupRule].trigger.taggingCriteria.taggingPriority",
        ),
        (
            rules(
                &hourly,
                &[tag("Weekly", 20, &json!({"daysOfTheWeek": ["Sunday"]}))],
                &[("Default", "P4W"), ("Weekly", "P12W")],
            ),
            "policyRules[AzureBackupRule].trigger.taggingCriteria[Weekly].criteria.scheduleTimes",
        ),
        (
            rules(&hourly, &[], &[("Default", "P3M")]),
            "policyRules[Default].lifecycles.deleteAfter.duration",
        ),
        (
            rules(&weekly(), &[], &[("Default", "P4W"), ("Extra", "P9W")]),
            "policyRules[Extra]",
        ),
    ];
    for (body, field) in cases {
        let found = parse(&policy(body)).unwrap_err();
        assert_eq!(found.field, field, "{found}");
    }
}

#[test]
fn limits_are_refused_by_the_rule_that_breaks_them() {
    let broken = |body| check_limits(&policy(body)).map_err(|broken| (broken.code, broken.field));
    let kept = |length| rules(&weekly(), &[], &[("Default", length)]);
    for taken in ["P1W", "P520W", "P120M", "P10Y", "P7D"] {
        assert_eq!(broken(kept(taken)), Ok(()), "{taken}");
    }
    for refused in ["P521W", "P121M", "P11Y"] {
        let (code, _) = broken(kept(refused)).unwrap_err();
        assert_eq!(code, code::INVALID_RULES, "{refused}");
    }
    let hourly = json!({"repeatingTimeIntervals": ["R/2021-05-23T02:30:00+00:00/PT4H"]});
    let field = "policyRules[AzureBackupRule].trigger.schedule.repeatingTimeIntervals";
    assert_eq!(
        broken(rules(&hourly, &[], &[("Default", "P7D")])),
        Err((code::INVALID_RULES, field.to_owned())),
        "PostgreSQL is not backed up by the hour"
    );
}

#[test]
fn an_edit_takes_over_what_terms_do_not_say() {
    let mut body = rules(&weekly(), &[], &[("Default", "P4W")]);
    body["ours"] = json!("kept");
    let in_force = policy(body);
    let mut terms = parse(&in_force).unwrap();
    terms.retention.weekly.as_mut().unwrap().keep = 5;
    let edit = serde_json::to_value(keeping(&in_force, render(&terms).unwrap())).unwrap();
    assert_eq!(
        edit["datasourceTypes"],
        json!(["Microsoft.DBforPostgreSQL/servers/databases"])
    );
    assert_eq!(edit["policyRules"][0]["name"], "BackupIntervals");
    assert_eq!(edit["ours"], "kept");
    let length = "/policyRules/1/lifecycles/0/deleteAfter/duration";
    assert_eq!(edit.pointer(length), Some(&json!("P5W")));
}
