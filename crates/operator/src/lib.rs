//! The imperative shell: observe, plan, execute, report, requeue, the same for every kind.
//!
//! What to do is decided in `kluis-plan`, from values; here is everything that touches the world. [`reconcile_once`]
//! is the whole of it for one object, and runs with anything that is [`objects::Objects`] and [`services::Services`]:
//! the API server and HTTPS in the process, memory in a simulation. [`run()`] is the process.
//!
//! It knows one protocol, ARM's. It refuses to know who answers: Azure and `kluis service` are told apart by their
//! endpoint alone.

pub mod access;
pub mod arm;
mod backoff;
pub mod clock;
mod cluster;
mod controller;
pub mod crash;
mod ctx;
mod events;
mod execute;
mod face;
mod facts;
mod failure;
pub mod fence;
mod graph;
mod health;
mod kept;
mod key;
mod kubernetes;
mod lease;
pub mod metrics;
pub mod objects;
mod observe;
pub mod overlay;
pub mod preview;
mod queue;
mod reconcile;
mod references;
mod report;
mod run;
mod second_look;
pub mod services;
mod store;
mod unreadable;
mod user_agent;
mod wake;
mod watches;

pub use backoff::Backoff;
pub use ctx::Ctx;
pub use graph::Graph;
pub use kept::Kept;
pub use key::{KINDS, Key, Kind};
pub use lease::Lost;
pub use reconcile::{Outcome, reconcile_once};
pub use references::{Machine, machine, references};
pub use run::{OperatorConfig, OperatorError, run};
pub use user_agent::named;
