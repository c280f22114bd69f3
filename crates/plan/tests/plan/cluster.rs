//! A cluster of a few objects, and the loop of a reconcile: observe, plan, execute, report.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};
use kluis_api::{
    Approval, BackupJob, BackupPolicy, BackupService, ConditionStatus, ConditionType, FINALIZER,
    ObjectMeta, ProtectedVM, Restore, Time, Vault, VaultDeletionPolicy,
};
use kluis_plan::{
    Access, Action, BackupJobWorld, CaBundleFact, Edit, Fingerprint, Kind, Next, ObjectKey,
    Outcome, Plan, PolicyItem, PolicyVaultFacts, PolicyWorld, ProtectedVmWorld, RestoreWorld,
    SecretFact, ServiceWorld, Status, VaultWorld, Work, World, holds_retained,
};

use crate::azure::{Azure, item_id};

pub(crate) const PERIOD: SignedDuration = SignedDuration::from_secs(5);

/// The objects. What is deleted is gone once nothing holds it.
pub(crate) struct Cluster {
    pub(crate) azure: Azure,
    pub(crate) service: Option<BackupService>,
    pub(crate) ca_bundle: Option<CaBundleFact>,
    pub(crate) vault: Option<Vault>,
    pub(crate) policy: Option<BackupPolicy>,
    pub(crate) item: Option<ProtectedVM>,
    pub(crate) job: Option<BackupJob>,
    pub(crate) restore: Option<Restore>,
    /// Another ProtectedVM that has the machine.
    pub(crate) rival: Option<ObjectKey>,
    /// Another Vault of the same resource group and name in Azure.
    pub(crate) namesake: Option<Vault>,
    /// Other machines in the vault, protected by a policy's name in Azure.
    pub(crate) by_azure_name: Vec<ProtectedVM>,
    /// Whether the service's clock and the operator's agree.
    pub(crate) clocks_agree: bool,
    /// Machines that name the policy and another vault: its name, and its object where there is one.
    pub(crate) elsewhere: Vec<(&'static str, Option<Vault>, ProtectedVM)>,
    /// The process dies after so many steps, before it writes what came of the last one.
    pub(crate) crash_after: Option<usize>,
    said: BTreeMap<Kind, String>,
    pub(crate) log: String,
}

/// What one reconcile came to.
pub(crate) struct Reconciled {
    pub(crate) plan: Plan,
    pub(crate) changed: bool,
    pub(crate) next: Next,
}

impl Cluster {
    /// A service, a vault, a policy and a protected machine, just applied.
    pub(crate) fn applied() -> Self {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        Self {
            azure: Azure::new(now),
            service: Some(parse(SERVICE)),
            ca_bundle: None,
            vault: Some(parse(VAULT)),
            policy: Some(parse(POLICY)),
            item: Some(parse(ITEM)),
            job: None,
            restore: None,
            rival: None,
            clocks_agree: true,
            namesake: None,
            by_azure_name: Vec::new(),
            elsewhere: Vec::new(),
            crash_after: None,
            said: BTreeMap::new(),
            log: String::new(),
        }
    }

    /// The same, converged.
    pub(crate) fn converged() -> Self {
        let mut cluster = Self::applied();
        cluster.converge(&ALL);
        cluster.log.clear();
        cluster
    }

    /// The same, with twenty daily points.
    pub(crate) fn backed_up() -> Self {
        let mut cluster = Self::converged();
        for day in 1..=20 {
            cluster.azure.now = format!("2026-12-{day:02}T21:30:00Z").parse().unwrap();
            cluster.azure.run_schedule(&item_id());
        }
        cluster.converge(&ALL);
        cluster.azure.calls.clear();
        cluster
    }

    /// What was called in Azure.
    pub(crate) fn sent(&self) -> String {
        self.azure.calls.join("\n")
    }

    /// What the policy's status asks to approve.
    pub(crate) fn asked(&self) -> Option<Approval> {
        let status = self.policy.as_ref()?.status.as_ref()?;
        status.vaults.first()?.approval.clone()
    }

    /// The policy's `Ready`, in one line.
    pub(crate) fn says(&self) -> String {
        let status = self.policy.as_ref().unwrap().status.as_ref().unwrap();
        let ready = &status.conditions[0];
        format!("{} {}", ready.reason, ready.message)
    }

