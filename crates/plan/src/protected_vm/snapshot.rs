//! The newest recovery point's snapshot: it goes after some days, and no backup ends then that would have the points counted again.

use jiff::SignedDuration;
use kluis_api::StorageTier;

use super::outlook::in_force;
use crate::world::ProtectedVmWorld;

/// How soon one is asked after again that is still there when it should have gone.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// How often one is asked after of which no policy says when it goes: that of a machine whose protection is stopped.
const NOW_AND_THEN: SignedDuration = SignedDuration::from_hours(24);

/// Whether the newest point has a snapshot by the status, and may have none by now.
pub(super) fn may_have_gone(world: &ProtectedVmWorld) -> bool {
    let Some(points) = world
        .status()
        .and_then(|status| status.recovery_points.as_ref())
    else {
        return false;
    };
    if !points.newest_tier.is_some_and(is_snapshot) {
        return false;
    }
    let Some(looked) = points.newest_tier_as_of.as_ref().map(|time| time.0) else {
        return true;
    };
    let days = in_force::terms(world).and_then(|terms| terms.instant_restore_days);
    let goes = days.zip(points.newest.as_ref()).and_then(|(days, newest)| {
        let stays = SignedDuration::from_hours(24 * i64::from(days));
        newest.0.checked_add(stays).ok()
    });
    let ago = world.now.duration_since(looked);
    match goes {
        Some(goes) => world.now >= goes && (looked < goes || ago >= AGAIN),
        None => ago >= NOW_AND_THEN,
    }
}

/// Whether a point that is there has a snapshot.
pub(super) fn is_snapshot(tier: StorageTier) -> bool {
    matches!(tier, StorageTier::Snapshot | StorageTier::SnapshotAndVault)
}
