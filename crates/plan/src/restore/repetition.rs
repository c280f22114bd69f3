//! A restore in place is done once. Its status says that it was done; where that is lost (a cluster that was rebuilt, an object that
//! came back from a copy), the vault knows. Three things tell: a job with the id that this object's request has ever after; a recovery
//! point that a restore in place made since the point that would come back, which only a service of one's own makes; and a person's
//! word, which names what it passes over.

use jiff::{SignedDuration, Timestamp};
use kluis_api::RestoredPoint;
use kluis_arm::job::{JobOperation, JobStatus, VmJob};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::goal::Goal;
use crate::errand::{began, detail, is_about};
use crate::gate::Target;
use crate::point;
use crate::waiting::Waiting;
use crate::world::{Observed, RestoreWorld, Want};

/// The annotation by which a person has a restore in place done once more: the name of what stands against it.
pub const AGAIN: &str = "kluis.dev/restore-again";

/// How far back jobs are looked at. Azure keeps them for half a year; a list of a month is a page or two.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The id of the request, as a UUID: the same for an object of this name that asks for the same.
pub(super) fn request_id(world: &RestoreWorld, target: &Target<'_>) -> String {
    let name = world.restore.metadata.name.as_deref().unwrap_or_default();
    let asks = json!([
        target.item.to_string().to_lowercase(),
        world.namespace(),
        name,
        world.restore.spec.from,
        world.restore.spec.to
    ]);
    let digest = hex::encode(Sha256::digest(asks.to_string().as_bytes()));
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    // As a UUID of the kind that its maker makes as it likes.
    format!(
        "{}-{}-8{}-8{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 15),
        part(15, 18),
        part(18, 30)
    )
}

/// The jobs that have to be read to know.
pub(super) fn want(world: &RestoreWorld, target: &Target<'_>, goal: &Goal<'_>) -> Option<Want> {
    matches!(goal, Goal::InPlace { .. }).then(|| Want::Jobs {
        vault: target.item.vault().clone(),
        operation: JobOperation::Restore,
        since: world.now.checked_sub(LOOK_BACK).unwrap_or(world.now),
    })
}

/// Whether it would be done a second time.
pub(super) fn check(
    world: &RestoreWorld,
    target: &Target<'_>,
    goal: &Goal<'_>,
    chosen: &RestoredPoint,
) -> Result<(), Waiting> {
    if !matches!(goal, Goal::InPlace { .. }) {
        return Ok(());
    }
    let annotations = world.restore.metadata.annotations.as_ref();
    let word = annotations.and_then(|all| all.get(AGAIN).map(String::as_str));
    let is_passed = |by: &str| word.is_some_and(|word| word.trim().eq_ignore_ascii_case(by));
    if let Some((when, job)) = own_job(world, target) {
        return match is_passed(&job) {
            true => Ok(()),
            false => Err(Waiting::RestoredAlready { job, when }),
        };
    }
    match newest_before_replacing(world) {
        Some((when, point)) if when > chosen.time.0 && !is_passed(&point) => {
            Err(Waiting::RestoredSince {
                chosen: chosen.name.clone(),
                point,
                when,
            })
        }
        _ => Ok(()),
    }
}

/// The newest job that this object's request began, unless it came to nothing.
fn own_job(world: &RestoreWorld, target: &Target<'_>) -> Option<(Timestamp, String)> {
    let own = request_id(world, target);
    let jobs = world.work.jobs.as_ref().and_then(Observed::found)?;
    let came_to_something = |detail: &VmJob| {
        !matches!(
            detail.status,
            Some(JobStatus::Failed | JobStatus::Cancelled)
        )
    };
    jobs.iter()
        .filter(|job| is_about(job, &target.item, &JobOperation::Restore))
        .filter(|job| {
            detail(job).is_some_and(|detail| {
                came_to_something(detail)
                    && detail
                        .activity_id
                        .as_deref()
                        .is_some_and(|id| id.eq_ignore_ascii_case(&own))
            })
        })
        .filter_map(|job| Some((began(job)?, job.name.clone()?)))
        .max()
}

/// The newest point that a restore in place made of what it replaced.
fn newest_before_replacing(world: &RestoreWorld) -> Option<(Timestamp, String)> {
    let points = world.work.known_points().iter();
    points
        .filter(|point| point::is_before_replacing(point))
        .filter_map(|point| Some((point::time(point)?, point.name.clone()?)))
        .max()
}
