//! How much of the service its callers may take. None of these can be set to nothing.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use kluis_service::Limits;

/// Limits on connections, requests and bodies.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// Open connections at once; beyond, one that is silent is closed for a new one.
    #[arg(long, value_name = "N", default_value = "512")]
    max_connections: NonZeroU16,
    /// Of these, those of one address, or of one /64 in IPv6.
    #[arg(long, value_name = "N", default_value = "256")]
    max_connections_per_address: NonZeroU16,
    /// How long a TLS handshake may take.
    #[arg(long, value_name = "SECONDS", default_value = "10")]
    handshake_timeout: NonZeroU16,
    /// How long a connection may take to send the head of its next request, idle time included.
    #[arg(long, value_name = "SECONDS", default_value = "75")]
    idle_timeout: NonZeroU16,
    /// How long an answer may go without its reader taking a byte of it.
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    stall_timeout: NonZeroU16,
    /// Requests that are worked on at once; 503 beyond.
    #[arg(long, value_name = "N", default_value = "256")]
    max_requests: NonZeroU16,
    /// Of these, those of one identity; 429 beyond.
    #[arg(long, value_name = "N", default_value = "128")]
    max_requests_per_identity: NonZeroU16,
    /// Bodies that one identity, or one address that has not signed in, sends at once; 429 beyond.
    #[arg(long, value_name = "N", default_value = "32")]
    max_bodies_per_caller: NonZeroU16,
    /// The largest body of a request; 413 beyond. Forms by which one signs in: at most 16384.
    #[arg(long, value_name = "BYTES", default_value = "1048576")]
    max_body: NonZeroU32,
    /// How long a body may take to arrive; 408 beyond. Forms by which one signs in: at most 10.
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    body_timeout: NonZeroU16,
    /// How many bytes of a body have to arrive each second, after the first five seconds.
    #[arg(long, value_name = "BYTES", default_value = "512")]
    min_body_rate: NonZeroU32,
}

impl From<LimitArgs> for Limits {
    fn from(args: LimitArgs) -> Self {
        let many = |n: NonZeroU16| usize::from(n.get());
        let bytes = |n: NonZeroU32| usize::try_from(n.get()).unwrap_or(usize::MAX);
        let seconds = |n: NonZeroU16| Duration::from_secs(u64::from(n.get()));
        Self {
            connections: many(args.max_connections),
            connections_per_address: many(args.max_connections_per_address),
            handshake: seconds(args.handshake_timeout),
            idle: seconds(args.idle_timeout),
            stalled: seconds(args.stall_timeout),
            requests: many(args.max_requests),
            requests_per_identity: many(args.max_requests_per_identity),
            bodies_per_caller: many(args.max_bodies_per_caller),
            body_bytes: bytes(args.max_body),
            body_time: seconds(args.body_timeout),
            body_rate: bytes(args.min_body_rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        limits: LimitArgs,
    }

    #[test]
    fn what_is_said_of_defaults_is_so_and_no_limit_is_nothing() {
        assert_eq!(
            Limits::from(Line::parse_from(["x"]).limits),
            Limits::default()
        );
        assert!(Line::try_parse_from(["x", "--max-connections", "0"]).is_err());
        assert!(Line::try_parse_from(["x", "--body-timeout", "0"]).is_err());
    }
}
