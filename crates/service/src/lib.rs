//! The backup service: Azure's REST protocol on the outside, vaults of real bytes on the inside.
//!
//! [`core`] decides and [`shell`] acts: the core is synchronous and takes the time, new ids and the inventory as arguments;
//! sockets, TLS, clocks, threads and processes live in the shell. Nothing here knows Kubernetes.

pub mod backup;
pub mod core;
pub mod estate;
pub mod extension;
pub mod health;
pub mod inventory;
pub mod offer;
pub mod operations;
pub mod protection;
pub mod shell;
pub mod store;
pub mod vaults;

pub use core::{InstantRestore, OnDemand, Scrub};
pub use shell::{
    Audit, ClockBelief, ClockMode, Config, Credentials, Limits, Movers, Running, ServiceError, run,
    start,
};
