//! A subscription full of vaults, looked at as the operator's queue would: each object when it is due.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};
use kluis_operator::arm::Limits;
use kluis_operator::crash::CrashHook;
use kluis_operator::{Key, Kind, reconcile_once};
use serde_json::{Value, json};

use super::azure::{ENDPOINT, SUBSCRIPTION};
use super::{Azure, Order, Simulation, operator};

/// Azure's limits. How fast reads follow each other is measured in real time, which does not pass here.
const LIMITS: Limits = Limits {
    rate: None,
    ..Limits::AZURE
};
const VAULTS_OF_A_TEAM: usize = 10;

/// A simulation with its agenda.
pub(crate) struct Subscription {
    world: Simulation,
    size: Size,
    agenda: BTreeSet<(Timestamp, Key)>,
}

/// How many vaults, and how many machines in each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) vaults: usize,
    pub(crate) machines: usize,
}

/// Calls of ARM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) reads: u64,
    pub(crate) writes: u64,
}

impl Subscription {
    /// Ten vaults a team, each team with its policy: declared, and nothing done yet.
    pub(crate) fn declared(size: Size) -> Self {
        let world = Simulation::with(Azure::of(&inventory(size)), Order::Plain, None);
        let mut subscription = Self {
            world,
            size,
            agenda: BTreeSet::new(),
        };
        subscription.restart();
        subscription.declare();
        subscription
    }

    /// The operator dies and another begins, which knows nothing and looks at everything.
    pub(crate) fn restart(&mut self) {
        let world = &mut self.world;
        let (azure, objects, local) = (&world.azure, &world.objects, &world.local);
        world.operator = operator(azure, objects, local, LIMITS, CrashHook::default());
        let now = self.world.azure.now();
        self.agenda = self
            .world
            .objects
            .keys()
            .into_iter()
            .map(|key| (now, key))
            .collect();
    }

    fn declare(&mut self) {
        let now = self.world.azure.now();
        let Size { vaults, machines } = self.size;
        let teams = vaults.div_ceil(VAULTS_OF_A_TEAM);
        let mut manifests = vec![service(teams)];
        manifests.extend((0..teams).map(policy));
        manifests.extend((0..vaults).map(vault));
        manifests.extend((0..vaults * machines).map(|number| machine(number, machines)));
        for (kind, manifest) in manifests {
            let key = self.world.objects.apply(kind, &manifest);
            self.agenda.insert((now, key));
        }
    }

    /// Lives through this much time.
    pub(crate) async fn live(&mut self, time: SignedDuration) {
        let end = self.world.azure.now() + time;
        loop {
            while self.world.azure.happen(0).is_some() {}
            let Some((due, key)) = self.agenda.first().filter(|(due, _)| *due <= end).cloned()
            else {
                break;
            };
            self.agenda.pop_first();
            self.pass_until(due);
            let outcome = reconcile_once(&key, &self.world.operator).await;
            assert_eq!(outcome.failure, None, "{key}");
            if let Some(next) = outcome.next {
                // Time passes by whole seconds here: what is to be looked at sooner is looked at in the next one.
                let next = SignedDuration::from_secs(next.as_secs() + 1);
                self.agenda.insert((self.world.azure.now() + next, key));
            }
        }
        self.pass_until(end);
    }

    fn pass_until(&mut self, moment: Timestamp) {
        let by = moment.duration_since(self.world.azure.now());
        if by >= SignedDuration::from_secs(1) {
            let whole = SignedDuration::from_secs(by.as_secs());
            self.world
                .local
                .0
                .fetch_add(whole.as_secs(), Ordering::SeqCst);
            self.world.azure.advance(whole);
        }
    }

    /// How many objects of a kind are Ready.
    pub(crate) fn ready(&self, kind: Kind) -> usize {
        let keys = self.world.objects.keys();
        let of_kind = keys.iter().filter(|key| key.kind == kind);
        let is_ready = |key: &&Key| {
            let object = self.world.objects.peek(key).unwrap_or_default();
            let conditions = object["status"]["conditions"].as_array().cloned();
            conditions
                .unwrap_or_default()
                .iter()
                .any(|found| found["type"] == "Ready" && found["status"] == "True")
        };
        of_kind.filter(is_ready).count()
    }

