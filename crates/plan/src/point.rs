//! What is read off a recovery point as the vault lists it.

use jiff::Timestamp;
use kluis_arm::recovery_point::{RecoveryPoint, RecoveryPointDetail, TierStatus};

/// When the point was made.
pub(crate) fn time(point: &RecoveryPoint) -> Option<Timestamp> {
    match &point.properties {
        RecoveryPointDetail::VirtualMachine(point) => {
            point.recovery_point_time.as_ref()?.moment().ok()?
        }
        RecoveryPointDetail::Other(_) => None,
    }
}

/// Whether something can come back from it. A point that is being removed is still listed, in no tier that it can be used from; one that
/// says nothing of tiers is taken at its word.
pub(crate) fn is_usable(point: &RecoveryPoint) -> bool {
    let RecoveryPointDetail::VirtualMachine(point) = &point.properties else {
        return true;
    };
    let tiers = point
        .recovery_point_tier_details
        .as_deref()
        .unwrap_or_default();
    tiers.is_empty()
        || tiers.iter().any(|tier| {
            !matches!(
                tier.status,
                Some(TierStatus::Disabled | TierStatus::Deleted | TierStatus::Invalid)
            )
        })
}
