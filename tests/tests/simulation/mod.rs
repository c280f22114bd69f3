//! A whole Kluis in memory: the operator's reconciles over objects in a map, and the service's core with its store in
//! memory, movers that do what they are told, and one clock that only moves when it is moved.
//!
//! Nothing waits and nothing is random unless a seed says so. That makes convergence a thing to look at: a log of all
//! that was done and said, round by round; the same world again with the operator dying after each step; the same
//! again in any order.

mod azure;
mod fleet;
mod memory;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use kluis_api::BackupServiceSpec;
use kluis_client::Failure;
use kluis_operator::arm::{Limits, Line};
use kluis_operator::clock::{Clock, Ids};
use kluis_operator::crash::CrashHook;
use kluis_operator::fence::Fence;
use kluis_operator::metrics::Metrics;
use kluis_operator::objects::{Objects, ObjectsError};
use kluis_operator::services::Services;
use kluis_operator::{Backoff, Ctx, Key, Kind, reconcile_once};
use serde_json::{Value, json};

pub(crate) use azure::{Azure, SUBSCRIPTION};
pub(crate) use fleet::{Size, Subscription};
pub(crate) use memory::Memory;

/// More rounds than any story needs: a world that has not come to rest by then never will.
const MOST_ROUNDS: usize = 400;
/// This many rounds in which nothing happens, half a minute apart, are rest.
const QUIET_ROUNDS: usize = 6;

/// The world, and the operator in it.
pub(crate) struct Simulation {
    pub(crate) azure: Arc<Azure>,
    pub(crate) objects: Arc<Memory>,
    operator: Ctx,
    local: Arc<LocalClock>,
    order: Order,
    still: bool,
    log: String,
    crashes: u64,
}

/// Chance, from a seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // Knuth's constants for a linear congruential generator; its high bits are good enough for this.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// In which order things happen that could happen in any.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    /// Objects by kind and name, then the service.
    Plain,
    /// By chance, from this seed.
    Shuffled(u64),
}

impl Simulation {
    /// A service with two machines, an empty cluster, and an operator that dies after its `crash_after`th step, once.
    pub(crate) fn new(order: Order, crash_after: Option<u64>) -> Self {
        Self::with(Azure::new(), order, crash_after)
    }

    /// The same with other machines.
    pub(crate) fn with(azure: Azure, order: Order, crash_after: Option<u64>) -> Self {
        let azure = Arc::new(azure);
        let objects = Arc::new(Memory::new(Arc::clone(&azure)));
        let local = Arc::new(LocalClock(AtomicI64::new(azure.now().as_second())));
        let crash = crash_after.map_or_else(CrashHook::default, CrashHook::unwinding);
        Self {
            operator: operator(&azure, &objects, &local, Limits::OWN, crash),
            azure,
            objects,
            local,
            order,
            still: false,
            log: String::new(),
            crashes: 0,
        }
    }

    /// How many steps the operator has taken since it began.
    pub(crate) fn steps(&self) -> u64 {
        self.operator.crash.steps()
    }

    /// Lets the operator die after this many more steps.
    pub(crate) fn die_after(&mut self, steps: u64) {
        let crash = CrashHook::unwinding(steps);
        self.operator = operator(&self.azure, &self.objects, &self.local, Limits::OWN, crash);
    }

    /// Lets the service's clock stand still from now on, as a virtual clock does between two calls.
    pub(crate) fn stand_still(&mut self) {
        self.still = true;
    }

    /// How often the operator died.
    pub(crate) fn crashes(&self) -> u64 {
        self.crashes
    }

    /// All that was done and said so far.
    pub(crate) fn log(&self) -> &str {
        &self.log
    }

    /// Adds a line of the story.
    pub(crate) fn tell(&mut self, line: &str) {
        let _ = writeln!(self.log, "\n# {line}");
    }

    /// Lets this much time pass in which the service does what is due, and the operator looks at everything afterwards.
    pub(crate) async fn live(&mut self, time: SignedDuration) {
        self.local.0.fetch_add(time.as_secs(), Ordering::SeqCst);
        self.azure.advance(time);
        while self.azure.happen(0).is_some() {}
        for key in self.in_order(self.objects.keys()) {
            self.reconcile(&key).await;
        }
    }

    /// The same, while the service only answers: it begins nothing, whatever is due.
    pub(crate) async fn live_without_backups(&mut self, time: SignedDuration) {
        self.local.0.fetch_add(time.as_secs(), Ordering::SeqCst);
        self.azure.sleep(time);
        for key in self.in_order(self.objects.keys()) {
            self.reconcile(&key).await;
        }
    }

