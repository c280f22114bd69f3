//! An item's ten years, lived twice: by the engine and by the documentation.

use std::cell::RefCell;
use std::collections::BTreeMap;

use kluis_policy::backups::{self, Backup};
use kluis_policy::chain::Kind;
use kluis_policy::simulate::{existing, timeline};
use kluis_policy::{Origin, Point, Pruning, Reason, Schedule, Tier, Verdict, verdicts};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseError;

use super::case::{Case, Cleanup, Forecast, OnDay, TEN_YEARS};
use super::paper::{Paper, When, frequency};
use super::sentences::{Kept, Life, Made, There, Why, begins, chosen, judge};
use crate::almanac::{DAY, day_of, second};

/// A day that no case reaches.
const FAR: i64 = 10 * TEN_YEARS;

type Outcome = Result<(), TestCaseError>;

/// Which point a cleanup is at the edge of, and the seconds from it.
type Edge = Option<(Index, i64)>;

/// One item: what is there, by the documentation and by the engine.
#[derive(Default)]
struct Item {
    there: Vec<There>,
    backups: Vec<Backup>,
    /// The scheduled fulls that were ever made.
    fulls: Vec<i64>,
}

/// How often each reason was agreed upon, so that ten thousand cases can't agree about nothing.
pub(crate) type Tally = RefCell<BTreeMap<&'static str, u32>>;

/// Lives a case, and fails where the two disagree.
pub(crate) fn live(case: &Case, tally: &Tally) -> Outcome {
    let chains = case.papers.iter().any(|(_, paper)| paper.has_chains());
    let points = points(case)?;
    let mut cleanups: Vec<(i64, Edge)> = case
        .cleanups
        .iter()
        .map(|cleanup| (moment(case, cleanup, &points), cleanup.edge))
        .collect();
    cleanups.push(((case.start + TEN_YEARS) * DAY, None));
    cleanups.sort_by_key(|(moment, _)| *moment);
    let mut points = points.into_iter().peekable();
    let mut item = Item::default();
    for (index, (nominal, edge)) in cleanups.iter().enumerate() {
        let nominal = *nominal;
        while let Some(point) = points.next_if(|point| point.at <= nominal) {
            let paper = paper(case, point.at);
            item.arrive(point, paper)?;
        }
        let free_until = [
            cleanups.get(index + 1).map(|(next, _)| *next),
            points.peek().map(|point| point.at),
            Some(next_boundary(case, nominal)),
        ];
        let free_until = free_until.into_iter().flatten().min().unwrap();
        let (paper, life) = (paper(case, nominal), life(case, nominal));
        let now = at_the_edge(&item, paper, life, *edge, nominal, free_until);
        item.clean_up(paper, life, chains, now, tally)?;
    }
    Ok(())
}

/// Looks ahead, and fails where the simulation shows something else.
pub(crate) fn foresee(forecast: &Forecast) -> Outcome {
    let paper = &forecast.paper;
    let from = forecast.start * DAY + forecast.second;
    let to = from + forecast.days * DAY;
    let mut runs = by_the_quarter(paper, from, to + 15 * DAY, usize::MAX);
    // What needs a full is made from the first full on.
    let first = runs.iter().position(|(_, made)| *made == Made::Full);
    runs.drain(..first.unwrap_or(runs.len()));
    let mut days = Vec::new();
    let points: Vec<There> = runs
        .iter()
        .map(|(at, made)| There {
            at: *at,
            made: *made,
            chosen: match made {
                Made::Full => chosen_if_first(paper, *at, &mut days),
                _ => [false; 3],
            },
            asked_until: None,
        })
        .collect();
    let ends = judge(paper, Life::Protected, &points, i64::MIN);
    let strategy = paper.strategy();
    let mut made = timeline(&strategy, second(from), second(to));
    for (point, end) in points.iter().zip(&ends).filter(|(point, _)| point.at < to) {
        let Some(found) = made.next() else {
            return Err(TestCaseError::fail(format!("{point:?} is not made")));
        };
        prop_assert_eq!(
            (found.due, found.kind),
            (second(point.at), kind(point.made))
        );
        let tags = [found.tags.weekly, found.tags.monthly, found.tags.yearly];
        prop_assert_eq!(tags, point.chosen, "{:?}", point);
        match end {
            Some(end) => agree(end, found.until, found.reason, point)?,
            None => prop_assert_eq!((found.until, found.reason), (None, Reason::NoTier)),
        }
    }
    prop_assert_eq!(made.next(), None);

    let there = points.iter().zip(&ends).filter(|(point, _)| point.at <= to);
    let newest = there.clone().map(|(point, _)| point.at).max();
    let stays = |end: &Option<Kept>| end.as_ref().is_some_and(|(until, _)| *until > Some(to));
    let last = points.iter().rposition(|point| point.at <= to);
    let expected: Vec<i64> = there
        .enumerate()
        .filter(|(index, (_, end))| stays(end) || Some(*index) == last)
        .map(|(_, (point, _))| point.at)
        .collect();
    let found = existing(&strategy, second(from), second(to));
    let dues: Vec<i64> = found.iter().map(|made| made.due.as_second()).collect();
    prop_assert_eq!(dues.last().copied(), newest);
    prop_assert_eq!(dues, expected);
    Ok(())
}

