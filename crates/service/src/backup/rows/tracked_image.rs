//! Images in which dirty bitmaps of ours are, or may be; and those from which they have to go.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::store::{Row, StoreError, Tx};

const KEPT: &str = "bitmaps/kept/";
const LEAVING: &str = "bitmaps/leaving/";

/// An image of an item's machine in which a bitmap was to be begun. Written before that is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrackedImage {
    /// The item's key.
    pub(crate) item: String,
    pub(crate) image: PathBuf,
}

impl Row for TrackedImage {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        Self::key_of(&self.item, &self.image)
    }

    fn vault(&self) -> String {
        String::new()
    }

    fn subject(&self) -> Option<String> {
        Some(self.image.display().to_string())
    }
}

impl TrackedImage {
    pub(crate) fn key_of(item: &str, image: &Path) -> String {
        format!("{KEPT}{item}/{}", image.display())
    }

    /// Those of an item.
    pub(crate) fn of(tx: &Tx<'_>, item: &str) -> Result<Vec<Self>, StoreError> {
        tx.starting(&format!("{KEPT}{item}/"))
    }

    /// Whether any item's backups need the bitmaps of an image.
    pub(crate) fn is_any(tx: &Tx<'_>, image: &Path) -> Result<bool, StoreError> {
        let found: Vec<Self> = tx.about_starting(&image.display().to_string(), KEPT)?;
        Ok(!found.is_empty())
    }
}

/// Bitmaps that nobody needs any more. It outlives its item, and its vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BitmapRemoval {
    pub(crate) image: PathBuf,
    /// The key of the vault that the machine was protected in.
    pub(crate) of_vault: String,
    pub(crate) vm: String,
    pub(crate) since: Timestamp,
    /// When it is tried next; `None` once it was given up.
    pub(crate) due: Option<Timestamp>,
    pub(crate) tries: u32,
    /// Whether it is being tried.
    pub(crate) running: bool,
    /// Why it did not succeed the last time.
    pub(crate) trouble: Option<String>,
}

impl Row for BitmapRemoval {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        Self::key_of(&self.image)
    }

    fn vault(&self) -> String {
        String::new()
    }
}

impl BitmapRemoval {
    pub(crate) fn key_of(image: &Path) -> String {
        format!("{LEAVING}{}", image.display())
    }

    /// All of them: few at any time.
    pub(crate) fn all(tx: &Tx<'_>) -> Result<Vec<Self>, StoreError> {
        tx.starting(LEAVING)
    }

    /// Those that were tried in vain.
    pub(crate) fn in_trouble(tx: &Tx<'_>) -> Result<Vec<Self>, StoreError> {
        let mut all = Self::all(tx)?;
        all.retain(|removal| removal.trouble.is_some());
        Ok(all)
    }
}