    /// Lets everybody act until nobody does any more.
    ///
    /// # Panics
    /// When that does not come.
    pub(crate) async fn settle(&mut self) {
        if self.try_settle().await.is_err() {
            panic!("it does not come to rest:\n{}", self.log);
        }
    }

    /// The same, and `Err` when that does not come.
    pub(crate) async fn try_settle(&mut self) -> Result<(), ()> {
        let mut quiet = 0;
        for _ in 0..MOST_ROUNDS {
            let mut happened = false;
            for key in self.in_order(self.objects.keys()) {
                happened |= self.reconcile(&key).await;
            }
            let pending = self.azure.pending();
            if let Some(index) = self.in_order((0..pending).collect()).first() {
                if let Some(said) = self.azure.happen(*index) {
                    let _ = writeln!(self.log, "service: {said}");
                }
                happened = true;
            }
            let pause = if happened { 1 } else { 30 };
            self.local.0.fetch_add(pause, Ordering::SeqCst);
            if !self.still {
                self.azure.advance(SignedDuration::from_secs(pause));
            }
            quiet = if happened { 0 } else { quiet + 1 };
            if quiet == QUIET_ROUNDS {
                return Ok(());
            }
        }
        Err(())
    }

    /// One reconcile. True when it did or said something.
    async fn reconcile(&mut self, key: &Key) -> bool {
        let before = self.objects.peek(key);
        let outcome = reconcile_once(key, &self.operator).await;
        let after = self.objects.peek(key);
        let said = said(before.as_ref(), after.as_ref());
        if outcome.steps.is_empty() && said.is_empty() && outcome.failure.is_none() {
            return outcome.next == Some(SignedDuration::ZERO);
        }
        let _ = writeln!(self.log, "{key}");
        for step in &outcome.steps {
            let _ = writeln!(self.log, "  does: {step}");
        }
        for line in said {
            let _ = writeln!(self.log, "  says: {line}");
        }
        if let Some(failure) = &outcome.failure {
            let _ = writeln!(self.log, "  fails: {failure}");
        }
        if outcome.crashed {
            let _ = writeln!(self.log, "  dies, and starts again");
            self.crashes += 1;
            let crash = CrashHook::default();
            self.operator = operator(&self.azure, &self.objects, &self.local, Limits::OWN, crash);
        }
        true
    }

    fn in_order<T>(&mut self, mut things: Vec<T>) -> Vec<T> {
        if let Order::Shuffled(seed) = &mut self.order {
            let mut dice = Dice(*seed);
            for end in (1..things.len()).rev() {
                let pick = dice.below(end as u64 + 1);
                things.swap(end, usize::try_from(pick).unwrap_or(0));
            }
            *seed = dice.0;
        }
        things
    }

    /// What the world has come to, without times and names of jobs: the same whichever way led there.
    pub(crate) fn end(&self) -> String {
        let mut end = String::new();
        for key in self.objects.keys() {
            let object = self.objects.peek(&key).unwrap_or_default();
            let status = &object["status"];
            let _ = writeln!(end, "{key} {}", object["metadata"]["finalizers"]);
            // Without its message a condition has no time and no name of a job in it.
            for condition in conditions(status) {
                let _ = writeln!(end, "  {}", condition.split(':').next().unwrap_or_default());
            }
            for field in ["state", "policy", "backupRequest", "redundancy", "items"] {
                if !status[field].is_null() {
                    let _ = writeln!(end, "  {field}: {}", status[field]);
                }
            }
            if !status["recoveryPoints"].is_null() {
                let _ = writeln!(end, "  points: {}", status["recoveryPoints"]["total"]);
            }
            if !status["disks"].is_null() {
                let _ = writeln!(end, "  disks: {}", status["disks"]);
            }
            for slot in ["operation", "backup"] {
                if !status[slot].is_null() {
                    let _ = writeln!(end, "  still under way: {}", status[slot]["kind"]);
                }
            }
        }
        let _ = writeln!(end, "jobs: {:?}", self.azure.jobs());
        end
    }
}

fn operator(
    azure: &Arc<Azure>,
    objects: &Arc<Memory>,
    local: &Arc<LocalClock>,
    limits: Limits,
    crash: CrashHook,
) -> Ctx {
    let clock: Arc<dyn Clock> = Arc::clone(local) as Arc<dyn Clock>;
    let metrics = Arc::new(Metrics::default());
    let line = Line::new(
        Arc::clone(azure) as Arc<dyn kluis_client::Arm>,
        limits,
        Arc::clone(&clock),
        Arc::clone(&metrics),
        // Everybody is looked at in each round.
        Arc::new(|_| {}),
    );
    Ctx {
        objects: Arc::clone(objects) as Arc<dyn Objects>,
        services: Arc::new(OneService(Arc::new(line))),
        clock,
        ids: Arc::new(Counting::default()),
        metrics,
        backoff: Backoff::default(),
        crash,
        fence: Fence::open(),
    }
}

