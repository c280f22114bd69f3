//! A vault's header: its `config` and its key files, without which not one byte of the rest can be read.
//!
//! There are two copies of each, on which nothing else depends: one where restic's format has it, and one below `copies/`,
//! which restic passes over and which goes wherever the vault's folder goes. A [`Header`] in memory is a third, from which
//! both are written again. A person without this program puts them back by `cp`.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use rustic_core::repofile::{self, KeyFile};

use crate::{
    error::VaultError,
    id::Id,
    key::MasterKey,
    repository,
    store::{self, Store},
};

/// The folder of the second copies, below a vault's own.
const COPIES: &str = "copies";
/// The largest file that is taken for a part of a header, in bytes.
const LARGEST: u64 = 1 << 20;
/// Key files that are tried; restic tries as many.
const MOST_KEYS: usize = 20;
/// The most memory that a key file may ask for, in bytes: eight times what restic's own ask for.
const MOST_MEMORY: u64 = 1 << 30;

/// What opens a vault, in memory.
#[derive(Debug, Clone)]
pub struct Header {
    key: MasterKey,
    /// As it lies in the vault: encrypted.
    config: Vec<u8>,
    /// The key files that open it, as they lie in the vault.
    keys: BTreeMap<Id, Vec<u8>>,
}

/// A file of a vault, wherever it lies.
struct Found {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Header {
    /// Opens the vault at `path` by its passphrase, from whichever copies are whole. Takes a third of a second and 128 MiB
    /// for each key file that is tried. Writes nothing.
    ///
    /// # Errors
    /// What is missing or damaged in both places, told apart: [`VaultError::NotAVault`], [`VaultError::KeyMissing`],
    /// [`VaultError::KeyDamaged`], [`VaultError::WrongPassphrase`], [`VaultError::ConfigMissing`],
    /// [`VaultError::ConfigDamaged`], [`VaultError::NewerFormat`], [`VaultError::Io`].
    pub fn open(path: &Path, passphrase: &str) -> Result<Self, VaultError> {
        let configs = configs(path)?;
        let (whole, damaged) = keys(path)?;
        if configs.is_empty() && whole.is_empty() && damaged.is_empty() {
            return Err(VaultError::NotAVault(path.to_owned()));
        }
        if whole.is_empty() && damaged.is_empty() {
            return Err(VaultError::KeyMissing(path.to_owned()));
        }
        let mut opened = None;
        // Damaged ones last: what is wrong with one may be beside its key.
        for bytes in whole.values().chain(&damaged).take(MOST_KEYS) {
            let Some(key) = unlock(bytes, passphrase) else {
                continue;
            };
            if let Some(config) = configs.iter().find(|found| reads(&key, &found.bytes)) {
                let keys = BTreeMap::from([(Id::of(bytes), bytes.clone())]);
                let config = config.bytes.clone();
                return Self { key, config, keys }.known(path);
            }
            opened = Some(key);
        }
        Err(match opened {
            Some(_) if configs.is_empty() => VaultError::ConfigMissing(path.to_owned()),
            Some(_) => VaultError::ConfigDamaged(path.to_owned()),
            None if whole.is_empty() => VaultError::KeyDamaged(path.to_owned()),
            None => VaultError::WrongPassphrase(path.to_owned()),
        })
    }

    /// The header of the vault at `path`, by a key that is known to be the vault's: without a passphrase, at once.
    ///
    /// # Errors
    /// As [`Header::open`].
    pub fn read(path: &Path, key: MasterKey) -> Result<Self, VaultError> {
        let configs = configs(path)?;
        let config = configs.iter().find(|found| reads(&key, &found.bytes));
        let config = config.ok_or_else(|| VaultError::ConfigDamaged(path.to_owned()))?;
        let (keys, _) = keys(path)?;
        if keys.is_empty() {
            return Err(VaultError::KeyMissing(path.to_owned()));
        }
        let config = config.bytes.clone();
        Self { key, config, keys }.known(path)
    }

    /// The key that movers need.
    #[must_use]
    pub fn key(&self) -> &MasterKey {
        &self.key
    }

    /// Reads back both copies of all of it and writes again what is missing or is not what it was. Returns the files that it
    /// wrote, the missing folders' among them.
    ///
    /// A config that has changed and can be read by the key stays: somebody changed it.
    ///
    /// # Errors
    /// What can't be written; [`VaultError::NotAVault`] when the whole folder is gone.
    pub fn keep(&mut self, path: &Path) -> Result<Vec<PathBuf>, VaultError> {
        if !path.join("data").is_dir() {
            return Err(VaultError::NotAVault(path.to_owned()));
        }
        let config = path.join("config");
        if let Some(found) = look(&config)?.filter(|found| reads(&self.key, &found.bytes)) {
            self.config = found.bytes;
        }
        let mut written = Vec::new();
        // The copies first: while one place is being written, the other is whole.
        for root in [path.join(COPIES), path.to_owned()] {
            for (id, bytes) in &self.keys {
                let file = root.join("keys").join(id.to_string());
                if !holds(&file, bytes)? {
                    put(path, &file, bytes)?;
                    written.push(file);
                }
            }
            let file = root.join("config");
            if !holds(&file, &self.config)? {
                if file.exists() {
                    overwrite(&file, &self.config)?;
                } else {
                    put(path, &file, &self.config)?;
                }
                written.push(file);
            }
        }
        set_aside(path)?;
        Ok(written)
    }

