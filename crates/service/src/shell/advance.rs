//! Living through virtual time: everything that becomes due is done in its order, each at its own moment.

use jiff::{SignedDuration, SpanRelativeTo, Timestamp};
use serde_json::{Value, json};

use super::confirm;
use super::engine::Engine;
use crate::backup;
use crate::core::{self, ClockVerdict, Refusal};
use crate::store::StoreError;

/// The most that one call may advance by.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 3660);

/// Does to the clock what the body says: `{"advance": "PT24H"}` or `{"confirm": "2026-11-30T12:00:00Z"}`.
///
/// # Errors
/// Those of [`advance`] and [`confirm::confirm`].
pub(super) fn asked(engine: &Engine, body: &[u8]) -> Result<Value, Refusal> {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    match said["confirm"].as_str() {
        Some(time) => confirm::confirm(engine, time),
        None => advance(engine, body),
    }
}

/// Advances the virtual clock by what the body says (`{"advance": "PT24H"}`), and answers `{now, ran, failed}` once everything
/// that became due has ended: the jobs that ended on the way, and how many of them failed.
///
/// # Errors
/// 400 for a body that says no such thing; 409 on the machine's clock, and while another call is at it.
fn advance(engine: &Engine, body: &[u8]) -> Result<Value, Refusal> {
    if !engine.clock.is_virtual() {
        return Err(Refusal::conflict(
            "ClockIsNotVirtual",
            "This service follows the machine's clock; start it with --clock virtual to advance it.",
        ));
    }
    let by = duration(body)?;
    let Ok(_alone) = engine.advancing.try_lock() else {
        return Err(Refusal::conflict(
            "ClockIsMoving",
            "Another call is advancing the clock; wait for its answer.",
        ));
    };
    let start = engine.now();
    let target = start
        .checked_add(by)
        .map_err(|_| Refusal::bad_request("InvalidAdvance", "That is beyond the end of time."))?;
    let before = engine.read(|_, tx| backup::failed_jobs_since(tx, start))?;
    live_through(engine, target)?;
    let after = engine.read(|_, tx| backup::failed_jobs_since(tx, start))?;
    Ok(json!({
        "now": engine.now().to_string(),
        "ran": after.0.saturating_sub(before.0),
        "failed": after.1.saturating_sub(before.1),
    }))
}

/// What the clock shows, for a reader; of the machine's, also how far it is believed.
pub(super) fn show(engine: &Engine) -> Result<Value, StoreError> {
    let (now, trust) = engine.clock.told();
    let mut shown = json!({ "now": now.to_string(), "clock": "virtual" });
    if engine.clock.is_virtual() {
        return Ok(shown);
    }
    let (verdict, differs) = match trust.verdict {
        ClockVerdict::Trusted => ("Trusted", SignedDuration::ZERO),
        ClockVerdict::Behind { by } => ("Behind", -by),
        ClockVerdict::Ahead { by } => ("Ahead", by),
    };
    shown["clock"] = json!("system");
    shown["machine"] = json!({
        "shows": engine.clock.shown().to_string(), "verdict": verdict, "differsBySeconds": differs.as_secs(),
    });
    shown["doubtedSeconds"] = json!(trust.doubted().as_secs());
    shown["pointsHeldBack"] = json!(engine.read(core::held_back)?);
    Ok(shown)
}

/// How often one moment is ticked. What is done may bring something due at the same moment, but not for ever.
const MOST_AT_ONCE: u32 = 100;

fn live_through(engine: &Engine, target: Timestamp) -> Result<(), Refusal> {
    let stopping = || {
        Refusal::new(
            503,
            "ServiceUnavailable",
            "The service is stopping; the clock stands where it was.",
        )
    };
    let mut repeated = (engine.now(), 0);
    loop {
        if !engine.wait_until_idle()? {
            return Err(stopping());
        }
        let due = engine
            .read(core::next_due)?
            .map(|due| due.max(engine.now()));
        let Some(mut due) = due.filter(|due| *due <= target) else {
            break;
        };
        repeated = if due == repeated.0 {
            (due, repeated.1 + 1)
        } else {
            (due, 0)
        };
        if repeated.1 > MOST_AT_ONCE {
            tracing::error!(%due, "something stays due although it was done; time goes on without it");
            due = due
                .checked_add(SignedDuration::from_secs(1))
                .unwrap_or(target)
                .min(target);
            if due == engine.now() {
                break;
            }
        }
        move_to(engine, due)?;
    }
    move_to(engine, target)?;
    if engine.wait_until_idle()? {
        Ok(())
    } else {
        Err(stopping())
    }
}

fn move_to(engine: &Engine, time: Timestamp) -> Result<(), StoreError> {
    engine.write(|_, tx| engine.clock.set(time, tx).map(|()| ((), Vec::new())))?;
    engine.tick()
}

fn duration(body: &[u8]) -> Result<SignedDuration, Refusal> {
    let refused = |why: String| Refusal::bad_request("InvalidAdvance", why);
    let said: Value = serde_json::from_slice(body).map_err(|error| {
        refused(format!(
            "The body must be like {{\"advance\": \"PT24H\"}}: {error}."
        ))
    })?;
    let text = said["advance"]
        .as_str()
        .ok_or_else(|| refused("The body must be like {\"advance\": \"PT24H\"}.".to_owned()))?;
    let span: jiff::Span = text
        .parse()
        .map_err(|error| refused(format!("'{text}' is no ISO 8601 duration: {error}.")))?;
    let by = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|error| refused(format!("'{text}' has no certain length: {error}.")))?;
    if by.is_negative() || by > LONGEST {
        return Err(refused(format!(
            "'{text}' must be from PT0S to P3660D: time does not run back, and not too far at once."
        )));
    }
    Ok(by)
}
