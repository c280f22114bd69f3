//! The vaults' keys: one passphrase opens them all, and opening one takes a third of a second and 128 MiB, so it is done once.
//!
//! A vault that can't be opened is that one vault's trouble. The service does not start with a passphrase that opens none of
//! the vaults that it knows: that is the wrong passphrase.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use kluis_vault::{Header, MasterKey, VaultError, repository};
use tokio::sync::Notify;

use super::ServiceError;
use super::passphrase::{Passphrase, Trouble};

/// How many keys are derived at once.
const AT_ONCE: usize = 2;
/// So many vaults that the passphrase does not open, and none that it does, are enough to say that it is the wrong one.
const ENOUGH: usize = 5;

/// The passphrase, and what it has opened.
pub(super) struct Keys {
    passphrase: Passphrase,
    opened: Mutex<HashMap<PathBuf, Header>>,
    deriving: Mutex<usize>,
    derived: Condvar,
    /// The vaults that could not be opened when that was tried last.
    closed: Mutex<HashSet<PathBuf>>,
    /// What was wrong with the passphrase's file when it was looked at last.
    trouble: Mutex<Option<Trouble>>,
    /// What is to be looked at before its hour.
    news: Mutex<News>,
    /// Told when there is some.
    pub(super) changed: Notify,
}

/// What is to be looked at.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Every vault.
    pub(super) all: bool,
    /// Or these.
    pub(super) vaults: HashSet<PathBuf>,
}

impl Keys {
    /// Sees whether the passphrase opens any of the vaults that are known.
    ///
    /// # Errors
    /// When it opens none of them, and is the reason.
    pub(super) fn load(passphrase: Passphrase, known: &[PathBuf]) -> Result<Self, ServiceError> {
        let keys = Self {
            passphrase,
            opened: Mutex::default(),
            deriving: Mutex::default(),
            derived: Condvar::new(),
            closed: Mutex::default(),
            trouble: Mutex::default(),
            news: Mutex::default(),
            changed: Notify::new(),
        };
        let mut closed = Vec::new();
        for vault in known {
            match keys.of(vault) {
                Ok(_) => return keys.begin(true),
                Err(VaultError::WrongPassphrase(_)) => closed.push(vault.clone()),
                // Another trouble is that one vault's alone, and is told as its own.
                Err(_) => {}
            }
            if closed.len() >= ENOUGH {
                break;
            }
        }
        let Some(vault) = closed.into_iter().next() else {
            return keys.begin(false);
        };
        let other = keys.passphrase.other();
        let opens = other.filter(|(_, text)| Header::open(&vault, text).is_ok());
        Err(ServiceError::WrongPassphrase {
            file: keys.passphrase.file().to_owned(),
            right: opens.map(|(copy, _)| copy.to_owned()),
            vault,
        })
    }

    fn begin(self, proved: bool) -> Result<Self, ServiceError> {
        let written = self.passphrase.keep(proved);
        written.map_err(ServiceError::io("write", self.passphrase.file()))?;
        Ok(self)
    }

    /// The key of the vault at this path.
    pub(super) fn of(&self, vault: &Path) -> Result<MasterKey, VaultError> {
        if let Some(header) = self.known().get(vault) {
            return Ok(header.key().clone());
        }
        let _turn = self.turn();
        let header = Header::open(vault, self.passphrase.text())?;
        let key = header.key().clone();
        self.known().insert(vault.to_owned(), header);
        Ok(key)
    }

    /// The key of the vault at this path, once both copies of what opens it have been read back, and of the passphrase. What was
    /// lost or damaged is written again; what of the vault can't be is an error, for nobody could open it after a restart.
    pub(super) fn checked(&self, vault: &Path) -> Result<MasterKey, VaultError> {
        self.check_passphrase();
        let checked = self.check(vault);
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = match &checked {
            Ok(_) => closed.remove(vault),
            Err(_) => closed.insert(vault.to_owned()),
        };
        if is_news {
            self.look_at(vault);
        }
        checked
    }

    /// Has a vault looked at soon.
    pub(super) fn look_at(&self, vault: &Path) {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        news.vaults.insert(vault.to_owned());
        drop(news);
        self.changed.notify_one();
    }

    /// What is to be looked at now, once.
    pub(super) fn news(&self) -> News {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut news)
    }

    /// Reads the passphrase's file and its copy back, and writes again what is missing; what is wrong all the same is told of
    /// every vault.
    pub(super) fn check_passphrase(&self) -> Option<Trouble> {
        // Held while it is written: one writes at a time.
        let mut known = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.passphrase.check();
        if *known != found {
            *known = found;
            let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
            news.all = true;
            drop(news);
            self.changed.notify_one();
        }
        found
    }

    /// Whether what opens the vault at this path would open it after a restart.
    pub(super) fn would_open(&self, vault: &Path) -> Result<(), VaultError> {
        self.checked(vault)?;
        if self.passphrase.is_kept() {
            return Ok(());
        }
        Err(VaultError::Io {
            doing: "write the passphrase of the vaults, which is in no file any more, to",
            path: self.passphrase.file().to_owned(),
            source: std::io::Error::other("what is there can't be read or replaced"),
        })
    }

    fn check(&self, vault: &Path) -> Result<MasterKey, VaultError> {
        let key = self.of(vault)?;
        let Some(mut header) = self.known().get(vault).cloned() else {
            return Ok(key);
        };
        let written = header.keep(vault)?;
        for file in &written {
            tracing::warn!(
                vault = %vault.display(), file = %file.display(),
                "a file that opens the vault was missing or not what it was; it is written again"
            );
        }
        if let Some(known) = self.known().get_mut(vault) {
            *known = header;
        }
        Ok(key)
    }

    /// Makes a vault's repository, or finds it made by an earlier attempt.
    pub(super) fn create(&self, vault: &Path) -> Result<(), VaultError> {
        let turn = self.turn();
        let header = match repository::create(vault, self.passphrase.text()) {
            Err(VaultError::VaultExists(_)) => Header::open(vault, self.passphrase.text())?,
            made => Header::read(vault, made?)?,
        };
        drop(turn);
        self.known().insert(vault.to_owned(), header);
        Ok(())
    }

    /// Forgets the key of a vault that is gone.
    pub(super) fn forget(&self, vault: &Path) {
        self.known().remove(vault);
    }

    pub(super) fn passphrase(&self) -> &Passphrase {
        &self.passphrase
    }

    fn known(&self) -> MutexGuard<'_, HashMap<PathBuf, Header>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until few enough keys are being derived.
    fn turn(&self) -> Turn<'_> {
        let deriving = self.deriving.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.derived.wait_while(deriving, |busy| *busy >= AT_ONCE);
        *free.unwrap_or_else(PoisonError::into_inner) += 1;
        Turn(self)
    }
}

/// The right to derive a key, for as long as it lives.
struct Turn<'a>(&'a Keys);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let deriving = &self.0.deriving;
        *deriving.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.derived.notify_one();
    }
}
