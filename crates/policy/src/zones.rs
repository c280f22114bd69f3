//! The time zones that are brought along, by their IANA names.
//!
//! [`TimeZone::get`] looks at the machine's own zone data first wherever some crate of the program has asked jiff for
//! that, so that two machines could give a policy two meanings. Here is only what was compiled in.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

static BUNDLED: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The zone of this name, in any spelling of case.
///
/// # Errors
/// When there is none.
pub fn get(name: &str) -> Result<TimeZone, jiff::Error> {
    BUNDLED.get(name)
}

/// The names of all zones.
pub fn names() -> impl Iterator<Item = String> {
    BUNDLED.available().map(|name| name.as_str().to_owned())
}
