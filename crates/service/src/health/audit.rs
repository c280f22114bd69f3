//! An audit trail that its file does not have.

use super::{Problem, Severity};
use crate::core::Context;
use crate::store::{StoreError, Tx};
use crate::vaults::VaultRow;

/// The trail is the whole service's: each vault tells of it, for whoever may read one vault alone.
pub(super) fn problems(
    ctx: &Context<'_>,
    _: &Tx<'_>,
    _: &VaultRow,
) -> Result<Vec<Problem>, StoreError> {
    let Some(gap) = ctx.facts.audit_gap() else {
        return Ok(Vec::new());
    };
    let meanwhile = match gap.required {
        true => "Requests that may change something are refused meanwhile.",
        false => "What is done meanwhile is told by the log alone.",
    };
    let message = format!(
        "The audit trail can't be written to its file: {}. {meanwhile}",
        gap.why
    );
    let problem = Problem::new(
        900_150,
        Severity::Warning,
        "AuditTrailNotWritten",
        message,
        &[
            "Make room, or mend the file's folder. The next line that can be written says how many are missing, and ends this.",
        ],
    );
    Ok(vec![problem.since(Some(gap.since))])
}
