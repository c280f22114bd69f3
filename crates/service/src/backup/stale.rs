//! Points that may hold older data: what was called unchanged when they were made was found not to be.
//!
//! A dirty bitmap says what changed, and the rest is the parent's. Each backup reads a share of that rest all the same. Where
//! it differs, every point since the disk was last read whole leans on what the bitmap said.

use kluis_vault::Event;

use super::failure;
use super::rows::{Compared, Item, Job, OlderData, Point, Work};
use crate::core::Context;
use crate::store::{Row as _, StoreError, Tx};

/// What a mover says of what was called unchanged.
pub(super) fn heard(event: &Event, job: &mut Job) {
    let Work::Backup(work) = &mut job.work else {
        return;
    };
    match event {
        Event::Compared { disk, bytes, of } => {
            work.compared.push(Compared {
                disk: disk.clone(),
                bytes: *bytes,
                of: *of,
            });
            let bytes: u64 = work.compared.iter().map(|of| of.bytes).sum();
            let said = format!(
                "{} MB, all of it within {of} backups",
                bytes.div_ceil(1 << 20)
            );
            job.state("Unchanged Data Compared", said);
        }
        Event::Diverged { disk, chunks } => {
            work.diverged.push(disk.clone());
            let fault = failure::diverged(disk, *chunks);
            job.warnings.insert(0, fault);
        }
        _ => {}
    }
}

/// Marks the points of an item that lean on what was found to be untrue of `disks`.
pub(super) fn mark(
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
    item: &Item,
    disks: &[String],
) -> Result<(), StoreError> {
    if disks.is_empty() {
        return Ok(());
    }
    let mut points = Point::of(tx, &item.key())?;
    points.sort_by_key(|point| std::cmp::Reverse(point.time));
    for disk in disks {
        for point in &mut points {
            let Some(hardened) = &point.hardened else {
                continue;
            };
            if !hardened.incremental.contains(disk) {
                break;
            }
            if !point.stale.contains(disk) {
                point.stale.push(disk.clone());
            }
        }
    }
    tx.put(&OlderData {
        vault: item.vault.clone(),
        item: item.key(),
        since: ctx.now,
    })?;
    points
        .iter()
        .filter(|point| !point.stale.is_empty())
        .try_for_each(|point| tx.put(point))
}

/// The points of an item that may hold older data, the newest first.
pub(crate) fn points(tx: &Tx<'_>, told: &OlderData) -> Result<Vec<Point>, StoreError> {
    let mut points = Point::of(tx, &told.item)?;
    points.retain(|point| !point.stale.is_empty() && point.is_usable());
    Ok(points)
}

/// What the wire says of a point beside its fields.
pub(super) fn remark(point: &Point) -> String {
    if point.stale.is_empty() {
        return String::new();
    }
    format!(
        "May hold older data in places, of the disks: {}. What was called unchanged when they were read was later found not to be; newer points are right.",
        point.stale.join(", ")
    )
}
