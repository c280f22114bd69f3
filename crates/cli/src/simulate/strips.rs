//! One row a retention tier, time across: where the points of each tier lie on the way to the day that is looked at.
//!
//! The scale is that of the square root of age: ten years and the last thirty days are in one picture, and both can be
//! seen. The ticks say which age lies where.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::canvas::{Canvas, Mark, class, short};
use super::outcome::Outcome;
use super::tiers::Row;
use super::words;

const LEFT: f64 = 170.0;
const RIGHT: f64 = 880.0;
const ROW: f64 = 32.0;
const MARK: f64 = 3.0;

/// Ages that a tick may stand at, in days.
const AGES: [(f64, &str); 12] = [
    (1.0, "1 day"),
    (7.0, "1 week"),
    (30.0, "1 month"),
    (91.0, "3 months"),
    (182.0, "6 months"),
    (365.25, "1 year"),
    (730.5, "2 years"),
    (1_826.0, "5 years"),
    (3_652.0, "10 years"),
    (7_305.0, "20 years"),
    (18_262.0, "50 years"),
    (36_159.0, "99 years"),
];

/// How far apart two ticks are at least.
const TICKS_APART: f64 = 64.0;

/// From an age to a place.
struct Scale {
    at: Timestamp,
    /// The greatest age, in days.
    span: f64,
}

impl Scale {
    fn of(outcome: &Outcome) -> Self {
        let oldest = outcome.rows.iter().filter_map(|row| row.points.first());
        let at = outcome.at;
        let span = oldest.min().map_or(1.0, |oldest| days(*oldest, at));
        Self {
            at,
            span: span.max(1.0),
        }
    }

    fn of_age(&self, days: f64) -> f64 {
        let part = (days.max(0.0) / self.span).sqrt();
        RIGHT - (RIGHT - LEFT) * part
    }

    fn of_moment(&self, moment: Timestamp) -> f64 {
        self.of_age(days(moment, self.at))
    }
}

/// Draws the rows from `top` on; where they end.
pub(super) fn draw(outcome: &Outcome, canvas: &mut Canvas, top: f64) -> f64 {
    let scale = Scale::of(outcome);
    let zone = &outcome.policy.strategy.zone;
    ticks(outcome, &scale, canvas, top);
    let mut y = top;
    for row in &outcome.rows {
        let middle = y + ROW / 2.0;
        canvas.text(24.0, middle - 1.0, "", row.keeper.name());
        canvas.text(24.0, middle + 11.0, "small", &row.keeps);
        canvas.block("rail", LEFT, middle - 0.5, RIGHT - LEFT + MARK, 1.0);
        canvas.marks(class(row.keeper), &marks(row, &scale, y, zone));
        canvas.text(
            RIGHT + 16.0,
            middle + 4.0,
            "",
            &words::grouped(row.points.len()),
        );
        y += ROW;
    }
    y + 32.0
}

/// Lines at some ages, with their names below the rows; the day itself is the last.
fn ticks(outcome: &Outcome, scale: &Scale, canvas: &mut Canvas, top: f64) {
    let bottom = top + outcome.rows.len() as f64 * ROW;
    canvas.centred(RIGHT, bottom + 16.0, "small", &outcome.on.to_string());
    let mut last = RIGHT;
    for (age, name) in AGES.iter().filter(|(age, _)| *age <= scale.span) {
        let x = scale.of_age(*age);
        if last - x >= TICKS_APART {
            canvas.block("rail", x, top, 1.0, bottom - top + 4.0);
            canvas.centred(x, bottom + 16.0, "small", name);
            last = x;
        }
    }
}

/// The marks of a row; points that fall on one place share a mark.
fn marks(row: &Row, scale: &Scale, y: f64, zone: &TimeZone) -> Vec<Mark> {
    let mut marks: Vec<(String, Mark, usize)> = Vec::new();
    for (due, until) in row.points.iter().zip(&row.until) {
        let x = scale.of_moment(*due);
        let place = short(x);
        let due = words::moment(*due, zone);
        match marks.last_mut() {
            Some((there, mark, count)) if *there == place => {
                *count += 1;
                mark.says = format!("{} up to {due}", words::count(*count, "point"));
            }
            _ => {
                let says = match until {
                    Some(until) => format!("{due}, goes {}", words::moment(*until, zone)),
                    None => format!("{due}, stays until there is a newer one"),
                };
                let mark = Mark {
                    x,
                    y: y + 5.0,
                    width: MARK,
                    height: ROW - 10.0,
                    says,
                };
                marks.push((place, mark, 1));
            }
        }
    }
    marks.into_iter().map(|(_, mark, _)| mark).collect()
}

fn days(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() / (24.0 * 60.0 * 60.0)
}
