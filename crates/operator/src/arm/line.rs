//! One service's line: counts, budget, memory and time around the calls.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use kluis_client::{Arm, ArmRequest, ArmResponse, Failure};

use super::{Limits, budget::Budget, cache::Cache};
use crate::{clock::Clock, metrics::Metrics};

/// The line to one service.
pub struct Line {
    arm: Arc<dyn Arm>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    limits: Limits,
    state: Mutex<State>,
}

struct State {
    budget: Budget,
    cache: Cache,
    /// What to add to the local clock for the service's.
    offset: SignedDuration,
    /// The `Date` of the last answer.
    told: Option<Timestamp>,
}

impl Line {
    pub fn new(
        arm: Arc<dyn Arm>,
        limits: Limits,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            arm,
            clock,
            metrics,
            limits,
            state: Mutex::new(State {
                budget: Budget::new(limits),
                cache: Cache::new(limits.list_age),
                offset: SignedDuration::ZERO,
                told: None,
            }),
        }
    }

    /// The service's time, as far as it is known without asking: the local clock, set right by the last `Date`.
    pub fn now(&self) -> Timestamp {
        let offset = self.with(|state| state.offset);
        let now = self.clock.now();
        now.checked_add(offset).unwrap_or(now)
    }

    /// The service's time when it last answered, whoever asked.
    pub fn told(&self) -> Option<Timestamp> {
        self.with(|state| state.told)
    }

    /// What it allows.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// A list as it was a moment ago at most, and after the second `after` by the service's clock; anything else as
    /// [`Arm::call`] reads it.
    pub async fn recent(
        &self,
        request: &ArmRequest,
        after: Option<Timestamp>,
    ) -> Result<ArmResponse, Failure> {
        let now = self.clock.now();
        let known = self.with(|state| state.cache.get(request, now));
        let known = known.filter(|answer| {
            after.is_none_or(|after| answer.date.is_some_and(|date| date > after))
        });
        match known {
            Some(answer) => Ok(answer),
            None => self.call(request).await,
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Arm for Line {
    async fn call(&self, request: &ArmRequest) -> Result<ArmResponse, Failure> {
        let now = self.clock.now();
        self.with(|state| state.budget.spend(request, now))?;
        let result = self.arm.call(request).await;
        self.metrics
            .called(request, result.as_ref().map(|answer| answer.status));
        let answer = result?;
        let now = self.clock.now();
        self.with(|state| {
            state.budget.learn(&answer, now);
            state.cache.learn(request, &answer, now);
            if let Some(date) = answer.date {
                state.offset = date.duration_since(now);
                state.told = Some(date);
            }
        });
        if let Some(left) = answer.rate_limit_remaining {
            self.metrics.rate_limit_remaining(left);
        }
        Ok(answer)
    }

    fn follow(&self, link: &str) -> Result<ArmRequest, Failure> {
        self.arm.follow(link)
    }
}
