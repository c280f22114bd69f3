//! What is remembered of a service's vaults, and what a call says about it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use kluis_arm::{
    id::{FABRIC, ItemId, JobId, PolicyId, VaultId, VmId},
    item::Item,
    job::{Job, JobDetail},
    policy::Policy,
};
use kluis_client::{ArmRequest, ArmResponse, Method};
use serde::Deserialize;

use super::{
    Limits,
    contents::Contents,
    listing::{Asked, Listing, Moment},
};
use crate::kept::digest;

/// Operations under way that are remembered with what they are about.
const OPERATIONS: usize = 4096;
/// Lists of jobs remembered for one vault: by operation, and by the hour from which they begin.
const JOB_LISTS: usize = 8;
/// Ends of jobs remembered for one vault: as many as its items may have in a day.
const ENDS: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Shelf {
    moment: Moment,
    vaults: HashMap<VaultId, Vault>,
    operations: HashMap<String, About>,
    /// The same in the order of their beginning.
    begun: VecDeque<String>,
}

/// What is remembered of one vault.
#[derive(Debug, Default)]
pub(super) struct Vault {
    pub(super) items: Listing<ItemId, Arc<Item>>,
    pub(super) policies: Listing<PolicyId, Arc<Policy>>,
    /// By the digest of the machine's id.
    pub(super) protectable: Listing<u64, ()>,
    pub(super) contents: Contents,
    pub(super) jobs: Vec<Jobs>,
    /// When anything in it was last written, or a work on it ended.
    touched: Moment,
    /// Jobs whose end was seen, by name, the newest last.
    ended: VecDeque<String>,
}

/// One list of a vault's jobs.
#[derive(Debug, Clone)]
pub(super) struct Jobs {
    pub(super) operation: String,
    /// The whole hour from which it begins.
    pub(super) since: Timestamp,
    pub(super) asked: Asked,
    /// The service's clock when it answered.
    pub(super) date: Option<Timestamp>,
    pub(super) jobs: Arc<Vec<Job>>,
}

/// What a write is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum About {
    Item(ItemId),
    Policy(PolicyId),
    /// What could be protected.
    Discovery(VaultId),
    /// The vault as a whole.
    Vault(VaultId),
}

impl Shelf {
    /// A moment after all that were.
    pub(super) fn moment(&mut self, at: Timestamp) -> Asked {
        self.moment += 1;
        Asked {
            moment: self.moment,
            at,
        }
    }

    pub(super) fn vault(&mut self, vault: &VaultId) -> &mut Vault {
        self.vaults.entry(vault.clone()).or_default()
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.vaults.clear();
    }

    /// Forgets the vaults that nobody has looked at for long, when there are more than a subscription has.
    pub(super) fn tidy(&mut self, now: Timestamp, limits: &Limits) {
        const MOST_VAULTS: usize = 1000;
        if self.vaults.len() <= MOST_VAULTS {
            return;
        }
        let age = limits.rest_age.saturating_add(limits.rest_age);
        self.vaults.retain(|_, vault| {
            vault.items.is_of_use(now, age) || vault.policies.is_of_use(now, age)
        });
    }

    /// What a call has changed, or may have: `answer` is none when there was none. The item whose job was seen to have
    /// ended, if that is what it says.
    pub(super) fn called(
        &mut self,
        request: &ArmRequest,
        answer: Option<&ArmResponse>,
        links: &[String],
    ) -> Option<ItemId> {
        if request.method == Method::Get {
            if let Some(about) = answer.and_then(|answer| self.ended(request, answer)) {
                self.touch(&about);
            }
            let job = request.path.parse::<JobId>().ok();
            if let Some((id, body)) = job.zip(answer.and_then(|answer| answer.body.as_ref()))
                && let Ok(job) = Job::deserialize(body)
            {
                return self.saw_job(&id.vault, &job);
            }
            return None;
        }
        let about = about(&request.path)?;
        for link in links {
            let link = link.to_ascii_lowercase();
            if self
                .operations
                .insert(link.clone(), about.clone())
                .is_none()
            {
                self.begun.push_back(link);
            }
        }
        while self.begun.len() > OPERATIONS {
            if let Some(oldest) = self.begun.pop_front() {
                self.operations.remove(&oldest);
            }
        }
        self.touch(&about);
        if let (About::Item(item), None) = (&about, answer) {
            self.doubt(item);
        }
        None
    }

    /// A machine whose protection was refused may be gone: whether it could be protected is asked again.
    fn doubt(&mut self, item: &ItemId) {
        let id = item.vault();
        let machine = item.name.vm();
        let Some((vault, (resource_group, name))) = self.vaults.get_mut(id).zip(machine) else {
            return;
        };
        let vm = VmId {
            subscription: id.subscription.clone(),
            resource_group,
            name,
        };
        vault.protectable.touch(digest(&vm), self.moment);
    }

