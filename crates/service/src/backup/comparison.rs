//! State and vaults compared: after each start, when a vault that could not be used is back, every hour, after each scrub, and
//! when a job does not find a snapshot that is to be there. A state that is older than a
//! vault (an earlier one was put back) knows less than the vault holds, and believes what the vault has no more.
//!
//! A complete snapshot that no row knows becomes the recovery point that it carries; one of an item that the state does not
//! know is told and left alone. A point whose snapshot is gone is marked, and given back when the snapshot is. Where either was
//! found nothing goes by its age for [`HELD`], for the policies may be old ones, too; and until a vault has been compared,
//! nothing is removed from it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use kluis_vault::Survey;
use serde::{Deserialize, Serialize};

use super::rows::{Hardened, Item, Job, Kind, Point};
use super::{carried, queue};
use crate::core::{Context, Effect, VaultKey};
use crate::store::{Row, StoreError, Tx};
use crate::vaults::{self, VaultRow};

/// How long nothing goes by its age after state and vault were found to differ: for a person to look.
const HELD: SignedDuration = SignedDuration::from_hours(24 * 7);
/// So many machines that the state does not know are named.
const MOST_NAMED: usize = 20;

/// How a vault and the state agreed when they were compared last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    vault: VaultKey,
    /// It is to be made, before anything is removed from the vault.
    pub due: bool,
    /// Whether anything was found then that is to be told.
    #[serde(skip)]
    pub differs: bool,
    /// Since when they are known to have differed.
    pub differed: Option<Timestamp>,
    /// Points that were taken in from the vault then.
    pub taken_in: u64,
    /// Points whose snapshots the vault does not have, now.
    pub missing: u64,
    /// Machines, as `group/name`, of which the vault has points and the state has no item. Not more than a few.
    pub strangers: Vec<String>,
    /// How many snapshots are of such machines.
    pub of_strangers: u64,
    /// Snapshots that nobody knows and that can't be used.
    pub unusable: u64,
}

impl Row for Comparison {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        Self::key_of(&self.vault)
    }

    fn vault(&self) -> String {
        self.vault.as_str().to_owned()
    }
}

impl Comparison {
    fn key_of(vault: &VaultKey) -> String {
        format!("comparison/{vault}")
    }

    fn of(tx: &Tx<'_>, vault: &VaultKey) -> Result<Self, StoreError> {
        let known = tx.get::<Self>(&Self::key_of(vault))?;
        Ok(known.unwrap_or_else(|| Self {
            vault: vault.clone(),
            due: false,
            differs: false,
            differed: None,
            taken_in: 0,
            missing: 0,
            strangers: Vec::new(),
            of_strangers: 0,
            unusable: 0,
        }))
    }
}

/// Has a vault compared with the state.
///
/// # Errors
/// When the store fails; so for every function here.
pub fn want(tx: &mut Tx<'_>, vault: &VaultKey) -> Result<(), StoreError> {
    let known = Comparison::of(tx, vault)?;
    if known.due {
        return Ok(());
    }
    tx.put(&Comparison { due: true, ..known })
}

/// The same, at once.
pub(super) fn want_now(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    vault: &VaultKey,
) -> Result<Vec<Effect>, StoreError> {
    // One that is being moved or removed is compared when it is back.
    let row = tx.get::<VaultRow>(vault.as_str())?;
    let Some(row) = row.filter(|row| row.state() == "Succeeded") else {
        return Ok(Vec::new());
    };
    want(tx, vault)?;
    Ok(vec![Effect::CompareVault {
        path: ctx.vault_path(&row.resource_group, &row.name),
        vault: vault.clone(),
    }])
}

/// How a vault and the state agreed.
pub fn comparison(tx: &Tx<'_>, vault: &VaultKey) -> Result<Comparison, StoreError> {
    Comparison::of(tx, vault)
}

/// What the state knows of a vault's snapshots.
#[derive(Debug, Default)]
pub struct Known {
    /// All of them.
    pub all: BTreeSet<String>,
    /// Of these, those that the vault did not have when it was last compared.
    lost: BTreeSet<String>,
    /// And those whose removal has begun: they may be there or not.
    removing: BTreeSet<String>,
}

