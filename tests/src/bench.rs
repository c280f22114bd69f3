//! What `make bench` measures of the operator: a fleet of machines declared in YAML, on the real API server and the
//! real service.
//!
//! Each figure is one line that a program can read; how a figure was come by stands beside it, for people, on the
//! standard error.

mod figure;
mod fleet;
mod operator;

pub use fleet::Fleet;
pub use operator::{Wish, run};