impl Item {
    /// A point is made and tagged by the policy in force.
    fn arrive(&mut self, mut point: There, paper: &Paper) -> Outcome {
        let strategy = paper.strategy();
        let origin = match point.asked_until {
            Some(until) => Origin::OnDemand {
                until: second(until),
            },
            None => {
                let mut tags = kluis_policy::Tags::default();
                if point.made == Made::Full {
                    let earlier = self.fulls.iter().map(|at| second(*at));
                    tags = strategy
                        .retention
                        .tags(second(point.at), earlier, &strategy.zone);
                    let local_day = |at: i64| (at + paper.offset()).div_euclid(DAY);
                    let day = local_day(point.at);
                    if self.fulls.iter().all(|at| local_day(*at) != day) {
                        point.chosen = chosen(paper, point.at);
                    }
                    self.fulls.push(point.at);
                }
                prop_assert_eq!([tags.weekly, tags.monthly, tags.yearly], point.chosen);
                Origin::Scheduled { tags }
            }
        };
        self.backups.push(Backup {
            kind: kind(point.made),
            point: Point {
                time: second(point.at),
                origin,
            },
        });
        self.there.push(point);
        Ok(())
    }

    /// Both judge what is there, and delete the rest.
    fn clean_up(
        &mut self,
        paper: &Paper,
        life: Life,
        chains: bool,
        now: i64,
        tally: &Tally,
    ) -> Outcome {
        let pruning = match life {
            Life::Protected | Life::Suspended => Pruning::ByPolicy,
            Life::Stopped => Pruning::KeepAll,
            Life::Gone => Pruning::KeepNewest,
        };
        let strategy = paper.strategy();
        let found = if chains {
            backups::verdicts(pruning, &strategy, &self.backups, second(now))
        } else {
            let points: Vec<Point> = self.backups.iter().map(|it| it.point.clone()).collect();
            let (retention, zone) = (&strategy.retention, &strategy.zone);
            verdicts(pruning, retention, &points, zone, second(now))
        };
        let expected = judge(paper, life, &self.there, now);
        for ((expected, found), point) in expected.iter().zip(&found).zip(&self.there) {
            *tally.borrow_mut().entry(word(expected)).or_default() += 1;
            match (expected, *found) {
                (Some(expected), Verdict::Kept { until, reason }) => {
                    agree(expected, until, reason, point)?;
                }
                (None, Verdict::Expired { .. }) => {}
                _ => {
                    return Err(TestCaseError::fail(format!(
                        "at {now}, {point:?}: by the documentation {expected:?}, by the engine {found:?}"
                    )));
                }
            }
        }
        let mut stays = expected.iter().map(Option::is_some);
        self.there.retain(|_| stays.next().unwrap());
        let mut stays = found.iter().map(Verdict::is_kept);
        self.backups.retain(|_| stays.next().unwrap());
        Ok(())
    }
}

