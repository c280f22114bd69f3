//! Drift: what was brought about as declared and is otherwise now, though the declaration is the same. It is put back, and told, with what
//! it was and what it had become. Who changed it, only Azure's own log knows.

use jiff::Timestamp;
use kluis_api::{Condition, ConditionStatus, ConditionType};

use crate::conditions::cut;
use crate::report::Event;

/// The reason of the event.
pub const DRIFT_REPAIRED: &str = "DriftRepaired";

/// Whether this very declaration was brought about before. While a service does not answer `Ready` is unknown, and nothing is changed.
pub(crate) fn was_as_declared(conditions: &[Condition], observed: i64, generation: i64) -> bool {
    let ready = conditions
        .iter()
        .find(|condition| condition.type_ == ConditionType::Ready);
    observed == generation && ready.is_some_and(|ready| ready.status != ConditionStatus::False)
}

/// One change: what a field was, and what it is now. None where it is the same, or was not known.
pub(crate) fn change(field: &str, was: Option<String>, is: Option<String>) -> Option<String> {
    let (was, is) = was.zip(is)?;
    (was != is).then(|| format!("{field}: {was} → {is}"))
}

/// The event that tells of changes; none of no change.
pub(crate) fn repaired(what: &str, changes: &[String], now: Timestamp) -> Option<Event> {
    let note = format!(
        "{what} was changed there and not here ({}), as seen at {}: it is put back as declared.",
        changes.join("; "),
        now.strftime("%Y-%m-%d %H:%M:%SZ")
    );
    (!changes.is_empty()).then(|| Event::warning(DRIFT_REPAIRED, cut(&note, 1024)))
}
