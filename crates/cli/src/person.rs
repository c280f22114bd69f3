//! A person's shortcuts: what can be done with manifests and Azure's own clients too, in one line.
//!
//! Backups and restores are made as objects, so that the operator does the work and the cluster keeps the record; recovery
//! points, jobs and files are read from the service itself. Nothing is decided here.

mod approve;
mod backup;
pub(crate) mod connection;
mod download;
mod extension;
mod follow;
mod jobs;
mod ls;
pub(crate) mod named;
mod paths;
mod points;
mod progress;
mod restore;

pub(crate) use approve::approve;
pub(crate) use backup::backup;
pub(crate) use jobs::jobs;
pub(crate) use ls::ls;
pub(crate) use points::points;
pub(crate) use restore::restore;