fn word(kept: &Option<Kept>) -> &'static str {
    match kept.as_ref().map(|(_, why)| why) {
        None => "expired",
        Some(Why::Tier(tier)) => ["daily", "weekly", "monthly", "yearly"][*tier],
        Some(Why::Days) => "days",
        Some(Why::Asked) => "asked",
        Some(Why::Newest) => "newest",
        Some(Why::Stopped) => "stopped",
        Some(Why::NeededBy(_)) => "needed",
    }
}

fn agree(
    (expected, why): &Kept,
    until: Option<jiff::Timestamp>,
    reason: Reason,
    point: &There,
) -> Outcome {
    prop_assert_eq!(until, expected.map(second), "{:?}: {:?}", point, why);
    let same = match (why, reason) {
        (Why::Tier(tier), Reason::Tier(found)) => Tier::ALL[*tier] == found,
        (Why::Days, Reason::Days)
        | (Why::Asked, Reason::OnDemand)
        | (Why::Newest, Reason::NewestOfLostSource)
        | (Why::Stopped, Reason::Stopped) => true,
        (Why::NeededBy(any), Reason::ChainNeeds(by)) => any.contains(&by.as_second()),
        _ => false,
    };
    prop_assert!(same, "{:?}: {:?} and not {:?}", point, why, reason);
    Ok(())
}

/// Every point of a case, not yet tagged, in order of time.
fn points(case: &Case) -> Result<Vec<There>, TestCaseError> {
    let mut points = Vec::new();
    let mut day = 0;
    for episode in &case.episodes {
        let end = (day + episode.days).min(TEN_YEARS);
        if episode.life == Life::Protected {
            let mut since = day;
            for (until, paper) in eras(case) {
                let until = until.min(end);
                if since < until {
                    let (from, to) = ((case.start + since) * DAY, (case.start + until) * DAY);
                    let runs = by_the_quarter(paper, from, to, episode.most);
                    prop_assert_eq!(&runs, &by_the_engine(paper, from, to, episode.most));
                    let made = runs.into_iter().enumerate().filter(|(index, _)| {
                        episode.missed == 0 || index % episode.missed != episode.missed - 1
                    });
                    points.extend(made.map(|(_, (at, made))| There {
                        at,
                        made,
                        chosen: [false; 3],
                        asked_until: None,
                    }));
                    since = until;
                }
            }
        }
        day = end;
    }
    for request in &case.requests {
        // Seven seconds past, when no run begins.
        let at = (case.start + request.day) * DAY + request.minute * 60 + 7;
        if life(case, at) == Life::Protected {
            points.push(There {
                at,
                made: if request.copy { Made::Copy } else { Made::Full },
                chosen: [false; 3],
                asked_until: Some(at + request.keep * DAY),
            });
        }
    }
    points.sort_by_key(|point| (point.at, point.made));
    points.dedup_by_key(|point| (point.at, point.made));
    Ok(points)
}

