//! How the wire writes moments and durations.
//!
//! A moment is kept as the text it came in, because Azure's is not one format: UTC with a `Z` and up to seven decimals,
//! no zone at all (`0001-01-01T00:00:00` for "not yet"), an offset. What it means is asked for.

use std::fmt;

use jiff::civil::{DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A text that should have been a moment, a wall clock or a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct TimeError {
    /// What stood there.
    pub text: String,
    /// What should have.
    pub expected: &'static str,
}

impl TimeError {
    fn new(text: &str, expected: &'static str) -> Self {
        Self {
            text: text.to_owned(),
            expected,
        }
    }
}

/// A moment on the wire, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WireTime(String);

impl WireTime {
    /// What running operations say their end is.
    #[must_use]
    pub fn not_yet() -> Self {
        Self("0001-01-01T00:00:00".to_owned())
    }

    /// What an item that was never backed up says of its last backup.
    #[must_use]
    pub fn never() -> Self {
        Self("2001-01-01T00:00:00Z".to_owned())
    }

    /// A moment in UTC as .NET writes one whose zone nobody told it: no zone, and always seven decimals. Azure writes the ends of
    /// virtual machines' recovery points so.
    #[must_use]
    pub fn unzoned(moment: Timestamp) -> Self {
        let civil = Offset::UTC.to_datetime(moment);
        let ticks = civil.subsec_nanosecond() / 100;
        Self(format!(
            "{}.{ticks:07}",
            civil.strftime("%Y-%m-%dT%H:%M:%S")
        ))
    }

    /// A wall clock of some zone on a day, decorated with a `Z` as policies are.
    #[must_use]
    pub fn wall_clock(at: DateTime) -> Self {
        Self(format!("{}Z", at.strftime("%Y-%m-%dT%H:%M:%S")))
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The moment; none for the years 1 and 2001, by which Azure means "not yet" and "never". Without a zone it is UTC.
    ///
    /// # Errors
    /// When the text is no moment.
    pub fn moment(&self) -> Result<Option<Timestamp>, TimeError> {
        let unreadable = || TimeError::new(&self.0, "a moment such as 2026-01-31T22:30:00Z");
        let moment = match self.0.parse::<Timestamp>() {
            Ok(moment) => moment,
            Err(_) => {
                let civil = self.0.parse::<DateTime>().map_err(|_| unreadable())?;
                TimeZone::fixed(Offset::UTC)
                    .to_timestamp(civil)
                    .map_err(|_| unreadable())?
            }
        };
        let said = [Self::not_yet(), Self::never()];
        let is_placeholder = said
            .iter()
            .any(|p| self.0.get(..19).is_some_and(|start| p.0.starts_with(start)));
        Ok(if is_placeholder { None } else { Some(moment) })
    }

    /// The date and hour that stand there, whatever zone is written behind them: how policies are to be read.
    ///
    /// # Errors
    /// When the text is no date and time.
    pub fn civil(&self) -> Result<DateTime, TimeError> {
        let unreadable =
            || TimeError::new(&self.0, "a date and a time such as 2026-01-31T22:30:00Z");
        self.0
            .get(..19)
            .unwrap_or(&self.0)
            .parse()
            .map_err(|_| unreadable())
    }

    /// The hour of [`WireTime::civil`].
    ///
    /// # Errors
    /// When the text is no date and time.
    pub fn time_of_day(&self) -> Result<Time, TimeError> {
        self.civil().map(DateTime::time)
    }
}

impl From<Timestamp> for WireTime {
    /// In UTC, with the seven decimals at most that .NET knows.
    fn from(moment: Timestamp) -> Self {
        let civil = Offset::UTC.to_datetime(moment);
        let ticks = civil.subsec_nanosecond() / 100;
        let whole = civil.strftime("%Y-%m-%dT%H:%M:%S");
        if ticks == 0 {
            return Self(format!("{whole}Z"));
        }
        let decimals = format!("{ticks:07}");
        Self(format!("{whole}.{}Z", decimals.trim_end_matches('0')))
    }
}

impl From<&str> for WireTime {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for WireTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How filters write a moment, always UTC: `2026-01-01 01:00:00 AM`.
#[must_use]
pub fn in_filter(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %I:%M:%S %p").to_string()
}

/// Reads a moment out of a filter: [`in_filter`]'s form, one with 24 hours, or an ISO one; all UTC.
///
/// # Errors
/// When it is none of them.
pub fn from_filter(text: &str) -> Result<Timestamp, TimeError> {
    let unreadable = || TimeError::new(text, "a moment such as '2026-01-01 01:00:00 AM'");
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let formats = [
        "%Y-%m-%d %I:%M:%S %p",
        "%Y-%m-%d %H:%M:%S",
        "%m/%d/%Y %I:%M:%S %p",
    ];
    let civil = formats
        .iter()
        .find_map(|format| DateTime::strptime(format, text).ok());
    let civil = civil.or_else(|| text.parse().ok()).ok_or_else(unreadable)?;
    TimeZone::fixed(Offset::UTC)
        .to_timestamp(civil)
        .map_err(|_| unreadable())
}

/// A job's duration, ISO 8601 with hours, minutes and seconds: `PT1M51.0959625S`.
#[must_use]
pub fn job_duration(length: SignedDuration) -> String {
    let length = if length.is_negative() {
        SignedDuration::ZERO
    } else {
        length
    };
    let (hours, minutes) = (length.as_hours(), length.as_mins() % 60);
    let (seconds, ticks) = (length.as_secs() % 60, length.subsec_nanos() / 100);
    let mut text = String::from("PT");
    if hours > 0 {
        text.push_str(&format!("{hours}H"));
    }
    if minutes > 0 {
        text.push_str(&format!("{minutes}M"));
    }
    if ticks > 0 {
        let decimals = format!("{ticks:07}");
        text.push_str(&format!("{seconds}.{}S", decimals.trim_end_matches('0')));
    } else if seconds > 0 || text == "PT" {
        text.push_str(&format!("{seconds}S"));
    }
    text
}

/// Reads a job's duration.
///
/// # Errors
/// When it is no ISO 8601 duration of hours, minutes and seconds.
pub fn from_job_duration(text: &str) -> Result<SignedDuration, TimeError> {
    text.parse()
        .map_err(|_| TimeError::new(text, "a duration such as PT1M51.09S"))
}

/// What is left before soft-deleted data go, .NET's way: `13.23:59:42.8656002` is nearly fourteen days.
#[must_use]
pub fn time_remaining(left: SignedDuration) -> String {
    let left = if left.is_negative() {
        SignedDuration::ZERO
    } else {
        left
    };
    let (days, hours) = (left.as_hours() / 24, left.as_hours() % 24);
    let (minutes, seconds) = (left.as_mins() % 60, left.as_secs() % 60);
    let ticks = left.subsec_nanos() / 100;
    let fraction = if ticks > 0 {
        format!(".{ticks:07}")
    } else {
        String::new()
    };
    let whole_days = if days > 0 {
        format!("{days}.")
    } else {
        String::new()
    };
    format!("{whole_days}{hours:02}:{minutes:02}:{seconds:02}{fraction}")
}
