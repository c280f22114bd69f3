//! The line to one service: every call of ARM goes through here, so that all of them are counted, kept inside the
//! budget, and tell us the service's time; and what many objects look at is read once for all of them.

mod agreement;
mod budget;
mod contents;
mod extension;
mod line;
mod listing;
mod lists;
mod locks;
mod pace;
mod pages;
mod shelf;

pub use budget::Limits;
pub(crate) use line::Turn;
pub use line::{Line, News, Told};
pub use lists::Freshness;
pub use pace::Rate;
