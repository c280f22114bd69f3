//! Why the service does not start, or stops.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::inventory::InventoryError;
use crate::store::StoreError;

/// An error of the service as a whole. Its `source`s tell the cause.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A file of the service's own.
    #[error("could not {doing} {}", .path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is there but can't be used.
    #[error("{} can't be used: {message}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        message: String,
    },
    /// Another service has this data folder.
    #[error("another kluis service uses {}; stop it, or give this one a data folder of its own", .0.display())]
    InUse(PathBuf),
    /// The inventory.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The passphrase is not that of the vaults there are.
    #[error(
        "the passphrase in {} does not open the vault {}, whose key file is whole, nor any other; put back the passphrase that \
         the vaults were made with{}, or name its file with --passphrase-file. Nothing was changed",
        .file.display(), .vault.display(),
        .right.as_ref().map(|copy| format!(" (it is in {})", copy.display())).unwrap_or_default()
    )]
    WrongPassphrase {
        /// The passphrase's file.
        file: PathBuf,
        /// A vault that it doesn't open.
        vault: PathBuf,
        /// The copy that holds the right one.
        right: Option<PathBuf>,
    },
    /// There are vaults, but no passphrase any more.
    #[error(
        "there are vaults in {}, but no passphrase in {}, nor in its copy: put it back, or name its file with --passphrase-file. A new one would \
         not open them", .vaults.display(), .file.display()
    )]
    NoPassphrase {
        /// The passphrase's file.
        file: PathBuf,
        /// The vaults' folder.
        vaults: PathBuf,
    },
    /// The certificates.
    #[error("could not {doing}: {message}")]
    Certificates {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        message: String,
    },
    /// An address can't be listened on.
    #[error("could not listen on {address}; choose another with --{option}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The option that names it.
        option: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The plain listener gives tokens, which must not cross a network in the clear.
    #[error(
        "--listen-http {0} is not a loopback address; tokens would cross the network in the clear. Use 127.0.0.1"
    )]
    NotLoopback(SocketAddr),
    /// The threads that everything runs on.
    #[error("could not start the service's threads")]
    Threads(#[source] io::Error),
    /// The service ended on its own.
    #[error("the service stopped: {0}")]
    Stopped(String),
}

impl ServiceError {
    /// Says what was being done to which file.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path: path.clone(),
            source,
        }
    }
}
