//! Whether a vault's bytes are read again in time.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Problem, Severity};
use crate::backup::rows::Scrubs;
use crate::core::Context;
use crate::store::{StoreError, Tx};
use crate::vaults::VaultRow;

/// How much later than the period a byte may be read before that is a problem: a service may be down for a day.
const PATIENCE: SignedDuration = SignedDuration::from_hours(48);

pub(super) fn problems(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    vault: &VaultRow,
) -> Result<Vec<Problem>, StoreError> {
    let Some(period) = ctx.scrub.period else {
        return Ok(vec![Problem::new(
            900_103,
            Severity::Warning,
            "ScrubOff",
            "Nobody reads again what the vault holds: damage shows when somebody restores.",
            &["Start the service with a --scrub-period, 30d for example."],
        )]);
    };
    let Some(scrubs) = Scrubs::find(tx, &vault.id_key())? else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    if let Some((since, fault)) = &scrubs.failing {
        let problem = Problem {
            code: 900_104,
            severity: Severity::Error,
            title: "ScrubFailed".to_owned(),
            message: format!("The vault could not be read again. {}", fault.message),
            recommendations: fault.recommendations.clone(),
            since: Some(*since),
        };
        found.push(problem);
    }
    let late = |oldest: &jiff::Timestamp| {
        ctx.now.duration_since(*oldest) > period.saturating_add(PATIENCE)
    };
    if let Some(oldest) = scrubs.unread_since().filter(late) {
        let message = format!(
            "Some of the vault has not been read since {oldest}; all of it is to be read within {} days.",
            period.as_hours() / 24
        );
        let problem = Problem::new(
            900_105,
            Severity::Warning,
            "ScrubBehind",
            message,
            &[
                "Let the service run, give it more jobs at once (--max-jobs) or a higher --scrub-rate, or choose a longer --scrub-period.",
            ],
        );
        found.push(problem.since(Some(oldest)));
    }
    Ok(found)
}

/// What a vault's health tells of its scrubs.
pub(super) fn to_json(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    vault: &VaultRow,
) -> Result<Value, StoreError> {
    let scrubs = Scrubs::find(tx, &vault.id_key())?;
    let scrubs = scrubs.as_ref();
    let damage = scrubs.and_then(|scrubs| scrubs.damage.as_ref());
    let next = scrubs.filter(|_| ctx.scrub.period.is_some());
    Ok(json!({
        "periodSeconds": ctx.scrub.period.map(|period| period.as_secs()),
        "bytesPerSecond": ctx.scrub.bytes_per_second,
        "last": scrubs.and_then(|scrubs| scrubs.last).map(|at| at.to_string()),
        "next": next.map(|scrubs| scrubs.next.to_string()),
        "bytes": scrubs.map(|scrubs| scrubs.total),
        "oldestUnread": scrubs.and_then(Scrubs::unread_since).map(|at| at.to_string()),
        "damagedPacks": damage.map_or(0, |damage| damage.packs),
        "lostBlobs": damage.map_or(0, |damage| damage.blobs),
        "damagedPoints": damage.map_or(0, |damage| damage.snapshots.len()),
    }))
}