/// The conditions that are new, in words.
fn said(before: Option<&Value>, after: Option<&Value>) -> Vec<String> {
    let of = |object: Option<&Value>| conditions(&object.unwrap_or(&Value::Null)["status"]);
    let before_said = of(before);
    let mut said: Vec<String> = of(after)
        .into_iter()
        .filter(|condition| !before_said.contains(condition))
        .collect();
    let operation = |object: Option<&Value>| {
        let status = &object.unwrap_or(&Value::Null)["status"];
        let vaults = status["vaults"].as_array().into_iter().flatten();
        let mut slots = vec![status["operation"].clone(), status["backup"].clone()];
        slots.extend(vaults.map(|vault| vault["operation"].clone()));
        slots
    };
    for (was, is) in operation(before)
        .iter()
        .chain(&vec![Value::Null; 4])
        .zip(operation(after))
    {
        match (was["kind"].as_str(), is["kind"].as_str()) {
            (None, Some(kind)) => said.push(format!("means to {kind}")),
            (Some(_), Some(kind)) if was["statusUrl"].is_null() && !is["statusUrl"].is_null() => {
                said.push(format!("{kind} was accepted"));
            }
            _ => {}
        }
    }
    if before.is_some() && after.is_none() {
        said.push("is gone".to_owned());
    }
    said
}

fn conditions(status: &Value) -> Vec<String> {
    let conditions = status["conditions"].as_array();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    conditions
        .into_iter()
        .flatten()
        .map(|condition| {
            format!(
                "{}={} {}: {}",
                text(&condition["type"]),
                text(&condition["status"]),
                text(&condition["reason"]),
                text(&condition["message"]),
            )
        })
        .collect()
}

/// The manifests of the story, by name.
pub(crate) fn manifest(kind: Kind) -> Value {
    let named = |name: &str| json!({ "namespace": "shop", "name": name });
    let (metadata, spec) = match kind {
        Kind::BackupService => (
            json!({ "name": "azure" }),
            json!({
                "endpoint": azure::ENDPOINT,
                "subscriptionId": SUBSCRIPTION,
                "tenantId": SUBSCRIPTION,
                "credential": { "type": "ClientSecret", "clientId": "kluis", "secretRef": { "name": "azure", "key": "secret" } },
                "namespaces": [{ "selector": { "matchLabels": { "team": "shop" } }, "resourceGroups": ["shop-rg", "shop-restored"] }],
            }),
        ),
        Kind::Vault => (
            named("shop-weu"),
            json!({ "serviceRef": { "name": "azure" }, "resourceGroup": "shop-rg", "location": "westeurope" }),
        ),
        Kind::BackupPolicy => (
            named("daily"),
            json!({
                "workload": "VirtualMachine", "timeZone": "Europe/Amsterdam",
                "schedule": { "daily": { "at": "22:30" } }, "retention": { "daily": { "keep": 30 } },
            }),
        ),
        Kind::ProtectedVM => (
            named("web-1"),
            json!({
                "vaultRef": { "name": "shop-weu" }, "policyRef": { "name": "daily" },
                "vm": { "resourceGroup": "shop-rg", "name": "web-1" }, "objectives": { "rpo": "26h" },
            }),
        ),
        Kind::BackupJob => (
            named("now"),
            json!({ "item": { "kind": "ProtectedVM", "name": "web-1" } }),
        ),
        Kind::Restore => (
            named("back"),
            json!({
                "item": { "kind": "ProtectedVM", "name": "web-1" },
                "from": { "latest": true }, "to": { "disks": { "resourceGroup": "shop-restored" } },
            }),
        ),
    };
    json!({ "apiVersion": "kluis.dev/v1alpha1", "kind": kind.to_string(), "metadata": metadata, "spec": spec })
}

/// The operator's own clock, in seconds: it goes on while the service's stands still.
struct LocalClock(AtomicI64);

impl Clock for LocalClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap_or_default()
    }
}

struct OneService(Arc<Line>);

#[async_trait]
impl Services for OneService {
    async fn line(
        &self,
        _name: &str,
        _spec: &BackupServiceSpec,
    ) -> Result<Result<Arc<Line>, Failure>, ObjectsError> {
        Ok(Ok(Arc::clone(&self.0)))
    }
}

#[derive(Default)]
struct Counting(AtomicU64);

impl Ids for Counting {
    fn unique(&self) -> String {
        self.0.fetch_add(1, Ordering::SeqCst).to_string()
    }

    fn fraction(&self) -> f64 {
        0.5
    }
}
