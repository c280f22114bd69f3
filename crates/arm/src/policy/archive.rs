//! When recovery points move to the archive: the wire's `tieringPolicy`, by tier.

use std::collections::BTreeMap;

use super::parse::{ParseError, error, need};
use super::render::{RenderError, count};
use super::{Archive, DurationType};

/// The tier that is the archive.
const ARCHIVED: &str = "ArchivedRP";

word! {
    /// When recovery points move to the archive.
    pub enum TieringMode {
        /// When Azure finds it cheaper.
        TierRecommended = "TierRecommended",
        /// After some time.
        TierAfter = "TierAfter",
        /// Never.
        DoNotTier = "DoNotTier",
        /// Not a mode.
        Invalid = "Invalid",
    }
}

wire! {
    /// When points move to the archive.
    pub struct Tiering {
        /// When.
        tiering_mode: TieringMode,
        /// After how many.
        duration: i32,
        /// After how many of what.
        duration_type: DurationType,
    }
}

/// What a tiering policy says; without one points stay. Years are twelve months and weeks seven days.
pub(super) fn parse(
    tiering: Option<&BTreeMap<String, Tiering>>,
) -> Result<Option<Archive>, ParseError> {
    const MODE: &str = "tieringPolicy.ArchivedRP.tieringMode";
    const DURATION: &str = "tieringPolicy.ArchivedRP.duration";
    const MODES: &str = "TierRecommended, TierAfter or DoNotTier";
    let of_archive = |(tier, _): &(&String, &Tiering)| tier.eq_ignore_ascii_case(ARCHIVED);
    let Some((_, tiering)) = tiering.into_iter().flatten().find(of_archive) else {
        return Ok(None);
    };
    match need(tiering.tiering_mode.as_ref(), MODE, MODES)? {
        TieringMode::DoNotTier => Ok(None),
        TieringMode::TierRecommended => Ok(Some(Archive::Recommended)),
        TieringMode::TierAfter => {
            let length = *need(tiering.duration.as_ref(), DURATION, "a number")?;
            let length = u32::try_from(length).map_err(|_| error(DURATION, &length, "a number"))?;
            let after = match &tiering.duration_type {
                Some(DurationType::Days) => Archive::AfterDays { days: length },
                Some(DurationType::Weeks) => Archive::AfterDays {
                    days: length.saturating_mul(7),
                },
                Some(DurationType::Months) => Archive::After { months: length },
                Some(DurationType::Years) => Archive::After {
                    months: length.saturating_mul(12),
                },
                unit => {
                    let unit = unit.as_ref().map_or("missing", DurationType::as_str);
                    return Err(error(
                        "tieringPolicy.ArchivedRP.durationType",
                        unit,
                        "Days, Weeks, Months or Years",
                    ));
                }
            };
            Ok(Some(after))
        }
        other => Err(error(MODE, other, MODES)),
    }
}

/// The tiering policy that says it. "Never" is said too: where a write is silent, the service keeps what was there.
pub(super) fn render(archive: Option<Archive>) -> Result<BTreeMap<String, Tiering>, RenderError> {
    let (mode, length, unit) = match archive {
        None => (TieringMode::DoNotTier, 0, DurationType::Invalid),
        Some(Archive::Recommended) => (TieringMode::TierRecommended, 0, DurationType::Invalid),
        Some(Archive::After { months }) => (TieringMode::TierAfter, months, DurationType::Months),
        Some(Archive::AfterDays { days }) => (TieringMode::TierAfter, days, DurationType::Days),
    };
    let tiering = Tiering {
        tiering_mode: Some(mode),
        duration: Some(count(length)?),
        duration_type: Some(unit),
        ..Tiering::default()
    };
    Ok(BTreeMap::from([(ARCHIVED.to_owned(), tiering)]))
}
