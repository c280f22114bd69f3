//! The database's schema, its version, and how it is made durable.

use std::path::Path;

use rusqlite::Connection;

use super::{StoreError, TABLES};

/// The newest schema this kluis knows. 1: a table a kind of document, (key, vault, body). 2: (…, subject, moment) besides, and
/// recovery points that say where they are; a shelf for the documents of soft-deleted vaults.
const VERSION: i64 = 2;

/// WAL, so that readers don't wait; FULL, so that what was answered is on the disk.
pub(super) fn durable(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.busy_timeout(std::time::Duration::from_secs(5))
}

/// Brings an older or empty database to [`VERSION`], in one transaction.
pub(super) fn upgrade(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > VERSION {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known: VERSION,
        });
    }
    if found == VERSION {
        return Ok(());
    }
    let mut script = String::from("BEGIN IMMEDIATE;\n");
    for table in TABLES {
        script.push_str(&format!(
            "CREATE TABLE IF NOT EXISTS {table} (key TEXT PRIMARY KEY NOT NULL, vault TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;\n\
             CREATE INDEX IF NOT EXISTS {table}_by_vault ON {table} (vault, key);\n\
             ALTER TABLE {table} ADD COLUMN subject TEXT;\n\
             ALTER TABLE {table} ADD COLUMN moment INTEGER;\n\
             CREATE INDEX {table}_by_subject ON {table} (subject, moment) WHERE subject IS NOT NULL;\n\
             CREATE INDEX {table}_by_moment ON {table} (moment) WHERE moment IS NOT NULL;\n"
        ));
    }
    script.push_str(
        "CREATE TABLE IF NOT EXISTS shelf (\
             place TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, vault TEXT NOT NULL, body TEXT NOT NULL,\
             subject TEXT, moment INTEGER, PRIMARY KEY (place, kind, key)) WITHOUT ROWID;\n",
    );
    if found == 1 {
        script.push_str(include_str!("upgrade_2.sql"));
    }
    script.push_str(&format!("PRAGMA user_version = {VERSION};\nCOMMIT;"));
    connection.execute_batch(&script)?;
    Ok(())
}
