//! How much of the service its callers may take, each limit with its default.

use std::time::Duration;

/// Limits on connections, requests and bodies. What goes beyond one is refused or closed; nothing waits for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Open connections at once: 512. Fewer where the system allows the process fewer descriptors: jobs keep theirs.
    pub connections: usize,
    /// Open connections of one address (of one /64 in IPv6): 256.
    pub connections_per_address: usize,
    /// How long a TLS handshake may take: 10 s.
    pub handshake: Duration,
    /// How long a connection may take to send the head of its next request, idle time included: 75 s.
    pub idle: Duration,
    /// How long an answer may go without its reader taking a byte of it: 60 s.
    pub stalled: Duration,
    /// Requests that are worked on or wait for the core at once: 256.
    pub requests: usize,
    /// Of these, those of one identity: 128.
    pub requests_per_identity: usize,
    /// Bodies that one identity, or one address that has not signed in, sends at once: 32.
    pub bodies_per_caller: usize,
    /// The largest body: 1 MiB. Azure's own requests are a few kilobytes.
    pub body_bytes: usize,
    /// How long a body may take to arrive: 30 s.
    pub body_time: Duration,
    /// How many bytes of a body have to arrive each second, after a first few: 512.
    pub body_rate: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            connections_per_address: 256,
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            stalled: Duration::from_secs(60),
            requests: 256,
            requests_per_identity: 128,
            bodies_per_caller: 32,
            body_bytes: 1 << 20,
            body_time: Duration::from_secs(30),
            body_rate: 512,
        }
    }
}

impl Limits {
    /// For who has not signed in: a form with a secret or another issuer's token in it, which is small.
    pub(super) fn of_strangers(self) -> Self {
        Self {
            body_bytes: self.body_bytes.min(16 << 10),
            body_time: self.body_time.min(Duration::from_secs(10)),
            ..self
        }
    }

    /// For pages that a kubelet and a Prometheus ask for.
    pub(super) fn of_pages(self) -> Self {
        Self {
            connections: self.connections.min(32),
            connections_per_address: self.connections_per_address.min(16),
            idle: self.idle.min(Duration::from_secs(75)),
            ..self
        }
    }
}
