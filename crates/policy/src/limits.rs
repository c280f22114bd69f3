//! What Azure lets a policy say, workload by workload: every number, every choice and every yes or no, once.
//!
//! The rules of the definitions (CEL), `kluis validate`, the service's check of a policy that is written to it and the page
//! *Kluis and Azure, side by side* are made from these tables or tested against them. It is data and knows neither the
//! wire's names nor how a rule is asked. Fields are called as a person writes them in a BackupPolicy; a rule's number is that
//! of the page.
//!
//! Sources: S000 to S004 are the pages of Azure's documentation that the page names; "clients" are the validators of
//! Microsoft's own command line tools; "Learn" is today's documentation; "ours" is no rule of Azure's.

use crate::workload::Workload;

mod numbers;
mod rules;

pub use numbers::{CHOICES, LIMITS};
pub use rules::{FIELDS, RULES};

/// What a limit counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    Minutes,
    Hours,
    Days,
    Weeks,
    Months,
    Years,
    /// Recovery points of one item.
    Points,
}

/// For which policies of a workload a limit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Case {
    /// For all of them.
    Always,
    /// Standard (V1), daily.
    StandardDaily,
    /// Standard (V1), weekly.
    StandardWeekly,
    /// Enhanced (V2).
    Enhanced,
    /// Of file shares, with the points in the vault: instant restore keeps the snapshots for some days.
    InVault,
}

/// A number with a least and a most, both of them allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub workload: Workload,
    pub case: Case,
    /// `retention.daily.keep`; [`POINTS`] for how many points an item may come to have.
    pub field: &'static str,
    pub least: u32,
    pub most: u32,
    pub unit: Unit,
    pub rule: u8,
    pub source: &'static str,
}

/// A number out of a few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    pub workload: Workload,
    pub field: &'static str,
    pub among: &'static [u32],
    pub unit: Unit,
    pub rule: u8,
    pub source: &'static str,
}

/// A field or a schedule that only some workloads have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    pub field: &'static str,
    pub workloads: &'static [Workload],
    /// Why the others lack it, and what there is instead.
    pub otherwise: &'static str,
    pub rule: u8,
    pub source: &'static str,
}

/// A yes or no between several fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub name: &'static str,
    pub workloads: &'static [Workload],
    /// What is wrong and what to do, with the field that it is about.
    pub message: &'static str,
    pub rule: u8,
    pub source: &'static str,
}

/// The field of a limit on how many recovery points an item may have. No field of a policy says it: it follows from all.
pub const POINTS: &str = "recovery points";

/// The limit of a field; that of the case where it has one of its own.
pub fn limit(workload: Workload, case: Case, field: &str) -> Option<&'static Limit> {
    let of = |case| {
        LIMITS
            .iter()
            .find(|limit| limit.workload == workload && limit.field == field && limit.case == case)
    };
    of(case).or_else(|| of(Case::Always))
}

/// How many recovery points an item may have. Those of a share are snapshots, unless the policy keeps snapshots for some days
/// (`instant_days`) and the points in the vault.
pub fn points(workload: Workload, instant_days: Option<u32>) -> Option<&'static Limit> {
    let case = match instant_days {
        Some(_) => Case::InVault,
        None => Case::Always,
    };
    limit(workload, case, POINTS)
}

/// The choices of a field.
pub fn choice(workload: Workload, field: &str) -> Option<&'static Choice> {
    CHOICES
        .iter()
        .find(|choice| choice.workload == workload && choice.field == field)
}

/// Whether policies of a workload have a field. Those that all have are not listed, and are had.
pub fn has(workload: Workload, field: &str) -> bool {
    FIELDS
        .iter()
        .find(|known| known.field == field)
        .is_none_or(|known| known.workloads.contains(&workload))
}

/// The rule of a name.
pub fn rule(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

impl Limit {
    /// Whether a number is within it.
    pub const fn holds(&self, number: u32) -> bool {
        self.least <= number && number <= self.most
    }

    /// `retention.daily.keep is 7 to 9999 days for virtual machines (rule 3)`.
    pub fn message(&self) -> String {
        let of = match self.case {
            Case::Always => format!("for {}", self.workload.in_words()),
            Case::StandardDaily => "for a Standard policy; tier: Enhanced has up to 30".to_owned(),
            Case::StandardWeekly => "for a Standard policy with a weekly schedule".to_owned(),
            Case::Enhanced => "for an Enhanced policy".to_owned(),
            Case::InVault => format!("for {} with instantRestore", self.workload.in_words()),
        };
        let range = if self.least == self.most {
            format!("exactly {}", self.most)
        } else {
            format!("{} to {}", self.least, self.most)
        };
        format!(
            "{} is {range} {} {of} (rule {})",
            self.field,
            self.unit.in_words(),
            self.rule
        )
    }
}

impl Choice {
    /// Whether a number is one of them.
    pub fn holds(&self, number: u32) -> bool {
        self.among.contains(&number)
    }

    /// `schedule.hourly.every is 4h, 6h, 8h, 12h or 24h for virtual machines (rule 5)`.
    pub fn message(&self) -> String {
        let mut words: Vec<String> = self
            .among
            .iter()
            .map(|number| format!("{number}{}", self.unit.letter()))
            .collect();
        let last = words.pop().unwrap_or_default();
        let list = if words.is_empty() {
            last
        } else {
            format!("{} or {last}", words.join(", "))
        };
        format!(
            "{} is {list} for {} (rule {})",
            self.field,
            self.workload.in_words(),
            self.rule
        )
    }
}

impl Unit {
    /// `days`.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Minutes => "minutes",
            Self::Hours => "hours",
            Self::Days => "days",
            Self::Weeks => "weeks",
            Self::Months => "months",
            Self::Years => "years",
            Self::Points => "points",
        }
    }

    /// As a length of time ends in a BackupPolicy: `15m`, `4h`, `45d`, `3mo`.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Minutes => "m",
            Self::Hours => "h",
            Self::Days => "d",
            Self::Weeks => "w",
            Self::Months => "mo",
            Self::Years => "y",
            Self::Points => "",
        }
    }
}