impl Known {
    /// Whether a vault that has these snapshots is as the state believes; `strangers` are those that were looked at before and
    /// are nobody's. Where it is not, a survey says what it is.
    #[must_use]
    pub fn agrees(&self, present: &BTreeSet<String>, strangers: &BTreeSet<String>) -> bool {
        let is_as_told =
            |snapshot: &&String| present.contains(*snapshot) != self.lost.contains(*snapshot);
        let mut settled = self.all.difference(&self.removing);
        settled.all(|snapshot| is_as_told(&snapshot))
            && present
                .difference(&self.all)
                .eq(strangers.difference(&self.all))
    }
}

/// What the state knows of a vault's snapshots: to be asked before they are listed, for what is saved meanwhile is no stranger.
///
/// # Errors
/// When the store fails.
pub fn known(tx: &Tx<'_>, vault: &VaultKey) -> Result<Known, StoreError> {
    let mut known = Known::default();
    for point in tx.list::<Point>(vault.as_str())? {
        let Some(hardened) = point.hardened else {
            continue;
        };
        if point.lost.is_some() {
            known.lost.insert(hardened.snapshot.clone());
        }
        if point.removing {
            known.removing.insert(hardened.snapshot.clone());
        }
        known.all.insert(hardened.snapshot);
    }
    Ok(known)
}

/// Whether a removal has to wait for the comparison. A vault that can't be opened holds nobody up: its removals fail.
pub(super) fn holds_up(tx: &Tx<'_>, job: &Job) -> Result<bool, StoreError> {
    if !matches!(job.kind, Kind::Cleanup) || !Comparison::of(tx, &job.vault)?.due {
        return Ok(false);
    }
    let trouble = vaults::trouble_of(tx, &job.vault)?;
    Ok(!trouble.is_some_and(|trouble| trouble.closed))
}

