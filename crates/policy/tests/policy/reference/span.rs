//! What is in force when: the policies and the lives of a case, laid out in time.

use super::case::{Case, Cleanup, OnDay, TEN_YEARS};
use super::paper::Paper;
use super::sentences::{Life, There};
use crate::almanac::DAY;

/// A day that no case reaches.
const FAR: i64 = 10 * TEN_YEARS;

/// Where each policy's days end, counted from the start.
pub(crate) fn eras(case: &Case) -> Vec<(i64, &Paper)> {
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

pub(crate) fn paper(case: &Case, at: i64) -> &Paper {
    let day = at.div_euclid(DAY) - case.start;
    let eras = eras(case);
    eras.into_iter().find(|(until, _)| day < *until).unwrap().1
}

/// How the item lives at a moment; after its last episode it is protected, and its machine asleep.
pub(crate) fn life(case: &Case, at: i64) -> Life {
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
pub(crate) fn next_boundary(case: &Case, at: i64) -> i64 {
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
pub(crate) fn moment(case: &Case, cleanup: &Cleanup, points: &[There]) -> i64 {
    let (midnight, days) = match &cleanup.when {
        OnDay::After(index, days) if !points.is_empty() => {
            (points[index.index(points.len())].at, days)
        }
        OnDay::After(_, day) | OnDay::Of(day) => (case.start * DAY, day),
    };
    midnight + days * DAY + cleanup.second
}
