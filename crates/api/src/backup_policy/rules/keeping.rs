//! How long recovery points may be kept, and which of them.

use super::{Rule, Workload, days, of, points};
use Workload::{Disk, FileShare, Files, PostgreSQL, SAPHana, SQLServer, VirtualMachine};

/// A workload, the least and the most of each tier's days, weeks, months and years, and the rule.
type Kept = (Workload, [(u32, u32); 4], u8);

const TIERS: [(&str, &str); 4] = [
    ("daily", "days"),
    ("weekly", "weeks"),
    ("monthly", "months"),
    ("yearly", "years"),
];

const KEPT: [Kept; 7] = [
    (
        VirtualMachine,
        [(7, 9999), (1, 5163), (1, 1188), (1, 99)],
        3,
    ),
    (SQLServer, [(7, 9999), (1, 5163), (1, 1188), (1, 99)], 3),
    (SAPHana, [(7, 9999), (1, 5163), (1, 1188), (1, 99)], 3),
    (PostgreSQL, [(1, 3650), (1, 520), (1, 120), (1, 10)], 19),
    (FileShare, [(1, 200), (1, 200), (1, 120), (1, 10)], 17),
    (Disk, [(1, 365), (1, 52), (1, 12), (1, 1)], 18),
    (Files, [(1, 9999), (1, 5163), (1, 1188), (1, 99)], 2),
];

/// Workloads of a Recovery Services vault, and ours.
const WITHOUT_A_DEFAULT_RULE: [Workload; 6] =
    [VirtualMachine, SQLServer, SAPHana, FileShare, Disk, Files];

pub(super) fn rules() -> Vec<Rule> {
    [
        ranges(),
        by_schedule(),
        by_one_tag(),
        instant_restore(),
        points::rules(),
    ]
    .concat()
}

fn ranges() -> Vec<Rule> {
    let mut rules = Vec::new();
    for (workload, limits, number) in KEPT {
        for ((tier, unit), (least, most)) in TIERS.into_iter().zip(limits) {
            let range = if least == most {
                format!("exactly {most}")
            } else {
                format!("{least} to {most}")
            };
            rules.push(of(
                &[workload],
                &format!("!has(self.retention.{tier}) || (self.retention.{tier}.keep >= {least} && self.retention.{tier}.keep <= {most})"),
                format!("retention.{tier}.keep is {range} {unit} for {} (rule {number})", workload.in_words()),
            )
            .about(format!("retention.{tier}.keep")));
        }
    }
    rules
}

/// What a schedule makes has to be kept, and what is kept has to be made.
fn by_schedule() -> Vec<Rule> {
    let mut rules = vec![
        Rule::of_all(
            "has(self.schedule.weekly) || has(self.retention.daily)",
            "a daily or hourly schedule makes daily recovery points: set retention.daily (rule 15)",
        )
        .about("retention.daily"),
        // A rule of a Backup vault keeps each point some days, whatever day of the week it is of.
        of(
            &WITHOUT_A_DEFAULT_RULE,
            "!has(self.schedule.weekly) || !has(self.retention.daily)",
            "a weekly schedule has no daily recovery points: remove retention.daily (rule 15)",
        )
        .about("retention.daily"),
        of(
            &WITHOUT_A_DEFAULT_RULE,
            "!has(self.schedule.weekly) || has(self.retention.weekly)",
            "a weekly schedule makes weekly recovery points: set retention.weekly (rule 15)",
        )
        .about("retention.weekly"),
        of(
            &[PostgreSQL],
            "!has(self.schedule.weekly) || has(self.retention.weekly) || has(self.retention.daily)",
            "a weekly schedule needs to know how long each recovery point is kept: set retention.weekly or retention.daily (rule 15)",
        )
        .about("retention.weekly"),
        Rule::of_all(
            "!has(self.schedule.weekly) || ((!has(self.retention.monthly) || has(self.retention.monthly.weeks)) && (!has(self.retention.yearly) || has(self.retention.yearly.weeks)))",
            "with a weekly schedule, retention.monthly and retention.yearly go by weeks and days of the week, not by days of the month (rule 15)",
        ),
    ];
    for tier in ["weekly", "monthly", "yearly"] {
        let by_date = match tier {
            "weekly" => String::new(),
            _ => format!("!has(self.retention.{tier}.weeks) || "),
        };
        rules.push(Rule::of_all(
            format!(
                "!has(self.schedule.weekly) || !has(self.retention.{tier}) || {by_date}{}.all(d, d in {})",
                days(&format!("retention.{tier}")),
                days("schedule.weekly")
            ),
            format!("retention.{tier}.days names a day on which schedule.weekly makes no backup (rule 15)"),
        ).about(format!("retention.{tier}.days")));
    }
    rules
}

