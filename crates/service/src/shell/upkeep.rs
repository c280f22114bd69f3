//! Upkeep: once the service runs, every hour from then on, and when a job finds that a vault can't be opened or can be again,
//! each vault is opened, both copies of what opens it are read back, and so is the passphrase's file. What is wrong with one
//! vault is written down as that vault's trouble.
//!
//! On the machine's clock, whatever the service's is: files rot by it.

use std::path::{Component, Path};
use std::sync::Arc;
use std::time::Duration;

use kluis_vault::{MasterKey, VaultError};

use super::engine::Engine;
use super::kept_files::KeptFiles;
use super::keys::Keys;
use super::passphrase::Trouble;
use super::snapshots;
use crate::backup;
use crate::core::VaultKey;
use crate::store::StoreError;
use crate::vaults::{self, RepositoryTrouble};

/// How often everything is looked at.
const EVERY: Duration = Duration::from_secs(3600);

/// Looks after the vaults until the service stops.
pub(super) async fn look_after(engine: Arc<Engine>, keys: Arc<Keys>) {
    let files = Arc::new(KeptFiles::of(&engine.data_dir));
    loop {
        let (at, with, files) = (Arc::clone(&engine), Arc::clone(&keys), Arc::clone(&files));
        let looked = tokio::task::spawn_blocking(move || {
            files.check(&at);
            all(&at, &with)
        })
        .await;
        match looked {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(error = %crate::store::chain(&error), "the vaults could not be looked after");
            }
            Err(error) => tracing::error!(%error, "the vaults could not be looked after"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = keys.changed.notified() => {}
        }
    }
}

/// Looks at every vault, one after the other.
fn all(engine: &Engine, keys: &Keys) -> Result<(), StoreError> {
    let passphrase = keys.passphrase().check();
    if let Some(trouble) = passphrase {
        tracing::error!(file = %keys.passphrase().file().display(), "{}", words(trouble).1);
    }
    for (vault, path) in engine.read(vaults::repositories)? {
        if engine.is_stopping() {
            return Ok(());
        }
        let opened = keys
            .checked(&path)
            .and_then(|key| compare(engine, &vault, &path, &key));
        told(engine, keys, &vault, &path, &opened, passphrase)?;
        sweep(engine, &vault, &path)?;
    }
    Ok(())
}

/// Removes snapshot files that a crash left behind; not while the state may be older than they are.
fn sweep(engine: &Engine, vault: &VaultKey, repository: &Path) -> Result<(), StoreError> {
    let settled = engine.read(|ctx, tx| backup::is_settled(ctx, tx, vault))?;
    let mut names = repository.components().rev().map(Component::as_os_str);
    let (Some(name), Some(group)) = (names.next(), names.next()) else {
        return Ok(());
    };
    let folder = engine.data_dir.join("snapshots").join(group).join(name);
    match snapshots::folders(&folder) {
        Ok(found) if settled => {
            // Asked after the folders: what has been begun since is in it.
            let keep = engine.read(|_, tx| backup::snapshot_folders(tx))?;
            snapshots::sweep(found, &keep);
        }
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(%error, folder = %folder.display(), "snapshot files could not be looked at");
        }
    }
    Ok(())
}

/// Compares a vault with the state, where that is due. Nothing holds the state up while the vault is read.
fn compare(
    engine: &Engine,
    vault: &VaultKey,
    path: &Path,
    key: &MasterKey,
) -> Result<(), VaultError> {
    let failed = |error: &StoreError| {
        tracing::error!(vault = %vault, error = %crate::store::chain(error), "the vault could not be compared with the state");
    };
    let known = engine.read(|_, tx| {
        let due = backup::comparison(tx, vault)?.due;
        due.then(|| backup::known_snapshots(tx, vault)).transpose()
    });
    let known = match known {
        Ok(Some(known)) => known,
        Ok(None) => return Ok(()),
        Err(error) => {
            failed(&error);
            return Ok(());
        }
    };
    let survey = kluis_vault::survey(path, key, &known)?;
    for (snapshot, why) in &survey.unusable {
        tracing::warn!(vault = %vault, snapshot, why, "the vault has a snapshot that nobody knows and that can't be used; it is left alone");
    }
    let taken_in = engine.write(|ctx, tx| backup::take_in(ctx, tx, vault, &known, &survey));
    match taken_in {
        Ok(found) if found.differs => {
            tracing::warn!(
                vault = %vault, taken_in = found.taken_in, missing = found.missing, of_unknown_items = found.of_strangers,
                machines = found.strangers.join(", "), "state and vault differ, as after an earlier state was put back"
            );
        }
        Ok(_) => {}
        Err(error) => failed(&error),
    }
    Ok(())
}

/// Writes down what came of opening a vault.
fn told(
    engine: &Engine,
    keys: &Keys,
    vault: &VaultKey,
    path: &Path,
    opened: &Result<(), VaultError>,
    passphrase: Option<Trouble>,
) -> Result<(), StoreError> {
    let now = engine.now();
    let trouble = match (opened, passphrase) {
        (Err(error), _) => Some(RepositoryTrouble {
            vault: vault.clone(),
            code: code_of(error),
            message: format!("{}.", kluis_vault::error::describe(error)),
            recommendation: error.recommendation().to_owned(),
            closed: true,
            since: now,
        }),
        (Ok(()), Some(trouble)) => {
            let (code, message, recommendation) = words(trouble);
            Some(RepositoryTrouble {
                vault: vault.clone(),
                code: code.to_owned(),
                message: format!("{message} ({})", keys.passphrase().file().display()),
                recommendation: recommendation.to_owned(),
                closed: false,
                since: now,
            })
        }
        (Ok(()), None) => None,
    };
    let is_over = trouble.is_none();
    let is_news = engine.write(|_, tx| {
        let is_news = vaults::found(tx, vault, trouble.clone())?;
        if trouble.as_ref().is_some_and(|trouble| trouble.closed) {
            backup::want_comparison(tx, vault)?;
        }
        Ok::<_, StoreError>((is_news, Vec::new()))
    })?;
    match trouble {
        Some(trouble) if is_news => {
            tracing::error!(vault = %vault, path = %path.display(), code = trouble.code, recommendation = trouble.recommendation, "{}", trouble.message);
        }
        None if is_news && is_over => {
            tracing::info!(vault = %vault, "the vault's trouble is over");
        }
        _ => {}
    }
    Ok(())
}

/// `VaultKeyMissing`, `VaultDamaged`, …
fn code_of(error: &VaultError) -> String {
    let word = format!("{:?}", error.code());
    if word.starts_with("Vault") {
        word
    } else {
        format!("Vault{word}")
    }
}

/// A code, what is wrong and what to do.
fn words(trouble: Trouble) -> (&'static str, &'static str, &'static str) {
    match trouble {
        Trouble::Missing => (
            "VaultPassphraseMissing",
            "The passphrase's file is gone or empty: after the next start no vault could be opened.",
            "Put the file back while the service runs: it holds the passphrase in memory alone.",
        ),
        Trouble::Replaced => (
            "VaultPassphraseReplaced",
            "The passphrase's file holds another passphrase than the one that opened the vaults: after the next start none could be opened.",
            "Put the passphrase back that the vaults were made with.",
        ),
        Trouble::Unreadable => (
            "VaultPassphraseUnreadable",
            "The passphrase's file can't be read or written: after the next start no vault could be opened.",
            "Check the file, its permissions and its volume.",
        ),
    }
}
