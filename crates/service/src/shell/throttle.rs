//! Azure's limit on reading jobs, for trying out what lives within it. Off unless asked for.

use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Method;

use crate::core::Refusal;

/// The time that the limit counts over.
const WINDOW: Duration = Duration::from_secs(3600);

/// The action that is limited, in Azure's words.
const ACTION: &str = "Microsoft.RecoveryServices/vaults/backupJobs/read";

/// Counts the reads of jobs, on the machine's clock: clients wait in real time.
pub(super) struct Throttle {
    limit: Option<NonZeroU16>,
    reads: Mutex<VecDeque<Instant>>,
}

impl Throttle {
    pub(super) fn new(limit: Option<NonZeroU16>) -> Self {
        Self {
            limit,
            reads: Mutex::default(),
        }
    }

    /// Lets a request through, or says for how many seconds not to ask again.
    pub(super) fn admit(&self, method: &Method, path: &str) -> Result<(), (Refusal, u64)> {
        let Some(limit) = self
            .limit
            .filter(|_| method == Method::GET && reads_jobs(path))
        else {
            return Ok(());
        };
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = admitted(&mut reads, limit, Instant::now()).err();
        wait.map_or(Ok(()), |wait| {
            let seconds = wait.as_secs().saturating_add(1);
            let message = format!(
                "Number of requests for action '{ACTION}' exceeded the limit of '{limit}' for time interval '01:00:00'. \
                 Please try again after '{seconds}' seconds."
            );
            let code = kluis_arm::error::code::THROTTLED;
            Err((Refusal::new(429, code, message), seconds))
        })
    }
}

/// Whether a path is that of a vault's jobs or of one of them. What hangs below a job is another action.
fn reads_jobs(path: &str) -> bool {
    let path = path.to_lowercase();
    let mut below = path
        .trim_matches('/')
        .split('/')
        .skip_while(|segment| *segment != "microsoft.recoveryservices");
    below.nth(3) == Some("backupjobs") && below.count() <= 1
}

/// Counts a read, or says how long until the oldest one of the window is out of it.
fn admitted(
    reads: &mut VecDeque<Instant>,
    limit: NonZeroU16,
    now: Instant,
) -> Result<(), Duration> {
    while reads
        .front()
        .is_some_and(|read| now.duration_since(*read) >= WINDOW)
    {
        reads.pop_front();
    }
    match reads.front() {
        Some(oldest) if reads.len() >= usize::from(limit.get()) => {
            Err(WINDOW - now.duration_since(*oldest))
        }
        _ => {
            reads.push_back(now);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_count_for_an_hour() {
        let (mut reads, limit, start) = (
            VecDeque::new(),
            NonZeroU16::MIN.saturating_add(1),
            Instant::now(),
        );
        let at = |minutes: u64| start + Duration::from_secs(60 * minutes);
        assert_eq!(admitted(&mut reads, limit, at(0)), Ok(()));
        assert_eq!(admitted(&mut reads, limit, at(20)), Ok(()));
        assert_eq!(
            admitted(&mut reads, limit, at(50)),
            Err(Duration::from_secs(600))
        );
        assert_eq!(admitted(&mut reads, limit, at(60)), Ok(()));
        assert_eq!(
            admitted(&mut reads, limit, at(61)),
            Err(Duration::from_secs(19 * 60))
        );
    }

    #[test]
    fn jobs_alone_are_counted() {
        let vault =
            "/subscriptions/s/resourceGroups/vaults/providers/Microsoft.RecoveryServices/Vaults/v";
        for (below, counts) in [
            ("backupJobs", true),
            ("BackupJobs/1/", true),
            ("backupJobs/1/operationResults/2", false),
            ("backupPolicies", false),
        ] {
            assert_eq!(reads_jobs(&format!("{vault}/{below}")), counts, "{below}");
        }
    }
}
