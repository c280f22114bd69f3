//! From what the client met to what a plan can reason about.

use jiff::{SignedDuration, Timestamp};
use kluis_arm::error::code;
use kluis_client::{Class, Failure};
use kluis_plan::{ArmFailure, Cause};

/// A service that says "at once" is still left alone for so long: it could say so for ever.
const SOONEST: SignedDuration = SignedDuration::from_secs(2);

/// When a throttled call says nothing of when to come back.
const UNSAID: SignedDuration = SignedDuration::from_mins(1);

/// The same of a vault whose policies were edited as often as they can be in a day.
const EDITS_SPENT: SignedDuration = SignedDuration::from_hours(1);

/// The same of a machine that was backed up on demand as often as it can be in a day. Azure does not say when it can be again.
const BACKUPS_SPENT: SignedDuration = SignedDuration::from_hours(1);

fn unsaid(code: &str) -> SignedDuration {
    match code.eq_ignore_ascii_case("UserErrorPolicyEditLimitReached") {
        true => EDITS_SPENT,
        false => UNSAID,
    }
}

/// `doing` is what was tried; `now` is the service's time, which `Retry-After` counts from.
pub(crate) fn arm_failure(doing: String, failure: &Failure, now: Timestamp) -> ArmFailure {
    let message = with_causes(failure);
    let cause = match failure {
        Failure::Unreachable { .. } | Failure::Unresolved { .. } | Failure::Untrusted { .. } => {
            Cause::Unreachable { message }
        }
        Failure::Credential { .. } | Failure::Misconfigured { .. } => {
            Cause::WrongCredentials { message }
        }
        Failure::Unreadable { .. } | Failure::StrayLink { .. } => Cause::Malformed { message },
        Failure::Refused(refusal) => {
            let wait = match refusal.status {
                429 => Some(refusal.retry_after.unwrap_or_else(|| unsaid(&refusal.code))),
                _ => refusal
                    .retry_after
                    .filter(|_| refusal.class == Class::RetryAfter),
            };
            let now = refusal.date.unwrap_or(now);
            if refusal.code.eq_ignore_ascii_case(code::ON_DEMAND_LIMIT) {
                let wait = refusal.retry_after.unwrap_or(BACKUPS_SPENT);
                return ArmFailure {
                    doing,
                    cause: Cause::Spent {
                        until: now.saturating_add(wait).unwrap_or(Timestamp::MAX),
                        message: refusal.message.clone(),
                    },
                };
            }
            match wait {
                Some(wait) => Cause::Throttled {
                    until: now
                        .saturating_add(wait.max(SOONEST))
                        .unwrap_or(Timestamp::MAX),
                },
                None => Cause::Refused {
                    status: refusal.status,
                    code: refusal.code.clone(),
                    message: refusal.message.clone(),
                },
            }
        }
    };
    ArmFailure { doing, cause }
}

/// The failure and what caused it: a person who reads a condition has no log to look into. The last cause is the one
/// that says something ("connection refused", "certificate has expired").
fn with_causes(failure: &Failure) -> String {
    let chain = std::iter::successors(std::error::Error::source(failure), |error| error.source());
    match chain.take(32).last() {
        Some(cause) => format!("{failure} ({cause})"),
        None => failure.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kluis_client::Refusal;

    fn refused(status: u16, class: Class, retry_after: Option<i64>) -> Cause {
        refused_with("Code", status, class, retry_after)
    }

    fn refused_with(code: &str, status: u16, class: Class, retry_after: Option<i64>) -> Cause {
        let failure = Failure::Refused(Box::new(Refusal {
            operation: "GET /x".to_owned(),
            status,
            code: code.to_owned(),
            message: "Message".to_owned(),
            class,
            retry_after: retry_after.map(SignedDuration::from_secs),
            date: None,
        }));
        arm_failure("reading x".to_owned(), &failure, Timestamp::UNIX_EPOCH).cause
    }

    fn until(second: i64) -> Cause {
        let until = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
        Cause::Throttled { until }
    }

    #[test]
    fn throttling_says_until_when() {
        assert_eq!(refused(429, Class::RetryAfter, Some(324)), until(324));
        assert_eq!(refused(429, Class::RetryAfter, None), until(60));
        assert_eq!(refused(503, Class::RetryAfter, Some(5)), until(5));
        for status in [429, 503] {
            let at_once = refused(status, Class::RetryAfter, Some(0));
            assert_eq!(at_once, until(SOONEST.as_secs()), "not for ever at once");
        }
        for (retry_after, seconds) in [(Some(7200), 7200), (None, 3600)] {
            let spent = refused_with(
                "CloudDosAbsoluteLimitReached",
                400,
                Class::RetryAfter,
                retry_after,
            );
            let message = "Message".to_owned();
            let until = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
            assert_eq!(spent, Cause::Spent { until, message });
        }
        let terminal = refused(400, Class::Terminal, Some(5));
        assert!(matches!(terminal, Cause::Refused { status: 400, .. }));
    }
}
