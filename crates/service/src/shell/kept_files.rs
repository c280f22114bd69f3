//! The service's own files while it runs: one that is lost or emptied under it is put back from what it holds of it.
//!
//! Without them a restart would make new ones, and every client would have to learn them: credentials, the authority, the
//! key that signs tokens; or would know of nothing any more: the state.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use super::engine::Engine;
use super::private;

/// What is small enough to be held in memory.
const FILES: [&str; 4] = ["credentials.json", "ca.pem", "ca.key", "token.key"];

/// What the service holds of its files.
pub(super) struct KeptFiles {
    dir: PathBuf,
    known: Mutex<Vec<(PathBuf, Zeroizing<Vec<u8>>)>>,
    /// The state's device and inode.
    state: Mutex<Option<(u64, u64)>>,
}

impl KeptFiles {
    /// Holds on to what is there now.
    pub(super) fn of(dir: &Path) -> Self {
        let known = FILES.map(|name| {
            let path = dir.join(name);
            let bytes = fs::read(&path).unwrap_or_default();
            (path, Zeroizing::new(bytes))
        });
        Self {
            dir: dir.to_owned(),
            known: Mutex::new(known.into()),
            state: Mutex::new(place(&dir.join("state.db"))),
        }
    }

    /// Puts back what is gone or empty. A file that somebody changed is theirs, and known from now on.
    pub(super) fn check(&self, engine: &Engine) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (path, bytes) in known.iter_mut() {
            match fs::read(&path) {
                Ok(found) if !found.is_empty() => *bytes = Zeroizing::new(found),
                _ if bytes.is_empty() => {}
                _ => put_back(path, || {
                    private::write(path, bytes).map_err(|e| e.to_string())
                }),
            }
        }
        let path = self.dir.join("state.db");
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // SQLite goes on writing into a file that has no name any more.
        if place(&path) != *state {
            put_back(&path, || {
                engine
                    .put_back_state()
                    .map_err(|error| crate::store::chain(&error))
            });
            *state = place(&path);
        }
    }
}

fn put_back(path: &Path, write: impl FnOnce() -> Result<(), String>) {
    match write() {
        Ok(()) => {
            tracing::warn!(file = %path.display(), "a file of the service was lost while it ran; it is put back");
        }
        Err(error) => {
            tracing::error!(%error, file = %path.display(), "a file of the service was lost while it ran and can't be put back");
        }
    }
}

fn place(path: &Path) -> Option<(u64, u64)> {
    let about = fs::metadata(path).ok()?;
    Some((about.dev(), about.ino()))
}
