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

/// Zones by today's name and by the one that Unicode's table of Windows zones still has, which never follows a rename.
const RENAMED: &[(&str, &str)] = &[
    ("UTC", "Etc/UTC"),
    ("UCT", "Etc/UTC"),
    ("Universal", "Etc/UTC"),
    ("Zulu", "Etc/UTC"),
    ("Etc/UCT", "Etc/UTC"),
    ("Etc/Universal", "Etc/UTC"),
    ("Etc/Zulu", "Etc/UTC"),
    ("GMT", "Etc/GMT"),
    ("Africa/Asmara", "Africa/Asmera"),
    ("America/Argentina/Buenos_Aires", "America/Buenos_Aires"),
    ("America/Argentina/Catamarca", "America/Catamarca"),
    ("America/Argentina/Cordoba", "America/Cordoba"),
    ("America/Argentina/Jujuy", "America/Jujuy"),
    ("America/Argentina/Mendoza", "America/Mendoza"),
    ("America/Atikokan", "America/Coral_Harbour"),
    ("America/Indiana/Indianapolis", "America/Indianapolis"),
    ("America/Kentucky/Louisville", "America/Louisville"),
    ("America/Nuuk", "America/Godthab"),
    ("Asia/Ho_Chi_Minh", "Asia/Saigon"),
    ("Asia/Kathmandu", "Asia/Katmandu"),
    ("Asia/Kolkata", "Asia/Calcutta"),
    ("Asia/Yangon", "Asia/Rangoon"),
    ("Atlantic/Faroe", "Atlantic/Faeroe"),
    ("Europe/Kyiv", "Europe/Kiev"),
    ("Europe/Nicosia", "Asia/Nicosia"),
    ("Pacific/Chuuk", "Pacific/Truk"),
    ("Pacific/Kanton", "Pacific/Enderbury"),
    ("Pacific/Pohnpei", "Pacific/Ponape"),
];

/// Azure's name for an IANA zone: `W. Europe Standard Time` for `Europe/Amsterdam`.
///
/// # Errors
/// When the zone does not exist, or Azure has no name for it.
pub fn to_azure(iana: &str) -> Result<&'static str, ZoneError> {
    let zone = TimeZone::get(iana).map_err(|_| ZoneError::NotIana(iana.to_owned()))?;
    let name = zone.iana_name().unwrap_or(iana);
    let name = RENAMED
        .iter()
        .find(|(today, _)| *today == name)
        .map_or(name, |(_, before)| before);
    let name = localzone::iana_to_win_zone(name).map(|(name, _)| name);
    name.ok_or_else(|| ZoneError::NotInAzure(iana.to_owned()))
}

/// The IANA zone of one of Azure's names. The city is the one that stands for the whole zone, so that going there and
/// back changes `Europe/Amsterdam` to `Europe/Berlin`.
///
/// # Errors
/// When the name is not known.
pub fn to_iana(azure: &str) -> Result<&'static str, ZoneError> {
    if azure.eq_ignore_ascii_case("UTC") {
        return Ok("UTC");
    }
    let name = localzone::win_zone_to_iana(azure, None)
        .ok_or_else(|| ZoneError::Unknown(azure.to_owned()))?;
    Ok(RENAMED
        .iter()
        .find(|(_, before)| *before == name)
        .map_or(name, |(today, _)| today))
}

/// The zone of one of Azure's names, or of an IANA name: the service takes either, as some clients send the latter.
///
/// # Errors
/// When the name is not known.
pub fn find(name: &str) -> Result<TimeZone, ZoneError> {
    let iana = to_iana(name).unwrap_or(name);
    TimeZone::get(iana).map_err(|_| ZoneError::Unknown(name.to_owned()))
}
