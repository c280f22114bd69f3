//! Time zones by two names: the IANA one that people write, and Windows' that policies carry.

use jiff::tz::TimeZone;

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

/// Azure's name for an IANA zone: `W. Europe Standard Time` for `Europe/Amsterdam`.
///
/// # Errors
/// When the zone does not exist, or Azure has no name for it.
pub fn to_azure(iana: &str) -> Result<&'static str, ZoneError> {
    if TimeZone::get(iana).is_err() {
        return Err(ZoneError::NotIana(iana.to_owned()));
    }
    localzone::iana_to_win_zone(iana)
        .map(|(name, _)| name)
        .ok_or_else(|| ZoneError::NotInAzure(iana.to_owned()))
}

/// The IANA zone of one of Azure's names. The city is the one that stands for the whole zone, so that going there and
/// back changes `Europe/Amsterdam` to `Europe/Berlin`, and never the hours.
///
/// # Errors
/// When the name is not known.
pub fn to_iana(azure: &str) -> Result<&'static str, ZoneError> {
    if azure.eq_ignore_ascii_case("UTC") {
        return Ok("UTC");
    }
    localzone::win_zone_to_iana(azure, None).ok_or_else(|| ZoneError::Unknown(azure.to_owned()))
}

/// The zone of one of Azure's names, or of an IANA name: the service takes either, as some clients send the latter.
///
/// # Errors
/// When the name is not known.
pub fn find(name: &str) -> Result<TimeZone, ZoneError> {
    let iana = to_iana(name).unwrap_or(name);
    TimeZone::get(iana).map_err(|_| ZoneError::Unknown(name.to_owned()))
}
