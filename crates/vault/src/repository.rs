//! A vault as a whole: made, opened by its passphrase or its key, and asked what it holds.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use rustic_core::{
    ConfigOptions, Credentials, FileType, KeyOptions, OpenStatus, Repository, RepositoryBackends,
    RepositoryOptions, repofile::Chunker,
};
use serde::de::DeserializeOwned;

use crate::{
    codec::{Decoder, Encoder},
    error::VaultError,
    header::Header,
    id::Id,
    key::MasterKey,
    proof, rustic, snapshot,
    store::{self, Store},
};

pub use crate::snapshot::{Saved, Snapshot};

/// The newest layout of disks that is known here; there has been one so far.
const LAYOUT: u32 = 1;

/// Makes a vault at `path`, where nothing or an empty directory may be. It appears there whole or not at all.
///
/// `passphrase` is without the newline that a passphrase file may end in.
///
/// # Errors
/// [`VaultError::VaultExists`] if something is there; [`VaultError::NoSpace`], [`VaultError::Io`].
pub fn create(path: &Path, passphrase: &str) -> Result<MasterKey, VaultError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(VaultError::InvalidJob(format!(
            "{} cannot be a vault's path",
            path.display()
        )));
    };
    if fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(VaultError::VaultExists(path.to_owned()));
    }
    store::make_directory(parent)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".new");
    let unfinished = parent.join(hidden);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)
            .map_err(|source| VaultError::io("remove", &unfinished, source))?;
    }
    let key = initialise(&unfinished, passphrase).inspect_err(|_| {
        let _ = fs::remove_dir_all(&unfinished);
    })?;
    fs::rename(&unfinished, path).map_err(|source| match source.kind() {
        std::io::ErrorKind::DirectoryNotEmpty | std::io::ErrorKind::NotADirectory => {
            VaultError::VaultExists(path.to_owned())
        }
        _ => VaultError::io("create", path, source),
    })?;
    store::sync_directory(parent)?;
    Ok(key)
}

fn initialise(path: &Path, passphrase: &str) -> Result<MasterKey, VaultError> {
    store::make_directory(path)?;
    let mut config = ConfigOptions::default();
    config.set_version = Some(2);
    config.set_chunker = Some(Chunker::FixedSize);
    let size = |text: &str| {
        text.parse()
            .map(Some)
            .map_err(|_| VaultError::Internal("a size that cannot be read"))
    };
    config.set_chunk_size = size("1MiB")?;
    config.set_datapack_size = size("16MiB")?;
    // Packs of one size for ever: otherwise rustic's target grows with the vault, and each prune would rewrite ours.
    config.set_datapack_growfactor = Some(0);
    config.set_treepack_growfactor = Some(0);
    let repository = rustic_repository(path)?
        .init(
            &Credentials::password(passphrase),
            &KeyOptions::default(),
            &config,
        )
        .map_err(|error| rustic::unwrap("make the vault at", path, &error))?;
    let key = MasterKey::from_rustic(&repository.key())?;
    Header::read(path, key.clone())?.keep(path)?;
    store::sync_directory(path)?;
    Ok(key)
}

/// Opens the vault at `path` and returns the key that movers need. Takes a third of a second and 128 MiB, so keep it.
///
/// # Errors
/// Those of [`Header::open`].
pub fn open(path: &Path, passphrase: &str) -> Result<MasterKey, VaultError> {
    Header::open(path, passphrase).map(|header| header.key().clone())
}

/// The snapshot that the backup job `job` left, if it got that far before it crashed; proved as the job would have.
///
/// # Errors
/// Those of [`open`], and [`VaultError::Damaged`] if a snapshot cannot be read or the one found is not complete.
pub fn find_by_job(path: &Path, key: &MasterKey, job: &str) -> Result<Option<Saved>, VaultError> {
    let vault = Vault::open(path, key.clone())?;
    let found = snapshot::of_job(&vault, job)?.map(|snapshot| snapshot.saved);
    found
        .iter()
        .try_for_each(|saved| proof::prove(&vault, saved))?;
    Ok(found)
}

/// All snapshots of a vault that can be read, the oldest first.
///
/// # Errors
/// Those of [`find_by_job`].
pub fn snapshots(path: &Path, key: &MasterKey) -> Result<Vec<Snapshot>, VaultError> {
    let listed = snapshot::list(&Vault::open(path, key.clone())?)?;
    Ok(listed.whole)
}

/// An open vault.
#[derive(Debug)]
pub(crate) struct Vault {
    store: Store,
    key: MasterKey,
    /// Whether damage was found through this opening of it.
    pub(crate) noted: AtomicBool,
}

