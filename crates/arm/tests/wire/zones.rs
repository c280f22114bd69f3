//! Time zones by both names.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, civil::date};
use kluis_arm::zone::{self, ZoneError};
use kluis_policy::zones;

#[test]
fn zones_by_both_names() {
    assert_eq!(
        zone::to_azure("Europe/Amsterdam"),
        Ok("W. Europe Standard Time")
    );
    assert_eq!(zone::to_azure("UTC"), Ok("UTC"));
    assert_eq!(
        zone::to_iana("Pacific Standard Time"),
        Ok("America/Los_Angeles")
    );
    assert_eq!(zone::to_iana("utc"), Ok("UTC"));
    assert_eq!(
        zone::to_azure("Europe/Atlantis"),
        Err(ZoneError::NotIana("Europe/Atlantis".to_owned()))
    );
    assert!(matches!(
        zone::find("Atlantis Standard Time"),
        Err(ZoneError::Unknown(_))
    ));
    assert_eq!(
        zone::to_iana("India Standard Time"),
        Ok("Asia/Calcutta"),
        "the name that Unicode keeps"
    );
    assert_eq!(zone::to_azure("asia/kolkata"), Ok("India Standard Time"));
}

/// Whether two zones show the same hour on every day of fifteen years, from the one in which the table of names was made:
/// what was before is nobody's policy any more, and Windows' zones do not know it either.
fn show_the_same(one: &TimeZone, other: &TimeZone) -> bool {
    let first = date(2025, 1, 1)
        .to_zoned(TimeZone::UTC)
        .unwrap()
        .timestamp();
    (0..15 * 365).all(|day| {
        let noon = first + SignedDuration::from_hours(24 * day + 12);
        one.to_offset(noon) == other.to_offset(noon)
    })
}

/// Zones without a name in Azure, and why.
const NAMELESS: &[&str] = &[
    // Apart from Santiago since 2025, which the table does not know yet.
    "America/Coyhaique",
    // Canada's west and middle keep summer time all year from 2026 on, which Windows' zones of the same names do not.
    "America/Edmonton",
    "America/Inuvik",
    "America/Rainy_River",
    // Greenland's hours since 2024; the table still has those of the Azores.
    "America/Scoresbysund",
    "America/Vancouver",
    "America/Winnipeg",
    "America/Yellowknife",
    // Stations that changed their hours since, or keep those of no other place.
    "Antarctica/Casey",
    "Antarctica/Troll",
    "Antarctica/Vostok",
    "Canada/Central",
    "Canada/Mountain",
    "Canada/Pacific",
    // No place.
    "Factory",
];

#[test]
fn every_zone_that_has_a_name_in_azure_comes_back_with_the_same_rules() {
    let mut nameless = Vec::new();
    let mut other = Vec::new();
    let mut named = 0;
    for name in zones::names() {
        let name = name.as_str();
        match zone::to_azure(name) {
            Err(error) => nameless.push((name.to_owned(), error)),
            Ok(azure) => {
                named += 1;
                let back = zone::to_iana(azure).unwrap();
                assert_eq!(zone::to_azure(back), Ok(azure), "{name}");
                let (one, same) = (zones::get(name).unwrap(), zones::get(back).unwrap());
                if name != back && !show_the_same(&one, &same) {
                    other.push(format!("{name} → {azure} → {back}"));
                }
            }
        }
    }
    assert!(other.is_empty(), "{other:#?}");
    let names: Vec<&str> = nameless.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, NAMELESS);
    assert!(named > 540, "{named} zones have a name in Azure");
}
