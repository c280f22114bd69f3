//! The limits that a service enforces on every write of a policy in a Backup vault: those of the same tables as everywhere.

use super::{BackupPolicy, parse};
use crate::error::code;
use crate::policy::{LimitBroken, broken};

/// Checks a policy of a Backup vault.
///
/// # Errors
/// The first limit it breaks; a policy that cannot be put in the field's terms breaks one.
pub fn check_limits(policy: &BackupPolicy) -> Result<(), LimitBroken> {
    let refuse = |broken: LimitBroken| LimitBroken {
        code: code::INVALID_RULES,
        ..broken
    };
    let terms = parse(policy).map_err(|error| refuse(error.into()))?;
    match broken(&terms) {
        None => Ok(()),
        Some(broken) => Err(refuse(LimitBroken {
            field: path(&broken.field),
            ..broken
        })),
    }
}

/// Where rules have what a policy for virtual machines has at `vm`.
fn path(vm: &str) -> String {
    let lifecycles = |name: &str| format!("policyRules[{name}].lifecycles");
    match vm.split('.').nth(1) {
        Some("dailySchedule") => lifecycles("Default"),
        Some("weeklySchedule") => lifecycles("Weekly"),
        Some("monthlySchedule") => lifecycles("Monthly"),
        Some("yearlySchedule") => lifecycles("Yearly"),
        _ => "policyRules[AzureBackupRule].trigger.schedule.repeatingTimeIntervals".to_owned(),
    }
}
