//! Bodies that somebody has mangled are read, or refused, and never end the process.

use std::sync::LazyLock;

use jiff::civil::{Weekday, time};
use kluis_arm::dataprotection::{self, BackupPolicy};
use kluis_arm::policy::{self, ProtectionPolicy, Terms};
use kluis_policy::{
    Daily, Frequency, Month, MonthDays, Monthly, Retention, Week, Weekly, Workload, Yearly,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::databases::weekly_fulls;

/// A body of each kind, every part of it there.
static BODIES: LazyLock<Vec<Value>> = LazyLock::new(bodies);

fn bodies() -> Vec<Value> {
    let on = || MonthDays::Weekdays {
        weeks: vec![Week::First],
        on: vec![Weekday::Sunday],
    };
    let retention = || Retention {
        daily: Some(Daily { keep: 30 }),
        weekly: Some(Weekly {
            keep: 12,
            on: vec![Weekday::Sunday],
        }),
        monthly: Some(Monthly { keep: 12, on: on() }),
        yearly: Some(Yearly {
            keep: 2,
            months: vec![Month::May],
            on: on(),
        }),
    };
    let hourly = Frequency::Hourly {
        every: 4,
        from: time(8, 0, 0, 0),
        window: 12,
    };
    let of = |workload| Terms::new(workload, hourly.clone(), "Europe/Amsterdam", retention());
    let vaulted = Terms {
        instant_restore_days: Some(5),
        ..of(Workload::FileShare)
    };
    let rendered = [
        policy::render(&of(Workload::VirtualMachine)),
        policy::render(&crate::policies::grandfather()),
        policy::render(&vaulted),
        policy::render(&weekly_fulls(Workload::SapHana)),
        policy::render(&of(Workload::Files)),
    ];
    let rendered = rendered.map(|policy| serde_json::to_value(policy.unwrap()).unwrap());
    let daily = Frequency::Daily {
        at: time(8, 0, 0, 0),
    };
    let rules = [
        of(Workload::Disk),
        Terms::new(Workload::PostgreSql, daily, "UTC", retention()),
    ];
    let rules =
        rules.map(|terms| serde_json::to_value(dataprotection::render(&terms).unwrap()).unwrap());
    rendered.into_iter().chain(rules).collect()
}

/// The paths of every value in a body.
fn paths(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(key, value)| paths(value, &format!("{at}/{key}"), found)),
        Value::Array(values) => values
            .iter()
            .enumerate()
            .for_each(|(index, value)| paths(value, &format!("{at}/{index}"), found)),
        _ => {}
    }
}

fn wrong() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (-3i32..300).prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        "R/[0-9-]{1,12}T[0-9:]{1,8}(Z|[+-][0-9:]{1,5})?/-?P[0-9]{0,12}(D|W|M|Y|T[0-9]{1,12}[HMS])?"
            .prop_map(Value::from),
        "-?P[0-9]{1,14}[DWMY]".prop_map(Value::from),
        "-?[0-9]{1,6}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})?"
            .prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{}, {}])),
        Just(json!(["", "Daily"])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn mangled_policies_are_refused_or_read(
        body in any::<prop::sample::Selector>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), wrong()), 1..4),
    ) {
        let mut body = body.select(BODIES.iter()).clone();
        for (place, value) in changes {
            let mut found = Vec::new();
            paths(&body, "", &mut found);
            let path = place.get(&found).clone();
            if let Some(place) = body.pointer_mut(&path) {
                *place = value;
            }
        }
        if let Ok(policy) = serde_json::from_value::<ProtectionPolicy>(body.clone()) {
            let taken = policy::check_limits(&policy);
            let stored = policy::as_stored(policy.clone());
            prop_assert_eq!(&policy::as_stored(stored.clone()), &stored);
            let _ = policy::differences(&stored, &policy);
            // What is taken means something, and can be written again.
            if taken.is_ok() {
                let terms = policy::parse(&policy).unwrap();
                let again = policy::keeping(&stored, policy::render(&terms).unwrap());
                prop_assert_eq!(policy::differences(&stored, &again).unwrap(), vec![]);
                prop_assert!(terms.strategy().is_ok());
            }
        }
        if let Ok(policy) = serde_json::from_value::<BackupPolicy>(body) {
            let taken = dataprotection::check_limits(&policy);
            let stored = dataprotection::as_stored(policy.clone());
            prop_assert_eq!(&dataprotection::as_stored(stored.clone()), &stored);
            let _ = dataprotection::differences(&stored, &policy);
            if taken.is_ok() {
                let terms = dataprotection::parse(&policy).unwrap();
                let again = dataprotection::keeping(&stored, dataprotection::render(&terms).unwrap());
                prop_assert_eq!(dataprotection::differences(&stored, &again).unwrap(), vec![]);
                prop_assert!(terms.strategy().is_ok());
            }
        }
    }
}
