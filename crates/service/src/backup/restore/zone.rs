//! The zone of what is restored (rule 29): that which the machine was in. Azure's newer clients may name another of the region's.

use kluis_arm::region;

use super::Asked;
use super::wanted::{Target, Wanted, ZoneChoice};
use crate::core::Refusal;

/// The zone of the disks, and of the machine of them.
pub(super) fn of(wanted: &Wanted, asked: &Asked<'_>) -> Option<String> {
    let now = asked.source.and_then(|vm| vm.zone.clone());
    match (&wanted.target, &asked.point.shape) {
        (Target::InPlace, _) => now,
        (_, shape) => match (&wanted.zone, shape) {
            (ZoneChoice::Zone(zone), _) => Some(zone.clone()),
            (ZoneChoice::NoZone, _) => None,
            (ZoneChoice::AsItWas, Some(shape)) => shape.zone.clone(),
            (ZoneChoice::AsItWas, None) => now,
        },
    }
}

/// Whether the region has the zone that the request names.
pub(super) fn there(zone: &ZoneChoice, region: &str) -> Result<(), Refusal> {
    match zone {
        ZoneChoice::Zone(zone) if !region::has_zones(region) => Err(Refusal::bad_request(
            "UserErrorInvalidZone",
            format!(
                "The region '{region}' has no availability zones, and so no zone '{zone}' (rule 29). Leave 'zones' out."
            ),
        )),
        _ => Ok(()),
    }
}

/// Where a machine is, for a sentence.
pub(super) fn in_words(zone: Option<&str>) -> String {
    zone.map_or_else(|| "no zone".to_owned(), |zone| format!("zone '{zone}'"))
}
