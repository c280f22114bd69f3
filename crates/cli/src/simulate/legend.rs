//! What the marks of the calendar mean.

use super::calendar::side;
use super::canvas::{Canvas, class};
use super::outcome::Outcome;
use super::tiers::{Keeper, keeper};

/// Draws a line of it at `top`: only what occurs. Where it ends.
pub(super) fn draw(outcome: &Outcome, canvas: &mut Canvas, top: f64) -> f64 {
    let mut keepers: Vec<Keeper> = outcome.all().map(keeper).collect();
    keepers.sort_unstable();
    keepers.dedup();
    canvas.text(24.0, top + 12.0, "", "Days with a recovery point");
    let mut x = 230.0;
    for keeper in keepers {
        let side = side(keeper) + 3.0;
        canvas.block(class(keeper), x, top + 8.0 - side / 2.0, side, side);
        canvas.text(x + 16.0, top + 12.0, "small", keeper.name());
        x += 40.0 + keeper.name().len() as f64 * 7.0;
    }
    top + 24.0
}