    /// What an operation was about that has ended, as this answer to a question after it says.
    fn ended(&mut self, request: &ArmRequest, answer: &ArmResponse) -> Option<About> {
        let path = request.path.to_ascii_lowercase();
        let kind = path.rsplit('/').nth(1).unwrap_or_default();
        if !kind.contains("operation") {
            return None;
        }
        let state = answer
            .body
            .as_ref()
            .and_then(|body| body["status"].as_str());
        if answer.status == 202 || state == Some("InProgress") {
            return None;
        }
        // One that was begun before we were: its path may say what it is about, and else it may be anything.
        let begun = self.operations.remove(&path);
        begun.or_else(|| about(&request.path))
    }

    /// A job that has ended, seen for the first time: its item is not what it was.
    pub(super) fn saw_job(&mut self, vault: &VaultId, job: &Job) -> Option<ItemId> {
        let (JobDetail::VirtualMachine(detail), Some(name)) = (&job.properties, &job.name) else {
            return None;
        };
        let known = self.vault(vault);
        if !detail.has_ended() || known.ended.contains(name) {
            return None;
        }
        known.ended.push_back(name.clone());
        if known.ended.len() > ENDS {
            known.ended.pop_front();
        }
        let container = detail.container_name.as_deref().unwrap_or_default();
        let machine = ["IaasVMContainer;", "VM;"]
            .iter()
            .find_map(|prefix| container.strip_prefix(prefix))
            .unwrap_or(container);
        let item = format!(
            "{vault}/backupFabrics/{FABRIC}/protectionContainers/IaasVMContainer;{machine}/protectedItems/VM;{machine}"
        );
        let item: ItemId = item.parse().ok()?;
        self.moment += 1;
        let moment = self.moment;
        self.vault(vault).items.touch(item.clone(), moment);
        Some(item)
    }

    fn touch(&mut self, about: &About) {
        self.moment += 1;
        let moment = self.moment;
        let id = match about {
            About::Item(item) => item.vault(),
            About::Policy(policy) => &policy.vault,
            About::Discovery(vault) | About::Vault(vault) => vault,
        };
        let Some(vault) = self.vaults.get_mut(id) else {
            return;
        };
        vault.touched = moment;
        match about {
            About::Item(item) => vault.items.touch(item.clone(), moment),
            About::Policy(policy) => vault.policies.touch(policy.clone(), moment),
            About::Discovery(_) => vault.protectable.touch_all(moment),
            About::Vault(_) => {
                vault.items.touch_all(moment);
                vault.policies.touch_all(moment);
                vault.protectable.touch_all(moment);
            }
        }
    }
}

impl Vault {
    /// When anything in it was last written, or a work on it ended.
    pub(super) fn touched(&self) -> Moment {
        self.touched
    }

    /// A list of jobs from after the last write to the vault, and after the second `after` by the service's clock.
    pub(super) fn jobs(
        &self,
        operation: &str,
        since: Timestamp,
        after: Timestamp,
    ) -> Option<&Jobs> {
        self.jobs.iter().find(|known| {
            known.operation == operation
                && known.since == since
                && known.asked.moment > self.touched
                && known.date.is_some_and(|date| date > after)
        })
    }

    pub(super) fn learn_jobs(&mut self, jobs: Jobs) {
        self.jobs
            .retain(|known| (&known.operation, known.since) != (&jobs.operation, jobs.since));
        self.jobs.insert(0, jobs);
        self.jobs.truncate(JOB_LISTS);
    }
}

