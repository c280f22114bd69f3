//! A policy's years to come, where nothing goes wrong: simulated by the engine and read off the documentation.

use kluis_policy::Reason;
use kluis_policy::simulate::{existing, timeline};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::case::Forecast;
use super::history::{agree, kind};
use super::paper::Paper;
use super::runs::by_the_quarter;
use super::sentences::{Kept, Life, Made, There, chosen, judge};
use crate::almanac::{DAY, second};

/// Looks ahead, and fails where the simulation shows something else.
pub(crate) fn foresee(forecast: &Forecast) -> Result<(), TestCaseError> {
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

fn chosen_if_first(paper: &Paper, at: i64, days: &mut Vec<i64>) -> [bool; 3] {
    let day = (at + paper.offset()).div_euclid(DAY);
    if days.last() == Some(&day) {
        return [false; 3];
    }
    days.push(day);
    chosen(paper, at)
}
