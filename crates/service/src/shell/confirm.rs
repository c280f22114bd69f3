//! A person's word that the machine's clock is right, where the service does not believe it.

use jiff::Timestamp;
use serde_json::Value;

use super::advance;
use super::engine::Engine;
use crate::core::{AGREE, Refusal};

/// Takes the machine's clock at its word, when the person (`{"confirm": "<the time now>"}`) and the clock say the same.
///
/// # Errors
/// 400 for a time that cannot be read, on a virtual clock, and where the machine's clock shows another time.
pub(super) fn confirm(engine: &Engine, said: &str) -> Result<Value, Refusal> {
    if engine.clock.is_virtual() {
        return Err(Refusal::bad_request(
            "ClockIsVirtual",
            "This service follows a virtual clock, which is always believed; there is nothing to confirm.",
        ));
    }
    let said: Timestamp = said.parse().map_err(|error| {
        Refusal::bad_request(
            "InvalidConfirmation",
            format!("'{said}' is no time like 2026-11-30T12:00:00Z: {error}."),
        )
    })?;
    let shown = engine.clock.shown();
    if shown.duration_since(said).abs() > AGREE {
        return Err(Refusal::bad_request(
            "ClockDiffers",
            format!(
                "The machine's clock shows {shown}, and you say that it is {said}. Set the machine's clock first, then confirm it."
            ),
        ));
    }
    engine.confirm_clock()?;
    Ok(advance::show(engine)?)
}
