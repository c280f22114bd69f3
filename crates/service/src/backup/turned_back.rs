//! What was labelled by a clock that was wrong, once a person has turned the time back: it was made by now, and before all that is made
//! from now on.
//!
//! Otherwise the newest recovery point by its time would not be the newest, and what `latest` restores would be older than what there is,
//! until the wrong time has come. When a point ends is not touched: that hangs on its run's due time, or on what a person asked for. Its
//! snapshot's days are counted from when the snapshot was made, and move with that.

use jiff::{SignedDuration, Timestamp};

use super::rows::{Item, Job, Point, Stage};
use crate::core::Context;
use crate::store::{Row as _, StoreError, Tx};

/// Gives whatever says that it was made later than now a time that is over, in the order in which it was made.
pub(super) fn relabel(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for mut item in tx.all::<Item>()? {
        // The newest first.
        let mut points = Point::of(tx, &item.key())?;
        let mut before = ctx.now;
        for point in points.iter_mut().filter(|point| point.time > ctx.now) {
            before = earlier(before);
            let by = point.time.duration_since(before);
            if let Some(instant) = &mut point.instant {
                // Its days are counted from the snapshot.
                instant.until = instant.until.checked_sub(by).unwrap_or(Timestamp::MIN);
            }
            point.time = before;
            tx.put(point)?;
        }
        if item.last_point.is_some_and(|time| time > ctx.now) {
            let newest = points.iter().find(|point| point.is_usable());
            item.last_point = newest.map(|point| point.time);
        }
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
