//! A transaction over typed documents.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};

use super::row::micros;
use super::{Row, StoreError, TABLES};

/// Reads and writes that happen together or not at all.
#[derive(Debug)]
pub struct Tx<'a> {
    pub(super) transaction: Transaction<'a>,
}

impl<'a> Tx<'a> {
    pub(super) fn new(transaction: Transaction<'a>) -> Self {
        Self { transaction }
    }

    pub(super) fn commit(self) -> Result<(), StoreError> {
        Ok(self.transaction.commit()?)
    }

    /// What `work` returns, and nothing of what it wrote: for finding out whether something would be taken.
    ///
    /// # Errors
    /// When the database fails; what `work` returns is the caller's.
    pub fn trial<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> Result<T, StoreError> {
        self.transaction.execute_batch("SAVEPOINT trial")?;
        let found = work(self);
        self.transaction
            .execute_batch("ROLLBACK TO trial; RELEASE trial")?;
        Ok(found)
    }

    /// The document by its key.
    ///
    /// # Errors
    /// When the database fails or the document is not of this shape; so for every method here.
    pub fn get<R: Row>(&self, key: &str) -> Result<Option<R>, StoreError> {
        let body: Option<String> = self
            .transaction
            .prepare(&format!("SELECT body FROM {} WHERE key = ?1", R::TABLE))?
            .query_row([key], |row| row.get(0))
            .optional()?;
        body.map(|body| parse::<R>(key, &body)).transpose()
    }

    /// Writes a document over the one of the same key, if any.
    pub fn put<R: Row>(&mut self, row: &R) -> Result<(), StoreError> {
        let key = row.key();
        let body = serde_json::to_string(row).map_err(|source| StoreError::Document {
            table: R::TABLE,
            key: key.clone(),
            source,
        })?;
        self.transaction
            .prepare(&format!(
                "INSERT INTO {} (key, vault, body, subject, moment) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (key) DO UPDATE SET vault = excluded.vault, body = excluded.body, \
                 subject = excluded.subject, moment = excluded.moment",
                R::TABLE
            ))?
            .execute(params![
                key,
                row.vault(),
                body,
                row.subject(),
                row.moment().map(micros)
            ])?;
        Ok(())
    }

    /// Removes a document; `false` when there was none.
    pub fn delete<R: Row>(&mut self, key: &str) -> Result<bool, StoreError> {
        let removed = self
            .transaction
            .prepare(&format!("DELETE FROM {} WHERE key = ?1", R::TABLE))?
            .execute([key])?;
        Ok(removed > 0)
    }

    /// A vault's documents in the order of their keys.
    pub fn list<R: Row>(&self, vault: &str) -> Result<Vec<R>, StoreError> {
        self.rows(
            &format!(
                "SELECT key, body FROM {} WHERE vault = ?1 ORDER BY key",
                R::TABLE
            ),
            params![vault],
        )
    }

    /// A table's documents whose keys begin with `prefix`, in the order of their keys.
    pub fn starting<R: Row>(&self, prefix: &str) -> Result<Vec<R>, StoreError> {
        let sql = format!(
            "SELECT key, body FROM {} WHERE key >= ?1 AND key < ?1 || char(1114111) ORDER BY key",
            R::TABLE
        );
        self.rows(&sql, params![prefix])
    }

    /// A table's documents about `subject`, in the order of their moments; those that have one, from `since` on.
    pub fn about<R: Row>(
        &self,
        subject: &str,
        since: Option<Timestamp>,
    ) -> Result<Vec<R>, StoreError> {
        let sql = format!(
            "SELECT key, body FROM {} WHERE subject = ?1 AND coalesce(moment, ?2) >= ?2 ORDER BY moment, key",
            R::TABLE
        );
        self.rows(&sql, params![subject, since.map_or(i64::MIN, micros)])
    }

    /// A table's documents about `subject` whose keys begin with `prefix`, in the order of their moments.
    pub fn about_starting<R: Row>(
        &self,
        subject: &str,
        prefix: &str,
    ) -> Result<Vec<R>, StoreError> {
        let sql = format!(
            "SELECT key, body FROM {} WHERE subject = ?1 AND key >= ?2 AND key < ?2 || char(1114111) ORDER BY moment, key",
            R::TABLE
        );
        self.rows(&sql, params![subject, prefix])
    }

