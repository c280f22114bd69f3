//! The picture of a simulation: the tiers, and a calendar.

use super::canvas::Canvas;
use super::outcome::Outcome;
use super::{calendar, legend, strips, table, words};

/// An SVG document.
pub(super) fn of(outcome: &Outcome) -> String {
    let mut canvas = Canvas::default();
    let title = format!(
        "{}: {} on {}",
        outcome.policy.name,
        words::count(outcome.points.len(), "recovery point"),
        outcome.on
    );
    canvas.text(24.0, 34.0, "title", &title);
    let below = format!(
        "{}, {}; from {} on",
        words::schedule(&outcome.policy.strategy),
        outcome.policy.time_zone,
        outcome.from
    );
    canvas.text(24.0, 56.0, "soft", &below);
    let y = strips::draw(outcome, &mut canvas, 76.0);
    let y = legend::draw(outcome, &mut canvas, y + 8.0);
    let y = calendar::draw(outcome, &mut canvas, y + 4.0);
    canvas.finished(y + 8.0, &title, &in_words(outcome))
}

/// The same for who does not see it.
fn in_words(outcome: &Outcome) -> String {
    let rows = outcome.rows.iter().map(|row| {
        let keeps = match row.keeps.as_str() {
            "" => String::new(),
            keeps => format!(" for {keeps}"),
        };
        format!(
            "{}{keeps}: {}",
            row.keeper.name(),
            words::count(row.points.len(), "point")
        )
    });
    let tiers: Vec<String> = rows.collect();
    let mut told = table::summary(outcome).join(" ");
    told.push_str(" One row a tier, from the oldest point to that day: ");
    told.push_str(&tiers.join("; "));
    told.push_str(". Below, the days that have a point.");
    told
}
