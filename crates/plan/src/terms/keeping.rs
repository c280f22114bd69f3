//! How long recovery points are kept, and when they move to the archive.

use kluis_arm::policy::Archive;
use kluis_policy::{Daily, Monthly, Retention, Weekly, Yearly};

use super::calendar::{month, month_days, weekdays};
use super::unreadable;
use crate::waiting::Waiting;

pub(super) fn retention(retention: &kluis_api::Retention) -> Result<Retention, Waiting> {
    let daily = retention
        .daily
        .as_ref()
        .map(|tier| Daily { keep: tier.keep });
    let weekly = retention.weekly.as_ref().map(|tier| Weekly {
        keep: tier.keep,
        on: weekdays(tier.days()),
    });
    let monthly = retention.monthly.as_ref().map(|tier| {
        let on = month_days(
            "retention.monthly",
            tier.weeks.as_deref(),
            tier.weekdays().as_deref(),
            tier.dates().as_deref(),
        )?;
        Ok(Monthly {
            keep: tier.keep,
            on,
        })
    });
    let yearly = retention.yearly.as_ref().map(|tier| {
        let on = month_days(
            "retention.yearly",
            tier.weeks.as_deref(),
            tier.weekdays().as_deref(),
            tier.dates().as_deref(),
        )?;
        Ok(Yearly {
            keep: tier.keep,
            months: tier.months.iter().copied().map(month).collect(),
            on,
        })
    });
    Ok(Retention {
        daily,
        weekly,
        monthly: monthly.transpose()?,
        yearly: yearly.transpose()?,
    })
}

pub(super) fn archive(archive: Option<&kluis_api::Archive>) -> Result<Option<Archive>, Waiting> {
    archive.map(|archive| after(&archive.after)).transpose()
}

/// `Recommended`, `3mo` or `45d`.
fn after(text: &str) -> Result<Archive, Waiting> {
    let count = |unit: &str| text.strip_suffix(unit)?.parse().ok();
    if text == "Recommended" {
        Ok(Archive::Recommended)
    } else if let Some(months) = count("mo") {
        Ok(Archive::After { months })
    } else if let Some(days) = count("d") {
        Ok(Archive::AfterDays { days })
    } else {
        Err(unreadable(
            "archive.after",
            "Recommended, months such as 3mo, or days such as 45d",
        ))
    }
}
