//! Checking: every byte of a vault is read and compared with its name.

use rustic_core::{CheckOptions, FileType};

use crate::{error::VaultError, event::Event, lock::Lock, repository::Vault, rustic, snapshot};

pub(crate) fn run(vault: &Vault, emit: &mut dyn FnMut(Event)) -> Result<(), VaultError> {
    let _lock = Lock::shared(vault.path())?;
    let snapshots = snapshot::list(vault)?.len() as u64;
    let packs = vault.store().list(FileType::Pack)?;
    let failed = |error| rustic::unwrap("check the vault at", vault.path(), &error);
    let options = CheckOptions::default().read_data(true);
    let found = vault
        .rustic()?
        .check(options)
        .map_err(|error| failed(*error))?;
    if found.is_ok().is_err() {
        let errors: Vec<_> = found
            .0
            .iter()
            .take(5)
            .map(|(level, error)| format!("{level:?}: {error}"))
            .collect();
        return Err(VaultError::Damaged(errors.join("; ")));
    }
    emit(Event::Checked {
        snapshots,
        packs: packs.len() as u64,
        bytes: packs.iter().map(|(_, size)| size).sum(),
    });
    Ok(())
}
