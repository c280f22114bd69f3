//! What was labelled by a clock that was wrong, once a person has turned the time back: it was made by now, and before all that is made
//! from now on.
//!
//! Otherwise the newest recovery point by its time would not be the newest, and what `latest` restores would be older than what there is,
//! until the wrong time has come. When a point ends is not touched: that hangs on its run's due time, or on what a person asked for.

use jiff::{SignedDuration, Timestamp};

use super::rows::{Item, Job, Point, Stage};
use crate::core::Context;
use crate::store::{StoreError, Tx};

/// Gives whatever says that it was made later than now a time that is over, in the order in which it was made.
pub(super) fn relabel(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for mut item in tx.all::<Item>()? {
        if item.last_point.is_none_or(|time| time <= ctx.now) {
            continue;
        }
        // The newest first.
        let points = Point::of(tx, &crate::store::Row::key(&item))?;
        let mut before = ctx.now;
        for mut point in points.into_iter().filter(|point| point.time > ctx.now) {
            before = earlier(before);
            point.time = before;
            tx.put(&point)?;
        }
        item.last_point = Point::of(tx, &crate::store::Row::key(&item))?
            .first()
            .map(|point| point.time);
        if let Some(last) = &mut item.last_backup {
            last.began = last.began.min(ctx.now);
        }
        tx.put(&item)?;
    }
    for mut job in tx.all::<Job>()? {
        let is_later = |time: &Timestamp| *time > ctx.now;
        let ended = match &job.stage {
            Stage::Ended { when, .. } => Some(*when),
            _ => None,
        };
        if is_later(&job.began) || ended.as_ref().is_some_and(is_later) {
            job.began = job.began.min(ctx.now);
            if let Stage::Ended { when, .. } = &mut job.stage {
                *when = (*when).min(ctx.now);
            }
            tx.put(&job)?;
        }
    }
    Ok(())
}

/// A second before: what the wire tells apart.
fn earlier(time: Timestamp) -> Timestamp {
    time.checked_sub(SignedDuration::from_secs(1))
        .unwrap_or(Timestamp::MIN)
}