impl Vault {
    /// Opens a vault by its key, without scrypt.
    pub(crate) fn open(path: &Path, key: MasterKey) -> Result<Self, VaultError> {
        let config = config_of(path)?;
        let mut sealed =
            fs::read(&config).map_err(|source| VaultError::io("read", &config, source))?;
        check_config(path, &key, &mut sealed)?;
        Ok(Self {
            store: Store::at(path),
            key,
            noted: AtomicBool::new(false),
        })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn path(&self) -> &Path {
        self.store.root()
    }

    pub(crate) fn key(&self) -> &MasterKey {
        &self.key
    }

    pub(crate) fn encoder(&self) -> Result<Encoder, VaultError> {
        Encoder::new(&self.key)
    }

    pub(crate) fn decoder(&self) -> Result<Decoder, VaultError> {
        Decoder::new(&self.key)
    }

    /// rustic's view of the vault, for what it does better than we would: prune and check.
    pub(crate) fn rustic(&self) -> Result<Repository<OpenStatus>, VaultError> {
        open_rustic(self.path(), &Credentials::Masterkey(self.key.to_rustic()))
    }

    /// A document of the vault: an index or a snapshot. Its name must be the hash of what lies there.
    pub(crate) fn document<T: DeserializeOwned>(
        &self,
        kind: FileType,
        id: &Id,
    ) -> Result<T, VaultError> {
        let damaged = |why: &str| VaultError::Damaged(format!("{} {id} {why}", kind.dirname()));
        let mut sealed = self.store.read(kind, id)?;
        if Id::of(&sealed) != *id {
            return Err(damaged("is not what was written"));
        }
        let json = self
            .decoder()?
            .open_file(&mut sealed)
            .ok_or_else(|| damaged("cannot be decrypted"))?;
        serde_json::from_slice(&json)
            .map_err(|error| damaged(&format!("cannot be understood ({error})")))
    }

    /// Writes a document and returns its id and its size in bytes.
    pub(crate) fn write_document(
        &self,
        kind: FileType,
        json: &[u8],
    ) -> Result<(Id, u64), VaultError> {
        let sealed = self.encoder()?.seal_file(json)?;
        let id = Id::of(&sealed);
        self.store.write(kind, &id, &sealed)?;
        Ok((id, sealed.len() as u64))
    }
}

/// Whether the config of the vault at `path` is one that this key reads and of a format that is known here.
pub(crate) fn check_config(
    path: &Path,
    key: &MasterKey,
    sealed: &mut [u8],
) -> Result<(), VaultError> {
    let json = Decoder::new(key)?.open_file(sealed);
    let json = json.ok_or_else(|| VaultError::WrongPassphrase(path.to_owned()))?;
    let Config { version, kluis } = serde_json::from_slice(&json).map_err(|error| {
        VaultError::Damaged(format!("its config cannot be understood ({error})"))
    })?;
    match version {
        2 if kluis.format > LAYOUT => Err(VaultError::NewerFormat(path.to_owned())),
        2 => Ok(()),
        0 | 1 => Err(VaultError::NotAVault(path.to_owned())),
        _ => Err(VaultError::NewerFormat(path.to_owned())),
    }
}

/// The part of the config that decides whether we may touch the vault.
#[derive(serde::Deserialize)]
struct Config {
    version: u32,
    #[serde(default)]
    kluis: Own,
}

/// What a version of ours that lays disks out differently will say in the config; restic passes over it. Vaults that say
/// nothing have the first layout.
#[derive(Default, serde::Deserialize)]
struct Own {
    #[serde(default)]
    format: u32,
}

/// The path of the config, if there is one.
fn config_of(path: &Path) -> Result<PathBuf, VaultError> {
    let config = path.join("config");
    match fs::metadata(&config) {
        Ok(metadata) if metadata.is_file() => Ok(config),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Err(VaultError::io("open", config, error))
        }
        _ => Err(VaultError::NotAVault(path.to_owned())),
    }
}

fn open_rustic(
    path: &Path,
    credentials: &Credentials,
) -> Result<Repository<OpenStatus>, VaultError> {
    config_of(path)?;
    rustic_repository(path)?.open(credentials).map_err(|error| {
        // The config is encrypted, so that its version is known only after the key was right.
        if error.to_string().contains("Config version") {
            VaultError::NewerFormat(path.to_owned())
        } else {
            rustic::unwrap("open the vault at", path, &error)
        }
    })
}

fn rustic_repository(path: &Path) -> Result<Repository<()>, VaultError> {
    // Without a cache of its own under the home directory: it would outlive the vault.
    let mut options = RepositoryOptions::default();
    options.no_cache = true;
    let backends = RepositoryBackends::new(Arc::new(Store::at(path)), None);
    Repository::new(&options, &backends)
        .map_err(|error| rustic::unwrap("use the vault at", path, &error))
}
