//! When backups may start, and how far apart.

use super::{Rule, Workload, of};
use Workload::{Disk, FileShare, Files, SAPHana, SQLServer, VirtualMachine};

/// Every field that is a time of day, and how to see whether it is there.
const TIMES: [(&str, &str); 5] = [
    ("schedule.daily.at", "has(self.schedule.daily)"),
    ("schedule.weekly.at", "has(self.schedule.weekly)"),
    ("schedule.hourly.from", "has(self.schedule.hourly)"),
    ("differential.at", "has(self.differential)"),
    ("incremental.at", "has(self.incremental)"),
];

/// The hours that hourly backups of a workload may be apart, and the rule.
const EVERY: [(Workload, &[u8], u8); 4] = [
    (VirtualMachine, &[4, 6, 8, 12, 24], 5),
    (FileShare, &[4, 6, 8, 12], 17),
    (Disk, &[1, 2, 4, 6, 8, 12], 18),
    (Files, &[8, 12, 24], 20),
];

/// The hours that the window of a workload may have, and the rule.
const WINDOW: [(Workload, u8, u8, u8); 3] = [
    (VirtualMachine, 4, 24, 5),
    (FileShare, 4, 24, 17),
    (Files, 4, 24, 20),
];

pub(super) fn rules() -> Vec<Rule> {
    let mut rules = vec![of(
        &[VirtualMachine],
        "self.tier == 'Enhanced' || !has(self.schedule.hourly)",
        "schedule.hourly needs tier: Enhanced; a Standard policy for virtual machines runs once a day or once a week (rule 4)",
    )
    .about("schedule.hourly")];
    for (field, is_there) in TIMES {
        rules.push(
            of(
                &[VirtualMachine, SQLServer, SAPHana, FileShare],
                &format!(
                    "!{is_there} || self.{field}.endsWith(':00') || self.{field}.endsWith(':30')"
                ),
                format!("{field} is on the hour or the half hour: the minute is 00 or 30 (rule 4)"),
            )
            .about(field),
        );
        // Summer time is ahead of standard time, on whose clock the policy is written.
        rules.push(Rule::of_all(
            format!("self.schedule.daylightSaving != 'Follow' || !{is_there} || self.{field} >= '01:00'"),
            format!("{field} is 01:00 or later with daylightSaving: Follow: in summer an hour earlier would be the day before (rule 44)"),
        ).about(field));
    }
    for (workload, hours, rule) in EVERY {
        let quoted: Vec<String> = hours.iter().map(|hours| format!("'{hours}h'")).collect();
        rules.push(
            of(
                &[workload],
                &format!(
                    "!has(self.schedule.hourly) || self.schedule.hourly.every in [{}]",
                    quoted.join(", ")
                ),
                format!(
                    "schedule.hourly.every is {} for {} (rule {rule})",
                    listed(hours),
                    workload.in_words()
                ),
            )
            .about("schedule.hourly.every"),
        );
    }
    for (workload, least, most, rule) in WINDOW {
        rules.push(of(
            &[workload],
            &format!("!has(self.schedule.hourly) || !has(self.schedule.hourly.__for__) || (duration(self.schedule.hourly.__for__) >= duration('{least}h') && duration(self.schedule.hourly.__for__) <= duration('{most}h'))"),
            format!("schedule.hourly.for is {least} to {most} hours for {} (rule {rule})", workload.in_words()),
        )
        .about("schedule.hourly.for"));
    }
    rules.push(of(
        &[VirtualMachine, FileShare, Files],
        "!has(self.schedule.hourly) || has(self.schedule.hourly.__for__)",
        "schedule.hourly.for says for how long after the first backup of a day others follow: set it (rule 5)",
    )
    .about("schedule.hourly.for"));
    rules
}

/// `4h, 6h or 8h`.
fn listed(hours: &[u8]) -> String {
    let words: Vec<String> = hours.iter().map(|hours| format!("{hours}h")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.join(""),
    }
}