/// Lets go on what waited for the comparison of a vault that can't be opened.
///
/// # Errors
/// When the store fails.
pub fn given_up(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<Vec<Effect>, StoreError> {
    queue::dispatch(ctx, tx)
}

/// Until when nothing of a vault goes by its age.
pub(crate) fn held(
    ctx: &Context<'_>,
    tx: &Tx<'_>,
    vault: &VaultKey,
) -> Result<Option<Timestamp>, StoreError> {
    let Some(since) = Comparison::of(tx, vault)?.differed else {
        return Ok(None);
    };
    let until = since.checked_add(HELD).unwrap_or(Timestamp::MAX);
    Ok((until > ctx.clock.proven(ctx.now, since)).then_some(until))
}

/// Whether a vault and the state have been compared and agree, as far as is known.
pub fn is_settled(ctx: &Context<'_>, tx: &Tx<'_>, vault: &VaultKey) -> Result<bool, StoreError> {
    Ok(!Comparison::of(tx, vault)?.due && held(ctx, tx, vault)?.is_none())
}

/// Takes in what a survey of a vault found, beside what was `known` when it began.
pub fn take_in(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    vault: &VaultKey,
    known: &BTreeSet<String>,
    survey: &Survey,
) -> Result<(Comparison, Vec<Effect>), StoreError> {
    let items: BTreeMap<String, Item> = tx
        .list::<Item>(vault.as_str())?
        .into_iter()
        .map(|item| (item.key(), item))
        .collect();
    let now_known = self::known(tx, vault)?.all;
    let (mut taken_in, mut of_strangers, mut strangers) = (0, 0, BTreeSet::new());
    for found in &survey.unknown {
        let job = found.snapshot.tag("job").unwrap_or_default();
        // A job that is not over takes note of its own.
        if now_known.contains(&found.snapshot.saved.snapshot)
            || Job::find(tx, job)?.is_some_and(|job| job.is_active())
        {
            continue;
        }
        let machine = carried::machine(found);
        let key = machine
            .as_ref()
            .map(|(group, name)| Item::key_of(vault, group, name));
        let item = key.and_then(|key| items.get(&key));
        let Some(point) = item.and_then(|item| carried::point(found, vault, item)) else {
            of_strangers += 1;
            let (group, name) = machine.unwrap_or_else(|| (String::new(), found.vm.clone()));
            strangers.insert(format!("{group}/{name}"));
            continue;
        };
        taken_in += u64::from(add(tx, point)?);
    }
    let (lost, missing) = mark(ctx, tx, vault, known, &survey.present)?;
    for item in items.values() {
        settle(tx, item)?;
    }
    let before = Comparison::of(tx, vault)?;
    let was_locked = survey.unknown.iter().any(carried::is_of_locked);
    let locked_again = was_locked && vaults::lock(tx, vault)?;
    let differs = taken_in > 0 || lost > 0 || locked_again;
    let comparison = Comparison {
        due: false,
        differs: differs || of_strangers > 0,
        differed: if differs {
            Some(ctx.now)
        } else {
            before.differed
        },
        taken_in: if differs { taken_in } else { before.taken_in },
        missing,
        strangers: strangers.into_iter().take(MOST_NAMED).collect(),
        of_strangers,
        unusable: survey.unusable.len() as u64,
        vault: vault.clone(),
    };
    tx.put(&comparison)?;
    let effects = queue::dispatch(ctx, tx)?;
    Ok((comparison, effects))
}

/// Adds a point that the vault proved; one whose snapshot files alone were known is in the vault, too. Whether that was news.
fn add(tx: &mut Tx<'_>, point: Point) -> Result<bool, StoreError> {
    let Some(mut known) = tx.get::<Point>(&point.key())? else {
        return tx.put(&point).map(|()| true);
    };
    if known.hardened.is_some() && known.lost.is_none() {
        return Ok(false);
    }
    known.hardened = point.hardened.map(|hardened| Hardened {
        tracked: Vec::new(),
        ..hardened
    });
    known.lost = None;
    tx.put(&known).map(|()| true)
}

/// Marks the points whose snapshots are gone and gives back those whose snapshots are there again: how many are newly marked,
/// and how many are.
fn mark(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    vault: &VaultKey,
    known: &BTreeSet<String>,
    present: &BTreeSet<String>,
) -> Result<(u64, u64), StoreError> {
    let (mut lost, mut missing) = (0, 0);
    for mut point in tx.list::<Point>(vault.as_str())? {
        let Some(hardened) = &point.hardened else {
            continue;
        };
        let there = present.contains(&hardened.snapshot) || !known.contains(&hardened.snapshot);
        match (there, point.lost) {
            (true, Some(_)) => {
                point.lost = None;
                tx.put(&point)?;
            }
            (false, None) if !point.removing => {
                lost += 1;
                point.lost = Some(ctx.now);
                tx.put(&point)?;
            }
            _ => {}
        }
        missing += u64::from(point.lost.is_some());
    }
    Ok((lost, missing))
}

/// The item's newest point is the newest that can be used.
fn settle(tx: &mut Tx<'_>, item: &Item) -> Result<(), StoreError> {
    let points = Point::of(tx, &item.key())?;
    let newest = points.iter().find(|point| point.is_usable());
    let Some(mut item) = tx.get::<Item>(&item.key())? else {
        return Ok(());
    };
    let before = item.clone();
    item.last_point = None;
    if let Some(newest) = newest {
        item.has_point(newest.time);
    }
    if item != before {
        tx.put(&item)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn names_alone_tell_whether_a_vault_has_to_be_surveyed() {
        let known = Known {
            all: set(&["a", "b", "gone", "going"]),
            lost: set(&["gone"]),
            removing: set(&["going"]),
        };
        for (present, strangers, agrees) in [
            (&["a", "b"][..], &[][..], true),
            (&["a", "b", "going"], &[], true),
            (&["a"], &[], false),
            (&["a", "b", "gone"], &[], false),
            (&["a", "b", "new"], &[], false),
            (&["a", "b", "other"], &["other"], true),
            (&["a", "b", "other", "new"], &["other"], false),
            (&["a", "b"], &["other"], false),
            // What was nobody's is a point's now.
            (&["a", "b"], &["b"], true),
        ] {
            let found = known.agrees(&set(present), &set(strangers));
            assert_eq!(found, agrees, "{present:?} beside {strangers:?}");
        }
    }
}