/// In a Backup vault a point has one tag and is kept by its rule alone. So one rule keeps whatever has no tag, and no tag may keep shorter
/// than that.
fn by_one_tag() -> Vec<Rule> {
    let mut rules = vec![
        of(
            &[PostgreSQL],
            &format!(
                "!has(self.schedule.weekly) || has(self.retention.daily) || !has(self.retention.weekly) || {}.all(d, d in {})",
                days("schedule.weekly"),
                days("retention.weekly")
            ),
            "schedule.weekly makes a backup on a day that retention.weekly.days does not name, and nothing else keeps it: name the day, or set retention.daily (rule 15)",
        )
        .about("retention.weekly.days"),
    ];
    for (tier, days, all) in [
        (
            "weekly",
            "self.retention.weekly.keep * 7".to_owned(),
            &ALL_POINTS[..1],
        ),
        (
            "monthly",
            fewest_days("self.retention.monthly.keep"),
            &ALL_POINTS[..],
        ),
        (
            "yearly",
            fewest_days("(self.retention.yearly.keep * 12)"),
            &ALL_POINTS[..],
        ),
    ] {
        for (every, is_there, least) in all {
            rules.push(
                of(
                    &[Disk, PostgreSQL],
                    &format!("!has(self.retention.{tier}) || !({is_there}) || {days} >= {least}"),
                    format!("retention.{tier} keeps its recovery points shorter than retention.{every} keeps all of them: keep longer, or remove it (rule 15)"),
                )
                .about(format!("retention.{tier}.keep")),
            );
        }
    }
    rules
}

/// The tier that keeps every point of a Backup vault, when it is the one, and its days.
const ALL_POINTS: [(&str, &str, &str); 2] = [
    (
        "daily",
        "has(self.retention.daily)",
        "self.retention.daily.keep",
    ),
    (
        "weekly",
        "!has(self.retention.daily) && has(self.retention.weekly)",
        "self.retention.weekly.keep * 7",
    ),
];

/// The days that so many months have at the least, whichever months they are, counted as the service does
/// (`kluis_policy::calendar::fewest_days`): one month has 28, two have 59, twelve 365, and more than seven years a leap day.
fn fewest_days(months: &str) -> String {
    format!(
        "({months} / 12 * 365 + ({months} + 11) / 96 + ({months} % 12 == 0 ? 0 : {months} % 12 * 367 / 12 - 2))"
    )
}

fn instant_restore() -> Vec<Rule> {
    let ask = |workloads: &[Workload], asks: &str, message: &str| {
        of(
            workloads,
            &format!("!has(self.instantRestore) || {asks}"),
            message,
        )
        .about("instantRestore.keepDays")
    };
    let rule = |asks: &str, message: &str| ask(&[VirtualMachine], asks, message);
    vec![
        rule(
            "self.tier != 'Standard' || has(self.schedule.weekly) || (self.instantRestore.keepDays >= 1 && self.instantRestore.keepDays <= 5)",
            "instantRestore.keepDays is 1 to 5 days for a Standard policy; tier: Enhanced has up to 30 (rule 8)",
        ),
        rule(
            "self.tier != 'Standard' || !has(self.schedule.weekly) || self.instantRestore.keepDays == 5",
            "instantRestore.keepDays is exactly 5 days for a Standard policy with a weekly schedule (rule 8)",
        ),
        rule(
            "self.tier != 'Enhanced' || (self.instantRestore.keepDays >= 1 && self.instantRestore.keepDays <= 30)",
            "instantRestore.keepDays is 1 to 30 days for an Enhanced policy (rule 8)",
        ),
        ask(
            &[FileShare],
            "(self.instantRestore.keepDays >= 1 && self.instantRestore.keepDays <= 30)",
            "instantRestore.keepDays is 1 to 30 days for file shares (rule 8)",
        ),
        ask(
            &[VirtualMachine, FileShare],
            "(has(self.retention.daily) ? self.instantRestore.keepDays <= self.retention.daily.keep : (!has(self.retention.weekly) || self.instantRestore.keepDays <= self.retention.weekly.keep * 7))",
            "instantRestore.keepDays is longer than the shortest retention: snapshots cannot outlive the recovery points in the vault (rule 8)",
        ),
    ]
}
