//! What `make bench` measures of the operator, by a fleet of machines declared in YAML on the real API server and the real service; and of the
//! service, by whole jobs beside stock restic.
//!
//! Each figure is one line that a program can read; how a figure was come by stands beside it, for people, on the
//! standard error.

mod figure;
mod fleet;
mod job;
mod machine_disk;
mod operator;

pub use fleet::Fleet;
pub use job::run_jobs;
pub use operator::{Wish, run};
