//! The rules between fields as policies: for every rule of the table and every workload that it holds for, one that keeps it and one that
//! breaks it, and at each edge where a rule is a number. Months are counted here day by day.

use jiff::ToSpan;
use jiff::civil::{Date, date};
use kluis_policy::Workload;
use kluis_policy::limits::{RULES, Rule};
use serde_json::{Value, json};

use crate::boundaries::{Boundary, daily, hourly, weekly};
use crate::merge::merged;

/// Whether the rule lets it be, and a BackupPolicy's spec.
type Side = (bool, Value);

/// Both sides of every rule.
pub(crate) fn crossings() -> Vec<Boundary> {
    let of_rule = |rule: &'static Rule| {
        let of_workload = move |workload: &Workload| {
            let sides = sides(rule.name, *workload);
            assert!(
                sides.iter().any(|(inside, _)| *inside) && sides.iter().any(|(inside, _)| !inside),
                "{} has two sides",
                rule.name
            );
            let workload = *workload;
            sides.into_iter().map(move |(inside, spec)| Boundary {
                workload,
                field: rule.name,
                inside,
                message: format!("{} (rule {})", rule.message, rule.rule),
                spec,
            })
        };
        rule.workloads.iter().flat_map(of_workload)
    };
    RULES.iter().flat_map(of_rule).collect()
}

fn sides(rule: &str, workload: Workload) -> Vec<Side> {
    let has_weekly = !matches!(workload, Workload::FileShare | Workload::Disk);
    let plain = if has_weekly {
        weekly(workload)
    } else {
        daily(workload)
    };
    let on = |base: Value, patch: Value| merged(&base, &patch);
    let first_sundays = json!({ "keep": 12, "weeks": ["First"], "on": ["Sunday"] });
    let months_alone = json!({ "retention": { "weekly": null, "monthly": first_sundays } });
    match rule {
        "one schedule" => {
            let second = json!({ "schedule": { "hourly": { "every": "12h", "from": "08:00", "for": "12h" } } });
            pair(daily(workload), on(daily(workload), second))
        }
        "half hour" => {
            let quarter = json!({ "schedule": { "daily": { "at": "22:15" } } });
            pair(daily(workload), on(daily(workload), quarter))
        }
        "standard is not hourly" => {
            let enhanced = hourly(workload, 8, 12);
            pair(
                enhanced.clone(),
                on(enhanced, json!({ "tier": "Standard" })),
            )
        }
        "daily points" => {
            let weeks = json!({ "daily": null, "weekly": { "keep": 12, "on": ["Sunday"] } });
            pair(
                daily(workload),
                on(daily(workload), json!({ "retention": weeks })),
            )
        }
        "no daily points" => {
            let days = json!({ "retention": { "daily": { "keep": 60 } } });
            pair(plain, on(weekly(workload), days))
        }
        "weekly points" | "weekly or default points" => {
            pair(plain, on(weekly(workload), months_alone))
        }
        "every backup is kept" => {
            let two = json!(["Wednesday", "Sunday"]);
            let made = on(
                weekly(workload),
                json!({ "schedule": { "weekly": { "on": two } } }),
            );
            let kept = json!({ "retention": { "weekly": { "on": two } } });
            pair(on(made.clone(), kept), made)
        }
        "tags keep longer" => tags(workload),
        "weekly has no dates" => pair(
            on(plain, json!({ "retention": { "monthly": first_sundays } })),
            on(
                weekly(workload),
                json!({ "retention": { "monthly": { "keep": 12, "days": [1] } } }),
            ),
        ),
        "retention on scheduled days" => {
            let monday = json!({ "retention": { "weekly": { "on": ["Monday"] } } });
            pair(plain, on(weekly(workload), monday))
        }
        "day of month" => {
            let days = |days: Value| {
                let monthly = json!({ "keep": 12, "days": days });
                on(
                    daily(workload),
                    json!({ "retention": { "monthly": monthly } }),
                )
            };
            pair(days(json!([1, 28, "Last"])), days(json!([29])))
        }
        "instant within retention" => {
            let tier = if workload == Workload::VirtualMachine {
                "Enhanced"
            } else {
                "Standard"
            };
            let snapshots = |days: u32| {
                let patch = json!({
                    "tier": tier, "instantRestore": { "keepDays": days }, "retention": { "daily": { "keep": 7 } },
                });
                on(daily(workload), patch)
            };
            pair(snapshots(7), snapshots(8))
        }
        "window" => {
            let without = json!({ "schedule": { "hourly": { "for": null } } });
            pair(
                hourly(workload, 8, 12),
                on(hourly(workload, 8, 12), without),
            )
        }
        "disk points" => [1, 2, 4, 6, 8, 12]
            .into_iter()
            .flat_map(|every| counted(workload, every, 23, 450))
            .collect(),
        "share points" => shares(),
        "archive months" => pair(archived(workload, "3mo"), archived(workload, "45d")),
        "archive days" => pair(archived(workload, "45d"), archived(workload, "3mo")),
        "archive leaves six months" => six_months_left(workload),
        "follow stays on its day" => {
            let at = |at: &str| {
                on(
                    daily(workload),
                    json!({ "schedule": { "daylightSaving": "Follow", "daily": { "at": at } } }),
                )
            };
            pair(at("01:00"), at("00:30"))
        }
        other => between_fulls(other, workload),
    }
}

fn pair(inside: Value, outside: Value) -> Vec<Side> {
    vec![(true, inside), (false, outside)]
}

