//! Within which time a vault is read again, as a person types it.

use std::str::FromStr;

use jiff::SignedDuration;

/// `30d`, `12h`, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScrubPeriod(pub(crate) Option<SignedDuration>);

impl FromStr for ScrubPeriod {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let hours = match text.split_at_checked(text.len().saturating_sub(1)) {
            Some((days, "d")) => days.parse::<u16>().ok().map(|days| u32::from(days) * 24),
            Some((hours, "h")) => hours.parse::<u16>().ok().map(u32::from),
            _ => None,
        };
        hours
            .filter(|hours| *hours > 0)
            .map(|hours| Self(Some(SignedDuration::from_hours(i64::from(hours)))))
            .ok_or_else(|| {
                format!("{text:?} must be a number of days or hours above 0, as 30d or 12h, or off")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_days_hours_or_off() {
        let hours = |hours| Ok(ScrubPeriod(Some(SignedDuration::from_hours(hours))));
        assert_eq!("30d".parse(), hours(720));
        assert_eq!("12h".parse(), hours(12));
        assert_eq!("off".parse(), Ok(ScrubPeriod(None)));
        for wrong in ["", "0d", "0h", "-1d", "30", "d", "1w", "70000d", "ü"] {
            assert!(wrong.parse::<ScrubPeriod>().is_err(), "{wrong}");
        }
    }
}
