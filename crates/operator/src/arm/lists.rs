//! Reading by list: a vault's items, policies, discoveries and jobs are read once for all that look at them.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, Unit};
use kluis_arm::{
    api_version::SENT,
    filter::Filter,
    id::{ItemId, PolicyId, VaultId, VmId},
    item::{Item, ProtectedItem},
    job::{Job, JobDetail},
    policy::Policy,
    protectable::{Protectable, ProtectableItem},
    time::in_filter,
};
use kluis_client::{ArmRequest, Failure};

use super::{
    line::{Line, News},
    listing::{Asked, Known},
    pages::{self, Pages},
    shelf::{Jobs, Vault},
};
use crate::kept::digest;

/// How old what is read may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// As it is now: an end depends on it.
    Now,
    /// The same for what is made, where nothing was a moment ago.
    Making,
    /// A moment old: something is under way.
    Moment,
    /// As old as an object may be that rests.
    Rest,
}

/// To make something where nothing is, an absence of this age is as good as one that is seen now: the call can be repeated, and who makes
/// the same at the same moment is not found by a read before it either. What is there is read by itself.
const ABSENCE: SignedDuration = SignedDuration::from_secs(5);

impl Line {
    pub(super) fn age(&self, fresh: Freshness) -> SignedDuration {
        match fresh {
            Freshness::Now | Freshness::Making => SignedDuration::ZERO,
            Freshness::Moment => self.limits.list_age,
            Freshness::Rest => self.limits.rest_age,
        }
    }

    /// A protected item; soft-deleted ones are there, too.
    ///
    /// # Errors
    /// When it is not known and cannot be read. Of a vault that is not there, [`Failure::is_absent`].
    pub async fn item(&self, id: &ItemId, fresh: Freshness) -> Result<Option<Arc<Item>>, Failure> {
        let age = match fresh {
            Freshness::Making => self.limits.list_age.min(ABSENCE),
            fresh => self.age(fresh),
        };
        let look = |vault: &mut Vault, now| vault.items.look(id, now, age);
        let vault = id.vault();
        if fresh == Freshness::Making {
            if let Known::Is(None) = self.look(vault, look) {
                return Ok(None);
            }
        } else if fresh != Freshness::Now {
            let mut known = self.look(vault, look);
            if known == Known::List {
                let _gate = self.gate(vault, "items").await;
                known = self.look(vault, look);
                if known == Known::List {
                    self.list_items(vault).await?;
                    known = self.look(vault, look);
                }
            }
            if let Known::Is(item) = known {
                return Ok(item);
            }
        }
        let asked = self.asked();
        let item = pages::one::<Item>(self, id.to_string()).await?;
        let item = item.map(|item| Arc::new(decided_by(item)));
        self.with(|state| {
            let items = &mut state.shelf.vault(vault).items;
            items.learn_one(id.clone(), asked, item.clone());
        });
        Ok(item)
    }

    /// All protected items of a vault; soft-deleted ones are among them.
    ///
    /// # Errors
    /// When they are not known and cannot be read. Of a vault that is not there, [`Failure::is_absent`].
    pub async fn items(
        &self,
        vault: &VaultId,
        fresh: Freshness,
    ) -> Result<Vec<(ItemId, Arc<Item>)>, Failure> {
        let whole = |vault: &mut Vault, now| vault.items.whole(now, self.age(fresh));
        if let Some(items) = self.look(vault, whole) {
            return Ok(items);
        }
        let _gate = self.gate(vault, "items").await;
        if let Some(items) = self.look(vault, whole) {
            return Ok(items);
        }
        self.list_items(vault).await?;
        Ok(self.look(vault, |vault: &mut Vault, _| vault.items.entries()))
    }

    async fn list_items(&self, vault: &VaultId) -> Result<(), Failure> {
        let _turn = self.turn_to_list().await;
        let filter = of_vms().and("itemType", "VM");
        let asked = self.asked();
        let request = in_vault(vault, "backupProtectedItems", &filter);
        let listed = pages::read(self, request, |item: Item| {
            let id = item.id.as_ref()?.parse().ok()?;
            Some((id, Arc::new(decided_by(item))))
        });
        let Pages {
            entries: items,
            silence,
            ..
        } = listed.await?;
        let changed = self.with(|state| {
            let known = &mut state.shelf.vault(vault).items;
            known.learn(asked, silence, items)
        });
        changed
            .into_iter()
            .for_each(|item| (self.tell)(News::Item(item)));
        Ok(())
    }