    /// Every object's version: what is written shows here.
    pub(crate) fn versions(&self) -> Vec<Value> {
        let keys = self.world.objects.keys();
        keys.iter()
            .filter_map(|key| self.world.objects.peek(key))
            .map(|object| object["metadata"]["resourceVersion"].clone())
            .collect()
    }

    /// The number of the last version of any object: how often one was made or written.
    pub(crate) fn last_version(&self) -> u64 {
        let versions = self.versions();
        let numbers = versions
            .iter()
            .filter_map(|version| version.as_str()?.parse().ok());
        numbers.max().unwrap_or_default()
    }

    /// The calls of ARM since the operator began.
    pub(crate) fn calls(&self) -> Calls {
        let text = self.world.operator.metrics.render();
        let mut calls = Calls {
            reads: 0,
            writes: 0,
        };
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("kluis_arm_calls_total{operation=\"") else {
                continue;
            };
            let count = rest.rsplit(' ').next().and_then(|count| count.parse().ok());
            let slot = match rest.starts_with("GET ") {
                true => &mut calls.reads,
                false => &mut calls.writes,
            };
            *slot += count.unwrap_or(0);
        }
        calls
    }
}

/// Each team has a resource group in a region of its own: what a vault could protect is listed by region.
fn inventory(Size { vaults, machines }: Size) -> String {
    let of_a_team = machines * VAULTS_OF_A_TEAM;
    let mut text = "resourceGroups:\n".to_owned();
    for number in 0..vaults * machines {
        if number % of_a_team == 0 {
            let team = number / of_a_team;
            let _ = writeln!(
                text,
                "  fleet-{team}:\n    location: region{team}\n    virtualMachines:"
            );
        }
        let _ = writeln!(
            text,
            "      vm-{number}: {{ os: Linux, disks: [{{ path: vm-{number}.raw }}] }}"
        );
    }
    text
}

fn object(kind: Kind, metadata: &Value, spec: &Value) -> (Kind, Value) {
    let object = json!({ "apiVersion": "kluis.dev/v1alpha1", "kind": kind.to_string(), "metadata": metadata, "spec": spec });
    (kind, object)
}

fn service(teams: usize) -> (Kind, Value) {
    let namespaces: Vec<Value> = (0..teams)
        .map(|team| json!({ "name": format!("team-{team}"), "resourceGroups": ["*"] }))
        .collect();
    let spec = json!({
        "endpoint": ENDPOINT, "subscriptionId": SUBSCRIPTION, "tenantId": SUBSCRIPTION,
        "credential": { "type": "ClientSecret", "clientId": "kluis", "secretRef": { "name": "azure", "key": "secret" } },
        "namespaces": namespaces,
    });
    object(Kind::BackupService, &json!({ "name": "azure" }), &spec)
}

fn policy(team: usize) -> (Kind, Value) {
    let metadata = json!({ "namespace": format!("team-{team}"), "name": "daily" });
    let spec = json!({
        "workload": "VirtualMachine", "timeZone": "Etc/UTC",
        "schedule": { "daily": { "at": "22:30" } }, "retention": { "daily": { "keep": 30 } },
    });
    object(Kind::BackupPolicy, &metadata, &spec)
}

fn vault(vault: usize) -> (Kind, Value) {
    let team = vault / VAULTS_OF_A_TEAM;
    let metadata = json!({ "namespace": format!("team-{team}"), "name": format!("vault-{vault}") });
    let spec = json!({
        "serviceRef": { "name": "azure" },
        "resourceGroup": format!("fleet-{team}"), "location": format!("region{team}"),
    });
    object(Kind::Vault, &metadata, &spec)
}

fn machine(machine: usize, of_a_vault: usize) -> (Kind, Value) {
    let vault = machine / of_a_vault;
    let team = vault / VAULTS_OF_A_TEAM;
    let metadata = json!({ "namespace": format!("team-{team}"), "name": format!("vm-{machine}") });
    let spec = json!({
        "vaultRef": { "name": format!("vault-{vault}") }, "policyRef": { "name": "daily" },
        "vm": { "resourceGroup": format!("fleet-{team}"), "name": format!("vm-{machine}") },
    });
    object(Kind::ProtectedVM, &metadata, &spec)
}
