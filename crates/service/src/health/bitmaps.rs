//! Dirty bitmaps that nobody needs any more and that could not be removed from the images of machines.

use super::{Problem, Severity};
use crate::backup::rows::BitmapRemoval;
use crate::core::Context;
use crate::store::{StoreError, Tx};
use crate::vaults::VaultRow;

/// Images that a message names.
const MOST_NAMED: usize = 5;

/// Those of the machines that were protected in a vault.
pub(super) fn problems(
    _: &Context<'_>,
    tx: &Tx<'_>,
    vault: &VaultRow,
) -> Result<Vec<Problem>, StoreError> {
    let key = vault.id_key();
    let mut left = BitmapRemoval::in_trouble(tx)?;
    left.retain(|removal| removal.of_vault == key.as_str());
    let Some(since) = left.iter().map(|removal| removal.since).min() else {
        return Ok(Vec::new());
    };
    let mut named: Vec<String> = left
        .iter()
        .take(MOST_NAMED)
        .map(|removal| {
            let why = removal.trouble.as_deref().unwrap_or_default();
            let next = match removal.due {
                Some(due) => format!("tried again at {due}"),
                None => format!("given up after {} tries", removal.tries),
            };
            format!(
                "{} of '{}' ({why}; {next})",
                removal.image.display(),
                removal.vm
            )
        })
        .collect();
    if left.len() > MOST_NAMED {
        named.push(format!("{} more", left.len() - MOST_NAMED));
    }
    let message = format!(
        "Dirty bitmaps of earlier backups are still in {} images, though no backup is to come that needs them: {}. As long as they are there, such an image \
         can't be reverted to a snapshot of its own.",
        left.len(),
        named.join(", ")
    );
    let problem = Problem::new(
        900_107,
        Severity::Warning,
        "BitmapsNotRemoved",
        message,
        &[
            "Release the image: shut the machine down, or end what holds it open.",
            "To remove them by hand: qemu-img bitmap --remove IMAGE NAME, for each name that begins with 'kluis-' in qemu-img info IMAGE.",
        ],
    );
    Ok(vec![problem.since(Some(since))])
}
