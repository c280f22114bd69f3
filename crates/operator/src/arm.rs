//! The line to one service: every call of ARM goes through here, so that all of them are counted, kept inside the
//! budget, and tell us the service's time.

mod budget;
mod cache;
mod line;

pub use budget::Limits;
pub use line::Line;
