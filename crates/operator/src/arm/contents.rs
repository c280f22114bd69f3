//! Everything that a vault holds, of whatever kind: what less soft delete puts at stake.
//!
//! It is another list than that of the machines, and asked for where somebody declares less soft delete only: at rest it costs nothing.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kluis_arm::{filter::Filter, id::VaultId, item::Item};
use kluis_client::Failure;

use super::{
    line::Line,
    listing::Asked,
    lists::{Freshness, in_vault},
    pages::{self, Pages},
};

/// A vault's whole contents, as they were listed.
#[derive(Debug, Default)]
pub(super) struct Contents {
    listed: Option<(Asked, Arc<Vec<Item>>)>,
}

impl Contents {
    /// The list, where it is younger than `age` and nothing was written into the vault since.
    fn look(&self, now: Timestamp, age: SignedDuration, touched: u64) -> Option<Arc<Vec<Item>>> {
        let (asked, items) = self.listed.as_ref()?;
        let old = now.duration_since(asked.at);
        let is_sound = asked.moment > touched && old >= SignedDuration::ZERO && old < age;
        is_sound.then(|| Arc::clone(items))
    }
}

impl Line {
    /// Every protected item of a vault, of every kind; softly deleted ones are among them.
    ///
    /// # Errors
    /// When they are not known and cannot be read. Of a vault that is not there, [`Failure::is_absent`].
    pub async fn contents(
        &self,
        vault: &VaultId,
        fresh: Freshness,
    ) -> Result<Arc<Vec<Item>>, Failure> {
        let age = self.age(fresh);
        let known = || {
            self.look(vault, |vault, now| {
                vault.contents.look(now, age, vault.touched())
            })
        };
        if let Some(items) = known() {
            return Ok(items);
        }
        let _gate = self.gate(vault, "contents").await;
        if let Some(items) = known() {
            return Ok(items);
        }
        let asked = self.asked();
        let request = in_vault(vault, "backupProtectedItems", &Filter::default());
        let listed: Pages<Item> = pages::read(self, request, Some).await?;
        let items = Arc::new(listed.entries);
        let learnt = Arc::clone(&items);
        self.with(|state| state.shelf.vault(vault).contents.listed = Some((asked, learnt)));
        Ok(items)
    }
}
