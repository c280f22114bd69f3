//! A clock that is not believed, and what is held back because of it.

use jiff::SignedDuration;

use super::{Problem, Severity};
use crate::backup;
use crate::backup::rows::Item;
use crate::core::{ClockVerdict, Context};
use crate::store::{StoreError, Tx};
use crate::vaults::VaultRow;

const BEHIND: i32 = 900_140;
const AHEAD: i32 = 900_141;
const HELD_BACK: i32 = 900_142;

/// What a person can do.
const WAY_ON: &str = "Set the machine's clock, if it is wrong. If it is right, an Owner confirms it: POST /_kluis/clock {\"confirm\": \"<the time now>\"}, or \
                      start the service with --confirm-clock (docs/clock.md).";

/// What a vault says of the service's clock, and how many of its points are held back.
pub(super) fn of_vault(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    vault: &VaultRow,
) -> Result<Vec<Problem>, StoreError> {
    let held = backup::held_back(ctx, tx, Some(&vault.id_key()))?;
    let clock = match ctx.clock.verdict {
        ClockVerdict::Trusted => None,
        ClockVerdict::Behind { by } => Some((BEHIND, "ClockBehind", "behind", by)),
        ClockVerdict::Ahead { by } => Some((AHEAD, "ClockAhead", "ahead of", by)),
    };
    let clock = clock.map(|(code, title, how, by)| {
        let message = format!(
            "The machine's clock is {} {how} the service's time, which goes on by the time that really passes. Backups are scheduled by that.",
            words(by)
        );
        Problem::new(code, Severity::Warning, title, message, &[WAY_ON])
    });
    Ok(clock.into_iter().chain(held_back(ctx, held)).collect())
}

/// What an item says: only what is held back of its own.
pub(super) fn of_item(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    item: &Item,
) -> Result<Vec<Problem>, StoreError> {
    if !ctx.clock.holds_back() {
        return Ok(Vec::new());
    }
    let held = backup::held_back_of(ctx, tx, item)?;
    Ok(held_back(ctx, held).into_iter().collect())
}

fn held_back(ctx: &Context<'_>, held: usize) -> Option<Problem> {
    let points = match held {
        0 => return None,
        1 => "1 recovery point is".to_owned(),
        more => format!("{more} recovery points are"),
    };
    let message = format!(
        "{points} kept beyond the end: the machine's clock went ahead, and {} of it are not borne out. Nothing is lost; more room is used meanwhile, and new \
         backups go on.",
        words(ctx.clock.doubted())
    );
    let problem = Problem::new(
        HELD_BACK,
        Severity::Warning,
        "ExpiriesHeldBack",
        message,
        &[
            WAY_ON,
            "If nobody does anything, each goes when its time has really passed.",
        ],
    );
    Some(problem)
}

/// A length in the unit that fits.
fn words(length: SignedDuration) -> String {
    match length.as_hours() {
        0 => format!("{} minutes", length.as_mins()),
        hours if hours < 48 => format!("{hours} hours"),
        hours => format!("{} days", hours / 24),
    }
}
