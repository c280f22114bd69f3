//! Numbers about the operator's own work, in Prometheus' text form.
//!
//! Labels come from small sets: kinds, verbs with resource types, classes of failure. No name of an object and no text
//! of an error becomes one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use kluis_client::{ArmRequest, Class, Failure};

use crate::{
    access::Asked,
    facts::{FAMILIES, Fact},
    key::{Key, Kind},
};

/// Counters since the process began, and what is Ready now.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    reconciles: BTreeMap<(Kind, &'static str), u64>,
    steps: BTreeMap<&'static str, u64>,
    arm_calls: BTreeMap<(String, u16), u64>,
    kubernetes: BTreeMap<Asked, u64>,
    kubernetes_refused: u64,
    failures: BTreeMap<(Kind, &'static str), u64>,
    drifts: BTreeMap<Kind, u64>,
    rate_limit_remaining: Option<u32>,
    readiness: BTreeMap<Key, &'static str>,
    facts: BTreeMap<Key, Arc<[Fact]>>,
    /// How many objects tell the same: of thousands, most do.
    alike: BTreeMap<Arc<[Fact]>, u64>,
    unreadable: BTreeSet<Key>,
    ca_bundles: BTreeMap<Key, Timestamp>,
    leader: bool,
    waiting: usize,
}

