//! A model of ARM: as much of Azure Backup as a plan can tell apart, in memory. Operations end at the second tick, jobs at the third.

mod making;
mod protection;
mod silence;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kluis_arm::backup::BackupRequest;
use kluis_arm::error::code;
use kluis_arm::id::{ItemId, Name, PolicyId, VaultId, VmId};
use kluis_arm::item::{HealthDetail, Item, ProtectedItem, ProtectionState, VmItem};
use kluis_arm::job::{Job, JobDetail, JobError, JobOperation, JobStatus, VmJob};
use kluis_arm::policy::{Policy, ProtectionPolicy};
use kluis_arm::recovery_point::{
    BEFORE_REPLACING, Consistency, DiskConfiguration, RecoveryPoint, RecoveryPointProperties, Tier,
    TierDetail, TierStatus, VmRecoveryPoint,
};
use kluis_arm::resource::Resource;
use kluis_arm::restore::RestoreRequest;
use kluis_arm::time::WireTime;
use kluis_arm::vault::{Immutability, ProvisioningState, Vault};
use kluis_plan::{
    Action, ArmFailure, Cause, DeletedVaultFact, DiskFact, Fact, ItemFact, LockFact, NetworkFact,
    Observed, Outcome, Progress, StorageAccountFact, SubscriptionFact, VaultHealthFact, VaultItem,
    VmFact, VmTies, Want,
};

use making::{Making, managed};

pub(crate) const SUBSCRIPTION: &str = "11111111-2222-3333-4444-555555555555";

/// What there is, and what is under way.
pub(crate) struct Azure {
    pub(crate) now: Timestamp,
    pub(crate) vaults: BTreeMap<String, Vault>,
    /// The vaults that were softly deleted, by the ids that they had.
    pub(crate) deleted_vaults: BTreeMap<String, (DeletedVaultFact, Vault)>,
    pub(crate) policies: BTreeMap<String, Policy>,
    pub(crate) items: BTreeMap<String, VmItem>,
    pub(crate) points: BTreeMap<String, Vec<Timestamp>>,
    /// What the vault holds besides machines, with its points.
    pub(crate) others: Vec<(Item, Vec<RecoveryPoint>)>,
    pub(crate) vms: Vec<VmFact>,
    pub(crate) disks: Vec<DiskFact>,
    /// The one network, `shop-net`.
    pub(crate) network: Option<NetworkFact>,
    /// What is locked.
    pub(crate) locks: Vec<LockFact>,
    /// Where the extension for files is, if there is one.
    pub(crate) files: Option<String>,
    /// Jobs that restore say that they are done, and leave nothing.
    pub(crate) leaves_nothing: bool,
    /// Which disks the points say they hold.
    pub(crate) held: Option<DiskConfiguration>,
    pub(crate) accounts: Vec<StorageAccountFact>,
    /// What the service says of each vault, where it offers that.
    pub(crate) vault_health: Option<VaultHealthFact>,
    /// A resource group that is not there.
    pub(crate) missing_group: Option<String>,
    /// Of a machine that is encrypted: where its recovery points say that its keys are.
    pub(crate) keys: Option<serde_json::Value>,
    /// The ids of what is in key vaults.
    pub(crate) in_key_vaults: Vec<String>,
    /// What the jobs that restore are to make, by job.
    making: BTreeMap<String, Making>,
    pub(crate) jobs: Vec<(String, VmJob)>,
    /// Every call that was taken, in words.
    pub(crate) calls: Vec<String>,
    /// The next call fails so.
    pub(crate) refuse: Option<Cause>,
    /// After so many more calls one is taken, and answered so: what lies in between sent it twice.
    pub(crate) instead: Option<(usize, Cause)>,
    /// Nothing can be read and nothing called, for this reason.
    pub(crate) silent: Option<Cause>,
    /// Whether backups may be suspended: Azure asks for an immutable vault.
    pub(crate) is_immutable: bool,
    /// The calls that were refused as wrong for the item's state, in words.
    pub(crate) wrong: Vec<String>,
    /// Where the points are.
    pub(crate) tiers: Vec<Tier>,
    /// What they are good for.
    pub(crate) consistency: Consistency,
    /// The system that they are of, where they say so.
    pub(crate) os_type: Option<String>,
    /// The points that somebody asked for, by name.
    pub(crate) on_demand: Vec<String>,
    /// Until when they asked for them.
    pub(crate) asked_until: Option<String>,
    /// Until when the vault says that it keeps a point, by name.
    pub(crate) told: BTreeMap<String, String>,
    /// The points that are being removed, by name.
    pub(crate) removing: Vec<String>,
    /// The points that restores in place made of what they replaced, by name: a service of one's own says so, Azure makes none.
    pub(crate) before_replacing: Vec<String>,
    /// What comes of an edit of a policy.
    pub(crate) edits: Edits,
    discovered: bool,
    operations: Vec<Operation>,
}

