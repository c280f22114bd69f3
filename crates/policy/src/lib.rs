//! Backup policy in the field's own terms: when a backup is due, how long a recovery point is kept, what a chain of
//! backups needs, what an edit of a policy would cost, which states a protected item goes through, and whether an
//! objective is met.
//!
//! Everything here is a function of its arguments. The crate reads no clock and does no IO; it knows neither Azure's
//! wire nor Kubernetes. Instants are [`jiff::Timestamp`]s, wall-clock times belong to the policy's zone as
//! [`wall_clock`] defines it.

pub mod backups;
mod beat;
pub mod calendar;
pub mod chain;
mod clock;
mod day;
pub mod follow;
pub mod item;
pub mod limits;
pub mod loss;
pub mod objective;
pub mod pruning;
pub mod retention;
pub mod runs;
pub mod schedule;
pub mod simulate;
pub mod strategy;
mod tiers;
pub mod wall_clock;
pub mod workload;
pub mod zones;

pub use calendar::{DayOfMonth, Month, MonthDays, Week};
pub use item::{Event, Refusal, State};
pub use objective::{Objective, Standing};
pub use pruning::{Origin, Point, Pruning, Reason, Verdict, verdicts};
pub use retention::{Daily, Monthly, Retention, Tags, Tier, Weekly, Yearly};
pub use schedule::{Frequency, Schedule};
pub use strategy::{Between, DaylightSaving, Log, Strategy};
pub use workload::Workload;
