//! The limits that a service enforces on every write of a policy.
//!
//! The numbers, and which rule holds for which workload, are those of [`kluis_policy::limits`]; here is where they are
//! looked for on the wire, what breaking one is called there, and what the field's terms leave out: that retention repeats
//! the schedule's time.

mod chain;
mod retention;
mod schedule;

use jiff::SignedDuration;
use jiff::civil::Time;
use kluis_policy::limits::{self as table, Case};
use kluis_policy::{Frequency, Workload};

use super::parse::{ParseError, parse};
use super::{Generation, ProtectionPolicy, RetentionPolicy, SubPolicyType, Terms, database};
use crate::error::{ArmError, code};
use crate::time::WireTime;

/// A limit that a policy breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct LimitBroken {
    /// The code to answer with.
    pub code: &'static str,
    /// The path below `properties`.
    pub field: String,
    /// The limit, and so what to write instead.
    pub message: String,
}

impl From<LimitBroken> for ArmError {
    fn from(broken: LimitBroken) -> Self {
        Self::new(broken.code, broken.to_string()).about(format!("properties.{}", broken.field))
    }
}

impl From<ParseError> for LimitBroken {
    /// What cannot be read cannot be enforced either, and is refused.
    fn from(error: ParseError) -> Self {
        Self {
            code: code::INVALID_POLICY,
            message: format!("it is {}; {} is expected", error.found, error.expected),
            field: error.field,
        }
    }
}

/// Checks a policy of a Recovery Services vault.
///
/// # Errors
/// The first limit it breaks; a policy that cannot be put in the field's terms breaks one.
pub fn check_limits(policy: &ProtectionPolicy) -> Result<(), LimitBroken> {
    let terms = parse(policy)?;
    if let Some(broken) = broken(&terms) {
        return Err(LimitBroken {
            field: path(&terms, &broken.field),
            ..broken
        });
    }
    let at = start(&terms.frequency);
    let retention = match policy {
        ProtectionPolicy::VirtualMachine(policy) => policy.retention_policy.as_ref(),
        ProtectionPolicy::Files(policy) => policy.retention_policy.as_ref(),
        ProtectionPolicy::FileShare(policy) => {
            let vaulted = policy.vault_retention_policy.as_ref();
            let vaulted = vaulted.and_then(|vaulted| vaulted.vault_retention.as_ref());
            policy.retention_policy.as_ref().or(vaulted)
        }
        ProtectionPolicy::Workload(policy) => {
            let mut all = policy.sub_protection_policy.iter().flatten();
            all.find(|sub| sub.policy_type == Some(SubPolicyType::Full))
                .and_then(|full| full.retention_policy.as_ref())
        }
        ProtectionPolicy::AzureSql(_)
        | ProtectionPolicy::Generic(_)
        | ProtectionPolicy::Other(_) => None,
    };
    if repeats_schedule(retention, &terms.frequency, at) {
        return Ok(());
    }
    Err(LimitBroken {
        code: code::INVALID_POLICY,
        field: path(&terms, "retentionPolicy"),
        message: "every retentionTimes repeats the schedule's one time; an hourly schedule has none, or the window's start or end"
            .to_owned(),
    })
}

/// The first limit that terms break, its path as in a policy for virtual machines.
pub(crate) fn broken(terms: &Terms) -> Option<LimitBroken> {
    schedule::broken(terms)
        .or_else(|| retention::broken(terms))
        .or_else(|| chain::broken(terms))
}

/// Where a workload's policy has what a policy for virtual machines has at `vm`.
fn path(terms: &Terms, vm: &str) -> String {
    match terms.workload {
        Workload::SqlServer | Workload::SapHana if !vm.starts_with("subProtectionPolicy") => {
            format!("{}.{vm}", database::path(&SubPolicyType::Full))
        }
        Workload::FileShare if vm.starts_with("instantRp") => {
            "vaultRetentionPolicy.snapshotRetentionInDays".to_owned()
        }
        Workload::FileShare if terms.instant_restore_days.is_some() => {
            vm.replacen("retentionPolicy", "vaultRetentionPolicy.vaultRetention", 1)
        }
        _ => vm.to_owned(),
    }
}

fn refusal(code: &'static str, field: &str, message: impl Into<String>) -> Option<LimitBroken> {
    Some(LimitBroken {
        code,
        field: field.to_owned(),
        message: message.into(),
    })
}

/// The table's case of a policy, on which some numbers depend.
fn case(terms: &Terms) -> Case {
    match (terms.generation, &terms.frequency) {
        (Generation::Enhanced, _) => Case::Enhanced,
        (Generation::Standard, Frequency::Weekly { .. }) => Case::StandardWeekly,
        (Generation::Standard, _) => Case::StandardDaily,
    }
}

/// The limit of a field that `number` breaks, in words.
fn out_of_range(terms: &Terms, field: &str, number: u32) -> Option<String> {
    let limit = table::limit(terms.workload, case(terms), field)?;
    if limit.holds(number) {
        return None;
    }
    let range = if limit.least == limit.most {
        format!("exactly {}", limit.most)
    } else {
        format!("{} to {}", limit.least, limit.most)
    };
    Some(format!("{range} {}", limit.unit.in_words()))
}

/// Whether a rule holds for the workload.
fn has_rule(terms: &Terms, name: &str) -> bool {
    table::rule(name).is_some_and(|rule| rule.workloads.contains(&terms.workload))
}

/// The time at which the first run of a day starts.
fn start(frequency: &Frequency) -> Time {
    match frequency {
        Frequency::Daily { at } | Frequency::Weekly { at, .. } => *at,
        Frequency::Hourly { from, .. } => *from,
        Frequency::Minutes { .. } => Time::midnight(),
    }
}

fn repeats_schedule(
    retention: Option<&RetentionPolicy>,
    frequency: &Frequency,
    start: Time,
) -> bool {
    let Some(RetentionPolicy::LongTerm(retention)) = retention else {
        return true;
    };
    let last = match frequency {
        Frequency::Hourly { window, .. } => {
            Some(start.wrapping_add(SignedDuration::from_hours(i64::from(*window))))
        }
        _ => None,
    };
    let repeats = |times: &Option<Vec<WireTime>>| match times.as_deref() {
        None | Some([]) => last.is_some(),
        Some([at]) => {
            let at = at.time_of_day().ok();
            at == Some(start) || (last.is_some() && at == last)
        }
        Some(_) => false,
    };
    let daily = retention.daily_schedule.as_ref();
    let weekly = retention.weekly_schedule.as_ref();
    let monthly = retention.monthly_schedule.as_ref();
    let yearly = retention.yearly_schedule.as_ref();
    daily.is_none_or(|tier| repeats(&tier.retention_times))
        && weekly.is_none_or(|tier| repeats(&tier.retention_times))
        && monthly.is_none_or(|tier| repeats(&tier.retention_times))
        && yearly.is_none_or(|tier| repeats(&tier.retention_times))
}