/// What comes of an edit of a policy that is there.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Edits {
    Made,
    /// Nothing: it is only said to be done, at once.
    Ignored,
    /// The same, by an operation that succeeds.
    IgnoredInTime,
}

struct Operation {
    left: u32,
    effect: Effect,
    job: Option<String>,
}

enum Effect {
    None,
    Vault(VaultId, Box<Vault>),
    NoVault(VaultId),
    VaultBack(VaultId),
    Discover,
    Item(ItemId, Box<VmItem>),
    NoItem(ItemId),
    Cancel(String),
}

impl Azure {
    pub(crate) fn new(now: Timestamp) -> Self {
        let vm = |name: &str, location: &str| {
            VmFact {
            id: format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/shop-rg/providers/Microsoft.Compute/virtualMachines/{name}")
                .parse()
                .unwrap(),
            location: location.to_owned(),
            disks: vec![managed(None, &format!("{name}-os")), managed(Some(0), &format!("{name}-lun0"))],
            is_encrypted: false,
            ties: VmTies::default(),
        }
        };
        Self {
            now,
            vaults: BTreeMap::new(),
            deleted_vaults: BTreeMap::new(),
            policies: BTreeMap::new(),
            items: BTreeMap::new(),
            points: BTreeMap::new(),
            others: Vec::new(),
            vms: vec![vm("web-1", "westeurope"), vm("far-1", "northeurope")],
            disks: Vec::new(),
            network: Some(NetworkFact {
                location: "westeurope".to_owned(),
                subnets: vec!["default".to_owned()],
            }),
            locks: Vec::new(),
            files: Some("/kluis/v1".to_owned()),
            leaves_nothing: false,
            held: None,
            accounts: vec![StorageAccountFact {
                id: format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/shop-rg/providers/Microsoft.Storage/storageAccounts/stagingweu")
                    .parse()
                    .unwrap(),
                kind: Some("StorageV2".to_owned()),
                location: "westeurope".to_owned(),
            }],
            missing_group: None,
            vault_health: None,
            keys: None,
            in_key_vaults: Vec::new(),
            making: BTreeMap::new(),
            jobs: Vec::new(),
            calls: Vec::new(),
            refuse: None,
            instead: None,
            silent: None,
            is_immutable: false,
            wrong: Vec::new(),
            tiers: vec![Tier::HardenedRp],
            consistency: Consistency::CrashConsistent,
            os_type: None,
            on_demand: Vec::new(),
            asked_until: None,
            told: BTreeMap::new(),
            removing: Vec::new(),
            before_replacing: Vec::new(),
            edits: Edits::Made,
            discovered: false,
            operations: Vec::new(),
        }
    }

    /// Some time passes.
    pub(crate) fn tick(&mut self, time: SignedDuration) {
        self.now += time;
        for index in 0..self.operations.len() {
            let operation = &mut self.operations[index];
            if operation.left > 0 {
                operation.left -= 1;
                if operation.left == 0 {
                    let effect = std::mem::replace(&mut operation.effect, Effect::None);
                    self.happen(effect);
                }
            }
        }
        let running: Vec<usize> = (0..self.jobs.len())
            .filter(|index| self.jobs[*index].1.status == Some(JobStatus::InProgress))
            .collect();
        for index in running {
            let began = self.jobs[index]
                .1
                .start_time
                .as_ref()
                .unwrap()
                .moment()
                .unwrap()
                .unwrap();
            if self.now.duration_since(began) >= time * 3 {
                self.finish(index);
            }
        }
    }

