//! The shelf: where the documents of a soft-deleted vault lie, untouched, so that nothing finds them and nothing is lost.

use rusqlite::params;

use super::tx::{of_a_vault, parse};
use super::{Row, StoreError, Tx};

const COLUMNS: &str = "key, vault, body, subject, moment";

impl Tx<'_> {
    /// Puts everything of a vault but its operations on the shelf, at `place`.
    ///
    /// # Errors
    /// When the database fails; so for every method here.
    pub fn shelve(&mut self, vault: &str, place: &str) -> Result<(), StoreError> {
        for table in of_a_vault() {
            let sql = format!(
                "INSERT INTO shelf (place, kind, {COLUMNS}) SELECT ?1, ?2, {COLUMNS} FROM {table} WHERE vault = ?3"
            );
            self.transaction
                .execute(&sql, params![place, table, vault])?;
        }
        self.forget_vault(vault)
    }

    /// Takes everything at `place` back from the shelf, over what has taken its keys meanwhile.
    pub fn unshelve(&mut self, place: &str) -> Result<(), StoreError> {
        for table in of_a_vault() {
            let sql = format!(
                "INSERT OR REPLACE INTO {table} ({COLUMNS}) SELECT {COLUMNS} FROM shelf WHERE place = ?1 AND kind = ?2"
            );
            self.transaction.execute(&sql, params![place, table])?;
        }
        self.clear_shelf(place)
    }

    /// Throws away what lies at `place`.
    pub fn clear_shelf(&mut self, place: &str) -> Result<(), StoreError> {
        self.transaction
            .execute("DELETE FROM shelf WHERE place = ?1", [place])?;
        Ok(())
    }

    /// The documents of one table that lie at `place`.
    pub fn shelved<R: Row>(&self, place: &str) -> Result<Vec<R>, StoreError> {
        let mut statement = self
            .transaction
            .prepare("SELECT key, body FROM shelf WHERE place = ?1 AND kind = ?2 ORDER BY key")?;
        let mut rows = statement.query(params![place, R::TABLE])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (key, body): (String, String) = (row.get(0)?, row.get(1)?);
            found.push(parse::<R>(&key, &body)?);
        }
        Ok(found)
    }

    /// The documents of one table that lie on the shelf, at any place.
    pub fn all_shelved<R: Row>(&self) -> Result<Vec<R>, StoreError> {
        let mut statement = self
            .transaction
            .prepare("SELECT key, body FROM shelf WHERE kind = ?1 ORDER BY place, key")?;
        let mut rows = statement.query(params![R::TABLE])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (key, body): (String, String) = (row.get(0)?, row.get(1)?);
            found.push(parse::<R>(&key, &body)?);
        }
        Ok(found)
    }
}