    /// A policy of a vault.
    ///
    /// # Errors
    /// As for [`Line::item`].
    pub async fn policy(
        &self,
        id: &PolicyId,
        fresh: Freshness,
    ) -> Result<Option<Arc<Policy>>, Failure> {
        let look = |vault: &mut Vault, now| vault.policies.look(id, now, self.age(fresh));
        if !matches!(fresh, Freshness::Now | Freshness::Making) {
            let mut known = self.look(&id.vault, look);
            if known == Known::List {
                let _gate = self.gate(&id.vault, "policies").await;
                known = self.look(&id.vault, look);
                if known == Known::List {
                    self.list_policies(&id.vault).await?;
                    known = self.look(&id.vault, look);
                }
            }
            if let Known::Is(policy) = known {
                return Ok(policy);
            }
        }
        let asked = self.asked();
        let policy = pages::one::<Policy>(self, id.to_string()).await?;
        let policy = policy.map(Arc::new);
        self.with(|state| {
            let policies = &mut state.shelf.vault(&id.vault).policies;
            policies.learn_one(id.clone(), asked, policy.clone());
        });
        Ok(policy)
    }

    async fn list_policies(&self, vault: &VaultId) -> Result<(), Failure> {
        let _turn = self.turn_to_list().await;
        let asked = self.asked();
        let request = in_vault(vault, "backupPolicies", &of_vms());
        let listed = pages::read(self, request, |policy: Policy| {
            let id = policy.id.as_ref()?.parse().ok()?;
            Some((id, Arc::new(policy)))
        });
        let Pages {
            entries: found,
            silence,
            ..
        } = listed.await?;
        self.with(|state| {
            let known = &mut state.shelf.vault(vault).policies;
            known.learn(asked, silence, found);
        });
        Ok(())
    }

    /// Whether the vault could protect a machine. That it could is believed for long: a machine that is there is
    /// discovered. That it could not calls for a discovery, and so is looked at again first.
    ///
    /// # Errors
    /// As for [`Line::item`].
    pub async fn is_protectable(&self, vault: &VaultId, vm: &VmId) -> Result<bool, Failure> {
        let machine = digest(vm);
        let look = |known: &mut Vault, now| {
            let protectable = &known.protectable;
            match protectable.look(&machine, now, self.age(Freshness::Rest)) {
                there @ Known::Is(Some(())) => there,
                _ => protectable.look(&machine, now, self.age(Freshness::Moment)),
            }
        };
        let mut known = self.look(vault, look);
        if known == Known::List {
            let _gate = self.gate(vault, "protectable").await;
            known = self.look(vault, look);
            if known == Known::List {
                let (asked, listed) = self.protectable(vault, &of_vms()).await?;
                let machines = listed.entries.into_iter().map(|vm| (vm, ())).collect();
                self.with(|state| {
                    let protectable = &mut state.shelf.vault(vault).protectable;
                    protectable.learn(asked, listed.silence, machines);
                });
                known = self.look(vault, look);
            }
        }
        if let Known::Is(found) = known {
            return Ok(found.is_some());
        }
        // A machine has no path of its own here: it is asked for by its name.
        let named = of_vms().and("friendlyName", vm.name.as_str());
        let (asked, listed) = self.protectable(vault, &named).await?;
        let found = listed.entries.contains(&machine).then_some(());
        let is_there = found.is_some();
        self.with(|state| {
            let protectable = &mut state.shelf.vault(vault).protectable;
            protectable.learn_one(machine, asked, found);
        });
        Ok(is_there)
    }

    /// The machines that the vault could protect, by their digests: each of a subscription's vaults lists all of its machines.
    async fn protectable(
        &self,
        vault: &VaultId,
        filter: &Filter,
    ) -> Result<(Asked, Pages<u64>), Failure> {
        let _turn = self.turn_to_list().await;
        let asked = self.asked();
        let request = in_vault(vault, "backupProtectableItems", filter);
        let listed = pages::read(self, request, |found: Protectable| {
            let ProtectableItem::VirtualMachine(machine) = &found.properties else {
                return None;
            };
            let vm: VmId = machine.virtual_machine_id.as_ref()?.parse().ok()?;
            Some(digest(&vm))
        });
        Ok((asked, listed.await?))
    }

