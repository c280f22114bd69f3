//! Recovery points that may hold older data in places, because a bitmap said that something had not changed that had.

use super::{Problem, Severity};
use crate::backup;
use crate::backup::rows::{Item, OlderData};
use crate::core::Context;
use crate::store::{Row as _, StoreError, Tx};

/// Points that a message names.
const MOST_NAMED: usize = 5;

pub(super) fn problems(
    _: &Context<'_>,
    tx: &Tx<'_>,
    item: &Item,
) -> Result<Vec<Problem>, StoreError> {
    let Some(told) = OlderData::of(tx, &item.key())? else {
        return Ok(Vec::new());
    };
    let points = backup::older_points(tx, &told)?;
    if points.is_empty() {
        return Ok(Vec::new());
    }
    let mut named: Vec<String> = points
        .iter()
        .take(MOST_NAMED)
        .map(|point| {
            format!(
                "{} of {} ({})",
                point.name,
                point.time,
                point.stale.join(", ")
            )
        })
        .collect();
    if points.len() > MOST_NAMED {
        named.push(format!("{} more", points.len() - MOST_NAMED));
    }
    let message = format!(
        "{} recovery points may hold older data in places: {}. What a dirty bitmap called unchanged when their disks were read was later found not to be. \
         The disks were read whole then: newer points are right.",
        points.len(),
        named.join(", ")
    );
    let problem = Problem::new(
        900_106,
        Severity::Warning,
        "RecoveryPointsOlderData",
        message,
        &[
            "Restore a newer point. The ones named stay until their time is over, and may be of use where no other is.",
            "Find out what wrote to the disks past QEMU, or what changed the bitmaps.",
        ],
    );
    Ok(vec![problem.since(Some(told.since))])
}
