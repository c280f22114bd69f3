//! The service's state: one SQLite database of typed JSON documents, one writer.
//!
//! Each table holds documents by a key within a vault; what a document says is its owner's business (a [`Row`]). The store
//! knows no Azure: no states, no times.

mod row;
mod schema;
mod shelf;
mod tx;

use std::path::{Path, PathBuf};

use rusqlite::Connection;

pub use row::{Row, TABLES};
pub use tx::Tx;

/// What can go wrong with the service's state.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can't be opened at all.
    #[error(
        "the state in {path} could not be opened; check that the folder is writable and that no other service uses it"
    )]
    Open {
        /// The database's file.
        path: PathBuf,
        /// The system's or SQLite's reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Made by a newer kluis.
    #[error(
        "the state in {path} has schema {found}, newer than {known}, the newest this kluis knows; run the kluis that wrote it, or a newer one"
    )]
    Newer {
        /// The database's file.
        path: PathBuf,
        /// The schema's version that was found.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// A statement failed: the disk is full, the file is damaged.
    #[error("the state could not be read or written")]
    Sql(#[from] rusqlite::Error),
    /// A document is not of the shape its row has.
    #[error(
        "the entry '{key}' of {table} can't be read; it was written by another version or damaged"
    )]
    Document {
        /// The table.
        table: &'static str,
        /// The document's key.
        key: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl StoreError {
    fn open<E: std::error::Error + Send + Sync + 'static>(path: &Path) -> impl FnOnce(E) -> Self {
        move |source| Self::Open {
            path: path.to_owned(),
            source: Box::new(source),
        }
    }
}

/// The database. Transactions are its only door.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
}

impl Store {
    /// Opens or makes the database in a file.
    ///
    /// # Errors
    /// When the file can't be opened, or when a newer kluis wrote it: then nothing is changed.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        for_the_owner_alone(path).map_err(StoreError::open(path))?;
        let connection = Connection::open(path).map_err(StoreError::open(path))?;
        schema::durable(&connection).map_err(StoreError::open(path))?;
        schema::upgrade(&connection, path)?;
        Ok(Self { connection })
    }

    /// Writes everything to a new file at `path`, in the place of what is there, and goes on with that: for a database whose
    /// file has lost its name.
    ///
    /// # Errors
    /// When it can't be written; the database is then what it was.
    pub fn put_back(&mut self, path: &Path) -> Result<(), StoreError> {
        let whole = path.with_extension("db.new");
        for stale in [
            whole.clone(),
            path.with_extension("db-wal"),
            path.with_extension("db-shm"),
        ] {
            match std::fs::remove_file(&stale) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::open(&stale)(error));
                }
                _ => {}
            }
        }
        let name = whole.to_string_lossy();
        self.connection.execute("VACUUM INTO ?1", [name.as_ref()])?;
        let synced = std::fs::File::open(&whole).and_then(|file| file.sync_all());
        let named = synced.and_then(|()| std::fs::rename(&whole, path));
        named.map_err(StoreError::open(path))?;
        *self = Self::open(path)?;
        Ok(())
    }

    /// A database in memory, gone when it is dropped: for simulations and tests.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn in_memory() -> Result<Self, StoreError> {
        let connection = Connection::open_in_memory()?;
        schema::upgrade(&connection, Path::new(":memory:"))?;
        Ok(Self { connection })
    }

    /// Runs `work` in a transaction: committed, durably, when it returns `Ok`; without a trace when it returns `Err`.
    ///
    /// # Errors
    /// What `work` returned, or why the transaction could not be begun or committed.
    pub fn tx<T, E: From<StoreError>>(
        &mut self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = self
            .connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Deferred)
            .map_err(StoreError::from)?;
        let mut tx = Tx::new(transaction);
        let done = work(&mut tx)?;
        tx.commit()?;
        Ok(done)
    }
}

/// Makes the file before SQLite does: its other files take over the permissions of this one.
fn for_the_owner_alone(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map(drop)
}

/// An error and its causes in one line, for the log.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