    /// Reconciles in rounds until nothing changes any more and nothing is under way.
    pub(crate) fn converge(&mut self, order: &[Kind]) {
        for _ in 0..80 {
            let mut quiet = true;
            for kind in order {
                if let Some(done) = self.reconcile(*kind) {
                    quiet &= !done.changed && done.plan.steps.is_empty() && done.next != Next::Soon;
                }
            }
            quiet &= self.azure.is_quiet();
            self.azure.tick(PERIOD);
            if quiet {
                return;
            }
        }
        panic!("it does not come to rest:\n{}", self.log);
    }

    pub(crate) fn reconcile(&mut self, kind: Kind) -> Option<Reconciled> {
        let mut world = self.world(kind)?;
        for _ in 0..8 {
            let wants = world.wants();
            if wants.is_empty() {
                break;
            }
            for want in wants {
                let fact = self.azure.read(&want);
                world.fill(&want, fact);
            }
        }
        assert!(
            world.wants().is_empty(),
            "{kind} never has enough: {:?}",
            world.wants()
        );
        let plan = world.plan();
        check(&plan);
        self.note(kind, &plan);
        let mut outcomes = Vec::new();
        for step in &plan.steps {
            let outcome = self.take(kind, step);
            let done = outcome == Outcome::Done;
            outcomes.push(outcome);
            match &mut self.crash_after {
                Some(0) => {
                    self.crash_after = None;
                    return Some(Reconciled {
                        plan,
                        changed: true,
                        next: Next::Soon,
                    });
                }
                Some(left) => *left -= 1,
                None => {}
            }
            if !done {
                break;
            }
        }
        let (report, next) = plan.report_after(&outcomes);
        if let Some(Outcome::Failed(_)) = outcomes.last() {
            let mut failed = plan.clone();
            (failed.steps, failed.report, failed.next) = (Vec::new(), report.clone(), next);
            check(&failed);
            self.note(kind, &failed);
        }
        let changed = report
            .status
            .as_ref()
            .is_some_and(|status| self.write(status));
        Some(Reconciled {
            plan,
            changed,
            next,
        })
    }

    /// What would be done about an object now.
    pub(crate) fn plan(&self, kind: Kind) -> Option<Plan> {
        let mut world = self.world(kind)?;
        loop {
            let wants = world.wants();
            if wants.is_empty() {
                return Some(world.plan());
            }
            for want in wants {
                let fact = self.azure.read(&want);
                world.fill(&want, fact);
            }
        }
    }

    /// What would change of what keeps recovery points.
    pub(crate) fn foreseen(&self, kind: Kind) -> Vec<Edit> {
        let mut world = self.world(kind).unwrap();
        loop {
            let wants = world.wants();
            if wants.is_empty() {
                return world.edits();
            }
            for want in wants {
                let fact = self.azure.read(&want);
                world.fill(&want, fact);
            }
        }
    }

    /// How many reads of ARM one reconcile takes.
    pub(crate) fn reads(&self, kind: Kind) -> usize {
        let mut world = self.world(kind).unwrap();
        let mut reads = 0;
        loop {
            let wants = world.wants();
            if wants.is_empty() {
                return reads;
            }
            for want in wants {
                let fact = self.azure.read(&want);
                world.fill(&want, fact);
                reads += 1;
            }
        }
    }

    pub(crate) fn take(&mut self, kind: Kind, step: &kluis_plan::Step) -> Outcome {
        let generation = self
            .metadata(kind)
            .map_or(-1, |metadata| metadata.generation.unwrap_or_default());
        if generation != step.guard.generation {
            return Outcome::Stale {
                what: "the object".to_owned(),
            };
        }
        let edits = self.edits();
        if step
            .guard
            .room
            .as_ref()
            .is_some_and(|room| !room.is_left(&edits))
        {
            return Outcome::Stale {
                what: "the room for an edit".to_owned(),
            };
        }
        for (want, fingerprint) in &step.guard.observed {
            if Fingerprint::of(&self.azure.read(want)) != *fingerprint {
                return Outcome::Stale {
                    what: want.to_string(),
                };
            }
        }
        match &step.action {
            Action::HoldFinalizer => {
                let metadata = self.metadata(kind).unwrap();
                metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
                Outcome::Done
            }
            Action::ReleaseFinalizer => {
                let metadata = self.metadata(kind).unwrap();
                metadata.finalizers = None;
                if metadata.deletion_timestamp.is_some() {
                    self.remove(kind);
                }
                Outcome::Done
            }
            Action::DeleteObject => {
                self.delete(kind);
                Outcome::Done
            }
            action => self.azure.call(action),
        }
    }

