//! A vault without a repository.

use super::{Problem, Severity};
use crate::core::Context;
use crate::store::{StoreError, Tx};
use crate::vaults::VaultRow;

pub(super) fn problems(
    _: &Context<'_>,
    _: &Tx<'_>,
    vault: &VaultRow,
) -> Result<Vec<Problem>, StoreError> {
    if vault.state() != "Failed" {
        return Ok(Vec::new());
    }
    let message = format!(
        "The repository of the vault '{}' could not be made, moved or removed.",
        vault.name
    );
    Ok(vec![Problem::new(
        900_100,
        Severity::Error,
        "VaultRepositoryNotReady",
        message,
        &[
            "Read the error of the vault's last operation, mend its cause, then write the vault again.",
        ],
    )])
}