    /// Whether nothing is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.operations.iter().all(|operation| operation.left == 0)
            && self
                .jobs
                .iter()
                .all(|(_, job)| job.status != Some(JobStatus::InProgress))
    }

    /// A scheduled backup, as the service makes it by itself.
    pub(crate) fn run_schedule(&mut self, item: &ItemId) {
        let job = self.begin_job(item, JobOperation::Backup, false);
        let index = self.jobs.iter().position(|(name, _)| *name == job).unwrap();
        self.finish(index);
    }

    /// A scheduled backup that fails, as Azure tells it of the item; without a word there, where `is_told` is not so.
    pub(crate) fn fail_schedule(
        &mut self,
        item: &ItemId,
        title: &str,
        message: &str,
        is_told: bool,
    ) {
        let name = self.begin_job(item, JobOperation::Backup, false);
        let now = self.now;
        let (_, job) = self.jobs.iter_mut().find(|(job, _)| *job == name).unwrap();
        job.status = Some(JobStatus::Failed);
        job.end_time = Some(now.into());
        job.error_details = Some(vec![JobError {
            error_string: Some(message.to_owned()),
            error_title: Some(title.to_owned()),
            ..JobError::default()
        }]);
        let item = self.items.get_mut(&key(item)).unwrap();
        item.last_backup_time = Some(now.into());
        if is_told {
            item.last_backup_status = Some("Failed".to_owned());
            item.protection_status = Some("Unhealthy".to_owned());
            item.health_status = Some("ActionRequired".to_owned());
            item.health_details = Some(vec![HealthDetail {
                title: Some(title.to_owned()),
                message: Some(message.to_owned()),
                recommendations: Some(vec!["Bring it back.".to_owned()]),
                ..HealthDetail::default()
            }]);
        }
    }

    /// A backup that somebody else asked for begins.
    pub(crate) fn back_up(&mut self, item: &ItemId) {
        self.begin_job(item, JobOperation::Backup, true);
    }

    pub(crate) fn read(&self, want: &Want) -> Fact {
        fn found<T>(value: Option<T>) -> Observed<T> {
            value.map_or(Observed::Absent, Observed::Found)
        }
        if let Some(cause) = &self.silent {
            return silence::unknown(want, cause);
        }
        match want {
            Want::Subscription { id } if id == SUBSCRIPTION => {
                Fact::Subscription(Observed::Found(SubscriptionFact {
                    name: "Shop".to_owned(),
                }))
            }
            Want::Subscription { .. } => Fact::Subscription(Observed::Absent),
            Want::Vault(id) => Fact::Vault(found(self.vault(id).map(Box::new))),
            Want::DeletedVault { vault, .. } => Fact::DeletedVault(found(
                self.deleted_vaults
                    .get(&key(vault))
                    .map(|(fact, _)| fact.clone()),
            )),
            Want::Policy(id) => Fact::Policy(found(self.policy(id).map(Box::new))),
            Want::Item(id) => {
                let item = self.items.get(&key(id)).cloned();
                Fact::Item(found(item.map(|item| {
                    Box::new(Resource::new(
                        id,
                        id.name.as_str(),
                        ItemId::TYPE,
                        item.into(),
                    ))
                })))
            }
            Want::Vm(id) => Fact::Vm(found(self.vms.iter().find(|vm| vm.id == *id).cloned())),
            Want::KeyVaultEntry { id } => {
                Fact::KeyVaultEntry(found(self.in_key_vaults.contains(id).then_some(())))
            }
            Want::Progress { url } => Fact::Progress(found(self.progress(url))),
            Want::Protectable { vm, .. } => Fact::Protectable(Observed::Found(
                self.discovered && self.vms.iter().any(|known| known.id == *vm),
            )),
            Want::Job(id) => {
                let job = self.jobs.iter().find(|(name, _)| id.name == *name.as_str());
                Fact::Job(found(job.map(|(name, job)| Box::new(wire(name, job)))))
            }
            Want::Jobs {
                operation, since, ..
            } => {
                let began =
                    |job: &VmJob| job.start_time.as_ref().unwrap().moment().unwrap().unwrap();
                let jobs = self.jobs.iter().filter(|(_, job)| {
                    job.operation.as_ref() == Some(operation) && began(job) >= *since
                });
                Fact::Jobs(Observed::Found(
                    jobs.map(|(name, job)| wire(name, job)).collect(),
                ))
            }
            Want::ProtectedBy(policy) => {
                let mut items = self.item_facts();
                items.retain(|item| item.policy.as_ref() == Some(policy));
                Fact::ProtectedBy(Observed::Found(items))
            }
            Want::Items(_) => {
                let machines = self.listed().into_iter().map(|(_, item)| item);
                let all = machines.chain(self.others.iter().map(|(item, _)| item.clone()));
                let mut all: Vec<VaultItem> = all.map(|item| VaultItem::of(&item)).collect();
                all.sort_unstable_by(|one, other| one.id.cmp(&other.id));
                Fact::Items(Observed::Found(all))
            }
            Want::Points(id) => {
                let other = self.others.iter();
                let mut other =
                    other.filter(|(item, _)| item.id.as_deref().map(key) == Some(key(id)));
                let is_there = self.items.contains_key(&key(id));
                let points = is_there.then(|| self.recovery_points(id));
                Fact::Points(found(points.or_else(|| Some(other.next()?.1.clone()))))
            }
            Want::StorageAccounts { .. } => {
                Fact::StorageAccounts(Observed::Found(self.accounts.clone()))
            }
            Want::Network(id) => {
                let network = self.network.clone().filter(|_| id.name == *"shop-net");
                Fact::Network(found(network))
            }
            Want::StorageConfig(id) => {
                let mut items = self.items.keys();
                let locked = items.any(|item| item.starts_with(&format!("{}/", key(id))));
                Fact::StorageConfig(Observed::Found(locked))
            }
            Want::Locks { .. } => Fact::Locks(Observed::Found(self.locks.clone())),
            Want::FilesExtension => Fact::FilesExtension(found(self.files.clone())),
            Want::VaultHealth(_) => Fact::VaultHealth(found(self.vault_health.clone())),
            Want::Disks(group) if self.missing_group.as_deref() == Some(group.name.as_str()) => {
                Fact::Disks(Observed::Absent)
            }
            Want::Disks(group) => {
                let here = |disk: &&DiskFact| disk.id.group() == *group;
                Fact::Disks(Observed::Found(
                    self.disks.iter().filter(here).cloned().collect(),
                ))
            }
        }
    }

    pub(crate) fn call(&mut self, action: &Action) -> Outcome {
        let failed = |cause| {
            Outcome::Failed(ArmFailure {
                doing: action.to_string(),
                cause,
            })
        };
        if let Some(cause) = &self.silent {
            return failed(cause.clone());
        }
        let outcome = self.take(action);
        if matches!(outcome, Outcome::Failed(_)) {
            return outcome;
        }
        match self.instead.take() {
            Some((0, cause)) => failed(cause),
            Some((left, cause)) => {
                self.instead = Some((left - 1, cause));
                outcome
            }
            None => outcome,
        }
    }

    fn take(&mut self, action: &Action) -> Outcome {
        assert!(
            action.call().unwrap().is_some(),
            "{action} is Kubernetes' to do"
        );
        if let Some(cause) = self.refuse.take() {
            return Outcome::Failed(ArmFailure {
                doing: action.to_string(),
                cause,
            });
        }
        if let Action::DeleteVault { id } = action
            && self.items.iter().any(|(item, state)| {
                item.starts_with(&format!("{}/", key(id)))
                    && state.is_scheduled_for_deferred_delete != Some(true)
            })
        {
            let message = "The vault still has items.".to_owned();
            let cause = Cause::Refused {
                status: 400,
                code: code::VAULT_NOT_EMPTY.to_owned(),
                message,
            };
            return Outcome::Failed(ArmFailure {
                doing: "deleting the vault".to_owned(),
                cause,
            });
        }
        if let Some(cause) = self.refusal(action) {
            return Outcome::Failed(ArmFailure {
                doing: action.to_string(),
                cause,
            });
        }
        self.calls.push(action.to_string());
        match action.clone() {
            Action::HoldFinalizer | Action::ReleaseFinalizer | Action::DeleteObject => {
                unreachable!()
            }
            Action::CreateVault { id, body } | Action::UpdateVault { id, body } => {
                self.accept(Effect::Vault(id, body), None)
            }
            Action::DeleteVault { id } => self.accept(Effect::NoVault(id), None),
            Action::UndeleteVault { id, .. } => self.accept(Effect::VaultBack(id), None),
            Action::PutPolicy { .. } if self.edits == Edits::Ignored => Outcome::Done,
            Action::PutPolicy { .. } if self.edits == Edits::IgnoredInTime => {
                self.accept(Effect::None, None)
            }
            Action::PutPolicy { id, body } => {
                self.policies.insert(
                    key(&id),
                    Resource::new(&id, id.name.as_str(), PolicyId::TYPE, body.properties),
                );
                Outcome::Done
            }
            Action::DeletePolicy { id } => {
                self.policies.remove(&key(&id));
                Outcome::Done
            }
            Action::DiscoverContainers { .. } => self.accept(Effect::Discover, None),
            Action::PutItem { id, kind: _, body } => {
                let ProtectedItem::VirtualMachine(item) = body.properties else {
                    panic!("not a machine")
                };
                self.accept(Effect::Item(id, item), None)
            }
            Action::DeleteItem { id } => self.accept(Effect::NoItem(id), None),
            Action::StartBackup { item, body } => {
                let job = self.begin_job(&item, JobOperation::Backup, true);
                let BackupRequest::VirtualMachine(request) = &body.properties else {
                    panic!("not a machine")
                };
                if let Some(until) = &request.recovery_point_expiry_time_in_utc {
                    let until = until.moment().unwrap().unwrap();
                    self.say("Recovery Point Expiry Time in UTC", in_words(until));
                }
                self.accept(Effect::None, Some(job))
            }
            Action::StartRestore {
                point,
                body,
                request_id,
            } => {
                let RestoreRequest::VirtualMachine(request) = &body.properties else {
                    panic!("not a machine")
                };
                let job = self.begin_restore(&point, Making::of(request));
                self.jobs.last_mut().unwrap().1.activity_id = request_id;
                self.accept(Effect::None, Some(job))
            }
            Action::StartFilesRestore { point, body, .. } => {
                let job = self.begin_restore(&point, Making::of_files(&body.properties));
                self.accept(Effect::None, Some(job))
            }
            Action::CancelJob { job } => {
                let found = self
                    .jobs
                    .iter_mut()
                    .find(|(name, _)| job.name == *name.as_str());
                let (_, found) = found.expect("a job that is there");
                found.status = Some(JobStatus::Cancelling);
                found.actions_info = None;
                self.accept(Effect::Cancel(job.name.to_string()), None)
            }
        }
    }

    /// The newest job tells this of itself, to people.
    pub(crate) fn say(&mut self, fact: &str, value: String) {
        let (_, job) = self.jobs.last_mut().unwrap();
        let told = job.extended_info.get_or_insert_default();
        let bag = told.property_bag.get_or_insert_default();
        bag.insert(fact.to_owned(), value);
    }

    fn accept(&mut self, effect: Effect, job: Option<String>) -> Outcome {
        self.operations.push(Operation {
            left: 2,
            effect,
            job,
        });
        let status_url = format!("https://azure/operations/{}", self.operations.len());
        Outcome::Accepted {
            status_url,
            retry_after: None,
        }
    }

    /// The items, as they are listed.
    fn item_facts(&self) -> Vec<ItemFact> {
        let listed = self.listed().into_iter();
        listed
            .filter_map(|(id, item)| ItemFact::of(id, &item))
            .collect()
    }

    fn listed(&self) -> Vec<(ItemId, Item)> {
        let items = self.items.iter().map(|(id, item)| {
            let id: ItemId = id.parse().unwrap();
            let listed = Resource::new(&id, id.name.as_str(), ItemId::TYPE, item.clone().into());
            (id, listed)
        });
        items.collect()
    }

    fn progress(&self, url: &str) -> Option<Progress> {
        let number: usize = url.rsplit('/').next()?.parse().ok()?;
        let operation = self.operations.get(number.checked_sub(1)?)?;
        Some(match operation.left {
            0 => Progress::Succeeded {
                job: operation.job.clone(),
            },
            _ => Progress::InProgress { retry_after: None },
        })
    }

    fn happen(&mut self, effect: Effect) {
        match effect {
            Effect::None => {}
            Effect::Vault(id, body) => {
                let vault = self.vaults.entry(key(&id)).or_default();
                vault.id = Some(id.to_string());
                vault.location = body.location.or(vault.location.take());
                vault.tags = body.tags.or(vault.tags.take());
                let properties = vault.properties.get_or_insert_default();
                properties.provisioning_state = Some(ProvisioningState::Succeeded);
                if let Some(change) = body.properties {
                    properties.redundancy_settings = change
                        .redundancy_settings
                        .or(properties.redundancy_settings.take());
                    let change = change.security_settings.unwrap_or_default();
                    let security = properties.security_settings.get_or_insert_default();
                    security.soft_delete_settings = change
                        .soft_delete_settings
                        .or(security.soft_delete_settings.take());
                    security.immutability_settings = change
                        .immutability_settings
                        .or(security.immutability_settings.take());
                }
            }
            Effect::NoVault(id) => self.delete_softly(&id),
            Effect::VaultBack(id) => {
                if let Some((_, vault)) = self.deleted_vaults.remove(&key(&id)) {
                    self.vaults.insert(key(&id), vault);
                }
            }
            Effect::Discover => self.discovered = true,
            Effect::Item(id, body) => self.protect(&id, *body),
            Effect::NoItem(id) => self.unprotect(&id),
            Effect::Cancel(name) => {
                let found = self.jobs.iter_mut().find(|(known, _)| *known == name);
                let (_, found) = found.expect("a job that is there");
                found.status = Some(JobStatus::Cancelled);
                found.end_time = Some(self.now.into());
            }
        }
    }

    /// The vault, with immutability where the story says so and the vault does not.
    fn vault(&self, id: &VaultId) -> Option<Vault> {
        let mut vault = self.vaults.get(&key(id))?.clone();
        if let Some(security) = vault
            .properties
            .as_mut()
            .and_then(|properties| properties.security_settings.as_mut())
        {
            let told = security.immutability_settings.get_or_insert_default();
            let state = || match self.is_immutable {
                true => Immutability::Unlocked,
                false => Immutability::Disabled,
            };
            told.state = told.state.take().or_else(|| Some(state()));
        }
        Some(vault)
    }

    /// Whether backups may be suspended.
    fn is_immutable(&self) -> bool {
        let vaults = self.vaults.values();
        let mut states = vaults.filter_map(|vault| {
            let security = vault.properties.as_ref()?.security_settings.as_ref()?;
            security.immutability_settings.as_ref()?.state.as_ref()
        });
        self.is_immutable || states.any(|state| *state != Immutability::Disabled)
    }

    /// The vault is deleted, and can be had back.
    pub(crate) fn delete_softly(&mut self, id: &VaultId) {
        let Some(vault) = self.vaults.remove(&key(id)) else {
            return;
        };
        let fact = DeletedVaultFact {
            name: Name::new("deleted-1").unwrap(),
            deleted: Some(self.now),
            purge_at: Some(self.now + SignedDuration::from_hours(24 * 14)),
        };
        self.deleted_vaults.insert(key(id), (fact, vault));
    }

    fn begin_job(&mut self, item: &ItemId, operation: JobOperation, asked: bool) -> String {
        let name = format!("job-{}", self.jobs.len() + 1);
        let detail = VmJob {
            operation: Some(operation),
            status: Some(JobStatus::InProgress),
            start_time: Some(self.now.into()),
            container_name: Some(item.name.short().to_owned()),
            is_user_triggered: Some(asked),
            entity_friendly_name: Some(item.to_string()),
            ..VmJob::default()
        };
        self.jobs.push((name.clone(), detail));
        name
    }

    fn finish(&mut self, index: usize) {
        let now = self.now;
        let (_, job) = &mut self.jobs[index];
        job.status = Some(JobStatus::Completed);
        job.end_time = Some(now.into());
        let id = key(job.entity_friendly_name.as_deref().unwrap());
        let began = job.start_time.as_ref().unwrap().moment().unwrap().unwrap();
        if job.operation == Some(JobOperation::Backup) {
            let Some(item) = self.items.get_mut(&id) else {
                return;
            };
            self.points.entry(id.clone()).or_default().push(began);
            if item.protection_state == Some(ProtectionState::IrPending) {
                item.protection_state = Some(ProtectionState::Protected);
            }
            item.last_backup_time = Some(began.into());
        } else {
            let name = self.jobs[index].0.clone();
            if !self.leaves_nothing {
                self.make(&name, &id);
            }
        }
    }

    fn policy(&self, id: &PolicyId) -> Option<Policy> {
        let mut policy = self.policies.get(&key(id))?.clone();
        let users = self
            .items
            .values()
            .filter(|item| {
                item.policy_id
                    .as_deref()
                    .is_some_and(|used| key(used) == key(id))
            })
            .count();
        if let ProtectionPolicy::VirtualMachine(policy) = &mut policy.properties {
            policy.protected_items_count = i32::try_from(users).ok();
        }
        Some(policy)
    }

    fn tier(&self, tier: &Tier, point: &Name) -> TierDetail {
        let is_removed = self.removing.iter().any(|gone| *point == *gone.as_str());
        TierDetail {
            tier: Some(tier.clone()),
            status: Some(if is_removed {
                TierStatus::Disabled
            } else {
                TierStatus::Valid
            }),
            ..TierDetail::default()
        }
    }

    fn recovery_points(&self, id: &ItemId) -> Vec<RecoveryPoint> {
        let points = self.points.get(&key(id)).map_or(&[][..], Vec::as_slice);
        points
            .iter()
            .enumerate()
            .map(|(index, time)| {
                let name = Name::new(format!("rp-{}", index + 1)).unwrap();
                let is_asked = self.on_demand.iter().any(|asked| name == *asked.as_str());
                let point = VmRecoveryPoint {
                    recovery_point_time: Some(WireTime::from(*time)),
                    recovery_point_type: Some(self.consistency.clone()),
                    os_type: self.os_type.clone(),
                    recovery_point_additional_info: self
                        .before_replacing
                        .iter()
                        .any(|made| name == *made.as_str())
                        .then(|| BEFORE_REPLACING.to_owned()),
                    recovery_point_disk_configuration: self.held.clone(),
                    is_source_vm_encrypted: Some(self.keys.is_some()),
                    key_and_secret: self.keys.clone(),
                    recovery_point_tier_details: Some(
                        self.tiers
                            .iter()
                            .map(|tier| self.tier(tier, &name))
                            .collect(),
                    ),
                    recovery_point_properties: Some(RecoveryPointProperties {
                        rule_name: is_asked.then(|| "OnDemand".to_owned()),
                        expiry_time: match is_asked {
                            true => self.asked_until.clone(),
                            false => self.told.get(name.as_str()).cloned(),
                        },
                        ..RecoveryPointProperties::default()
                    }),
                    ..VmRecoveryPoint::default()
                };
                let id = id.recovery_point(name);
                Resource::new(
                    &id,
                    id.name.as_str(),
                    kluis_arm::id::RecoveryPointId::TYPE,
                    point.into(),
                )
            })
            .collect()
    }
}

/// The item of a machine in the vault of these tests.
pub(crate) fn item_id() -> ItemId {
    let vault = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu"
    );
    let vm = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/shop-rg/providers/Microsoft.Compute/virtualMachines/web-1"
    );
    ItemId::for_vm(&vault.parse().unwrap(), &vm.parse::<VmId>().unwrap())
}

pub(crate) fn key<T: ToString + ?Sized>(id: &T) -> String {
    id.to_string().to_ascii_lowercase()
}

/// A moment as jobs tell it to people.
fn in_words(moment: Timestamp) -> String {
    moment.strftime("%-m/%-d/%Y %-I:%M:%S %p").to_string()
}

fn wire(name: &str, job: &VmJob) -> Job {
    Resource {
        name: Some(name.to_owned()),
        ..Resource::body(JobDetail::from(job.clone()))
    }
}