    /// Deletes an object as `kubectl delete` does.
    pub(crate) fn delete(&mut self, kind: Kind) {
        let now = self.azure.now;
        let Some(metadata) = self.metadata(kind) else {
            return;
        };
        if metadata.finalizers.is_none() {
            return self.remove(kind);
        }
        metadata.deletion_timestamp = Some(Time(now));
        *metadata.generation.get_or_insert(1) += 1;
    }

    /// Changes a spec as `kubectl apply` does.
    pub(crate) fn edit_policy(&mut self, edit: impl FnOnce(&mut BackupPolicy)) {
        let policy = self.policy.as_mut().unwrap();
        edit(policy);
        *policy.metadata.generation.get_or_insert(1) += 1;
    }

    pub(crate) fn edit_item(&mut self, edit: impl FnOnce(&mut ProtectedVM)) {
        let item = self.item.as_mut().unwrap();
        edit(item);
        *item.metadata.generation.get_or_insert(1) += 1;
    }

    pub(crate) fn edit_vault(&mut self, edit: impl FnOnce(&mut Vault)) {
        let vault = self.vault.as_mut().unwrap();
        edit(vault);
        *vault.metadata.generation.get_or_insert(1) += 1;
    }

    fn metadata(&mut self, kind: Kind) -> Option<&mut ObjectMeta> {
        match kind {
            Kind::BackupService => self.service.as_mut().map(|object| &mut object.metadata),
            Kind::Vault => self.vault.as_mut().map(|object| &mut object.metadata),
            Kind::BackupPolicy => self.policy.as_mut().map(|object| &mut object.metadata),
            Kind::ProtectedVM => self.item.as_mut().map(|object| &mut object.metadata),
            Kind::BackupJob => self.job.as_mut().map(|object| &mut object.metadata),
            Kind::Restore => self.restore.as_mut().map(|object| &mut object.metadata),
        }
    }

    fn remove(&mut self, kind: Kind) {
        match kind {
            Kind::BackupService => self.service = None,
            Kind::Vault => self.vault = None,
            Kind::BackupPolicy => self.policy = None,
            Kind::ProtectedVM => self.item = None,
            Kind::BackupJob => self.job = None,
            Kind::Restore => self.restore = None,
        }
    }

    /// Writes a status, by way of JSON, as the API server keeps it. Whether it differs from what was there.
    fn write(&mut self, status: &Status) -> bool {
        fn put<T: serde::de::DeserializeOwned + PartialEq>(
            slot: Option<&mut Option<T>>,
            status: &Status,
        ) -> bool {
            let Some(slot) = slot else { return false };
            let read = Some(serde_json::from_value(status.to_value().unwrap()).unwrap());
            let changed = *slot != read;
            *slot = read;
            changed
        }
        match status {
            Status::Service(_) => put(
                self.service.as_mut().map(|object| &mut object.status),
                status,
            ),
            Status::Vault(_) => put(self.vault.as_mut().map(|object| &mut object.status), status),
            Status::Policy(_) => put(
                self.policy.as_mut().map(|object| &mut object.status),
                status,
            ),
            Status::ProtectedVm(_) => {
                put(self.item.as_mut().map(|object| &mut object.status), status)
            }
            Status::BackupJob(_) => put(self.job.as_mut().map(|object| &mut object.status), status),
            Status::Restore(_) => put(
                self.restore.as_mut().map(|object| &mut object.status),
                status,
            ),
        }
    }

    /// What is new goes into the log: a plan with steps, or one that says something else than before.
    fn note(&mut self, kind: Kind, plan: &Plan) {
        let text = plan.to_string();
        let said: String = text
            .lines()
            .filter(|line| line.starts_with("say") || line.starts_with("step"))
            .collect();
        if self.said.get(&kind) == Some(&said)
            && plan.steps.is_empty()
            && plan.report.events.is_empty()
        {
            return;
        }
        let seconds = self.azure.now.as_second() - 1_795_348_800;
        writeln!(self.log, "── {seconds} s, {}\n{text}", plan.report.object).unwrap();
        self.said.insert(kind, said);
    }

    /// When policies of the vault were edited, as the policy's status tells.
    fn edits(&self) -> Vec<Timestamp> {
        let status = self
            .policy
            .iter()
            .filter_map(|policy| policy.status.as_ref());
        let edits = status
            .flat_map(|status| &status.vaults)
            .flat_map(|vault| &vault.edits);
        edits.map(|edit| edit.0).collect()
    }

