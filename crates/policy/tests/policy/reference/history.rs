//! An item's ten years, lived twice: by the engine and by the documentation.

use std::cell::RefCell;
use std::collections::BTreeMap;

use kluis_policy::backups::{self, Backup};
use kluis_policy::chain::Kind;
use kluis_policy::{Origin, Point, Pruning, Reason, Tier, Verdict, verdicts};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseError;

use super::case::{Case, TEN_YEARS};
use super::paper::Paper;
use super::runs::points;
use super::sentences::{Kept, Life, Made, There, Why, chosen, judge};
use super::span::{life, moment, next_boundary, paper};
use crate::almanac::{DAY, second};

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

pub(crate) fn agree(
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

pub(crate) fn kind(made: Made) -> Kind {
    match made {
        Made::Full => Kind::Full,
        Made::Copy => Kind::CopyOnlyFull,
        Made::Differential => Kind::Differential,
        Made::Incremental => Kind::Incremental,
        Made::Log => Kind::Log,
    }
}
