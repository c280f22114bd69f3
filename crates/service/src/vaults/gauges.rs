//! What vaults tell in numbers.

use super::VaultRow;
use super::deleted::DeletedVault;
use crate::core::Gauge;
use crate::store::{StoreError, Tx};

/// How many vaults there are, and how many are soft-deleted.
///
/// # Errors
/// When the store fails.
pub fn gauges(tx: &Tx<'_>) -> Result<Vec<Gauge>, StoreError> {
    Ok(vec![Gauge::by(
        "vaults",
        "Recovery services vaults",
        "state",
        [
            ("Present", tx.total::<VaultRow>()? as f64),
            ("SoftDeleted", tx.total::<DeletedVault>()? as f64),
        ],
    )])
}
