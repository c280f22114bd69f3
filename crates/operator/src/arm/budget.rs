//! How much may be asked of a service.
//!
//! Azure lets a subscription read jobs 150 times an hour, by whatever client; a hundred of those are ours to spend.
//! Everything else is limited by what the service itself says is left in its headers. A call that would exceed the
//! budget is not made: it fails as one that the service throttled, with a time to come back.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use kluis_client::{ArmRequest, ArmResponse, Class, Failure, Refusal};

use super::pace::Rate;

/// What a kind of service allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Reads of jobs in an hour; none where the service does not limit them apart.
    pub job_reads_an_hour: Option<usize>,
    /// Reads stop while the service says that no more than this is left: writes and other clients go first.
    pub reserve: u32,
    /// How fast reads follow each other; none for as fast as they come.
    pub rate: Option<Rate>,
    /// How long an object is left unlooked at that is not yet as declared, at most; and a service, always: that is
    /// when its clock is heard.
    pub longest_wait: SignedDuration,
    /// How old a list may be that several objects look at while something is under way.
    pub list_age: SignedDuration,
    /// How long an object is left unlooked at that is as declared, and how old what it then looks at may be. Each
    /// vault's lists are so read once in that time, however many its items are: 500 vaults cost 6,000 of the 12,000
    /// reads that Azure allows in an hour, where their items would cost it ten times over.
    pub rest_age: SignedDuration,
}

impl Limits {
    /// Azure's, with a third left to people and other tools.
    pub const AZURE: Self = Self {
        job_reads_an_hour: Some(100),
        reserve: 20,
        rate: Some(Rate {
            burst: 200,
            a_second: 10,
        }),
        longest_wait: SignedDuration::from_mins(15),
        list_age: SignedDuration::from_mins(1),
        rest_age: SignedDuration::from_mins(15),
    };
    /// A service of one's own has no limits but those in its headers. Its clock may be a virtual one that jumps, so it
    /// is listened to often.
    pub const OWN: Self = Self {
        job_reads_an_hour: None,
        reserve: 20,
        rate: None,
        longest_wait: SignedDuration::from_secs(10),
        list_age: SignedDuration::from_secs(5),
        rest_age: SignedDuration::from_mins(1),
    };

    /// By where the service is.
    pub fn of_endpoint(endpoint: &str) -> Self {
        let host = endpoint
            .trim_start_matches("https://")
            .trim_end_matches('/');
        match host {
            "management.azure.com" => Self::AZURE,
            _ => Self::OWN,
        }
    }
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Azure's buckets refill all the time; a minute's worth is enough to go on.
const REFILL: SignedDuration = SignedDuration::from_mins(1);

/// What was spent.
#[derive(Debug)]
pub(super) struct Budget {
    limits: Limits,
    job_reads: VecDeque<Timestamp>,
    low_until: Option<Timestamp>,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            job_reads: VecDeque::new(),
            low_until: None,
        }
    }

    /// Spends one call, or says why not. `now` is the local clock: it only measures.
    pub(super) fn spend(&mut self, request: &ArmRequest, now: Timestamp) -> Result<(), Failure> {
        if !request.method.is_read() {
            return Ok(());
        }
        if let Some(until) = self.low_until.filter(|until| *until > now) {
            return Err(exhausted(
                request,
                until.duration_since(now),
                "the service has few calls left",
            ));
        }
        let Some(limit) = self.limits.job_reads_an_hour else {
            return Ok(());
        };
        if !request.path.to_ascii_lowercase().contains("/backupjobs") {
            return Ok(());
        }
        while self
            .job_reads
            .front()
            .is_some_and(|at| now.duration_since(*at) >= HOUR)
        {
            self.job_reads.pop_front();
        }
        if let Some(oldest) = self
            .job_reads
            .front()
            .filter(|_| self.job_reads.len() >= limit)
        {
            let wait = HOUR - now.duration_since(*oldest);
            return Err(exhausted(
                request,
                wait,
                "job reads are limited to 150 an hour",
            ));
        }
        self.job_reads.push_back(now);
        Ok(())
    }

    /// Learns what is left.
    pub(super) fn learn(&mut self, answer: &ArmResponse, now: Timestamp) {
        if let Some(left) = answer.rate_limit_remaining {
            let low = left <= self.limits.reserve;
            self.low_until = low.then(|| now.saturating_add(REFILL).unwrap_or(now));
        }
    }
}

fn exhausted(request: &ArmRequest, wait: SignedDuration, why: &str) -> Failure {
    Failure::Refused(Box::new(Refusal {
        operation: request.to_string(),
        status: 429,
        code: "OperatorBudgetSpent".to_owned(),
        message: format!("not asked, because {why}; asked again when there is room"),
        class: Class::RetryAfter,
        retry_after: Some(wait.max(SignedDuration::from_secs(1))),
        date: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    #[test]
    fn job_reads_stay_inside_the_hour() {
        let mut budget = Budget::new(Limits::AZURE);
        let jobs = ArmRequest::get("/vaults/v/backupJobs", "v");
        for _ in 0..100 {
            budget.spend(&jobs, at(0)).unwrap();
        }
        let refused = budget.spend(&jobs, at(20)).unwrap_err();
        assert_eq!(refused.retry_after(), Some(SignedDuration::from_mins(40)));
        budget
            .spend(&ArmRequest::get("/vaults/v", "v"), at(20))
            .unwrap();
        budget.spend(&jobs, at(60)).unwrap();
    }

    #[test]
    fn a_service_of_ones_own_has_no_limit_but_its_headers() {
        let mut budget = Budget::new(Limits::of_endpoint("https://127.0.0.1:8443"));
        let jobs = ArmRequest::get("/vaults/v/backupJobs", "v");
        for _ in 0..500 {
            budget.spend(&jobs, at(0)).unwrap();
        }
        let mut answer = ArmResponse::of_status(200);
        answer.rate_limit_remaining = Some(3);
        budget.learn(&answer, at(0));
        assert!(budget.spend(&jobs, at(0)).is_err());
        budget.spend(&jobs, at(1)).unwrap();
    }
}