/// The rules of differentials and incrementals.
fn between_fulls(rule: &str, workload: Workload) -> Vec<Side> {
    let backup = |on: &str, keep: u32| json!({ "on": [on], "at": "22:30", "keep": keep });
    if rule == "differential or incremental" {
        let one = merged(
            &weekly(workload),
            &json!({ "differential": backup("Wednesday", 7) }),
        );
        let both = merged(&one, &json!({ "incremental": backup("Monday", 7) }));
        return pair(one, both);
    }
    let kinds: &[&str] = match workload {
        Workload::SapHana => &["differential", "incremental"],
        _ => &["differential"],
    };
    let of_kind = |kind: &&str| {
        let with = |base: &Value, on: &str, keep| merged(base, &json!({ *kind: backup(on, keep) }));
        let (days, weeks) = (daily(workload), weekly(workload));
        let week = merged(&weeks, &json!({ "retention": { "weekly": { "keep": 1 } } }));
        match rule {
            "differential without daily full" => {
                pair(with(&weeks, "Wednesday", 7), with(&days, "Wednesday", 7))
            }
            "differential on another day" => {
                pair(with(&weeks, "Wednesday", 7), with(&weeks, "Sunday", 7))
            }
            "differential within full" => {
                pair(with(&week, "Wednesday", 7), with(&week, "Wednesday", 8))
            }
            other => panic!("no policy is known that breaks the rule {other:?}"),
        }
    };
    kinds.iter().flat_map(of_kind).collect()
}

fn archived(workload: Workload, after: &str) -> Value {
    let patch = json!({
        "retention": { "yearly": { "keep": 99, "months": ["January"], "days": [1] } },
        "archive": { "after": after },
    });
    merged(&daily(workload), &patch)
}

fn six_months_left(workload: Workload) -> Vec<Side> {
    let kept = |after: &str, retention: Value| {
        let patch = json!({ "archive": { "after": after }, "retention": retention });
        merged(&daily(workload), &patch)
    };
    let months = |keep: u32| json!({ "monthly": { "keep": keep, "days": [1] } });
    let days = |keep: u32| json!({ "daily": { "keep": keep } });
    if workload == Workload::VirtualMachine {
        ["3mo", "Recommended"]
            .into_iter()
            .flat_map(|after| pair(kept(after, months(9)), kept(after, months(8))))
            .collect()
    } else {
        pair(kept("45d", days(225)), kept("45d", days(224)))
    }
}

/// So many days of points as an item can have, and a day more. The window is none of a disk's.
fn counted(workload: Workload, every: u32, window: u32, most: u32) -> Vec<Side> {
    let a_day = (0..24)
        .filter(|hour| hour % every == 0 && *hour <= window)
        .count();
    let days = most / u32::try_from(a_day).unwrap();
    let keep = |days: u32| {
        merged(
            &hourly(workload, every, window),
            &json!({ "retention": { "daily": { "keep": days } } }),
        )
    };
    pair(keep(days), keep(days + 1))
}

fn shares() -> Vec<Side> {
    let mut sides = Vec::new();
    for every in [4, 6, 8, 12] {
        // With a shorter one there is one backup a day, and the days have their own limit.
        for window in [every, 12, 13, 23, 24] {
            for (inside, spec) in counted(Workload::FileShare, every, window, 200) {
                // Points in the vault are no snapshots.
                let vaulted = merged(&spec, &json!({ "instantRestore": { "keepDays": 7 } }));
                sides.extend([(inside, spec), (true, vaulted)]);
            }
        }
    }
    sides
}

/// A tag that keeps exactly as long as all points are kept, whichever months those are, and one that keeps a day shorter.
fn tags(workload: Workload) -> Vec<Side> {
    let is_disk = workload == Workload::Disk;
    let mut sides = Vec::new();
    let mut both = |days: u32, tier: Value| {
        let keep = |days: u32| {
            let retention = merged(&tier, &json!({ "daily": { "keep": days } }));
            merged(&daily(workload), &json!({ "retention": retention }))
        };
        sides.extend(pair(keep(days), keep(days + 1)));
    };
    both(56, json!({ "weekly": { "keep": 8, "on": ["Sunday"] } }));
    let months = if is_disk { 12 } else { 24 };
    for months in (1..=months).chain(
        [36, 48, 95, 96, 97, 108, 119]
            .into_iter()
            .filter(|_| !is_disk),
    ) {
        let tier = json!({ "monthly": { "keep": months, "days": [1] } });
        both(fewest_days(months), tier);
    }
    for years in [1, 2, 4, 8, 9]
        .into_iter()
        .take(if is_disk { 1 } else { 5 })
    {
        let tier = json!({ "yearly": { "keep": years, "months": ["January"], "days": [1] } });
        both(fewest_days(years * 12), tier);
    }
    if !is_disk {
        // Six months have 181 days at the least: 25 weeks are 175, 26 are 182.
        let weeks = |keep: u32| {
            let retention = json!({
                "weekly": { "keep": keep }, "monthly": { "keep": 6, "weeks": ["First"], "on": ["Sunday"] },
            });
            merged(&weekly(workload), &json!({ "retention": retention }))
        };
        sides.extend(pair(weeks(25), weeks(26)));
    }
    sides
}

/// The fewest days from a date to the same date so many months later, over all dates about the year 2100, which is no leap year.
fn fewest_days(months: u32) -> u32 {
    let last = date(2105, 12, 31);
    let days = date(2092, 1, 1)
        .series(1.day())
        .take_while(|from: &Date| *from <= last)
        .map(|from| (from + i64::from(months).months() - from).get_days());
    u32::try_from(days.min().unwrap()).unwrap()
}
