//! Upkeep: once the service runs, and every hour from then on, each vault is opened, both copies of what opens it are read
//! back, and so is the passphrase's file; and the names of its snapshots are compared with the state's. A vault of which a job
//! finds that it can't be opened, or can be again, or has not what it is to have, is looked at at once. What is wrong with one
//! vault is written down as that vault's trouble.
//!
//! On the machine's clock, whatever the service's is: files rot by it.

use std::collections::{BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kluis_vault::{MasterKey, VaultError};
use tokio::time::Instant;

use super::engine::Engine;
use super::kept_files::KeptFiles;
use super::keys::{Keys, News};
use super::passphrase::Trouble;
use super::snapshots;
use crate::backup;
use crate::core::VaultKey;
use crate::store::StoreError;
use crate::vaults::{self, RepositoryTrouble};

/// How often everything is looked at.
const EVERY: Duration = Duration::from_secs(3600);

/// The names of snapshots that were looked at and are no recovery point's, by vault: they are not read again each hour.
type Strangers = HashMap<PathBuf, BTreeSet<String>>;

/// Looks after the vaults until the service stops.
pub(super) async fn look_after(engine: Arc<Engine>, keys: Arc<Keys>) {
    let files = Arc::new(KeptFiles::of(&engine.data_dir));
    let strangers = Arc::new(Mutex::new(Strangers::new()));
    let everything = || News {
        all: true,
        ..News::default()
    };
    let mut news = everything();
    let mut next = Instant::now() + EVERY;
    loop {
        let (at, with, files) = (Arc::clone(&engine), Arc::clone(&keys), Arc::clone(&files));
        let strangers = Arc::clone(&strangers);
        let looked = tokio::task::spawn_blocking(move || {
            files.check(&at);
            let mut strangers = strangers.lock().unwrap_or_else(PoisonError::into_inner);
            look(&at, &with, &news, &mut strangers)
        })
        .await;
        match looked {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(error = %crate::store::chain(&error), "the vaults could not be looked after");
            }
            Err(error) => tracing::error!(%error, "the vaults could not be looked after"),
        }
        news = tokio::select! {
            () = tokio::time::sleep_until(next) => {
                next = Instant::now() + EVERY;
                everything()
            }
            () = keys.changed.notified() => keys.news(),
        };
    }
}

/// Looks at the vaults, one after the other.
fn look(
    engine: &Engine,
    keys: &Keys,
    news: &News,
    strangers: &mut Strangers,
) -> Result<(), StoreError> {
    let passphrase = keys.check_passphrase();
    if let Some(trouble) = passphrase {
        tracing::error!(file = %keys.passphrase().file().display(), "{}", words(trouble).1);
    }
    for (vault, path) in engine.read(vaults::repositories)? {
        if engine.is_stopping() {
            return Ok(());
        }
        if !news.all && !news.vaults.contains(&path) {
            continue;
        }
        let opened = keys.checked(&path).and_then(|key| {
            let strangers = strangers.entry(path.clone()).or_default();
            compare(engine, &vault, &path, &key, strangers)
        });
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

/// Compares a vault with the state: by the names of its snapshots alone, unless they differ or more is due. Nothing holds the
/// state up while the vault is read.
fn compare(
    engine: &Engine,
    vault: &VaultKey,
    path: &Path,
    key: &MasterKey,
    strangers: &mut BTreeSet<String>,
) -> Result<(), VaultError> {
    let failed = |error: &StoreError| {
        tracing::error!(vault = %vault, error = %crate::store::chain(error), "the vault could not be compared with the state");
    };
    let known = engine.read(|_, tx| {
        let is_due = backup::comparison(tx, vault)?.due;
        Ok::<_, StoreError>((is_due, backup::known_of(tx, vault)?))
    });
    let (is_due, known) = match known {
        Ok(known) => known,
        Err(error) => {
            failed(&error);
            return Ok(());
        }
    };
    if !is_due && known.agrees(&kluis_vault::snapshot_names(path, key)?, strangers) {
        return Ok(());
    }
    let known = known.all;
    let survey = kluis_vault::survey(path, key, &known)?;
    *strangers = survey.present.difference(&known).cloned().collect();
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
    let is_news = engine.write(|ctx, tx| {
        let is_news = vaults::found(tx, vault, trouble.clone())?;
        let mut effects = Vec::new();
        if trouble.as_ref().is_some_and(|trouble| trouble.closed) {
            backup::want_comparison(tx, vault)?;
            effects = backup::go_on_without_comparison(ctx, tx)?;
        }
        Ok::<_, StoreError>((is_news, effects))
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// The table says what is sent.
    #[test]
    fn every_title_is_in_the_table_of_lost_files_md() {
        let table = include_str!("../../../../docs/lost-files.md");
        let vault = PathBuf::from("/vault");
        let errors = [
            VaultError::WrongPassphrase(vault.clone()),
            VaultError::KeyMissing(vault.clone()),
            VaultError::KeyDamaged(vault.clone()),
            VaultError::ConfigMissing(vault.clone()),
            VaultError::ConfigDamaged(vault.clone()),
            VaultError::NotAVault(vault.clone()),
            VaultError::NewerFormat(vault),
        ];
        let troubles = [Trouble::Missing, Trouble::Replaced, Trouble::Unreadable];
        let titles = errors.iter().map(code_of);
        for title in titles.chain(troubles.map(|trouble| words(trouble).0.to_owned())) {
            let mut cells = table.lines().filter_map(|line| line.split(" | ").next());
            let is_there = cells.any(|cell| cell.contains(&format!("`{title}`")));
            assert!(is_there, "{title} is not in docs/lost-files.md");
        }
    }
}