impl Metrics {
    fn with<T>(&self, change: impl FnOnce(&mut Numbers) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One reconcile and how it ended: `ok` or `failed`.
    pub fn reconciled(&self, kind: Kind, result: &'static str) {
        self.with(|numbers| *numbers.reconciles.entry((kind, result)).or_default() += 1);
    }

    /// One executed step and how it ended.
    pub fn executed(&self, result: &'static str) {
        self.with(|numbers| *numbers.steps.entry(result).or_default() += 1);
    }

    /// One failure of a reconcile.
    pub fn failed(&self, kind: Kind, class: Class) {
        let class = match class {
            Class::RetryAfter => "retry",
            Class::Blocked => "blocked",
            Class::Terminal => "terminal",
        };
        self.with(|numbers| *numbers.failures.entry((kind, class)).or_default() += 1);
    }

    /// One change that somebody made in Azure and that was put back.
    pub(crate) fn drift_repaired(&self, kind: Kind) {
        self.with(|numbers| *numbers.drifts.entry(kind).or_default() += 1);
    }

    /// One call of ARM. Status 0 is no answer.
    pub fn called(&self, request: &ArmRequest, answer: Result<u16, &Failure>) {
        let status = answer.unwrap_or_else(|failure| failure.status().unwrap_or(0));
        let operation = operation(request);
        self.with(|numbers| *numbers.arm_calls.entry((operation, status)).or_default() += 1);
    }

    /// One request to the API server.
    pub(crate) fn asked_kubernetes(&self, asked: Asked) {
        self.with(|numbers| *numbers.kubernetes.entry(asked).or_default() += 1);
    }

    /// One request that the API server did not allow us.
    pub(crate) fn refused_by_kubernetes(&self) {
        self.with(|numbers| numbers.kubernetes_refused += 1);
    }

    /// What the service says is left.
    pub fn rate_limit_remaining(&self, left: u32) {
        self.with(|numbers| numbers.rate_limit_remaining = Some(left));
    }

    /// Whether an object is ready, as its status says: `True`, `False` or `Unknown`; none when it is gone.
    pub fn readiness(&self, key: &Key, status: Option<&'static str>) {
        self.with(|numbers| match status {
            Some(status) => {
                numbers.readiness.insert(key.clone(), status);
            }
            None => {
                numbers.readiness.remove(key);
                numbers.tells(key, None);
                numbers.unreadable.remove(key);
                numbers.ca_bundles.remove(key);
            }
        });
    }

    /// Whether an object fits our types.
    pub(crate) fn is_readable(&self, key: &Key, readable: bool) {
        self.with(|numbers| match readable {
            true => numbers.unreadable.remove(key),
            false => numbers.unreadable.insert(key.clone()),
        });
    }

    /// What an object's status tells that is worth counting.
    pub(crate) fn facts(&self, key: &Key, facts: Vec<Fact>) {
        self.with(|numbers| numbers.tells(key, Some(facts)));
    }

    /// When the certificates end that a service is trusted by, where it has some of its own.
    pub(crate) fn ca_bundle(&self, key: &Key, ends: Option<Timestamp>) {
        self.with(|numbers| match ends {
            Some(ends) => numbers.ca_bundles.insert(key.clone(), ends),
            None => numbers.ca_bundles.remove(key),
        });
    }

    /// Whether this replica is the one that acts.
    pub fn leads(&self, leader: bool) {
        self.with(|numbers| numbers.leader = leader);
    }

    /// How many objects wait for their turn to be looked at.
    pub(crate) fn waiting(&self, objects: usize) {
        self.with(|numbers| numbers.waiting = objects);
    }

    /// All of it, as `/metrics` shows it.
    pub fn render(&self) -> String {
        self.render_at(Timestamp::now())
    }

    fn render_at(&self, now: Timestamp) -> String {
        self.with(|numbers| render(numbers, now))
    }
}

impl Numbers {
    /// What an object tells now, or that it is gone.
    fn tells(&mut self, key: &Key, facts: Option<Vec<Fact>>) {
        let facts = facts.map(|facts| {
            let known = self.alike.get_key_value(facts.as_slice());
            known.map_or_else(|| facts.into(), |(known, _)| Arc::clone(known))
        });
        if let Some(facts) = &facts {
            *self.alike.entry(Arc::clone(facts)).or_default() += 1;
        }
        let before = match facts {
            Some(facts) => self.facts.insert(key.clone(), facts),
            None => self.facts.remove(key),
        };
        let Some(before) = before else { return };
        if let Some(count) = self.alike.get_mut(&before) {
            *count -= 1;
            if *count == 0 {
                self.alike.remove(&before);
            }
        }
    }
}

/// The verb and the resource types of the path, without names: `GET vaults/backupJobs`.
fn operation(request: &ArmRequest) -> String {
    let mut words = request
        .path
        .split('/')
        .skip_while(|word| *word != "providers");
    let types: Vec<&str> = words.by_ref().skip(2).step_by(2).take(8).collect();
    match types.is_empty() {
        true => format!("{} subscriptions", request.method),
        false => format!("{} {}", request.method, types.join("/")),
    }
}

fn render(numbers: &Numbers, now: Timestamp) -> String {
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, lines: Vec<(String, String)>| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in lines {
            let _ = match labels.is_empty() {
                true => writeln!(text, "{name} {value}"),
                false => writeln!(text, "{name}{{{labels}}} {value}"),
            };
        }
    };
    let each = |map: &BTreeMap<(Kind, &'static str), u64>, label: &str| {
        map.iter()
            .map(|((kind, of), n)| (format!("kind=\"{kind}\",{label}=\"{of}\""), n.to_string()))
            .collect()
    };
    family(
        "kluis_leader",
        "gauge",
        "Whether this replica is the one that acts.",
        vec![(String::new(), u8::from(numbers.leader).to_string())],
    );
    family(
        "kluis_queue_length",
        "gauge",
        "Objects that wait for their turn to be looked at.",
        vec![(String::new(), numbers.waiting.to_string())],
    );
    family(
        "kluis_reconciles_total",
        "counter",
        "Reconciles, by kind and result.",
        each(&numbers.reconciles, "result"),
    );
    family(
        "kluis_reconcile_failures_total",
        "counter",
        "Failures, by kind and by what helps: retry, blocked, terminal.",
        each(&numbers.failures, "class"),
    );
    family(
        "kluis_drift_repaired_total",
        "counter",
        "Changes that somebody made in Azure of what is declared, and that were put back, by kind.",
        numbers
            .drifts
            .iter()
            .map(|(kind, n)| (format!("kind=\"{kind}\""), n.to_string()))
            .collect(),
    );
    family(
        "kluis_steps_total",
        "counter",
        "Executed steps, by result.",
        numbers
            .steps
            .iter()
            .map(|(result, n)| (format!("result=\"{result}\""), n.to_string()))
            .collect(),
    );
    family(
        "kluis_arm_calls_total",
        "counter",
        "Calls of Azure Resource Manager, by operation and status; status 0 is no answer.",
        numbers
            .arm_calls
            .iter()
            .map(|((operation, status), n)| {
                let labels = format!("operation=\"{}\",status=\"{status}\"", escaped(operation));
                (labels, n.to_string())
            })
            .collect(),
    );
    family(
        "kluis_arm_rate_limit_remaining",
        "gauge",
        "Calls left, as the service last said.",
        numbers
            .rate_limit_remaining
            .iter()
            .map(|left| (String::new(), left.to_string()))
            .collect(),
    );
    family(
        "kluis_kubernetes_requests_total",
        "counter",
        "Requests to the API server, by verb, API group and resource.",
        numbers
            .kubernetes
            .iter()
            .map(|(asked, n)| {
                let labels = format!(
                    "verb=\"{}\",group=\"{}\",resource=\"{}\"",
                    asked.verb, asked.group, asked.resource
                );
                (labels, n.to_string())
            })
            .collect(),
    );
    family(
        "kluis_kubernetes_refused_total",
        "counter",
        "Requests that the API server did not allow: a role is missing.",
        vec![(String::new(), numbers.kubernetes_refused.to_string())],
    );
    let mut ready: BTreeMap<(Kind, &str), u64> = BTreeMap::new();
    for (key, status) in &numbers.readiness {
        *ready.entry((key.kind, status)).or_default() += 1;
    }
    family(
        "kluis_objects",
        "gauge",
        "Objects, by kind and by their Ready (or Succeeded) condition.",
        ready
            .iter()
            .map(|((kind, status), n)| {
                (format!("kind=\"{kind}\",ready=\"{status}\""), n.to_string())
            })
            .collect(),
    );
    let mut unreadable: BTreeMap<Kind, u64> = BTreeMap::new();
    for key in &numbers.unreadable {
        *unreadable.entry(key.kind).or_default() += 1;
    }
    family(
        "kluis_unreadable_objects",
        "gauge",
        "Objects that the API server took and the operator cannot read, by kind.",
        unreadable
            .iter()
            .map(|(kind, n)| (format!("kind=\"{kind}\""), n.to_string()))
            .collect(),
    );
    let next = numbers.ca_bundles.values().min();
    family(
        "kluis_ca_bundle_days_left",
        "gauge",
        "Days until the certificates of a BackupService's caBundle end, of the one that ends first; below 0 once it has.",
        next.iter()
            .map(|end| (String::new(), format!("{:.2}", days(now, **end))))
            .collect(),
    );
    let mut counts: BTreeMap<&Fact, u64> = BTreeMap::new();
    for (facts, alike) in &numbers.alike {
        for fact in facts.iter() {
            *counts.entry(fact).or_default() += alike;
        }
    }
    for (name, help) in FAMILIES {
        let of_it = counts.iter().filter(|((family, _), _)| family == name);
        let lines = of_it.map(|((_, labels), n)| (labels.clone(), n.to_string()));
        family(name, "gauge", help, lines.collect());
    }
    text
}

