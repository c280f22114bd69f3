//! What terms promise: how long there is between two backups at most, and how long points live. Said of the terms in
//! force and of those that are wanted, where they differ.

use jiff::{SignedDuration, Timestamp};
use kluis_arm::policy::Terms;
use kluis_plan::Before;
use kluis_policy::simulate::timeline;
use kluis_policy::{DaylightSaving, Retention, Strategy, Tags, Tier};

use super::document::Promise;
use crate::simulate::tiers::keeps;

/// Long enough for every weekday and for both changes of the clocks.
const A_YEAR: SignedDuration = SignedDuration::from_hours(24 * 400);

/// Every length of month, in either order.
const DAYS: i32 = 366;
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// The promises that an edit changes.
///
/// `clocks` is what becomes of the policy's times when the clocks change, of which its terms say nothing.
pub(super) fn changed(
    before: &Before,
    after: &Terms,
    clocks: DaylightSaving,
    now: Timestamp,
) -> Vec<Promise> {
    let was = match before {
        Before::Nothing | Before::ForEver => None,
        Before::Terms(terms) => Some(&**terms),
    };
    let for_ever = matches!(before, Before::ForEver);
    let mut promises = vec![
        gap(was, after, clocks, now),
        longest(was, after, for_ever, now),
    ];
    promises.extend(Tier::ALL.map(|tier| of_tier(was, after, tier)));
    promises
        .into_iter()
        .filter(|promise| promise.before != promise.after)
        .collect()
}

/// The longest time between two backups of whichever kind.
fn gap(was: Option<&Terms>, after: &Terms, clocks: DaylightSaving, now: Timestamp) -> Promise {
    let of = |terms: &Terms| {
        let strategy = Strategy {
            daylight_saving: clocks,
            ..terms.strategy().ok()?
        };
        let end = now.checked_add(A_YEAR).ok()?;
        let (mut last, mut longest) = (None, None);
        for made in timeline(&strategy, now, end) {
            let since = last.map(|last: Timestamp| made.due.duration_since(last));
            longest = longest.max(since);
            last = Some(made.due);
        }
        longest
    };
    let (was, is) = (was.and_then(of), of(after));
    let words = |gap: SignedDuration| format!("{gap:#}");
    Promise {
        promise: "longestGap".to_owned(),
        before: was.map(words),
        after: is.map(words),
        worse: was.is_some_and(|was| is.is_none_or(|is| is > was)),
    }
}

/// How long a point lives that every tier keeps. Worse where any day's does: months have no one length, so that of a month and of thirty
/// days either is the longer one at some time of the year.
fn longest(was: Option<&Terms>, after: &Terms, for_ever: bool, now: Timestamp) -> Promise {
    let all = Tags {
        weekly: true,
        monthly: true,
        yearly: true,
    };
    let of = |terms: &Terms| {
        let schedule = terms.schedule().ok()?;
        let days = (0..DAYS).filter_map(|day| now.checked_add(A_DAY * day).ok());
        let kept = days.filter_map(|day| terms.retention.kept_until(day, all, &schedule.zone));
        let kept: Vec<(Timestamp, Tier)> = kept.collect();
        let (_, tier) = kept.first()?;
        let words = keeps(&terms.retention, *tier);
        Some((kept, words))
    };
    let (was, is) = (was.and_then(of), of(after));
    let worse = match (&was, &is) {
        (Some((was, _)), Some((is, _))) => {
            let mut days = was.iter().zip(is);
            days.any(|((was, _), (is, _))| is < was)
        }
        (Some(_), None) => true,
        (None, _) => for_ever,
    };
    let before = was.map(|(_, words)| words);
    Promise {
        promise: "longestKept".to_owned(),
        before: before.or_else(|| for_ever.then(|| "for ever".to_owned())),
        after: is.map(|(_, words)| words),
        worse,
    }
}

/// How long one tier keeps its points.
fn of_tier(was: Option<&Terms>, after: &Terms, tier: Tier) -> Promise {
    let words = |terms: &Terms| Some(keeps(&terms.retention, tier)).filter(|text| !text.is_empty());
    let number = |retention: &Retention| match tier {
        Tier::Daily => retention.daily.as_ref().map(|tier| tier.keep),
        Tier::Weekly => retention.weekly.as_ref().map(|tier| tier.keep),
        Tier::Monthly => retention.monthly.as_ref().map(|tier| tier.keep),
        Tier::Yearly => retention.yearly.as_ref().map(|tier| tier.keep),
    };
    let less = was.is_some_and(|was| number(&after.retention) < number(&was.retention));
    Promise {
        promise: match tier {
            Tier::Daily => "daily",
            Tier::Weekly => "weekly",
            Tier::Monthly => "monthly",
            Tier::Yearly => "yearly",
        }
        .to_owned(),
        before: was.and_then(words),
        after: words(after),
        worse: less,
    }
}
