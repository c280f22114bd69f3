//! What terms promise: how long there is between two backups at most, and how long points live. Said of the terms in
//! force and of those that are wanted, where they differ.

use jiff::{SignedDuration, Timestamp};
use kluis_arm::policy::Terms;
use kluis_plan::Before;
use kluis_policy::simulate::timeline;
use kluis_policy::{Retention, Tags, Tier};

use super::document::Promise;
use crate::simulate::tiers::keeps;

/// Long enough for every weekday and for both changes of the clocks.
const A_YEAR: SignedDuration = SignedDuration::from_hours(24 * 400);

/// The promises that an edit changes.
pub(super) fn changed(before: &Before, after: &Terms, now: Timestamp) -> Vec<Promise> {
    let was = match before {
        Before::Nothing | Before::ForEver => None,
        Before::Terms(terms) => Some(&**terms),
    };
    let for_ever = matches!(before, Before::ForEver);
    let mut promises = vec![gap(was, after, now), longest(was, after, for_ever, now)];
    promises.extend(Tier::ALL.map(|tier| of_tier(was, after, tier)));
    promises
        .into_iter()
        .filter(|promise| promise.before != promise.after)
        .collect()
}

/// The longest time between two backups of whichever kind.
fn gap(was: Option<&Terms>, after: &Terms, now: Timestamp) -> Promise {
    let of = |terms: &Terms| {
        let strategy = terms.strategy().ok()?;
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

/// How long a point lives that every tier keeps.
fn longest(was: Option<&Terms>, after: &Terms, for_ever: bool, now: Timestamp) -> Promise {
    let of = |terms: &Terms| {
        let all = Tags {
            weekly: true,
            monthly: true,
            yearly: true,
        };
        let schedule = terms.schedule().ok()?;
        let (until, tier) = terms.retention.kept_until(now, all, &schedule.zone)?;
        Some((until, keeps(&terms.retention, tier)))
    };
    let (was, is) = (was.and_then(of), of(after));
    let worse = match (&was, &is) {
        (Some((was, _)), Some((is, _))) => is < was,
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
