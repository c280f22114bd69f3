//! What we leave in a source is removed when nobody needs it any more: the dirty bitmaps in the images of machines.
//!
//! A bitmap is of use for as long as backups of its disk are to come. Once protection stops, whether or not its data are
//! kept, once an item is deleted, or a disk is left out or taken off its machine, the bitmap goes; a backup that comes after
//! all reads the disk whole. An image that somebody holds, or that can't be reached, is tried again, ever more seldom, and in
//! the end given up: by then its owner was told for a month.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::rows::{BitmapRemoval, Item, TrackedImage};
use crate::core::{BitmapReport, Context, Effect};
use crate::store::{Row as _, StoreError, Tx};

/// After so many tries it is given up: after the first hours there is one a day, for a month.
const MOST_TRIES: u32 = 36;

/// Notes that bitmaps are about to be begun in these images, and has those go that are in others of the item.
pub(super) fn track(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    item: &Item,
    images: &[PathBuf],
) -> Result<(), StoreError> {
    release(ctx, tx, item, |image| {
        images.iter().any(|kept| kept == image)
    })?;
    for image in images {
        tx.delete::<BitmapRemoval>(&BitmapRemoval::key_of(image))?;
        tx.put(&TrackedImage {
            item: item.key(),
            image: image.clone(),
        })?;
    }
    Ok(())
}

/// Whether an image has, as far as is known, the bitmaps of the item's points.
pub(super) fn is_tracked(tx: &Tx<'_>, item: &str, image: &Path) -> Result<bool, StoreError> {
    let found = tx.get::<TrackedImage>(&TrackedImage::key_of(item, image))?;
    Ok(found.is_some())
}

/// An item's protection may have ended, or a backup before a restore began bitmaps of one whose had: then they go.
pub(super) fn review(ctx: &Context<'_>, tx: &mut Tx<'_>, item: &Item) -> Result<(), StoreError> {
    if item.state.is_scheduled() {
        return Ok(());
    }
    release(ctx, tx, item, |_| false)
}

/// Has the bitmaps of an item go from the images that are not to be kept.
pub(super) fn release(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    item: &Item,
    keep: impl Fn(&Path) -> bool,
) -> Result<(), StoreError> {
    for tracked in TrackedImage::of(tx, &item.key())? {
        if !keep(&tracked.image) {
            tx.delete::<TrackedImage>(&tracked.key())?;
            want(ctx, tx, item, tracked.image)?;
        }
    }
    Ok(())
}

fn want(ctx: &Context<'_>, tx: &mut Tx<'_>, item: &Item, image: PathBuf) -> Result<(), StoreError> {
    tx.put(&BitmapRemoval {
        image,
        of_vault: item.vault.to_string(),
        vm: item.vm.clone(),
        since: ctx.now,
        due: Some(ctx.now),
        tries: 0,
        running: false,
        trouble: None,
    })
}

/// Removes what is to be removed now.
pub(super) fn run_due(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<Vec<Effect>, StoreError> {
    let mut effects = Vec::new();
    for mut removal in BitmapRemoval::all(tx)? {
        if removal.running || removal.due.is_none_or(|due| due > ctx.now) {
            continue;
        }
        if TrackedImage::is_any(tx, &removal.image)? {
            // Another item's by now: its next backup sees to what is not its own.
            tx.delete::<BitmapRemoval>(&removal.key())?;
            continue;
        }
        removal.running = true;
        tx.put(&removal)?;
        effects.push(Effect::RemoveBitmaps {
            image: removal.image,
        });
    }
    Ok(effects)
}

/// When something is to be removed next.
pub(super) fn next_due(tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    let all = BitmapRemoval::all(tx)?;
    let waiting = all.iter().filter(|removal| !removal.running);
    Ok(waiting.filter_map(|removal| removal.due).min())
}

/// Whether something is being removed.
pub(super) fn busy(tx: &Tx<'_>) -> Result<bool, StoreError> {
    Ok(BitmapRemoval::all(tx)?
        .iter()
        .any(|removal| removal.running))
}

/// After a restart: what was being removed is tried again.
pub(super) fn resume(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for mut removal in BitmapRemoval::all(tx)? {
        removal.running = false;
        tx.put(&removal)?;
    }
    Ok(())
}

/// Takes in how a removal went.
pub(super) fn removed(
    report: &BitmapReport,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<(), StoreError> {
    let key = BitmapRemoval::key_of(&report.image);
    let Some(mut removal) = tx.get::<BitmapRemoval>(&key)? else {
        return Ok(());
    };
    match &report.result {
        Ok(()) => tx.delete::<BitmapRemoval>(&key).map(|_| ()),
        Err(why) => {
            removal.running = false;
            removal.tries += 1;
            removal.trouble = Some(why.clone());
            removal.due = (removal.tries < MOST_TRIES)
                .then(|| ctx.now.checked_add(pause(removal.tries)).ok())
                .flatten();
            tx.put(&removal)
        }
    }
}

/// How long nothing is done after a try that failed.
fn pause(tries: u32) -> SignedDuration {
    match tries {
        0 | 1 => SignedDuration::from_mins(1),
        2 => SignedDuration::from_mins(10),
        3 => SignedDuration::from_hours(1),
        4..=6 => SignedDuration::from_hours(6),
        _ => SignedDuration::from_hours(24),
    }
}
