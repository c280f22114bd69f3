//! Reading by list: a vault's items, policies, discoveries and jobs are read once for all that look at them.

use std::sync::{Arc, OnceLock};

use jiff::{SignedDuration, Timestamp, Unit};
use kluis_arm::{
    api_version::SENT,
    filter::Filter,
    id::{ItemId, PolicyId, VaultId, VmId},
    item::Item,
    job::{Job, JobDetail},
    policy::Policy,
    protectable::{Protectable, ProtectableItem},
    time::in_filter,
};
use kluis_client::{Arm, ArmRequest, ArmResponse, Failure, list};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    line::{Line, News},
    listing::{Asked, Known},
    shelf::{Jobs, Vault},
};

/// How old what is read may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// As it is now: a write depends on it.
    Now,
    /// A moment old: something is under way.
    Moment,
    /// As old as an object may be that rests.
    Rest,
}

impl Line {
    pub(super) fn age(&self, fresh: Freshness) -> SignedDuration {
        match fresh {
            Freshness::Now => SignedDuration::ZERO,
            Freshness::Moment => self.limits.list_age,
            Freshness::Rest => self.limits.rest_age,
        }
    }

    /// A protected item; soft-deleted ones are there, too.
    ///
    /// # Errors
    /// When it is not known and cannot be read. Of a vault that is not there, [`Failure::is_absent`].
    pub async fn item(&self, id: &ItemId, fresh: Freshness) -> Result<Option<Arc<Item>>, Failure> {
        let look = |vault: &mut Vault, now| vault.items.look(id, now, self.age(fresh));
        let vault = id.vault();
        if fresh != Freshness::Now {
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
        let item = present(get::<Item>(self, &id.to_string()).await)?.map(Arc::new);
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
        let filter = of_vms().and("itemType", "VM");
        let asked = self.asked();
        let items: Vec<Item> = each(self, in_vault(vault, "backupProtectedItems", &filter)).await?;
        let items = items.into_iter().filter_map(|item| {
            let id = item.id.as_ref()?.parse().ok()?;
            Some((id, item))
        });
        let items = items.collect();
        let changed = self.with(|state| state.shelf.vault(vault).items.learn(asked, items));
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
        if fresh != Freshness::Now {
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
        let policy = present(get::<Policy>(self, &id.to_string()).await)?.map(Arc::new);
        self.with(|state| {
            let policies = &mut state.shelf.vault(&id.vault).policies;
            policies.learn_one(id.clone(), asked, policy.clone());
        });
        Ok(policy)
    }

    async fn list_policies(&self, vault: &VaultId) -> Result<(), Failure> {
        let asked = self.asked();
        let found: Vec<Policy> = each(self, in_vault(vault, "backupPolicies", &of_vms())).await?;
        let found = found.into_iter().filter_map(|policy| {
            let id = policy.id.as_ref()?.parse().ok()?;
            Some((id, policy))
        });
        let found = found.collect();
        self.with(|state| state.shelf.vault(vault).policies.learn(asked, found));
        Ok(())
    }

    /// Whether the vault could protect a machine. That it could is believed for long: a machine that is there is
    /// discovered. That it could not calls for a discovery, and so is looked at again first.
    ///
    /// # Errors
    /// As for [`Line::item`].
    pub async fn is_protectable(&self, vault: &VaultId, vm: &VmId) -> Result<bool, Failure> {
        let look = |known: &mut Vault, now| {
            let protectable = &known.protectable;
            match protectable.look(vm, now, self.age(Freshness::Rest)) {
                Known::Is(Some(_)) => Some(true),
                _ => match protectable.look(vm, now, self.age(Freshness::Moment)) {
                    Known::Is(found) => Some(found.is_some()),
                    Known::AskForIt | Known::List => None,
                },
            }
        };
        if let Some(known) = self.look(vault, look) {
            return Ok(known);
        }
        let _gate = self.gate(vault, "protectable").await;
        if let Some(known) = self.look(vault, look) {
            return Ok(known);
        }
        let asked = self.asked();
        let request = in_vault(vault, "backupProtectableItems", &of_vms());
        let found: Vec<Protectable> = each(self, request).await?;
        let machines = found.into_iter().filter_map(|found| {
            let ProtectableItem::VirtualMachine(machine) = &found.properties else {
                return None;
            };
            let id = machine.virtual_machine_id.as_ref()?.parse().ok()?;
            Some((id, ()))
        });
        let machines: Vec<(VmId, ())> = machines.collect();
        let is_there = machines.iter().any(|(id, ())| id == vm);
        self.with(|state| {
            let protectable = &mut state.shelf.vault(vault).protectable;
            protectable.learn(asked, machines);
        });
        Ok(is_there)
    }

    /// The jobs of one operation that began at or after `since`, as they were after the second `since` at least. Asked
    /// from the whole hour on, so that items of one vault ask the same thing and share the answer.
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
        let filter = of_vms()
            .and("operation", operation)
            .and("startTime", in_filter(since));
        let asked = self.asked();
        let dated = Dated {
            line: self,
            first: OnceLock::new(),
        };
        let jobs: Vec<Job> = each(&dated, in_vault(vault, "backupJobs", &filter)).await?;
        let jobs = Arc::new(jobs);
        let date = dated.first.get().copied().flatten();
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

/// A line that remembers when it was answered first: a list is as old as its first page.
struct Dated<'a> {
    line: &'a Line,
    first: OnceLock<Option<Timestamp>>,
}

#[async_trait::async_trait]
impl Arm for Dated<'_> {
    async fn call(&self, request: &ArmRequest) -> Result<ArmResponse, Failure> {
        let answer = self.line.call(request).await?;
        self.first.get_or_init(|| answer.date);
        Ok(answer)
    }

    fn follow(&self, link: &str) -> Result<ArmRequest, Failure> {
        self.line.follow(link)
    }
}

fn present<T>(found: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.is_absent() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// One resource.
async fn get<T: DeserializeOwned>(arm: &dyn Arm, id: &str) -> Result<T, Failure> {
    let request = ArmRequest::get(id, SENT);
    let body = arm.call(&request).await?.body.unwrap_or_default();
    decoded(&request.to_string(), body)
}

/// All entries of a list. One that cannot be read fails the list: left out, it would look absent.
pub(super) async fn each<T: DeserializeOwned>(
    arm: &dyn Arm,
    request: ArmRequest,
) -> Result<Vec<T>, Failure> {
    let operation = request.to_string();
    let entries = list(arm, request).await?;
    entries
        .into_iter()
        .map(|entry| decoded(&operation, entry))
        .collect()
}

fn decoded<T: DeserializeOwned>(operation: &str, body: Value) -> Result<T, Failure> {
    serde_json::from_value(body).map_err(|error| Failure::Unreadable {
        operation: operation.to_owned(),
        problem: error.to_string(),
    })
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