    /// A table's documents whose keys begin with `prefix` and whose moment is `now` or before, in the order of their keys.
    pub fn due_starting<R: Row>(&self, prefix: &str, now: Timestamp) -> Result<Vec<R>, StoreError> {
        let sql = format!(
            "SELECT key, body FROM {} WHERE key >= ?1 AND key < ?1 || char(1114111) AND moment <= ?2 ORDER BY key",
            R::TABLE
        );
        self.rows(&sql, params![prefix, micros(now)])
    }

    /// A table's documents that have a moment, in that order.
    pub fn having_moment<R: Row>(&self) -> Result<Vec<R>, StoreError> {
        let sql = format!(
            "SELECT key, body FROM {} WHERE moment IS NOT NULL ORDER BY moment, key",
            R::TABLE
        );
        self.rows(&sql, params![])
    }

    /// How many documents of a table have keys that begin with `prefix`.
    pub fn count_starting<R: Row>(&self, prefix: &str) -> Result<usize, StoreError> {
        let sql = format!(
            "SELECT count(*) FROM {} WHERE key >= ?1 AND key < ?1 || char(1114111)",
            R::TABLE
        );
        let count: i64 = self
            .transaction
            .prepare(&sql)?
            .query_row([prefix], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// A table's documents whose moment is `now` or before, in that order.
    pub fn due<R: Row>(&self, now: Timestamp) -> Result<Vec<R>, StoreError> {
        let sql = format!(
            "SELECT key, body FROM {} WHERE moment <= ?1 ORDER BY moment, key",
            R::TABLE
        );
        self.rows(&sql, params![micros(now)])
    }

    /// The first moment of a table's documents.
    pub fn first_due<R: Row>(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = format!("SELECT min(moment) FROM {}", R::TABLE);
        let found: Option<i64> = self
            .transaction
            .prepare(&sql)?
            .query_row([], |row| row.get(0))?;
        Ok(found.map(|at| Timestamp::from_microsecond(at).unwrap_or(Timestamp::MAX)))
    }

    /// The first moment after `now` of a table's documents.
    pub fn next_due<R: Row>(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let sql = format!("SELECT min(moment) FROM {} WHERE moment > ?1", R::TABLE);
        let found: Option<i64> = self
            .transaction
            .prepare(&sql)?
            .query_row([micros(now)], |row| row.get(0))?;
        Ok(found.and_then(|at| Timestamp::from_microsecond(at).ok()))
    }

    /// Whether a table has a document whose key begins with `prefix`.
    pub fn any_starting<R: Row>(&self, prefix: &str) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM {} WHERE key >= ?1 AND key < ?1 || char(1114111))",
            R::TABLE
        );
        Ok(self
            .transaction
            .prepare(&sql)?
            .query_row([prefix], |row| row.get(0))?)
    }

    /// All documents of a table in the order of their keys.
    pub fn all<R: Row>(&self) -> Result<Vec<R>, StoreError> {
        self.rows(
            &format!("SELECT key, body FROM {} ORDER BY key", R::TABLE),
            params![],
        )
    }

    /// How many documents of a table a vault has.
    pub fn count<R: Row>(&self, vault: &str) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM {} WHERE vault = ?1", R::TABLE);
        let count: i64 = self
            .transaction
            .prepare(&sql)?
            .query_row([vault], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// How many documents a table has.
    pub fn total<R: Row>(&self) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM {}", R::TABLE);
        let count: i64 = self
            .transaction
            .prepare(&sql)?
            .query_row([], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Removes everything of a vault but its operations, which outlive it so that a client can see its deletion end.
    pub fn forget_vault(&mut self, vault: &str) -> Result<(), StoreError> {
        for table in of_a_vault() {
            self.transaction
                .execute(&format!("DELETE FROM {table} WHERE vault = ?1"), [vault])?;
        }
        Ok(())
    }

    fn rows<R: Row>(
        &self,
        sql: &str,
        parameters: &[&dyn rusqlite::ToSql],
    ) -> Result<Vec<R>, StoreError> {
        let mut statement = self.transaction.prepare(sql)?;
        let mut rows = statement.query(parameters)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (key, body): (String, String) = (row.get(0)?, row.get(1)?);
            found.push(parse::<R>(&key, &body)?);
        }
        Ok(found)
    }
}

/// The tables whose documents go and stay with their vault.
pub(super) fn of_a_vault() -> impl Iterator<Item = &'static str> {
    TABLES
        .into_iter()
        .filter(|table| !["operations", "deleted"].contains(table))
}

pub(super) fn parse<R: Row>(key: &str, body: &str) -> Result<R, StoreError> {
    serde_json::from_str(body).map_err(|source| StoreError::Document {
        table: R::TABLE,
        key: key.to_owned(),
        source,
    })
}
