//! Which `api-version`s the wire knows.
//!
//! All of them have one shape here: what later ones added is optional, and what they do not know is kept.

/// The oldest one taken.
pub const OLDEST: &str = "2021-11-15";
/// The newest one taken.
pub const NEWEST: &str = "2026-11-01";
/// What the operator sends to Microsoft.RecoveryServices.
pub const SENT: &str = "2024-04-01";
/// What the operator sends where vaults are softly deleted: the first stable one that lists such vaults, brings them back, and deletes a
/// vault so, with what is softly deleted in it. By an older one a deletion is for good, and refused while anything is in the vault.
pub const SOFTLY_DELETED_VAULTS: &str = "2025-08-01";

/// Why a call's `api-version` is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiVersionError {
    /// There is none.
    #[error("the api-version query parameter (?api-version=) is required for all requests")]
    Missing,
    /// It is not a date, or not one between [`OLDEST`] and [`NEWEST`].
    #[error("the api-version {0:?} is not known; versions from {OLDEST} to {NEWEST} are")]
    Unknown(String),
}

/// Takes a call's `api-version`: a date, with `-preview` behind it or not.
///
/// # Errors
/// When it is missing or not known.
pub fn check(given: Option<&str>) -> Result<(), ApiVersionError> {
    let given = given
        .filter(|text| !text.is_empty())
        .ok_or(ApiVersionError::Missing)?;
    let unknown = || ApiVersionError::Unknown(given.chars().take(40).collect());
    let date = given.strip_suffix("-preview").unwrap_or(given);
    if date.len() != OLDEST.len() || date.parse::<jiff::civil::Date>().is_err() {
        return Err(unknown());
    }
    if (OLDEST..=NEWEST).contains(&date) {
        Ok(())
    } else {
        Err(unknown())
    }
}
