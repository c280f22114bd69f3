//! Random items: policies of every workload's shape and their edits, and what happens to an item in ten years.

use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::paper::{Paper, When, Which};
use super::sentences::Life;
use crate::almanac::ZONES;

pub(crate) const TEN_YEARS: i64 = 3_653;

/// An item's ten years. Days count from `start`, a day of the almanac.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) start: i64,
    /// The policies, and for how many days each is in force; the last one for good.
    pub(crate) papers: Vec<(i64, Paper)>,
    pub(crate) episodes: Vec<Episode>,
    pub(crate) requests: Vec<Request>,
    pub(crate) cleanups: Vec<Cleanup>,
}

/// A stretch of an item's life.
#[derive(Debug, Clone)]
pub(crate) struct Episode {
    pub(crate) days: i64,
    pub(crate) life: Life,
    /// The machine sleeps after so many runs.
    pub(crate) most: usize,
    /// Every so many runs one is missed; 0 for none.
    pub(crate) missed: usize,
}

/// A backup on demand.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) day: i64,
    pub(crate) minute: i64,
    pub(crate) copy: bool,
    pub(crate) keep: i64,
}

/// A cleanup: on a day, or so many days after one of the points was made; or at the moment at which one of the points
/// that are there then expires, or a second from it.
#[derive(Debug, Clone)]
pub(crate) struct Cleanup {
    pub(crate) when: OnDay,
    pub(crate) second: i64,
    pub(crate) edge: Option<(Index, i64)>,
}

/// The day of a cleanup.
#[derive(Debug, Clone)]
pub(crate) enum OnDay {
    Of(i64),
    After(Index, i64),
}

/// A policy, and the days to look ahead.
#[derive(Debug, Clone)]
pub(crate) struct Forecast {
    pub(crate) start: i64,
    pub(crate) second: i64,
    pub(crate) days: i64,
    pub(crate) paper: Paper,
}

pub(crate) fn cases() -> impl Strategy<Value = Case> {
    any::<bool>().prop_flat_map(|chains| {
        let days = 1..TEN_YEARS / 2;
        let edits = vec((days, edits(chains)), 0..4);
        (
            (19_000..20_500i64, papers(chains), 1..TEN_YEARS / 2, edits),
            vec(episodes(), 1..6),
            vec(requests(), 0..4),
            vec(cleanups(), 1..7),
        )
            .prop_map(
                |((start, first, days, edits), episodes, requests, cleanups)| Case {
                    start,
                    papers: in_force(first, days, edits),
                    episodes,
                    requests,
                    cleanups,
                },
            )
    })
}

pub(crate) fn forecasts() -> impl Strategy<Value = Forecast> {
    any::<bool>()
        .prop_flat_map(papers)
        .prop_flat_map(|paper| {
            // So many days that there are some hundreds of runs.
            let days = match (&paper.full, paper.log) {
                (_, Some((every, _))) => 1 + every / 4,
                (When::Hourly(..), _) => 120,
                (When::Weekly(..), _) => TEN_YEARS,
                _ => 700,
            };
            (19_000..20_500i64, 0..86_400i64, 1..=days, Just(paper))
        })
        .prop_map(|(start, second, days, paper)| Forecast {
            start,
            second,
            days,
            paper,
        })
}

/// A change of a policy.
#[derive(Debug, Clone)]
enum Edit {
    Anew(Box<Paper>),
    Full(When),
    Daily(Option<i64>),
    WeeklyKeep(i64),
    WeeklyOn(Vec<usize>),
    Monthly(Option<(Which, i64)>),
    Yearly(Option<(Vec<i64>, Which, i64)>),
    Between(Option<(Vec<usize>, i64, i64)>),
    Log(Option<(i64, i64)>),
    /// Daily points are no longer made, and kept by no tier.
    DailyToWeekly,
    WeeklyToDaily(i64),
}

fn in_force(first: Paper, days: i64, edits: Vec<(i64, Edit)>) -> Vec<(i64, Paper)> {
    let mut papers = vec![(days, first)];
    for (days, edit) in edits {
        let mut paper = papers[papers.len() - 1].1.clone();
        match edit {
            Edit::Anew(anew) => paper = *anew,
            Edit::Full(full) => paper.full = full,
            Edit::Daily(keep) => paper.daily = keep,
            Edit::WeeklyKeep(keep) => paper.weekly.iter_mut().for_each(|tier| tier.1 = keep),
            Edit::WeeklyOn(on) => paper
                .weekly
                .iter_mut()
                .for_each(|tier| tier.0.clone_from(&on)),
            Edit::Monthly(tier) => paper.monthly = tier,
            Edit::Yearly(tier) => paper.yearly = tier,
            Edit::Between(between) if paper.incremental.is_some() => paper.incremental = between,
            Edit::Between(between) => paper.differential = between,
            Edit::Log(log) => paper.log = log,
            Edit::DailyToWeekly => {
                paper.full = When::Weekly(vec![6], 0);
                paper.daily = None;
            }
            Edit::WeeklyToDaily(keep) => {
                paper.full = When::Daily(0);
                paper.daily = Some(keep);
            }
        }
        papers.push((days, without_clashes(paper)));
    }
    papers
}