    fn access(&self) -> Access {
        Access {
            service: self.service.clone(),
            namespace_labels: BTreeMap::new(),
        }
    }

    fn work(&self) -> Work {
        Work::about(self.item.clone(), self.vault.clone(), self.access())
    }

    fn world(&self, kind: Kind) -> Option<Box<dyn World>> {
        let now = self.azure.now;
        let key = |kind, metadata: &ObjectMeta| {
            ObjectKey::new(kind, "shop", metadata.name.clone().unwrap())
        };
        let items = || {
            self.item
                .iter()
                .map(|item| key(Kind::ProtectedVM, &item.metadata))
                .collect::<Vec<_>>()
        };
        let world: Box<dyn World> = match kind {
            Kind::BackupService => Box::new(ServiceWorld {
                now,
                service: self.service.clone()?,
                secret: SecretFact::NotNeeded,
                ca_bundle: self.ca_bundle,
                users: self
                    .vault
                    .iter()
                    .map(|vault| key(Kind::Vault, &vault.metadata))
                    .collect(),
                subscription: None,
            }),
            Kind::Vault => {
                let vault = self.vault.as_ref()?;
                let is_kept = vault.metadata.deletion_timestamp.is_some()
                    && vault.spec.deletion_policy == VaultDeletionPolicy::Retain;
                let policies = self
                    .policy
                    .iter()
                    .filter(|policy| policy.status.iter().any(|status| !status.vaults.is_empty()))
                    .filter(|policy| !is_kept || holds_retained(policy));
                let users = policies
                    .map(|policy| key(Kind::BackupPolicy, &policy.metadata))
                    .chain(items())
                    .collect();
                Box::new(VaultWorld {
                    now,
                    vault: self.vault.clone()?,
                    access: self.access(),
                    users,
                    namesakes: self
                        .namesake
                        .iter()
                        .map(|vault| (vault.clone(), self.access()))
                        .collect(),
                    arm: None,
                    deleted: None,
                    is_redundancy_locked: None,
                    items: None,
                    points: HashMap::new(),
                    health: None,
                    progress: None,
                })
            }
            Kind::BackupPolicy => {
                let listed = self
                    .policy
                    .iter()
                    .flat_map(|policy| &policy.status)
                    .any(|status| !status.vaults.is_empty());
                let items_here = self.item.clone().into_iter();
                let names = |item: &ProtectedVM| {
                    item.spec.policy_ref.name
                        == self.policy.as_ref().and_then(|p| p.metadata.name.clone())
                };
                let mut facts = PolicyVaultFacts::new(
                    "shop/shop-weu".to_owned(),
                    self.vault.clone(),
                    self.access(),
                    items_here
                        .filter(names)
                        .map(|item| PolicyItem::from(&item))
                        .collect(),
                    self.edits(),
                );
                facts.by_azure_name = self.by_azure_name.iter().map(PolicyItem::from).collect();
                let here = (listed || self.item.is_some()).then_some(facts);
                let elsewhere = self.elsewhere.iter().map(|(name, vault, item)| {
                    PolicyVaultFacts::new(
                        (*name).to_owned(),
                        vault.clone(),
                        self.access(),
                        vec![PolicyItem::from(item)],
                        Vec::new(),
                    )
                });
                let vaults = here.into_iter().chain(elsewhere).collect();
                Box::new(PolicyWorld {
                    now,
                    policy: self.policy.clone()?,
                    users: items(),
                    vaults,
                })
            }
            Kind::ProtectedVM => {
                let job = self.job.iter().filter(|job| {
                    !is_over(job.status.iter().flat_map(|status| &status.conditions))
                });
                let restore = self.restore.iter().filter(|one| {
                    !is_over(one.status.iter().flat_map(|status| &status.conditions))
                });
                let users = job
                    .map(|job| key(Kind::BackupJob, &job.metadata))
                    .chain(restore.map(|one| key(Kind::Restore, &one.metadata)));
                Box::new(ProtectedVmWorld {
                    now,
                    item: self.item.clone()?,
                    vault: self.vault.clone(),
                    policy: self.policy.clone(),
                    access: self.access(),
                    users: users.collect(),
                    rival: self.rival.clone(),
                    arm: None,
                    arm_vault: None,
                    arm_policy: None,
                    present_policy: None,
                    vm: None,
                    protectable: None,
                    progress: None,
                    backup_progress: None,
                    backup_job: None,
                    jobs: None,
                    points: None,
                    locks: None,
                })
            }
            Kind::BackupJob => Box::new(BackupJobWorld {
                now,
                clocks_agree: self.clocks_agree,
                job: self.job.clone()?,
                work: self.work(),
            }),
            Kind::Restore => Box::new(RestoreWorld::new(now, self.restore.clone()?, self.work())),
        };
        Some(world)
    }
}

/// What every plan keeps to, whatever the world.
fn check(plan: &Plan) {
    let Some(status) = &plan.report.status else {
        return;
    };
    let of = |type_| {
        status
            .conditions()
            .iter()
            .find(|condition| condition.type_ == type_)
    };
    let summary = of(ConditionType::Ready)
        .or(of(ConditionType::Succeeded))
        .expect("a summary");
    let (reconciling, stalled) = (
        of(ConditionType::Reconciling).unwrap(),
        of(ConditionType::Stalled).unwrap(),
    );
    let both =
        reconciling.status == ConditionStatus::True && stalled.status == ConditionStatus::True;
    assert!(
        !both,
        "who follows kstatus would not know which to believe:\n{plan}"
    );
    assert!(
        !summary.reason.is_empty() && !summary.message.is_empty(),
        "says nothing:\n{plan}"
    );
    let generations: Vec<Option<i64>> = [summary, reconciling, stalled]
        .iter()
        .map(|condition| condition.observed_generation)
        .collect();
    let observed = status.to_value().unwrap()["observedGeneration"].as_i64();
    assert!(
        generations.iter().all(|generation| *generation == observed),
        "{generations:?} {observed:?}:\n{plan}"
    );
}

fn is_over<'a>(mut conditions: impl Iterator<Item = &'a kluis_api::Condition>) -> bool {
    conditions.any(|condition| {
        condition.type_ == ConditionType::Succeeded && condition.status != ConditionStatus::Unknown
    })
}

