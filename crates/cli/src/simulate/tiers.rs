//! The tiers of retention, and which points each of them keeps.
//!
//! A point is in every tier that still keeps it: the first Sunday of a month is a daily, a weekly and a monthly point at
//! once, and leaves one row after the other. Differentials, incrementals and logs have rows of their own, and so have
//! fulls that no tier keeps any more and a later backup still needs.

use jiff::Timestamp;
use kluis_policy::chain::Kind;
use kluis_policy::simulate::Made;
use kluis_policy::{Reason, Retention, Strategy, Tier};

use super::words;

/// What keeps points, the longest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Keeper {
    Yearly,
    Monthly,
    Weekly,
    Daily,
    /// A later backup is based on it.
    Chain,
    /// It is the newest, which never goes by age.
    Newest,
    Differential,
    Incremental,
    Log,
}

/// One tier and the points that it keeps on the day.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) keeper: Keeper,
    /// For how long: `30 days`.
    pub(super) keeps: String,
    /// When the points were due, the oldest first.
    pub(super) points: Vec<Timestamp>,
    /// When each goes from this tier; none for the newest, which waits for the next.
    pub(super) until: Vec<Option<Timestamp>>,
}

impl Keeper {
    /// What it is called: the tier as the policy writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Yearly => "yearly",
            Self::Monthly => "monthly",
            Self::Weekly => "weekly",
            Self::Daily => "daily",
            Self::Chain => "chain",
            Self::Newest => "newest",
            Self::Differential => "differential",
            Self::Incremental => "incremental",
            Self::Log => "log",
        }
    }

    fn of(tier: Tier) -> Self {
        match tier {
            Tier::Daily => Self::Daily,
            Tier::Weekly => Self::Weekly,
            Tier::Monthly => Self::Monthly,
            Tier::Yearly => Self::Yearly,
        }
    }
}

/// What keeps a point longest.
pub(super) fn keeper(made: &Made) -> Keeper {
    match (made.kind, &made.reason) {
        (_, Reason::Newest | Reason::NoTier) => Keeper::Newest,
        (Kind::Differential, _) => Keeper::Differential,
        (Kind::Incremental, _) => Keeper::Incremental,
        (Kind::Log, _) => Keeper::Log,
        (Kind::Full | Kind::CopyOnlyFull, Reason::Tier(tier)) => Keeper::of(*tier),
        (Kind::Full | Kind::CopyOnlyFull, _) => Keeper::Chain,
    }
}

/// A row for each tier of the policy, and one for whatever else keeps points.
pub(super) fn rows(strategy: &Strategy, points: &[Made], logs: &[Made], at: Timestamp) -> Vec<Row> {
    let tiers = Tier::ALL.into_iter().filter_map(|tier| {
        let only = only(&strategy.retention, tier)?;
        let fulls = points
            .iter()
            .filter(|made| matches!(made.kind, Kind::Full | Kind::CopyOnlyFull));
        let kept = fulls.filter_map(|made| {
            // What keeps a point longest is known, and is not computed a second time.
            let until = match made.reason {
                Reason::Tier(longest) if longest == tier => made.until,
                _ => only
                    .kept_until(made.due, made.tags, &strategy.zone)
                    .map(|(until, _)| until),
            };
            Some((made.due, Some(until.filter(|until| *until > at)?)))
        });
        Some(row(
            Keeper::of(tier),
            keeps(&strategy.retention, tier),
            kept,
        ))
    });
    let of_kind = |keeper: Keeper, keeps: Option<u32>| {
        let all = points.iter().chain(logs);
        let kept = all
            .filter(|made| self::keeper(made) == keeper)
            .map(|made| (made.due, made.until));
        let keeps = keeps.map(|days| words::count(days as usize, "day"));
        let row = row(keeper, keeps.clone().unwrap_or_default(), kept);
        (keeps.is_some() || !row.points.is_empty()).then_some(row)
    };
    let others = [
        of_kind(Keeper::Chain, None),
        of_kind(Keeper::Newest, None),
        of_kind(
            Keeper::Differential,
            strategy
                .differential
                .as_ref()
                .map(|between| between.keep_days),
        ),
        of_kind(
            Keeper::Incremental,
            strategy
                .incremental
                .as_ref()
                .map(|between| between.keep_days),
        ),
        of_kind(Keeper::Log, strategy.log.as_ref().map(|log| log.keep_days)),
    ];
    let mut rows: Vec<Row> = tiers.chain(others.into_iter().flatten()).collect();
    rows.sort_by_key(|row| row.keeper);
    rows
}

fn row(
    keeper: Keeper,
    keeps: String,
    kept: impl Iterator<Item = (Timestamp, Option<Timestamp>)>,
) -> Row {
    let (points, until) = kept.unzip();
    Row {
        keeper,
        keeps,
        points,
        until,
    }
}

/// The retention with one tier of it; none where the policy has no such tier.
fn only(retention: &Retention, tier: Tier) -> Option<Retention> {
    let mut only = Retention::default();
    match tier {
        Tier::Daily => only.daily = Some(retention.daily.clone()?),
        Tier::Weekly => only.weekly = Some(retention.weekly.clone()?),
        Tier::Monthly => only.monthly = Some(retention.monthly.clone()?),
        Tier::Yearly => only.yearly = Some(retention.yearly.clone()?),
    }
    Some(only)
}

/// For how long a tier keeps: `12 weeks`; empty where there is no such tier.
pub(crate) fn keeps(retention: &Retention, tier: Tier) -> String {
    let kept = match tier {
        Tier::Daily => retention.daily.as_ref().map(|tier| (tier.keep, "day")),
        Tier::Weekly => retention.weekly.as_ref().map(|tier| (tier.keep, "week")),
        Tier::Monthly => retention.monthly.as_ref().map(|tier| (tier.keep, "month")),
        Tier::Yearly => retention.yearly.as_ref().map(|tier| (tier.keep, "year")),
    };
    kept.map_or_else(String::new, |(keep, unit)| {
        words::count(keep as usize, unit)
    })
}
