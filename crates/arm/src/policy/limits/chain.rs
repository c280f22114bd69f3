//! What databases' differentials, incrementals and logs may be.

use kluis_policy::{Between, Frequency, Workload};

use super::schedule::{on_the_half_hour, scheduled_days};
use super::{LimitBroken, has_rule, out_of_range, refusal};
use crate::error::code::{INVALID_POLICY, INVALID_RETENTION};
use crate::policy::database::path;
use crate::policy::{SubPolicyType, Terms};

pub(super) fn broken(terms: &Terms) -> Option<LimitBroken> {
    let kinds = [
        (
            SubPolicyType::Differential,
            "differential",
            &terms.differential,
        ),
        (
            SubPolicyType::Incremental,
            "incremental",
            &terms.incremental,
        ),
    ];
    if terms.incremental.is_some() && terms.workload == Workload::SqlServer {
        return refusal(
            INVALID_POLICY,
            &path(&SubPolicyType::Incremental),
            "incremental backups are for SAP HANA alone",
        );
    }
    if has_rule(terms, "differential or incremental")
        && terms.differential.is_some()
        && terms.incremental.is_some()
    {
        return refusal(
            INVALID_POLICY,
            &path(&SubPolicyType::Incremental),
            "a policy has differential or incremental backups, not both",
        );
    }
    kinds
        .into_iter()
        .find_map(|(kind, name, between)| since_full(terms, &path(&kind), name, between.as_ref()?))
        .or_else(|| logs(terms))
}

fn since_full(terms: &Terms, at: &str, name: &str, between: &Between) -> Option<LimitBroken> {
    let schedule = |field: &str, message| {
        refusal(
            INVALID_POLICY,
            &format!("{at}.schedulePolicy{field}"),
            message,
        )
    };
    let kept = format!("{at}.retentionPolicy.retentionDuration");
    if has_rule(terms, "differential without daily full")
        && matches!(terms.frequency, Frequency::Daily { .. })
    {
        return schedule("", "a daily full leaves no day for it");
    }
    if between.on.is_empty() {
        return schedule(".scheduleRunDays", "it names at least one day");
    }
    let fulls = scheduled_days(terms).unwrap_or_default();
    if has_rule(terms, "differential on another day")
        && between.on.iter().any(|day| fulls.contains(day))
    {
        return schedule(".scheduleRunDays", "it never runs on the day of a full");
    }
    if has_rule(terms, "half hour") && !on_the_half_hour(between.at) {
        return schedule(
            ".scheduleRunTimes",
            "backups start on the hour or at half past",
        );
    }
    if let Some(range) = out_of_range(terms, &format!("{name}.keep"), between.keep_days) {
        return refusal(INVALID_RETENTION, &kept, format!("it is kept for {range}"));
    }
    let full = terms.retention.weekly.as_ref()?.keep.saturating_mul(7);
    if has_rule(terms, "differential within full") && between.keep_days > full {
        let message = format!("it is kept no longer than the full that it builds on: {full} days");
        return refusal(INVALID_RETENTION, &kept, message);
    }
    None
}

fn logs(terms: &Terms) -> Option<LimitBroken> {
    let log = terms.log.as_ref()?;
    let at = path(&SubPolicyType::Log);
    if let Some(range) = out_of_range(terms, "log.every", log.every_minutes.into()) {
        return refusal(
            INVALID_POLICY,
            &format!("{at}.schedulePolicy.scheduleFrequencyInMins"),
            format!("logs are backed up every {range}"),
        );
    }
    let range = out_of_range(terms, "log.keep", log.keep_days)?;
    refusal(
        INVALID_RETENTION,
        &format!("{at}.retentionPolicy.retentionDuration"),
        format!("logs are kept for {range}"),
    )
}
