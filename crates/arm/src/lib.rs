//! Azure Backup's wire: what its REST protocol says, as values.
//!
//! The service, the client, the plan and the operator all speak through these types, so that client and server disagree
//! with the published examples before they disagree with each other. This crate knows shapes, names, formats, limits and
//! error codes. It refuses to know sockets, clocks, identities and what any of the two sides wants: there is no IO here.
//!
//! Three habits hold everywhere. Every field of the wire is an `Option`, because the published contract requires none.
//! Every struct keeps the fields it does not know in `extra`, and every family of shapes told apart by a discriminator
//! keeps the members it does not know as JSON, so that reading and writing back loses nothing. Every enumerated word is
//! open, because Azure adds to them without a new version.

#[macro_use]
mod shape;
#[macro_use]
mod keep;

pub mod api_version;
pub mod backup;
pub mod config;
pub mod container;
pub mod dataprotection;
pub mod deleted_vault;
pub mod error;
pub mod files;
pub mod filter;
pub mod id;
pub mod item;
pub mod job;
pub mod operation;
pub mod policy;
pub mod protectable;
pub mod recovery_point;
pub mod region;
pub mod resource;
pub mod restore;
pub mod time;
pub mod usage;
pub mod vault;
pub mod zone;

/// A JSON object, its keys in the order they came.
pub type Extra = serde_json::Map<String, serde_json::Value>;