pub(crate) fn parse<T: serde::de::DeserializeOwned>(yaml: &str) -> T {
    serde_yaml::from_str(yaml).unwrap()
}

/// All kinds, in the order in which they come to be.
pub(crate) const ALL: [Kind; 6] = [
    Kind::BackupService,
    Kind::Vault,
    Kind::BackupPolicy,
    Kind::ProtectedVM,
    Kind::BackupJob,
    Kind::Restore,
];

const SERVICE: &str = r#"
apiVersion: kluis.dev/v1alpha1
kind: BackupService
metadata: { name: azure, generation: 1 }
spec:
  endpoint: https://azure
  subscriptionId: 11111111-2222-3333-4444-555555555555
  tenantId: 99999999-2222-3333-4444-555555555555
  credential: { type: WorkloadIdentity }
  namespaces: [{ name: shop, resourceGroups: [shop-rg, shop-restored] }]
"#;

const VAULT: &str = r#"
apiVersion: kluis.dev/v1alpha1
kind: Vault
metadata: { namespace: shop, name: shop-weu, generation: 1 }
spec: { serviceRef: { name: azure }, resourceGroup: shop-rg, location: westeurope }
"#;

const POLICY: &str = r#"
apiVersion: kluis.dev/v1alpha1
kind: BackupPolicy
metadata: { namespace: shop, name: daily, generation: 1 }
spec:
  workload: VirtualMachine
  timeZone: Europe/Amsterdam
  schedule: { daily: { at: "22:30" } }
  retention: { daily: { keep: 30 } }
"#;

pub(crate) const ITEM: &str = r#"
apiVersion: kluis.dev/v1alpha1
kind: ProtectedVM
metadata: { namespace: shop, name: web-1, generation: 1 }
spec:
  vaultRef: { name: shop-weu }
  policyRef: { name: daily }
  vm: { resourceGroup: shop-rg, name: web-1 }
  objectives: { rpo: 26h }
"#;

pub(crate) const JOB: &str = r#"
apiVersion: kluis.dev/v1alpha1
kind: BackupJob
metadata: { namespace: shop, name: now, generation: 1 }
spec: { item: { kind: ProtectedVM, name: web-1 }, retainUntil: 2027-01-01T00:00:00Z, ttlSecondsAfterFinished: 3600 }
"#;

pub(crate) const RESTORE: &str = r#"
apiVersion: kluis.dev/v1alpha1
kind: Restore
metadata: { namespace: shop, name: back, generation: 1 }
spec: { item: { kind: ProtectedVM, name: web-1 }, from: { latest: true }, to: { disks: { resourceGroup: shop-restored } } }
"#;