fn days(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() / 86_400.0
}

fn escaped(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use kluis_client::Method;

    #[test]
    fn every_metric_is_described() {
        let described = include_str!("../../../docs/metrics.md");
        let text = Metrics::default().render();
        let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        for name in names.filter_map(|line| line.split(' ').next()) {
            assert!(described.contains(&format!("| `{name}` |")), "{name}");
        }
    }

    #[test]
    fn what_objects_tell_is_counted_as_they_tell_it_now() {
        let metrics = Metrics::default();
        let item = |name: &str| Key::new(Kind::ProtectedVM, "shop", name);
        let tells = |name: &str, tier: &str| {
            let fact = ("kluis_newest_points", format!("tier=\"{tier}\""));
            metrics.facts(&item(name), vec![fact]);
        };
        let told = |tier: &str| {
            let text = metrics.render();
            let line = format!("kluis_newest_points{{tier=\"{tier}\"}} ");
            let found = text.lines().find_map(|told| told.strip_prefix(&line));
            found.map(str::to_owned)
        };
        tells("a", "Snapshot");
        tells("b", "Snapshot");
        assert_eq!(told("Snapshot").as_deref(), Some("2"));
        tells("a", "Vault");
        tells("a", "Vault");
        assert_eq!(told("Vault").as_deref(), Some("1"));
        assert_eq!(told("Snapshot").as_deref(), Some("1"));
        metrics.readiness(&item("b"), None);
        assert_eq!(told("Snapshot"), None);
    }

    #[test]
    fn it_reads_as_prometheus_text_without_a_name_in_it() {
        let metrics = Metrics::default();
        let vault =
            "/subscriptions/s/resourceGroups/rg/providers/Microsoft.RecoveryServices/vaults/v";
        let jobs = ArmRequest::get(format!("{vault}/backupJobs/j-1"), "2024-04-01");
        metrics.called(&jobs, Ok(200));
        metrics.called(&jobs, Ok(200));
        metrics.called(
            &ArmRequest::new(Method::Get, "/subscriptions/s", "v"),
            Ok(200),
        );
        metrics.reconciled(Kind::Vault, "ok");
        metrics.failed(Kind::Vault, Class::Blocked);
        metrics.readiness(&Key::new(Kind::Vault, "a", "b"), Some("True"));
        metrics.readiness(&Key::new(Kind::Vault, "a", "gone"), Some("True"));
        metrics.readiness(&Key::new(Kind::Vault, "a", "gone"), None);
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let service = |name| Key::new(Kind::BackupService, "", name);
        for (name, ends) in [
            ("late", "2036-11-22T12:00:00Z"),
            ("soon", "2026-12-02T00:00:00Z"),
            ("gone", "2026-11-01T12:00:00Z"),
            ("exchanged", "2026-11-01T12:00:00Z"),
        ] {
            metrics.ca_bundle(&service(name), ends.parse().ok());
        }
        metrics.readiness(&service("gone"), None);
        metrics.ca_bundle(&service("exchanged"), None);
        expect![[r#"
            # HELP kluis_leader Whether this replica is the one that acts.
            # TYPE kluis_leader gauge
            kluis_leader 0
            # HELP kluis_queue_length Objects that wait for their turn to be looked at.
            # TYPE kluis_queue_length gauge
            kluis_queue_length 0
            # HELP kluis_reconciles_total Reconciles, by kind and result.
            # TYPE kluis_reconciles_total counter
            kluis_reconciles_total{kind="Vault",result="ok"} 1
            # HELP kluis_reconcile_failures_total Failures, by kind and by what helps: retry, blocked, terminal.
            # TYPE kluis_reconcile_failures_total counter
            kluis_reconcile_failures_total{kind="Vault",class="blocked"} 1
            # HELP kluis_drift_repaired_total Changes that somebody made in Azure of what is declared, and that were put back, by kind.
            # TYPE kluis_drift_repaired_total counter
            # HELP kluis_steps_total Executed steps, by result.
            # TYPE kluis_steps_total counter
            # HELP kluis_arm_calls_total Calls of Azure Resource Manager, by operation and status; status 0 is no answer.
            # TYPE kluis_arm_calls_total counter
            kluis_arm_calls_total{operation="GET subscriptions",status="200"} 1
            kluis_arm_calls_total{operation="GET vaults/backupJobs",status="200"} 2
            # HELP kluis_arm_rate_limit_remaining Calls left, as the service last said.
            # TYPE kluis_arm_rate_limit_remaining gauge
            # HELP kluis_kubernetes_requests_total Requests to the API server, by verb, API group and resource.
            # TYPE kluis_kubernetes_requests_total counter
            # HELP kluis_kubernetes_refused_total Requests that the API server did not allow: a role is missing.
            # TYPE kluis_kubernetes_refused_total counter
            kluis_kubernetes_refused_total 0
            # HELP kluis_objects Objects, by kind and by their Ready (or Succeeded) condition.
            # TYPE kluis_objects gauge
            kluis_objects{kind="Vault",ready="True"} 1
            # HELP kluis_unreadable_objects Objects that the API server took and the operator cannot read, by kind.
            # TYPE kluis_unreadable_objects gauge
            # HELP kluis_ca_bundle_days_left Days until the certificates of a BackupService's caBundle end, of the one that ends first; below 0 once it has.
            # TYPE kluis_ca_bundle_days_left gauge
            kluis_ca_bundle_days_left 9.50
            # HELP kluis_conditions Objects, by kind and by the state of a condition that someone should know of.
            # TYPE kluis_conditions gauge
            # HELP kluis_newest_points Protected items, by the tier of their newest recovery point.
            # TYPE kluis_newest_points gauge
            # HELP kluis_newest_runs Protected items, by how their newest run stands and whether it takes or took more than a day.
            # TYPE kluis_newest_runs gauge
            # HELP kluis_restores Restores that there are, by target and by their Succeeded condition.
            # TYPE kluis_restores gauge
        "#]]
        .assert_eq(&metrics.render_at(now));
    }
}
