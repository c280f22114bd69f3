//! Whose turn it is: one replica acts, the others wait.
//!
//! The lock is a `Lease` of the operator's namespace. Whoever holds it writes the time into it again and again; when
//! that stops, another takes it. Clocks of different machines are not compared: a waiting replica measures, by its own
//! clock, for how long the lease has not changed. Writes carry the version that was read, so that of two that reach
//! for a free lease one gets it.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::{fence::Fence, kubernetes::FIELD_MANAGER};

const NAME: &str = "kluis-operator";
/// A lease that has not changed for this long is free.
const DURATION: Duration = Duration::from_secs(12);
/// Renewed this often; two failures in a row are survived.
const RENEW: Duration = Duration::from_secs(2);
/// A holder may write for this long after it asked for the renewal that it was given: well before anyone else may begin,
/// who counts [`DURATION`] from when it saw that renewal, and that is later.
const GOOD_FOR: Duration = Duration::from_secs(8);
/// How often those who wait look. With [`DURATION`], a holder that is killed is replaced 14 seconds after its last
/// renewal at the latest.
const LOOK: Duration = Duration::from_secs(1);
/// An API server that hasn't answered by then is asked again.
const PATIENCE: Duration = Duration::from_secs(3);

/// The lease was lost while it was held: stop acting at once.
#[derive(Debug, thiserror::Error)]
#[error("the lease {NAME} was lost: another replica may be acting now")]
pub struct Lost;

/// Our hand on the lease.
pub(crate) struct Hold {
    leases: Api<Lease>,
    me: String,
    /// What was last read of it, and when that was seen first.
    seen: Option<(Option<String>, Instant)>,
    /// Open while it is ours.
    fence: Fence,
    good_until: Instant,
}

/// What to do about the lease as it is.
#[derive(Debug, PartialEq, Eq)]
enum Move {
    /// It is free, or ours: write our name and the time into it.
    Write,
    /// Somebody else has it.
    Wait,
}

impl Hold {
    /// `fence` is opened by each renewal, and closed when the lease is lost.
    pub(crate) fn new(client: Client, namespace: &str, me: String, fence: Fence) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            me,
            seen: None,
            fence,
            good_until: Instant::now(),
        }
    }

    /// Waits until the lease is ours.
    pub(crate) async fn acquire(&mut self) {
        loop {
            match timeout(PATIENCE, self.attempt()).await {
                Ok(Ok(true)) => return,
                Ok(Ok(false)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the lease could not be had"),
                Err(_) => tracing::warn!("asking for the lease takes too long"),
            }
            sleep(LOOK).await;
        }
    }

    /// Keeps the lease, and returns when it is lost: when another has it, or when it was not renewed for as long as it
    /// is good for, whatever we were waiting for meanwhile.
    pub(crate) async fn keep(&mut self) -> Lost {
        loop {
            sleep(RENEW).await;
            let by = self.good_until.min(Instant::now() + PATIENCE);
            match timeout_at(by, self.attempt()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => break,
                Ok(Err(error)) => tracing::warn!(%error, "the lease could not be renewed"),
                Err(_) => tracing::warn!("renewing the lease takes too long"),
            }
            if Instant::now() >= self.good_until {
                break;
            }
        }
        self.fence.close();
        Lost
    }

    /// Gives the lease back, so that the next one need not wait.
    pub(crate) async fn release(&mut self) {
        let Ok(Some(mut lease)) = self.leases.get_opt(NAME).await else {
            return;
        };
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() == Some(&self.me) {
            spec.holder_identity = None;
            if let Err(error) = self.leases.replace(NAME, &ours(), &lease).await {
                tracing::warn!(%error, "the lease could not be given back");
            }
        }
    }

    /// One look and, where it is ours to write, one write. True when it is ours.
    async fn attempt(&mut self) -> Result<bool, kube::Error> {
        let found = self.leases.get_opt(NAME).await?;
        let version = found
            .as_ref()
            .and_then(|lease| lease.metadata.resource_version.clone());
        let now = Instant::now();
        let since = match &self.seen {
            Some((seen, since)) if *seen == version => *since,
            _ => now,
        };
        self.seen = Some((version, since));
        let spec = found.as_ref().and_then(|lease| lease.spec.as_ref());
        if next(spec, &self.me, now.duration_since(since)) == Move::Wait {
            return Ok(false);
        }
        let lease = written(found, &self.me, Timestamp::now());
        let asked = Instant::now();
        let result = match lease.metadata.resource_version {
            Some(_) => self.leases.replace(NAME, &ours(), &lease).await,
            None => self.leases.create(&ours(), &lease).await,
        };
        match result {
            Ok(_) => {
                self.good_until = asked + GOOD_FOR;
                self.fence.renewed(asked.into_std(), GOOD_FOR);
                Ok(true)
            }
            // Somebody was faster.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A write of the operator's.
fn ours() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

fn next(lease: Option<&LeaseSpec>, me: &str, unchanged: Duration) -> Move {
    let holder = lease.and_then(|lease| lease.holder_identity.as_deref());
    match holder {
        None | Some("") => Move::Write,
        Some(holder) if holder == me => Move::Write,
        Some(_) => {
            let seconds = lease.and_then(|lease| lease.lease_duration_seconds);
            let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
            let duration = seconds.map_or(DURATION, Duration::from_secs);
            match unchanged > duration {
                true => Move::Write,
                false => Move::Wait,
            }
        }
    }
}

fn written(found: Option<Lease>, me: &str, now: Timestamp) -> Lease {
    let mut lease = found.unwrap_or_else(|| Lease {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            ..ObjectMeta::default()
        },
        spec: None,
    });
    let spec = lease.spec.get_or_insert_default();
    if spec.holder_identity.as_deref() != Some(me) {
        spec.holder_identity = Some(me.to_owned());
        spec.acquire_time = Some(MicroTime(now));
        spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |n| n.saturating_add(1)));
    }
    spec.renew_time = Some(MicroTime(now));
    spec.lease_duration_seconds = i32::try_from(DURATION.as_secs()).ok();
    lease
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(holder: &str) -> Lease {
        written(None, holder, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_lease_is_taken_when_it_is_free_ours_or_left_alone_too_long() {
        let (a, b) = (held_by("a"), held_by("b"));
        let after = |lease: Option<&Lease>, seconds| {
            let spec = lease.and_then(|lease| lease.spec.as_ref());
            next(spec, "a", Duration::from_secs(seconds))
        };
        assert_eq!(after(None, 0), Move::Write);
        assert_eq!(after(Some(&a), 0), Move::Write);
        assert_eq!(after(Some(&b), 12), Move::Wait);
        assert_eq!(after(Some(&b), 13), Move::Write);
    }

    #[test]
    fn a_change_of_hands_is_counted_and_a_renewal_is_not() {
        let later = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(60);
        let renewed = written(Some(held_by("a")), "a", later).spec.unwrap();
        assert_eq!(renewed.lease_transitions, Some(0));
        assert_eq!(renewed.acquire_time, Some(MicroTime(Timestamp::UNIX_EPOCH)));
        assert_eq!(renewed.renew_time, Some(MicroTime(later)));
        let taken = written(Some(held_by("a")), "b", later).spec.unwrap();
        assert_eq!(taken.lease_transitions, Some(1));
        assert_eq!(taken.acquire_time, Some(MicroTime(later)));
    }
}