    /// Refuses a vault of a format that is not known here.
    fn known(self, path: &Path) -> Result<Self, VaultError> {
        let mut sealed = self.config.clone();
        repository::check_config(path, &self.key, &mut sealed)?;
        Ok(self)
    }
}

/// The configs that are there, the one where the format has it first.
fn configs(path: &Path) -> Result<Vec<Found>, VaultError> {
    let places = [path.join("config"), path.join(COPIES).join("config")];
    let found = places
        .iter()
        .map(|place| look(place))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(found.into_iter().flatten().collect())
}

type Keys = (BTreeMap<Id, Vec<u8>>, Vec<Vec<u8>>);

/// The key files of both places: those that are what their names say, and the others.
fn keys(path: &Path) -> Result<Keys, VaultError> {
    let (mut whole, mut damaged) = (BTreeMap::new(), Vec::new());
    for root in [path.to_owned(), path.join(COPIES)] {
        for (id, found) in key_files(&root.join("keys"))? {
            if Id::of(&found.bytes) == id {
                whole.insert(id, found.bytes);
            } else {
                damaged.push(found.bytes);
            }
        }
    }
    Ok((whole, damaged))
}

/// The key files of one folder, with the ids that they are called by.
fn key_files(folder: &Path) -> Result<Vec<(Id, Found)>, VaultError> {
    let entries = match fs::read_dir(folder) {
        Err(error)
            if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) =>
        {
            return Ok(Vec::new());
        }
        entries => entries.map_err(|source| VaultError::io("list", folder, source))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| VaultError::io("list", folder, source))?;
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.parse().ok());
        if let Some(id) = id
            && let Some(file) = look(&entry.path())?
        {
            found.push((id, file));
        }
    }
    Ok(found)
}

/// A small file; `None` when there is none, or something that is no file.
fn look(path: &Path) -> Result<Option<Found>, VaultError> {
    let about = match fs::metadata(path) {
        Err(error)
            if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) =>
        {
            return Ok(None);
        }
        about => about.map_err(|source| VaultError::io("open", path, source))?,
    };
    if !about.is_file() || about.len() > LARGEST {
        return Ok(None);
    }
    let bytes = fs::read(path).map_err(|source| VaultError::io("read", path, source))?;
    let path = path.to_owned();
    Ok(Some(Found { path, bytes }))
}

fn holds(path: &Path, bytes: &[u8]) -> Result<bool, VaultError> {
    Ok(look(path)?.is_some_and(|found| found.bytes == bytes))
}

/// Whether this key reads this config.
fn reads(key: &MasterKey, config: &[u8]) -> bool {
    key.cipher().unseal(&mut config.to_vec()).is_some()
}

/// The master key in a key file; `None` if the passphrase does not open it.
fn unlock(bytes: &[u8], passphrase: &str) -> Option<MasterKey> {
    let file: KeyFile = serde_json::from_slice(bytes).ok()?;
    let memory = u64::from(file.n)
        .checked_mul(u64::from(file.r))?
        .checked_mul(128)?;
    if file.n < 2 || memory > MOST_MEMORY || file.p > 16 {
        return None;
    }
    let (encrypt, k, r) = file.key_from_password(&passphrase).ok()?.to_keys();
    let mut key = repofile::MasterKey::new();
    (key.encrypt, key.mac.k, key.mac.r) = (encrypt, k, r);
    MasterKey::from_rustic(&key).ok()
}

/// Writes a file of the vault at `vault`, whole or not at all.
fn put(vault: &Path, file: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let Some(folder) = file.parent() else {
        return Err(VaultError::NotAVault(vault.to_owned()));
    };
    store::make_directory(folder)?;
    Store::at(vault).stage(bytes)?.publish_at(file)?;
    store::sync_directory(folder)?;
    if holds(file, bytes)? {
        return Ok(());
    }
    Err(VaultError::Damaged(format!(
        "{} does not read back as it was written",
        file.display()
    )))
}

/// Writes over a config in its place, for who uses the vault has locked the file that is there.
fn overwrite(file: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let open = fs::OpenOptions::new().write(true).truncate(true).open(file);
    open.and_then(|mut open| {
        open.write_all(bytes)?;
        open.sync_all()
    })
    .map_err(|source| VaultError::io("write", file, source))
}

/// Moves key files that are not what their names say out of the way of restic, which refuses a vault that has one.
fn set_aside(path: &Path) -> Result<(), VaultError> {
    for (id, found) in key_files(&path.join("keys"))? {
        if Id::of(&found.bytes) != id {
            let aside = path.join(COPIES).join(format!("damaged-key-{id}"));
            fs::rename(&found.path, &aside)
                .map_err(|source| VaultError::io("move", &found.path, source))?;
        }
    }
    Ok(())
}
