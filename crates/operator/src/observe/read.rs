//! From a want to a request, and from the answer to a fact.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kluis_arm::{
    api_version::{SENT, SOFTLY_DELETED_VAULTS},
    config::{StorageConfigResource, StorageTypeState},
    deleted_vault::DeletedVault,
    id::{Name, VaultId},
    operation::OperationState,
    time::WireTime,
};
use kluis_client::{Arm, ArmRequest, Failure, list, operation};
use kluis_plan::{
    ArmFailure, DeletedVaultFact, Fact, ItemFact, Observed, Progress, SubscriptionFact,
    VaultHealthFact, VaultItem, VaultProblem, Want,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{compute, vault_key::VaultKey};
use crate::{
    arm::{Freshness, Line},
    failure::arm_failure,
};

const SUBSCRIPTIONS: &str = "2022-12-01";
const COMPUTE: &str = "2024-07-01";
const KEY_VAULT: &str = "2023-07-01";
const DISKS: &str = "2024-03-02";
const STORAGE: &str = "2023-05-01";
const NETWORK: &str = "2024-05-01";
/// With what Azure's resource manager says that a provider has no such resource in a version or region.
const NO_SUCH_LIST: [&str; 3] = [
    "InvalidResourceType",
    "NoRegisteredProviderFound",
    "InvalidApiVersionParameter",
];

/// What a failed read is called.
pub(super) fn doing(want: &Want) -> String {
    format!("reading {want}")
}

/// The vault that a want is about.
pub(super) fn vault_of(want: &Want) -> Option<VaultKey> {
    let vault = match want {
        Want::Vault(vault)
        | Want::VaultHealth(vault)
        | Want::DeletedVault { vault, .. }
        | Want::Items(vault)
        | Want::StorageConfig(vault)
        | Want::Protectable { vault, .. }
        | Want::Jobs { vault, .. } => vault,
        Want::Policy(policy) | Want::ProtectedBy(policy) => &policy.vault,
        Want::Item(item) | Want::Points(item) => item.vault(),
        Want::Job(job) => &job.vault,
        Want::Subscription { .. }
        | Want::Vm(_)
        | Want::KeyVaultEntry { .. }
        | Want::Progress { .. }
        | Want::StorageAccounts { .. }
        | Want::Disks(_)
        | Want::Network(_)
        | Want::Locks { .. }
        | Want::FilesExtension => return None,
    };
    Some(VaultKey::from(vault))
}

/// The fact that a want could not be read.
pub(super) fn failed(want: &Want, failure: ArmFailure) -> Fact {
    fact(want, Observed::Unknown(failure))
}

fn fact(want: &Want, none: Observed<Never>) -> Fact {
    match want {
        Want::Subscription { .. } => Fact::Subscription(none.map(absurd)),
        Want::Vault(_) => Fact::Vault(none.map(absurd)),
        Want::DeletedVault { .. } => Fact::DeletedVault(none.map(absurd)),
        Want::Policy(_) => Fact::Policy(none.map(absurd)),
        Want::Item(_) => Fact::Item(none.map(absurd)),
        Want::Vm(_) => Fact::Vm(none.map(absurd)),
        Want::KeyVaultEntry { .. } => Fact::KeyVaultEntry(none.map(absurd)),
        Want::Progress { .. } => Fact::Progress(none.map(absurd)),
        Want::Protectable { .. } => Fact::Protectable(none.map(absurd)),
        Want::Job(_) => Fact::Job(none.map(absurd)),
        Want::Jobs { .. } => Fact::Jobs(none.map(absurd)),
        Want::ProtectedBy(_) => Fact::ProtectedBy(none.map(absurd)),
        Want::Items(_) => Fact::Items(none.map(absurd)),
        Want::Points(_) => Fact::Points(none.map(absurd)),
        Want::StorageAccounts { .. } => Fact::StorageAccounts(none.map(absurd)),
        Want::Disks(_) => Fact::Disks(none.map(absurd)),
        Want::Network(_) => Fact::Network(none.map(absurd)),
        Want::StorageConfig(_) => Fact::StorageConfig(none.map(absurd)),
        Want::Locks { .. } => Fact::Locks(none.map(absurd)),
        Want::FilesExtension => Fact::FilesExtension(none.map(absurd)),
        Want::VaultHealth(_) => Fact::VaultHealth(none.map(absurd)),
    }
}

/// No value: a fact that is not there, or not known, holds none.
#[derive(Clone, Copy)]
enum Never {}

fn absurd<T>(never: Never) -> T {
    match never {}
}

/// Reads a want: 404 is absence, everything else that is no answer is a failure.
pub(super) async fn read(
    line: &Line,
    want: &Want,
    fresh: Freshness,
    now: Timestamp,
) -> Result<Fact, ArmFailure> {
    match ask(line, want, fresh).await {
        Ok(fact) => Ok(fact),
        Err(failure) if failure.is_absent() => Ok(fact(want, Observed::Absent)),
        Err(failure) => Err(arm_failure(doing(want), &failure, now)),
    }
}

async fn ask(line: &Line, want: &Want, fresh: Freshness) -> Result<Fact, Failure> {
    let arm: &dyn Arm = line;
    Ok(match want {
        Want::Subscription { id } => {
            let request = ArmRequest::get(format!("/subscriptions/{id}"), SUBSCRIPTIONS);
            let body: Value = get(arm, &request).await?;
            let name = body["displayName"].as_str().unwrap_or_default().to_owned();
            Fact::Subscription(Observed::Found(SubscriptionFact { name }))
        }
        Want::Vault(id) => {
            let vault = get(arm, &ArmRequest::get(id.to_string(), SENT)).await?;
            Fact::Vault(Observed::Found(Box::new(vault)))
        }
        Want::DeletedVault { vault, location } => {
            Fact::DeletedVault(deleted_vault(arm, vault, location).await?)
        }
        Want::Policy(id) => Fact::Policy(there(line.policy(id, fresh).await?)),
        Want::Item(id) => Fact::Item(there(line.item(id, fresh).await?)),
        Want::Vm(id) => {
            let request = ArmRequest::get(id.to_string(), COMPUTE);
            let body: Value = get(arm, &request).await?;
            Fact::Vm(Observed::Found(compute::vm(&request, &body, id)?))
        }
        Want::KeyVaultEntry { id } => {
            let request = ArmRequest::get(id.clone(), KEY_VAULT);
            match get::<Value>(arm, &request).await {
                Ok(_) => Fact::KeyVaultEntry(Observed::Found(())),
                // Whoever may not look into key vaults restores on the service's word.
                Err(failure) if failure.status() == Some(403) => {
                    Fact::KeyVaultEntry(Observed::Found(()))
                }
                Err(failure) => return Err(failure),
            }
        }
        Want::Progress { url } => Fact::Progress(Observed::Found(progress(arm, url).await?)),
        Want::Protectable { vault, vm } => {
            Fact::Protectable(Observed::Found(line.is_protectable(vault, vm).await?))
        }
        Want::Job(id) => {
            let job = get(arm, &ArmRequest::get(id.to_string(), SENT)).await?;
            Fact::Job(Observed::Found(Box::new(job)))
        }
        Want::Jobs {
            vault,
            operation,
            since,
        } => Fact::Jobs(Observed::Found(
            line.jobs(vault, &operation.to_string(), *since, fresh)
                .await?,
        )),
        Want::ProtectedBy(policy) => {
            let mut items = items(line, &policy.vault, fresh).await?;
            items.retain(|item| item.policy.as_ref() == Some(policy));
            Fact::ProtectedBy(Observed::Found(items))
        }
        Want::Items(vault) => {
            let listed = line.contents(vault, fresh).await?;
            let mut items: Vec<VaultItem> = listed.iter().map(VaultItem::of).collect();
            items.sort_unstable_by(|one, other| one.id.cmp(&other.id));
            Fact::Items(Observed::Found(items))
        }
        Want::Points(id) => {
            let request = ArmRequest::get(format!("{id}/recoveryPoints"), SENT);
            Fact::Points(Observed::Found(each(arm, request).await?))
        }
        Want::StorageAccounts { subscription } => {
            let path = format!(
                "/subscriptions/{subscription}/providers/Microsoft.Storage/storageAccounts"
            );
            let found = each(arm, ArmRequest::get(path, STORAGE)).await?;
            Fact::StorageAccounts(Observed::Found(
                found.iter().filter_map(compute::account).collect(),
            ))
        }
        Want::Disks(group) => {
            let path = format!("{group}/providers/Microsoft.Compute/disks");
            let found = each(arm, ArmRequest::get(path, DISKS)).await?;
            Fact::Disks(Observed::Found(
                found.iter().filter_map(compute::disk).collect(),
            ))
        }
        Want::Network(id) => {
            let request = ArmRequest::get(id.to_string(), NETWORK);
            let body: Value = get(arm, &request).await?;
            Fact::Network(Observed::Found(compute::network(&request, &body)?))
        }
        Want::StorageConfig(id) => {
            let path = format!("{id}/backupstorageconfig/vaultstorageconfig");
            let config: StorageConfigResource = get(arm, &ArmRequest::get(path, SENT)).await?;
            let state = config.properties.storage_type_state;
            Fact::StorageConfig(Observed::Found(state == Some(StorageTypeState::Locked)))
        }
        Want::Locks { subscription } => Fact::Locks(line.locks(subscription).await?),
        Want::FilesExtension => {
            let prefix = line.extension("files").await?;
            Fact::FilesExtension(prefix.map_or(Observed::Absent, Observed::Found))
        }
        Want::VaultHealth(id) => Fact::VaultHealth(match line.extension("health").await? {
            None => Observed::Absent,
            Some(prefix) => {
                let request = ArmRequest::get(format!("{prefix}{id}/health"), SENT);
                Observed::Found(vault_health(&get(arm, &request).await?))
            }
        }),
    })
}

/// The softly deleted vault of a region that had this id; of several the one that was deleted last. A service that says that it has no such
/// list, for it is of another version or cloud, deletes for good.
async fn deleted_vault(
    arm: &dyn Arm,
    vault: &VaultId,
    location: &str,
) -> Result<Observed<DeletedVaultFact>, Failure> {
    let path = format!(
        "/subscriptions/{}/providers/Microsoft.RecoveryServices/locations/{location}/deletedVaults",
        vault.subscription
    );
    let request = ArmRequest::get(path, SOFTLY_DELETED_VAULTS);
    let listed: Vec<DeletedVault> = match each(arm, request.clone()).await {
        Err(failure) if NO_SUCH_LIST.contains(&failure.code()) => return Ok(Observed::Absent),
        listed => listed?,
    };
    let had = |deleted: &DeletedVault| {
        let id = deleted.properties.as_ref()?.vault_id.as_deref()?;
        id.parse::<VaultId>().ok()
    };
    let ours = listed
        .into_iter()
        .filter(|deleted| had(deleted).as_ref() == Some(vault));
    let facts: Vec<DeletedVaultFact> = ours
        .map(|deleted| {
            let moment = |time: Option<WireTime>| time.and_then(|time| time.moment().ok()?);
            let properties = deleted.properties.unwrap_or_default();
            // One that is ours and cannot be named would look as if it were gone.
            let name = Name::new(deleted.name.unwrap_or_default());
            Ok(DeletedVaultFact {
                name: name.map_err(|error| Failure::Unreadable {
                    operation: request.to_string(),
                    problem: error.to_string(),
                })?,
                deleted: moment(properties.vault_deletion_time),
                purge_at: moment(properties.purge_at),
            })
        })
        .collect::<Result<_, Failure>>()?;
    let last = facts.into_iter().max_by_key(|fact| fact.deleted);
    Ok(last.map_or(Observed::Absent, Observed::Found))
}

/// A vault's machines, in the order of their ids.
async fn items(line: &Line, vault: &VaultId, fresh: Freshness) -> Result<Vec<ItemFact>, Failure> {
    let listed = line.items(vault, fresh).await?;
    let mut items: Vec<ItemFact> = listed
        .into_iter()
        .filter_map(|(id, item)| ItemFact::of(id, &item))
        .collect();
    items.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    Ok(items)
}

/// One resource.
async fn get<T: DeserializeOwned>(arm: &dyn Arm, request: &ArmRequest) -> Result<T, Failure> {
    let body = arm.call(request).await?.body.unwrap_or_default();
    decoded(&request.to_string(), body)
}

/// All entries of a list. One that cannot be read fails the list: left out, it would look absent.
async fn each<T: DeserializeOwned>(arm: &dyn Arm, request: ArmRequest) -> Result<Vec<T>, Failure> {
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

fn there<T: Clone>(found: Option<Arc<T>>) -> Observed<Box<T>> {
    found.map_or(Observed::Absent, |found| {
        Observed::Found(Box::new(T::clone(&found)))
    })
}

async fn progress(arm: &dyn Arm, url: &str) -> Result<Progress, Failure> {
    let reading = operation(arm, url).await?;
    let job = reading.document.job().map(str::to_owned);
    Ok(match reading.document.status {
        Some(OperationState::Succeeded) => Progress::Succeeded { job },
        Some(OperationState::Canceled) => Progress::Cancelled,
        Some(OperationState::Failed | OperationState::Invalid) => {
            let error = reading.document.error.unwrap_or_default();
            Progress::Failed {
                code: error.code,
                message: error.message,
                job,
            }
        }
        Some(OperationState::InProgress | OperationState::Other(_)) | None => {
            Progress::InProgress {
                retry_after: reading
                    .retry_after
                    .filter(|wait| *wait > SignedDuration::ZERO),
            }
        }
    })
}

/// What a service says of a vault. What is not of this form is passed over: it may be of a newer service.
fn vault_health(body: &Value) -> VaultHealthFact {
    let problems = body["problems"].as_array().into_iter().flatten();
    let problem = |problem: &Value| {
        let sentences = [
            problem["message"].as_str(),
            problem["recommendation"].as_str(),
        ];
        let advice = problem["recommendations"].as_array().into_iter().flatten();
        let sentences = sentences.into_iter().flatten();
        let all: Vec<&str> = sentences.chain(advice.filter_map(Value::as_str)).collect();
        VaultProblem {
            title: problem["title"]
                .as_str()
                .unwrap_or("ServiceReportsProblem")
                .to_owned(),
            message: all.join(" "),
            is_grave: problem["severity"] != "Warning",
        }
    };
    let count = |value: &Value| value.as_u64().and_then(|count| u32::try_from(count).ok());
    VaultHealthFact {
        problems: problems.map(problem).collect(),
        oldest_unread: body["scrub"]["oldestUnread"]
            .as_str()
            .and_then(|at| at.parse().ok()),
        damaged_points: count(&body["scrub"]["damagedPoints"]),
        held_back_expiries: count(&body["expiries"]["heldBack"]),
    }
}
