//! Azure Resource Manager over HTTPS: sign-in, calls, paging, operations and what went wrong.
//!
//! One call is one request and one answer. Nothing here waits, loops or tries again: the operator comes back later
//! with what the answer said (`Retry-After`), so that no reconcile blocks a worker. It knows nothing of vaults or
//! policies either: bodies are JSON, and paths are made by whoever knows what they mean.
//!
//! [`Arm`] is what callers hold; [`ArmClient`] is the one that owns a socket.

mod arm;
mod ca_bundle;
mod call;
mod client;
mod cloud;
mod credential;
mod download;
mod failure;
mod header;
mod link;
mod transport;

pub use arm::{
    Arm, MAX_EMPTY_PAGES, MAX_ITEMS, MAX_PAGES, OperationReading, list, operation, pages,
};
pub use ca_bundle::ca_bundle_ends;
pub use call::{ArmRequest, ArmResponse, Method};
pub use client::{ArmClient, Endpoint};
pub use credential::{Credential, Secret};
pub use failure::{Failure, Refusal};
pub use kluis_arm::error::Class;
