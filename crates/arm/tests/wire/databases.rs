//! Policies for databases in virtual machines: a sub-policy a kind of backup.

use jiff::civil::{Weekday, time};
use kluis_arm::policy::{Archive, ProtectionPolicy, Terms, keeping, parse, render};
use kluis_policy::{Between, Frequency, Log, Retention, Weekly, Workload};
use serde_json::{Value, json};

pub(crate) fn weekly_fulls(workload: Workload) -> Terms {
    let frequency = Frequency::Weekly {
        on: vec![Weekday::Sunday],
        at: time(22, 0, 0, 0),
    };
    let retention = Retention {
        weekly: Some(Weekly {
            keep: 52,
            on: vec![Weekday::Sunday],
        }),
        ..Retention::default()
    };
    let between = Between {
        on: vec![Weekday::Wednesday],
        at: time(22, 0, 0, 0),
        keep_days: 30,
    };
    let log = Log {
        every_minutes: 15,
        keep_days: 15,
    };
    Terms {
        differential: Some(between),
        log: Some(log),
        archive: Some(Archive::AfterDays { days: 45 }),
        compression: true,
        ..Terms::new(workload, frequency, "Europe/Amsterdam", retention)
    }
}

#[test]
fn a_weekly_policy_for_sql_server_on_the_wire() {
    let at = json!(["2024-01-01T22:00:00Z"]);
    let expected = json!({
        "backupManagementType": "AzureWorkload",
        "workLoadType": "SQLDataBase",
        "settings": {"timeZone": "W. Europe Standard Time", "issqlcompression": true, "isCompression": true},
        "subProtectionPolicy": [
            {
                "policyType": "Full",
                "schedulePolicy": {
                    "schedulePolicyType": "SimpleSchedulePolicy", "scheduleRunFrequency": "Weekly",
                    "scheduleRunDays": ["Sunday"], "scheduleRunTimes": at,
                },
                "retentionPolicy": {
                    "retentionPolicyType": "LongTermRetentionPolicy",
                    "weeklySchedule": {
                        "daysOfTheWeek": ["Sunday"], "retentionTimes": at,
                        "retentionDuration": {"count": 52, "durationType": "Weeks"},
                    },
                },
                "tieringPolicy": {"ArchivedRP": {"tieringMode": "TierAfter", "duration": 45, "durationType": "Days"}},
            },
            {
                "policyType": "Differential",
                "schedulePolicy": {
                    "schedulePolicyType": "SimpleSchedulePolicy", "scheduleRunFrequency": "Weekly",
                    "scheduleRunDays": ["Wednesday"], "scheduleRunTimes": at,
                },
                "retentionPolicy": {
                    "retentionPolicyType": "SimpleRetentionPolicy",
                    "retentionDuration": {"count": 30, "durationType": "Days"},
                },
            },
            {
                "policyType": "Log",
                "schedulePolicy": {"schedulePolicyType": "LogSchedulePolicy", "scheduleFrequencyInMins": 15},
                "retentionPolicy": {
                    "retentionPolicyType": "SimpleRetentionPolicy",
                    "retentionDuration": {"count": 15, "durationType": "Days"},
                },
            },
        ],
    });
    let found = render(&weekly_fulls(Workload::SqlServer)).unwrap();
    assert_eq!(serde_json::to_value(found).unwrap(), expected);
}

#[test]
fn what_terms_cannot_say_is_refused_by_its_field() {
    let good = serde_json::to_value(render(&weekly_fulls(Workload::SapHana)).unwrap()).unwrap();
    let full = good["subProtectionPolicy"][0].clone();
    let snapshot = {
        let mut snapshot = full.clone();
        snapshot["policyType"] = json!("SnapshotFull");
        snapshot
    };
    let also = |sub: &Value| {
        let mut all = good["subProtectionPolicy"].as_array().unwrap().clone();
        all.push(sub.clone());
        json!(all)
    };
    let cases = [
        ("/workLoadType", json!("SAPHanaDBInstance"), "workLoadType"),
        (
            "/subProtectionPolicy",
            also(&full),
            "subProtectionPolicy[Full]",
        ),
        (
            "/subProtectionPolicy",
            also(&snapshot),
            "subProtectionPolicy[SnapshotFull]",
        ),
        ("/subProtectionPolicy", json!([]), "subProtectionPolicy"),
        ("/settings/timeZone", json!("Nowhere"), "settings.timeZone"),
        (
            "/subProtectionPolicy/0/schedulePolicy/scheduleRunTimes",
            json!([]),
            "subProtectionPolicy[Full].schedulePolicy.scheduleRunTimes",
        ),
        (
            "/subProtectionPolicy/1/retentionPolicy/retentionDuration/durationType",
            json!("Months"),
            "subProtectionPolicy[Differential].retentionPolicy.retentionDuration",
        ),
        (
            "/subProtectionPolicy/2/schedulePolicy/scheduleFrequencyInMins",
            json!(-15),
            "subProtectionPolicy[Log].schedulePolicy.scheduleFrequencyInMins",
        ),
        (
            "/subProtectionPolicy/0/tieringPolicy/ArchivedRP/tieringMode",
            json!("Sometimes"),
            "subProtectionPolicy[Full].tieringPolicy.ArchivedRP.tieringMode",
        ),
    ];
    for (path, value, field) in cases {
        let mut body = good.clone();
        *body.pointer_mut(path).unwrap() = value;
        let policy: ProtectionPolicy = serde_json::from_value(body).unwrap();
        assert_eq!(parse(&policy).unwrap_err().field, field);
    }
}

#[test]
fn an_edit_takes_over_what_terms_do_not_say() {
    let mut body =
        serde_json::to_value(render(&weekly_fulls(Workload::SqlServer)).unwrap()).unwrap();
    body["ours"] = json!(1);
    body["settings"]["ours"] = json!(2);
    body["subProtectionPolicy"][2]["ours"] = json!(3);
    let in_force: ProtectionPolicy = serde_json::from_value(body).unwrap();
    let wanted = Terms {
        log: None,
        ..weekly_fulls(Workload::SqlServer)
    };
    let edit = serde_json::to_value(keeping(&in_force, render(&wanted).unwrap())).unwrap();
    assert_eq!(
        (&edit["ours"], &edit["settings"]["ours"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(
        edit["subProtectionPolicy"].as_array().unwrap().len(),
        2,
        "a kind of backup that is not wanted any more goes"
    );
    let vm = render(&crate::policies::grandfather()).unwrap();
    assert_eq!(keeping(&in_force, vm.clone()), vm, "another kind of policy");
}