/// "You can't have a full and a differential backup on the same day."
fn without_clashes(mut paper: Paper) -> Paper {
    let full = paper.full.clone();
    let free = |day: &usize| matches!(&full, When::Weekly(on, _) if !on.contains(day));
    let between = [&mut paper.differential, &mut paper.incremental];
    for (on, _, _) in between.into_iter().flatten() {
        on.retain(free);
    }
    paper
}

fn papers(chains: bool) -> impl Strategy<Value = Paper> {
    (
        (0..ZONES.len(), fulls(chains)),
        (
            weighted(0.8, 1..60i64),
            of(weekly()),
            of(monthly()),
            of(yearly()),
        ),
        (
            weighted(0.5, between()),
            weighted(0.7, logs()),
            any::<bool>(),
        ),
    )
        .prop_map(
            move |((zone, full), (daily, weekly, monthly, yearly), (between, log, hana))| {
                let is_weekly = matches!(full, When::Weekly(..));
                let between = between.filter(|_| chains);
                without_clashes(Paper {
                    zone,
                    full,
                    daily: daily.filter(|_| !is_weekly),
                    weekly,
                    monthly,
                    yearly,
                    differential: between.clone().filter(|_| !hana),
                    incremental: between.filter(|_| hana),
                    log: log.filter(|_| chains),
                })
            },
        )
}

fn edits(chains: bool) -> impl Strategy<Value = Edit> {
    let of_any = prop_oneof![
        2 => papers(chains).prop_map(|paper| Edit::Anew(Box::new(paper))),
        2 => fulls(chains).prop_map(Edit::Full),
        3 => weighted(0.8, 1..90i64).prop_map(Edit::Daily),
        3 => (1..90i64).prop_map(Edit::WeeklyKeep),
        2 => weekdays().prop_map(Edit::WeeklyOn),
        2 => of(monthly()).prop_map(Edit::Monthly),
        2 => of(yearly()).prop_map(Edit::Yearly),
        2 => Just(Edit::DailyToWeekly),
        2 => (7..60i64).prop_map(Edit::WeeklyToDaily),
    ];
    let of_databases = prop_oneof![
        of(between()).prop_map(Edit::Between),
        of(logs()).prop_map(Edit::Log),
    ];
    let weight = if chains { 4 } else { 0 };
    prop_oneof![10 => of_any.boxed(), weight => of_databases.boxed()]
}

fn fulls(chains: bool) -> impl Strategy<Value = When> {
    let hourly = (select(vec![1, 2, 4, 6, 8, 12, 24]), half_hours(), 4..=24i64);
    let weight = u32::from(!chains);
    prop_oneof![
        2 => half_hours().prop_map(When::Daily),
        2 => (weekdays(), half_hours()).prop_map(|(on, at)| When::Weekly(on, at)),
        weight => hourly.prop_map(|(every, from, window)| When::Hourly(every, from, window)),
    ]
}

fn between() -> impl Strategy<Value = (Vec<usize>, i64, i64)> {
    (weekdays(), half_hours(), 1..60i64)
}

fn logs() -> impl Strategy<Value = (i64, i64)> {
    (
        select(vec![15, 30, 60, 120, 240, 480, 720, 1_440]),
        1..35i64,
    )
}

fn weekly() -> impl Strategy<Value = (Vec<usize>, i64)> {
    (weekdays(), 1..80i64)
}

fn monthly() -> impl Strategy<Value = (Which, i64)> {
    (which(), 1..60i64)
}

fn yearly() -> impl Strategy<Value = (Vec<i64>, Which, i64)> {
    (
        subsequence((1..=12).collect::<Vec<i64>>(), 1..=3),
        which(),
        1..8i64,
    )
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        (subsequence(vec![0, 1, 2, 3, 4], 1..=5), weekdays())
            .prop_map(|(weeks, on)| Which::Weekdays(weeks, on)),
        subsequence((0..=28).collect::<Vec<i64>>(), 1..=4).prop_map(Which::Dates),
    ]
}

fn weekdays() -> impl Strategy<Value = Vec<usize>> {
    subsequence(vec![0, 1, 2, 3, 4, 5, 6], 1..=4)
}

fn half_hours() -> impl Strategy<Value = i64> {
    (0..48i64).prop_map(|half| half * 30)
}

fn episodes() -> impl Strategy<Value = Episode> {
    let life = prop_oneof![
        6 => Just(Life::Protected),
        1 => Just(Life::Stopped),
        1 => Just(Life::Gone),
        1 => Just(Life::Suspended),
    ];
    (1..1_500i64, life, 1..150usize, select(vec![0, 0, 2, 3, 7])).prop_map(
        |(days, life, most, missed)| Episode {
            days,
            life,
            most,
            missed,
        },
    )
}

fn requests() -> impl Strategy<Value = Request> {
    (0..TEN_YEARS, 0..1_440i64, any::<bool>(), 1..400i64).prop_map(|(day, minute, copy, keep)| {
        Request {
            day,
            minute,
            copy,
            keep,
        }
    })
}

fn cleanups() -> impl Strategy<Value = Cleanup> {
    let edge = of((any::<Index>(), -1..=1i64));
    let when = prop_oneof![
        1 => (0..TEN_YEARS).prop_map(OnDay::Of),
        3 => (any::<Index>(), 0..40i64).prop_map(|(point, days)| OnDay::After(point, days)),
    ];
    (when, 0..86_400i64, edge).prop_map(|(when, second, edge)| Cleanup { when, second, edge })
}