fn kinds(paper: &Paper) -> Vec<(Made, When)> {
    let between = |it: &(Vec<usize>, i64, i64)| When::Weekly(it.0.clone(), it.1);
    [
        Some((Made::Full, paper.full.clone())),
        paper
            .differential
            .as_ref()
            .map(|it| (Made::Differential, between(it))),
        paper
            .incremental
            .as_ref()
            .map(|it| (Made::Incremental, between(it))),
        paper
            .log
            .map(|(every, _)| (Made::Log, When::Minutes(every))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The first `most` runs from `from` up to `to`, by asking of every quarter of an hour.
fn by_the_quarter(paper: &Paper, from: i64, to: i64, most: usize) -> Vec<(i64, Made)> {
    let mut runs = Vec::new();
    let kinds = kinds(paper);
    let mut day = (from + paper.offset()).div_euclid(DAY);
    while runs.len() < most && day * DAY - paper.offset() < to {
        for (made, when) in &kinds {
            // A whole day that is not one of a week's days needs no asking by the quarter.
            if let When::Weekly(on, _) = when
                && !on.contains(&day_of(day * DAY).1.weekday)
            {
                continue;
            }
            let quarters = (0..96).map(|quarter| day * DAY + quarter * 900);
            let begin = quarters.filter(|local| begins(when, *local));
            let at = begin.map(|local| local - paper.offset());
            runs.extend(
                at.filter(|at| (from..to).contains(at))
                    .map(|at| (at, *made)),
            );
        }
        day += 1;
    }
    runs.sort_unstable();
    runs.truncate(most);
    runs
}

/// The same from the engine's schedules.
fn by_the_engine(paper: &Paper, from: i64, to: i64, most: usize) -> Vec<(i64, Made)> {
    let mut runs = Vec::new();
    for (made, when) in kinds(paper) {
        let schedule = Schedule {
            frequency: frequency(&when),
            zone: paper.strategy().zone,
        };
        let first = schedule.next_after(second(from - 1));
        let all = std::iter::successors(first, |run| schedule.next_after(*run));
        let some = all
            .map(jiff::Timestamp::as_second)
            .take_while(|run| *run < to);
        runs.extend(some.take(most).map(|run| (run, made)));
    }
    runs.sort_unstable();
    runs.truncate(most);
    runs
}

fn chosen_if_first(paper: &Paper, at: i64, days: &mut Vec<i64>) -> [bool; 3] {
    let day = (at + paper.offset()).div_euclid(DAY);
    if days.last() == Some(&day) {
        return [false; 3];
    }
    days.push(day);
    chosen(paper, at)
}

/// Where each policy's days end, counted from the start.
fn eras(case: &Case) -> Vec<(i64, &Paper)> {
    let mut day = 0;
    let last = case.papers.len() - 1;
    let papers = case.papers.iter().enumerate();
    papers
        .map(|(index, (days, paper))| {
            day += days;
            (if index == last { FAR } else { day }, paper)
        })
        .collect()
}

fn paper(case: &Case, at: i64) -> &Paper {
    let day = at.div_euclid(DAY) - case.start;
    let eras = eras(case);
    eras.into_iter().find(|(until, _)| day < *until).unwrap().1
}

/// How the item lives at a moment; after its last episode it is protected, and its machine asleep.
fn life(case: &Case, at: i64) -> Life {
    let mut day = at.div_euclid(DAY) - case.start;
    for episode in &case.episodes {
        if day < episode.days {
            return episode.life;
        }
        day -= episode.days;
    }
    Life::Protected
}

/// The next moment at which another policy or another life begins.
fn next_boundary(case: &Case, at: i64) -> i64 {
    let today = at.div_euclid(DAY) - case.start;
    let papers = eras(case).into_iter().map(|(until, _)| until);
    let episodes = case.episodes.iter().scan(0, |day, episode| {
        *day += episode.days;
        Some(*day)
    });
    let next = papers.chain(episodes).filter(|day| *day > today).min();
    (case.start + next.unwrap()) * DAY
}

/// The moment that a cleanup is meant for.
fn moment(case: &Case, cleanup: &Cleanup, points: &[There]) -> i64 {
    let (midnight, days) = match &cleanup.when {
        OnDay::After(index, days) if !points.is_empty() => {
            (points[index.index(points.len())].at, days)
        }
        OnDay::After(_, day) | OnDay::Of(day) => (case.start * DAY, day),
    };
    midnight + days * DAY + cleanup.second
}

/// The moment of a cleanup: where it is to be at the edge of a point's expiry, and nothing else happens until then, there.
fn at_the_edge(
    item: &Item,
    paper: &Paper,
    life: Life,
    edge: Edge,
    nominal: i64,
    free_until: i64,
) -> i64 {
    let Some((index, nudge)) = edge else {
        return nominal;
    };
    if item.there.is_empty() {
        return nominal;
    }
    let ends = judge(paper, life, &item.there, nominal);
    let Some((Some(until), _)) = &ends[index.index(ends.len())] else {
        return nominal;
    };
    let edge = until + nudge;
    if (nominal..free_until).contains(&edge) {
        edge
    } else {
        nominal
    }
}

fn kind(made: Made) -> Kind {
    match made {
        Made::Full => Kind::Full,
        Made::Copy => Kind::CopyOnlyFull,
        Made::Differential => Kind::Differential,
        Made::Incremental => Kind::Incremental,
        Made::Log => Kind::Log,
    }
}
