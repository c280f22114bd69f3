//! What keeps a vault's repository from being used, as the shell last found it: that one vault's trouble, told where people look
//! until it is over.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::VaultRow;
use crate::core::{Context, VaultKey};
use crate::store::{Row, StoreError, Tx};

/// A vault that can't be opened, or whose passphrase is in danger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryTrouble {
    /// The vault.
    pub vault: VaultKey,
    /// A word for it, of the form of an error's code.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What a person can do.
    pub recommendation: String,
    /// Whether the vault can't be used, now; else it can't be after the next start.
    pub closed: bool,
    /// Since when it is known.
    pub since: Timestamp,
}

impl Row for RepositoryTrouble {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        key_of(&self.vault)
    }

    fn vault(&self) -> String {
        self.vault.as_str().to_owned()
    }
}

fn key_of(vault: &VaultKey) -> String {
    format!("repositoryTrouble/{vault}")
}

/// The repositories that are there to be used, with their vaults.
///
/// # Errors
/// When the store fails; so for every function here.
pub fn repositories(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<Vec<(VaultKey, PathBuf)>, StoreError> {
    let vaults = tx.all::<VaultRow>()?;
    let usable = vaults.iter().filter(|vault| vault.state() == "Succeeded");
    Ok(usable
        .map(|vault| {
            let path = ctx.vault_path(&vault.resource_group, &vault.name);
            (vault.id_key(), path)
        })
        .collect())
}

/// Takes note of what was found of a vault's repository; `None` when all is well. Whether that is news.
pub fn found(
    tx: &mut Tx<'_>,
    vault: &VaultKey,
    trouble: Option<RepositoryTrouble>,
) -> Result<bool, StoreError> {
    let known = trouble_of(tx, vault)?;
    let Some(mut trouble) = trouble else {
        return tx.delete::<RepositoryTrouble>(&key_of(vault));
    };
    // One that is being moved or removed is not where it was looked for.
    let row = tx.get::<VaultRow>(vault.as_str())?;
    if row.is_none_or(|row| row.state() != "Succeeded") {
        return Ok(false);
    }
    if let Some(known) = known.filter(|known| known.code == trouble.code) {
        trouble.since = known.since;
        if known == trouble {
            return Ok(false);
        }
    }
    tx.put(&trouble)?;
    Ok(true)
}

/// What is wrong with a vault's repository.
pub fn trouble_of(tx: &Tx<'_>, vault: &VaultKey) -> Result<Option<RepositoryTrouble>, StoreError> {
    tx.get(&key_of(vault))
}
