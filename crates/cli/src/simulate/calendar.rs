//! The calendar: every day that has a recovery point, the larger and the warmer the longer it stays. A column a week,
//! Monday on top; years without a point are left out.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::canvas::{Canvas, Mark, class};
use super::outcome::{Outcome, day};
use super::tiers::{Keeper, keeper};
use super::words;

const PITCH: f64 = 8.0;
const CELL: f64 = 7.0;
const COLUMNS: [f64; 2] = [24.0, 492.0];
const YEAR_HEIGHT: f64 = 7.0 * PITCH + 30.0;

/// What a day has.
struct Day {
    longest: Keeper,
    points: usize,
}

/// Draws the years from `top` on; where they end.
pub(super) fn draw(outcome: &Outcome, canvas: &mut Canvas, top: f64) -> f64 {
    let mut years: BTreeMap<i16, BTreeMap<Date, Day>> = BTreeMap::new();
    for made in outcome.all() {
        let date = day(&outcome.policy.strategy, made.due);
        let keeper = keeper(made);
        let days = years.entry(date.year()).or_default();
        let day = days.entry(date).or_insert(Day {
            longest: keeper,
            points: 0,
        });
        day.longest = day.longest.min(keeper);
        day.points += 1;
    }
    for (index, (year, days)) in years.iter().enumerate() {
        let left = COLUMNS[index % COLUMNS.len()];
        let y = top + (index / COLUMNS.len()) as f64 * YEAR_HEIGHT;
        draw_year(*year, days, canvas, left, y);
    }
    let rows = years.len().div_ceil(COLUMNS.len());
    top + rows as f64 * YEAR_HEIGHT
}

fn draw_year(year: i16, days: &BTreeMap<Date, Day>, canvas: &mut Canvas, left: f64, top: f64) {
    canvas.text(left, top + 11.0, "small", &year.to_string());
    let top = top + 16.0;
    let Some((first, last)) = Date::new(year, 1, 1).ok().zip(Date::new(year, 12, 31).ok()) else {
        return;
    };
    canvas.shape("class=\"rail\"", &outline(first, last, left, top));
    for (month, letter) in (2..).zip("FMAMJJASOND".chars()) {
        if let Ok(begins) = Date::new(year, month, 1) {
            let (week, _) = place(begins, first);
            canvas.text(left + week * PITCH, top - 5.0, "small", &letter.to_string());
        }
    }
    let mut marks: BTreeMap<Keeper, Vec<Mark>> = BTreeMap::new();
    for (date, day) in days {
        let (week, weekday) = place(*date, first);
        let side = side(day.longest);
        let inset = (CELL - side) / 2.0;
        let says = match day.points {
            1 => format!("{date}: {}", day.longest.name()),
            more => format!(
                "{date}: {}, {}",
                day.longest.name(),
                words::count(more, "point")
            ),
        };
        marks.entry(day.longest).or_default().push(Mark {
            x: left + week * PITCH + inset,
            y: top + weekday * PITCH + inset,
            width: side,
            height: side,
            says,
        });
    }
    for (keeper, marks) in &marks {
        canvas.marks(class(*keeper), marks);
    }
}

/// How large a day's mark is: what it shows without its colour.
pub(super) fn side(keeper: Keeper) -> f64 {
    match keeper {
        Keeper::Yearly => 7.0,
        Keeper::Monthly => 6.0,
        Keeper::Weekly => 5.0,
        Keeper::Daily => 4.0,
        Keeper::Chain
        | Keeper::Newest
        | Keeper::Differential
        | Keeper::Incremental
        | Keeper::Log => 3.0,
    }
}

/// The week's column and the weekday's row of a date, in the year that begins at `first`.
fn place(date: Date, first: Date) -> (f64, f64) {
    let before = f64::from(first.weekday().to_monday_zero_offset());
    let days = f64::from(date.day_of_year() - 1) + before;
    ((days / 7.0).floor(), days % 7.0)
}

/// The year's own shape: a block of weeks with a step at each end.
fn outline(first: Date, last: Date, left: f64, top: f64) -> String {
    use super::canvas::short;
    let edge = |column: f64| short(left + column * PITCH - 0.5);
    let line = |row: f64| short(top + row * PITCH - 0.5);
    let (_, begins) = place(first, first);
    let (ends_in, ends) = place(last, first);
    let (bottom, width) = (7.0, ends_in + 1.0);
    format!(
        "M{} {}H{}V{}H{}V{}H{}V{}H{}z",
        edge(1.0),
        line(0.0),
        edge(width),
        line(ends + 1.0),
        edge(ends_in),
        line(bottom),
        edge(0.0),
        line(begins),
        edge(1.0),
    )
}
