//! One service's line: counts, budget, memory and time around the calls.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use kluis_arm::id::{ItemId, VaultId};
use kluis_client::{Arm, ArmRequest, ArmResponse, Failure};

use super::{
    Limits, agreement::Agreement, budget::Budget, extension::Announced, locks, pace::Pace,
    shelf::Shelf,
};
use crate::{clock::Clock, metrics::Metrics};

/// A service's clock that goes forward by more than this, beside ours, was set: nothing that was read before is of use.
const JUMP: SignedDuration = SignedDuration::from_secs(30);
/// How long a service that was not reached is left alone, and how long at most.
const DOWN: SignedDuration = SignedDuration::from_secs(1);
const DOWN_LONGEST: SignedDuration = SignedDuration::from_secs(30);

/// What a line notices that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// An item is not what it was when it was last looked at.
    Item(ItemId),
    /// The service's clock was set forward: whatever was to be looked at later may be due now.
    ClockSet,
}

/// Policies of one vault are edited one after the other: this is whose turn it is.
#[derive(Debug)]
pub(crate) struct Turn(
    #[expect(dead_code, reason = "it is held, not read")] tokio::sync::OwnedMutexGuard<()>,
);

/// Lists that are read at once: a page of each is in memory, undecoded.
const LISTS: usize = 4;

const EDITS: &str = "edits of policies";

/// Whom a line tells.
pub type Told = Arc<dyn Fn(News) + Send + Sync>;

/// The line to one service.
pub struct Line {
    arm: Arc<dyn Arm>,
    pub(super) clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    pub(super) limits: Limits,
    pub(super) tell: Told,
    pub(super) locks: locks::Known,
    pub(super) announced: Announced,
    lists: tokio::sync::Semaphore,
    state: Mutex<State>,
}

