//! How often a vault's policies may be edited: Azure lets clients do that fifty times in 24 hours.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::core::{Context, Refusal, VaultKey, VaultPath};
use crate::store::{Row, Tx};

/// Edits of a vault's policies within [`WITHIN`]. Making a policy is none, nor is writing what is there already.
const MOST: usize = 50;
const WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// When a vault's policies were edited lately.
#[derive(Debug, Serialize, Deserialize)]
struct Edits {
    vault: VaultKey,
    at: Vec<Timestamp>,
}

impl Row for Edits {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        Self::key_of(&self.vault)
    }

    fn vault(&self) -> String {
        self.vault.as_str().to_owned()
    }
}

impl Edits {
    fn key_of(vault: &VaultKey) -> String {
        format!("edits/{vault}")
    }
}

/// Counts an edit of one of the vault's policies.
///
/// # Errors
/// 429 with the time from which on there is room again.
pub(super) fn count(ctx: &Context<'_>, tx: &mut Tx<'_>, at: &VaultPath) -> Result<(), Refusal> {
    let known = tx.get::<Edits>(&Edits::key_of(&at.key))?;
    let mut edits = known.map(|known| known.at).unwrap_or_default();
    edits.retain(|edit| ctx.now.duration_since(*edit) < WITHIN);
    if let Some(first) = edits.first().filter(|_| edits.len() >= MOST) {
        let free = first.checked_add(WITHIN).unwrap_or(Timestamp::MAX);
        let wait = u64::try_from(free.duration_since(ctx.now).as_millis()).unwrap_or_default();
        let refusal = Refusal::new(
            429,
            "UserErrorPolicyEditLimitReached",
            format!(
                "The policies of the vault '{}' were edited {MOST} times within 24 hours, as often as they can be (rule 38). Try again from {free} on.",
                at.name
            ),
        );
        return Err(refusal.retry_after(wait.div_ceil(1_000)));
    }
    edits.push(ctx.now);
    tx.put(&Edits {
        vault: at.key.clone(),
        at: edits,
    })?;
    Ok(())
}