/// What a path is about, if it is inside a vault.
fn about(path: &str) -> Option<About> {
    let segments: Vec<&str> = path.split('/').collect();
    let up_to = |word: &str| {
        let at = segments
            .iter()
            .position(|segment| segment.eq_ignore_ascii_case(word))?;
        segments.get(..at + 2).map(|parts| parts.join("/"))
    };
    if let Some(item) = up_to("protectedItems").and_then(|path| path.parse().ok()) {
        return Some(About::Item(item));
    }
    if let Some(policy) = up_to("backupPolicies").and_then(|path| path.parse().ok()) {
        return Some(About::Policy(policy));
    }
    let vault = up_to("vaults")?.parse().ok()?;
    let discovers = segments
        .iter()
        .any(|segment| segment.eq_ignore_ascii_case("refreshContainers"));
    Some(match discovers {
        true => About::Discovery(vault),
        false => About::Vault(vault),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm::listing::{Known, Silence};
    use jiff::SignedDuration;
    use serde_json::json;

    const VAULT: &str =
        "/subscriptions/s/resourceGroups/rg/providers/Microsoft.RecoveryServices/vaults/v";

    fn item(name: &str) -> ItemId {
        let short = format!("iaasvmcontainerv2;rg;{name}");
        format!("{VAULT}/backupFabrics/Azure/protectionContainers/IaasVMContainer;{short}/protectedItems/VM;{short}")
            .parse()
            .unwrap()
    }

    fn shelf() -> Shelf {
        let mut shelf = Shelf::default();
        let asked = shelf.moment(Timestamp::UNIX_EPOCH);
        let vault = shelf.vault(&VAULT.parse().unwrap());
        vault.items.learn(asked, Silence::IsAbsence, Vec::new());
        vault.policies.learn(asked, Silence::IsAbsence, Vec::new());
        vault
            .protectable
            .learn(asked, Silence::IsAbsence, Vec::new());
        shelf
    }

    fn known(shelf: &mut Shelf, name: &str) -> bool {
        let vault = shelf.vault(&VAULT.parse().unwrap());
        let minute = SignedDuration::from_mins(1);
        matches!(
            vault.items.look(&item(name), Timestamp::UNIX_EPOCH, minute),
            Known::Is(_)
        )
    }

    fn answer(status: u16, state: &str) -> ArmResponse {
        let mut answer = ArmResponse::of_status(status);
        answer.body = Some(json!({ "status": state }));
        answer
    }

    #[test]
    fn a_write_is_about_one_item_and_so_is_the_end_of_what_it_began() {
        let mut shelf = shelf();
        let put = ArmRequest::new(Method::Put, item("web-1").to_string(), "v");
        let operation = format!("{VAULT}/backupOperations/O-1");
        shelf.called(
            &put,
            Some(&ArmResponse::of_status(202)),
            std::slice::from_ref(&operation),
        );
        assert!(!known(&mut shelf, "web-1") && known(&mut shelf, "web-2"));

        let asked = shelf.moment(Timestamp::UNIX_EPOCH);
        let vault = shelf.vault(&VAULT.parse().unwrap());
        vault.items.learn_one(item("web-1"), asked, None);
        assert!(known(&mut shelf, "web-1"));
        let poll = ArmRequest::get(operation, "v");
        shelf.called(&poll, Some(&answer(200, "InProgress")), &[]);
        assert!(known(&mut shelf, "web-1"));
        shelf.called(&poll, Some(&answer(200, "Succeeded")), &[]);
        assert!(!known(&mut shelf, "web-1") && known(&mut shelf, "web-2"));
    }

    #[test]
    fn the_end_of_what_another_began_may_be_about_anything() {
        let mut shelf = shelf();
        let scoped = format!("{}/operationsStatus/o", item("web-1"));
        let over = answer(200, "Failed");
        shelf.called(&ArmRequest::get(scoped, "v"), Some(&over), &[]);
        assert!(!known(&mut shelf, "web-1") && known(&mut shelf, "web-2"));
        let poll = ArmRequest::get(format!("{VAULT}/backupOperations/other"), "v");
        shelf.called(&poll, Some(&over), &[]);
        assert!(!known(&mut shelf, "web-2"));
    }

    #[test]
    fn the_end_of_a_job_is_news_of_its_item_once() {
        let mut shelf = shelf();
        let get = ArmRequest::get(format!("{VAULT}/backupJobs/j-1"), "v");
        let job = |status: &str| {
            let mut answer = ArmResponse::of_status(200);
            answer.body = Some(json!({ "name": "j-1", "properties": {
                "jobType": "AzureIaaSVMJob", "status": status, "containerName": "iaasvmcontainerv2;rg;web-1",
            }}));
            answer
        };
        shelf.called(&get, Some(&job("InProgress")), &[]);
        assert!(known(&mut shelf, "web-1"));
        let told = shelf.called(&get, Some(&job("Completed")), &[]);
        assert_eq!(told, Some(item("web-1")));
        assert!(!known(&mut shelf, "web-1") && known(&mut shelf, "web-2"));
        let asked = shelf.moment(Timestamp::UNIX_EPOCH);
        let vault = shelf.vault(&VAULT.parse().unwrap());
        vault.items.learn_one(item("web-1"), asked, None);
        shelf.called(&get, Some(&job("Completed")), &[]);
        assert!(known(&mut shelf, "web-1"));
    }

    #[test]
    fn a_write_without_an_answer_may_have_been_made() {
        let mut shelf = shelf();
        let put = ArmRequest::new(Method::Put, item("web-1").to_string(), "v");
        assert_eq!(shelf.called(&put, None, &[]), None);
        assert!(!known(&mut shelf, "web-1"));
    }

    #[test]
    fn reading_changes_nothing() {
        let mut shelf = shelf();
        let get = ArmRequest::get(item("web-1").to_string(), "v");
        shelf.called(&get, Some(&answer(200, "")), &[]);
        assert!(known(&mut shelf, "web-1"));
    }
}