pub(super) struct State {
    budget: Budget,
    pace: Pace,
    pub(super) shelf: Shelf,
    /// One list of a vault is read by one at a time; who comes meanwhile finds it read.
    gates: HashMap<(VaultId, &'static str), Arc<tokio::sync::Mutex<()>>>,
    down: Option<Down>,
    /// What to add to the local clock for the service's.
    offset: SignedDuration,
    /// The `Date` of the last answer, and when it was given by our clock.
    told: Option<(Timestamp, Timestamp)>,
    agreement: Option<Agreement>,
}

/// A service that was not reached.
struct Down {
    until: Timestamp,
    pause: SignedDuration,
    failure: Failure,
}

impl Line {
    pub fn new(
        arm: Arc<dyn Arm>,
        limits: Limits,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        tell: Told,
    ) -> Self {
        Self {
            arm,
            clock,
            metrics,
            limits,
            tell,
            locks: locks::Known::default(),
            announced: Announced::default(),
            lists: tokio::sync::Semaphore::new(LISTS),
            state: Mutex::new(State {
                budget: Budget::new(limits),
                pace: Pace::new(limits.rate),
                shelf: Shelf::default(),
                gates: HashMap::new(),
                down: None,
                offset: SignedDuration::ZERO,
                told: None,
                agreement: None,
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
        self.with(|state| state.told.map(|(date, _)| date))
    }

    /// Whether the service's clock and ours agree, so that what goes by age alone may go.
    pub fn clocks_agree(&self) -> bool {
        let now = self.clock.now();
        self.with(|state| state.agreement.is_some_and(|known| known.is_sure(now)))
    }

    /// What it allows.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    pub(super) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until nobody else reads this list.
    pub(super) async fn gate(
        &self,
        vault: &VaultId,
        list: &'static str,
    ) -> tokio::sync::OwnedMutexGuard<()> {
        let gate = self.with(|state| {
            let gate = state.gates.entry((vault.clone(), list)).or_default();
            Arc::clone(gate)
        });
        gate.lock_owned().await
    }

    /// Waits until few others read a list.
    pub(super) async fn turn_to_list(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        // It is never closed.
        self.lists.acquire().await.ok()
    }

    /// Waits until nobody else edits a policy of the vault.
    pub(crate) async fn turn_to_edit(&self, vault: &VaultId) -> Turn {
        Turn(self.gate(vault, EDITS).await)
    }

    /// The same, where nobody else does now.
    pub(crate) fn try_turn_to_edit(&self, vault: &VaultId) -> Option<Turn> {
        let gate = self.with(|state| {
            let gate = state.gates.entry((vault.clone(), EDITS)).or_default();
            Arc::clone(gate)
        });
        gate.try_lock_owned().ok().map(Turn)
    }

    /// Whether a call may be made now, and after what wait.
    fn admit(&self, request: &ArmRequest, now: Timestamp) -> Result<SignedDuration, Failure> {
        self.with(|state| {
            if let Some(down) = state.down.as_ref().filter(|down| down.until > now) {
                return Err(down.failure.clone());
            }
            state.budget.spend(request, now)?;
            Ok(match request.method.is_read() {
                true => state.pace.take(now),
                false => SignedDuration::ZERO,
            })
        })
    }

    /// Learns from what came of a call.
    fn learn(&self, request: &ArmRequest, result: &Result<ArmResponse, Failure>) {
        let now = self.clock.now();
        let links = links(&*self.arm, result.as_ref().ok());
        let (ended, jumped) = self.with(|state| {
            state.unreached(result.as_ref().err(), now);
            let answer = result.as_ref().ok();
            let ended = state.shelf.called(request, answer, &links);
            let Some(answer) = answer else {
                return (ended, false);
            };
            state.budget.learn(answer, now);
            let jumped = answer
                .date
                .is_some_and(|date| state.is_told(date, answer.virtual_clock, now));
            (ended, jumped)
        });
        ended
            .into_iter()
            .for_each(|item| (self.tell)(News::Item(item)));
        if jumped {
            (self.tell)(News::ClockSet);
        }
    }
}

impl State {
    /// A service that doesn't answer is not asked by a thousand objects one after the other, each with all its patience.
    fn unreached(&mut self, failure: Option<&Failure>, now: Timestamp) {
        let Some(failure @ (Failure::Unreachable { .. } | Failure::Unresolved { .. })) = failure
        else {
            self.down = None;
            return;
        };
        let pause = self.down.as_ref().map_or(DOWN, |down| down.pause);
        self.down = Some(Down {
            until: now.saturating_add(pause).unwrap_or(now),
            pause: pause.saturating_mul(2).min(DOWN_LONGEST),
            failure: failure.clone(),
        });
    }

    /// Takes in the service's time. True when its clock was set forward meanwhile.
    fn is_told(&mut self, date: Timestamp, virtual_clock: bool, now: Timestamp) -> bool {
        let before = self.told.replace((date, now));
        self.offset = date.duration_since(now);
        self.agreement = Some(Agreement::after(self.agreement, date, virtual_clock, now));
        let Some((then, ours)) = before else {
            return false;
        };
        let ahead = date.duration_since(then) - now.duration_since(ours);
        let jumped = ahead > JUMP;
        if jumped {
            self.shelf.clear();
        }
        jumped
    }
}

/// Where to ask after what an answer began, as paths.
fn links(arm: &dyn Arm, answer: Option<&ArmResponse>) -> Vec<String> {
    let links = answer
        .into_iter()
        .flat_map(|answer| [&answer.async_operation, &answer.location]);
    links
        .flatten()
        .filter_map(|link| Some(arm.follow(link).ok()?.path))
        .collect()
}

#[async_trait]
impl Arm for Line {
    async fn call(&self, request: &ArmRequest) -> Result<ArmResponse, Failure> {
        let wait = self.admit(request, self.clock.now())?;
        if let Ok(wait) = std::time::Duration::try_from(wait)
            && !wait.is_zero()
        {
            tokio::time::sleep(wait).await;
        }
        let result = self.arm.call(request).await;
        self.metrics
            .called(request, result.as_ref().map(|answer| answer.status));
        self.learn(request, &result);
        let answer = result?;
        if let Some(left) = answer.rate_limit_remaining {
            self.metrics.rate_limit_remaining(left);
        }
        Ok(answer)
    }

    fn follow(&self, link: &str) -> Result<ArmRequest, Failure> {
        self.arm.follow(link)
    }
}
