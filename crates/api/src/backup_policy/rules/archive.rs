//! When recovery points may move to the archive tier: old enough, and with time left that pays for the move.

use super::{Rule, Workload, of};
use Workload::{SAPHana, SQLServer, VirtualMachine};

/// The months, or for databases the days, that a point has to have left.
const LEFT_MONTHS: u32 = 6;
const LEFT_DAYS: u32 = 180;

/// The age at which Azure recommends to move a point at the earliest.
const RECOMMENDED_MONTHS: u32 = 3;

pub(super) fn rules() -> Vec<Rule> {
    let mut rules = vec![
        of(
            &[VirtualMachine],
            "!has(self.archive) || self.archive.after == 'Recommended' || self.archive.after.endsWith('mo')",
            "archive.after is Recommended or months (3mo) for virtual machines (rule 42)",
        )
        .about("archive.after"),
        of(
            &[SQLServer, SAPHana],
            "!has(self.archive) || (self.archive.after != 'Recommended' && self.archive.after.endsWith('d'))",
            "archive.after is days (45d) for databases (rule 42)",
        )
        .about("archive.after"),
        range(VirtualMachine, "mo", 3, 1182, "months"),
        range(SQLServer, "d", 45, 35_955, "days"),
        range(SAPHana, "d", 45, 35_955, "days"),
    ];
    let least = RECOMMENDED_MONTHS + LEFT_MONTHS;
    rules.push(left(
        &[VirtualMachine],
        &format!(
            "(self.archive.after == 'Recommended' ? {least} : {} + {LEFT_MONTHS})",
            number("mo")
        ),
        "self.archive.after == 'Recommended' || self.archive.after.endsWith('mo')",
        &[("monthly", 1), ("yearly", 12)],
    ));
    rules.push(left(
        &[SQLServer, SAPHana],
        &format!("({} + {LEFT_DAYS})", number("d")),
        "self.archive.after != 'Recommended' && self.archive.after.endsWith('d')",
        &[
            ("daily", 1),
            ("weekly", 7),
            ("monthly", 30),
            ("yearly", 365),
        ],
    ));
    rules
}

/// The number of `archive.after`, of whose unit one has to be sure before.
fn number(unit: &str) -> String {
    format!("int(self.archive.after.replace('{unit}', ''))")
}

fn range(workload: Workload, unit: &str, least: u32, most: u32, words: &str) -> Rule {
    let number = number(unit);
    of(
        &[workload],
        &format!(
            "!has(self.archive) || !self.archive.after.matches('^[0-9]+{unit}$') || ({number} >= {least} && {number} <= {most})"
        ),
        format!(
            "archive.after is {least} to {most} {words} for {} (rule 42)",
            workload.in_words()
        ),
    )
    .about("archive.after")
}

/// At least one tier keeps its points as long as it takes, in `unit`s a tier's count.
fn left(workloads: &[Workload], needed: &str, sayable: &str, tiers: &[(&str, u32)]) -> Rule {
    let enough: Vec<String> = tiers
        .iter()
        .map(|(tier, units)| {
            format!(
                "(has(self.retention.{tier}) && self.retention.{tier}.keep * {units} >= {needed})"
            )
        })
        .collect();
    of(
        workloads,
        &format!(
            "!has(self.archive) || !({sayable}) || {}",
            enough.join(" || ")
        ),
        "no recovery point has six months left when archive.after is over: keep longer, or remove archive (rule 42)",
    )
    .about("archive.after")
}