    /// The jobs of one operation that began at or after `since`, as they were after the second `since` at least. Asked
    /// from the whole hour on, so that items of one vault ask the same thing and share the answer.
    ///
    /// That a job is not among them is believed, however many pages there were: nothing goes from the jobs of the last hours,
    /// so nothing moves up between two pages.
    ///
    /// # Errors
    /// As for [`Line::item`].
    pub async fn jobs(
        &self,
        vault: &VaultId,
        operation: &str,
        since: Timestamp,
        fresh: Freshness,
    ) -> Result<Vec<Job>, Failure> {
        let hour = since.round(
            jiff::TimestampRound::new()
                .smallest(Unit::Hour)
                .mode(jiff::RoundMode::Floor),
        );
        let hour = hour.unwrap_or(since);
        let age = self.age(fresh).min(self.limits.list_age);
        let look = |known: &mut Vault, now: Timestamp| {
            let jobs = known.jobs(operation, hour, since)?;
            let is_young = now.duration_since(jobs.asked.at) < age;
            is_young.then(|| Arc::clone(&jobs.jobs))
        };
        let known = match self.look(vault, look) {
            Some(known) => known,
            None => {
                let _gate = self.gate(vault, "jobs").await;
                match self.look(vault, look) {
                    Some(known) => known,
                    None => self.list_jobs(vault, operation, hour).await?,
                }
            }
        };
        let from = whole_second(since);
        let began_since = |job: &&Job| began(job).is_none_or(|began| began >= from);
        Ok(known.iter().filter(began_since).cloned().collect())
    }

    async fn list_jobs(
        &self,
        vault: &VaultId,
        operation: &str,
        since: Timestamp,
    ) -> Result<Arc<Vec<Job>>, Failure> {
        let _turn = self.turn_to_list().await;
        let filter = of_vms()
            .and("operation", operation)
            .and("startTime", in_filter(since));
        let asked = self.asked();
        let request = in_vault(vault, "backupJobs", &filter);
        let Pages { entries, date, .. } = pages::read(self, request, Some).await?;
        let jobs: Arc<Vec<Job>> = Arc::new(entries);
        let learnt = Jobs {
            operation: operation.to_owned(),
            since,
            asked,
            date,
            jobs: Arc::clone(&jobs),
        };
        let ended: Vec<ItemId> = self.with(|state| {
            state.shelf.vault(vault).learn_jobs(learnt);
            let recent = |job: &&Job| is_recent(job, date, self.limits.rest_age);
            jobs.iter()
                .filter(recent)
                .filter_map(|job| state.shelf.saw_job(vault, job))
                .collect()
        });
        ended
            .into_iter()
            .for_each(|item| (self.tell)(News::Item(item)));
        Ok(jobs)
    }

    pub(super) fn look<T>(&self, vault: &VaultId, look: impl Fn(&mut Vault, Timestamp) -> T) -> T {
        let now = self.clock.now();
        self.with(|state| look(state.shelf.vault(vault), now))
    }

    pub(super) fn asked(&self) -> Asked {
        let now = self.clock.now();
        self.with(|state| {
            state.shelf.tidy(now, &self.limits);
            state.shelf.moment(now)
        })
    }
}

/// An item without what it is called and where it is: its id says that, by which it is kept. The same for all, from a list or by itself.
fn decided_by(item: Item) -> Item {
    let mut item = Item::body(item.properties);
    if let ProtectedItem::VirtualMachine(machine) = &mut item.properties {
        machine.friendly_name = None;
        machine.virtual_machine_id = None;
        machine.source_resource_id = None;
        machine.protected_item_data_id = None;
        machine.workload_type = None;
        machine.container_name = None;
        machine.policy_name = None;
        machine.vault_id = None;
        machine.extra.clear();
    }
    item
}

fn of_vms() -> Filter {
    Filter::default().and("backupManagementType", "AzureIaasVM")
}

/// A list of a vault; all of it by the empty filter.
pub(super) fn in_vault(vault: &VaultId, what: &str, filter: &Filter) -> ArmRequest {
    let request = ArmRequest::get(format!("{vault}/{what}"), SENT);
    match filter.terms.is_empty() {
        true => request,
        false => request.with_query("$filter", filter.to_string()),
    }
}

fn began(job: &Job) -> Option<Timestamp> {
    let JobDetail::VirtualMachine(job) = &job.properties else {
        return None;
    };
    job.start_time.as_ref()?.moment().ok().flatten()
}

/// Whether a job ended so lately that what is remembered of its item may be older.
fn is_recent(job: &Job, now: Option<Timestamp>, age: SignedDuration) -> bool {
    let JobDetail::VirtualMachine(detail) = &job.properties else {
        return false;
    };
    let ended = detail.end_time.as_ref();
    let ended = ended.and_then(|ended| ended.moment().ok().flatten());
    ended
        .zip(now)
        .is_some_and(|(ended, now)| now.duration_since(ended) <= age.saturating_mul(2))
}

/// Times in status are whole seconds, and so is what they are compared with.
fn whole_second(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}
