//! The runs of an item's ten years, by asking of every quarter of an hour and by the engine's schedules, which must agree.

use kluis_policy::Schedule;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::case::{Case, TEN_YEARS};
use super::paper::{Paper, When, frequency};
use super::sentences::{Life, Made, There, begins};
use super::span::{eras, life};
use crate::almanac::{DAY, day_of, second};

/// Every point of a case, not yet tagged, in order of time.
pub(crate) fn points(case: &Case) -> Result<Vec<There>, TestCaseError> {
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

/// The first `most` runs from `from` up to `to`, by asking of every quarter of an hour.
pub(crate) fn by_the_quarter(paper: &Paper, from: i64, to: i64, most: usize) -> Vec<(i64, Made)> {
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
