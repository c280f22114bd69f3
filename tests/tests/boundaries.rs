//! The table of limits as policies: for every number the least and the most that is taken, one less and one more that is not, and for
//! every field a policy of a workload that has it not. What takes policies can be held against it: the API server, `kluis validate`,
//! a service's PUT.

use kluis_policy::Workload;
use kluis_policy::limits::{CHOICES, Case, FIELDS, LIMITS, Limit, POINTS, Unit};
use serde_json::{Value, json};

use crate::merge::merged;

/// A policy at the edge of one limit, and within all others but those that cannot be kept at the same time.
#[derive(Debug, Clone)]
pub(crate) struct Boundary {
    pub(crate) workload: Workload,
    /// `retention.daily.keep`.
    pub(crate) field: &'static str,
    /// Whether the limit lets it be.
    pub(crate) inside: bool,
    /// What is said when it does not: the field, the limit, and the rule by its number.
    pub(crate) message: String,
    /// A BackupPolicy's spec.
    pub(crate) spec: Value,
}

impl Boundary {
    /// For a failing test's sake.
    pub(crate) fn name(&self) -> String {
        format!("{} of {}: {}", self.field, self.workload.name(), self.spec)
    }
}

/// Every edge of every limit and choice, and every field where it does not belong.
pub(crate) fn boundaries() -> Vec<Boundary> {
    let mut all = Vec::new();
    // How many points there are follows from several fields: those that a policy alone can have too many of are rules between fields.
    for limit in LIMITS.iter().filter(|limit| limit.field != POINTS) {
        let below = limit.least.checked_sub(1);
        let beyond = limit.most.checked_add(1);
        let values = [below, Some(limit.least), Some(limit.most), beyond];
        for value in values.into_iter().flatten() {
            all.push(Boundary {
                workload: limit.workload,
                field: limit.field,
                inside: limit.holds(value),
                message: limit.message(),
                spec: at(limit, value),
            });
        }
    }
    for choice in CHOICES {
        for hours in 1..=25 {
            all.push(Boundary {
                workload: choice.workload,
                field: choice.field,
                inside: choice.holds(hours),
                message: choice.message(),
                spec: hourly(choice.workload, hours, 12),
            });
        }
    }
    for known in FIELDS {
        for workload in Workload::ALL {
            if let (false, Some(spec)) = (
                known.workloads.contains(&workload),
                with(known.field, workload),
            ) {
                all.push(Boundary {
                    workload,
                    field: known.field,
                    inside: false,
                    message: format!("{} (rule {})", known.otherwise, known.rule),
                    spec,
                });
            }
        }
    }
    all
}

/// A plain policy of a workload, daily.
pub(crate) fn daily(workload: Workload) -> Value {
    json!({
        "workload": workload.name(), "timeZone": "UTC",
        "schedule": { "daily": { "at": "22:30" } },
        "retention": { "daily": { "keep": 60 } },
    })
}

/// The same with weekly backups, for those that have them.
pub(crate) fn weekly(workload: Workload) -> Value {
    json!({
        "workload": workload.name(), "timeZone": "UTC",
        "schedule": { "weekly": { "on": ["Sunday"], "at": "22:30" } },
        "retention": { "weekly": { "keep": 52, "on": ["Sunday"] } },
    })
}

/// Every so many hours. Days are few enough for a disk.
pub(crate) fn hourly(workload: Workload, every: u32, window: u32) -> Value {
    let mut schedule = json!({ "every": format!("{every}h"), "from": "08:00" });
    if workload != Workload::Disk {
        schedule["for"] = json!(format!("{window}h"));
    }
    let tier = if workload == Workload::VirtualMachine {
        "Enhanced"
    } else {
        "Standard"
    };
    json!({
        "workload": workload.name(), "timeZone": "UTC", "tier": tier,
        "schedule": { "hourly": schedule },
        "retention": { "daily": { "keep": 18 } },
    })
}

/// The policy in which the field of a limit has a value.
fn at(limit: &Limit, value: u32) -> Value {
    let workload = limit.workload;
    let patched = |base: Value, patch: Value| merged(&base, &patch);
    let between = json!({ "on": ["Wednesday"], "at": "22:30", "keep": value });
    match limit.field {
        "retention.daily.keep" => patched(
            daily(workload),
            json!({ "retention": { "daily": { "keep": value } } }),
        ),
        "retention.weekly.keep" => patched(
            daily(workload),
            json!({ "retention": { "daily": { "keep": 7 }, "weekly": { "keep": value, "on": ["Sunday"] } } }),
        ),
        "retention.monthly.keep" => patched(
            daily(workload),
            json!({ "retention": { "daily": { "keep": 7 }, "monthly": { "keep": value, "days": [1] } } }),
        ),
        "retention.yearly.keep" => patched(
            daily(workload),
            json!({ "retention": { "daily": { "keep": 7 }, "yearly": { "keep": value, "months": ["January"], "days": [1] } } }),
        ),
        "schedule.hourly.for" => hourly(workload, 8, value),
        "instantRestore.keepDays" => {
            let base = match limit.case {
                Case::StandardWeekly => weekly(workload),
                _ => daily(workload),
            };
            let tier = if limit.case == Case::Enhanced {
                "Enhanced"
            } else {
                "Standard"
            };
            patched(
                base,
                json!({ "tier": tier, "instantRestore": { "keepDays": value } }),
            )
        }
        "differential.keep" => patched(weekly(workload), json!({ "differential": between })),
        "incremental.keep" => patched(weekly(workload), json!({ "incremental": between })),
        "log.every" => patched(
            weekly(workload),
            json!({ "log": { "every": format!("{value}m"), "keep": 7 } }),
        ),
        "log.keep" => patched(
            weekly(workload),
            json!({ "log": { "every": "15m", "keep": value } }),
        ),
        "archive.after" => {
            let unit = if limit.unit == Unit::Months {
                "mo"
            } else {
                "d"
            };
            patched(
                daily(workload),
                json!({
                    "retention": { "yearly": { "keep": 99, "months": ["January"], "days": [1] } },
                    "archive": { "after": format!("{value}{unit}") },
                }),
            )
        }
        other => panic!("no policy is known in which {other} has a value"),
    }
}

/// The policy of a workload with a field that it has not. None where the lack of another field says so already.
fn with(field: &str, workload: Workload) -> Option<Value> {
    let has_weekly = !matches!(workload, Workload::FileShare | Workload::Disk);
    let plain = if has_weekly { weekly } else { daily };
    let between = json!({ "on": ["Wednesday"], "at": "22:30", "keep": 7 });
    let patch = match field {
        "tier: Enhanced" => json!({ "tier": "Enhanced" }),
        "schedule.weekly" => return Some(weekly(workload)),
        "schedule.hourly" => return Some(hourly(workload, 8, 12)),
        "schedule.hourly.for" if workload == Workload::Disk => {
            let window = json!({ "schedule": { "hourly": { "for": "12h" } } });
            return Some(merged(&hourly(workload, 8, 12), &window));
        }
        "schedule.hourly.for" => return None,
        "instantRestore" => json!({ "instantRestore": { "keepDays": 5 } }),
        "differential" => json!({ "differential": between }),
        "incremental" => json!({ "incremental": between }),
        "log" => json!({ "log": { "every": "15m", "keep": 7 } }),
        "compression" => json!({ "compression": true }),
        "archive" => json!({ "archive": { "after": "45d" } }),
        other => panic!("no policy is known that has {other}"),
    };
    Some(merged(&plain(workload), &patch))
}
