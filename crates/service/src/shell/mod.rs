//! The shell around the core: sockets, TLS, sign-in, the clock, movers and repositories.
//!
//! It decides nothing about backups. It brings requests, ticks and reports to the core, and carries out the effects that come
//! back once they are committed.

mod advance;
mod assertion;
mod audit;
mod authority;
mod body;
mod browse;
mod certificates;
mod clock;
mod cloud;
mod confirm;
mod connections;
mod crash_hook;
mod descriptors;
mod distinct;
mod engine;
mod error;
mod federation;
mod files;
mod guesses;
mod hands;
mod http;
mod identity;
mod kept_files;
mod keys;
mod lane;
mod limits;
mod metrics;
mod mover;
mod operation_name;
mod owner;
mod passphrase;
mod private;
mod recorded;
mod renewal;
mod repositories;
mod serve;
mod shares;
mod sign_in;
mod snapshots;
mod startup;
mod throttle;
mod ticker;
mod token;
mod upkeep;

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use crate::core::{InstantRestore, OnDemand, Scrub};

pub use audit::Audit;
pub use clock::{ClockBelief, ClockMode};
pub use error::ServiceError;
pub use identity::Credentials;
pub use limits::Limits;
pub use mover::{Kill, Mover, Scripted, Tell, Threads};
pub use serve::{Running, run, start};

/// How the service is run.
pub struct Config {
    /// Where vaults, keys and state are; made when it is not there.
    pub data_dir: PathBuf,
    /// The inventory's file.
    pub inventory: PathBuf,
    /// The address of the HTTPS endpoint; port 0 takes a free one.
    pub listen: SocketAddr,
    /// A loopback address for the managed identity endpoint, over plain HTTP.
    pub listen_http: Option<SocketAddr>,
    /// Where `/metrics` and `/healthz` are served, over plain HTTP.
    pub metrics_listen: Option<SocketAddr>,
    /// The clock that schedules and recovery points follow.
    pub clock: ClockMode,
    /// What is believed of the machine's clock.
    pub clock_belief: ClockBelief,
    /// How many jobs run at once; the rest queue.
    pub max_jobs: usize,
    /// How many backups on demand a machine may have within 24 hours.
    pub on_demand: OnDemand,
    /// Within how many backups in a row all that dirty bitmaps call unchanged is read and compared all the same.
    pub compared_within: NonZeroU16,
    /// How long a job's mover may go without a byte's progress; then the job has failed.
    pub stalled_after: Duration,
    /// How the vaults are scrubbed.
    pub scrub: Scrub,
    /// What instant restores come from where the file system can't share blocks.
    pub instant_restore: InstantRestore,
    /// The file that holds the vaults' passphrase; else `DIR/passphrase`, made at the first start.
    pub passphrase_file: Option<PathBuf>,
    /// After how many reads of jobs within an hour callers are told to wait; Azure's limit is 150.
    pub job_reads_per_hour: Option<NonZeroU16>,
    /// How it is written who did what.
    pub audit: Audit,
    /// How much of the service its callers may take.
    pub limits: Limits,
    /// What moves the bytes.
    pub movers: Movers,
}

/// What moves the bytes of jobs.
#[derive(Default)]
pub enum Movers {
    /// This program, run as `kluis mover JOBFILE`.
    #[default]
    ThisProgram,
    /// Another program, run in the same way.
    Program(PathBuf),
    /// Something in this process.
    Own(Box<dyn Mover>),
}
