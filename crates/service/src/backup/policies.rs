//! Policies of every workload: read, written within Azure's limits, and deleted while nothing uses them.
//!
//! A policy keeps what it is for: one for machines never becomes one for databases, whoever writes over it, and an enhanced one
//! that is in use never a standard one. What runs by a policy is not known here; only machines are protected so far.

use kluis_arm::error::code;
use kluis_arm::id::is_policy_name;
use kluis_arm::policy::{self as wire, ProtectionPolicy, as_stored, check_limits};
use serde_json::{Value, json};

use super::job_words::value;
use super::rows::{Item, Policy};
use super::rules::Rules;
use super::{cleanup, edits, ends, immutability, refusals};
use crate::core::{Answer, Context, Refusal, Request, Response, VaultPath, page};
use crate::operations::{self, Scope};
use crate::store::{Row as _, Tx};
use crate::vaults::VaultRow;

const TYPE: &str = "Microsoft.RecoveryServices/vaults/backupPolicies";
/// Azure's limit of policies a vault.
const MOST: u64 = 200;
/// What policies are for, as `backupManagementType`.
const KINDS: [&str; 4] = ["AzureIaasVM", "AzureStorage", "AzureWorkload", "MAB"];

/// `GET V/backupPolicies[?$filter=backupManagementType eq '…']`.
pub(super) fn list(request: &Request, at: &VaultPath, tx: &Tx<'_>) -> Answer {
    let filter = refusals::filter(
        request,
        &["backupManagementType", "workloadType", "fabricName"],
    )?;
    let mut policies: Vec<Policy> = tx.list(at.key.as_str())?;
    policies.retain(|policy| {
        let purpose = Purpose::of(&policy.properties);
        filter.allows("backupManagementType", &purpose.management)
            && filter.allows("workloadType", &purpose.workload)
            && filter.allows("fabricName", "Azure")
    });
    let items: Vec<Item> = tx.list(at.key.as_str())?;
    Ok((
        page(
            request,
            policies.iter().map(|policy| render(policy, &items, at)),
        )?,
        Vec::new(),
    ))
}

/// `GET V/backupPolicies/{policy}`.
pub(super) fn get(name: &str, at: &VaultPath, tx: &Tx<'_>) -> Answer {
    let policy: Policy = tx.get(&Policy::key_of(&at.key, name))?.ok_or_else(|| {
        Refusal::not_found(
            code::POLICY_NOT_FOUND,
            format!("The vault '{}' has no policy '{name}'.", at.name),
        )
    })?;
    let items: Vec<Item> = tx.list(at.key.as_str())?;
    Ok((Response::ok(render(&policy, &items, at)), Vec::new()))
}

/// `PUT V/backupPolicies/{policy}`: 200 with the policy when nothing uses it, 202 when items do.
pub(super) fn put(
    request: &Request,
    name: &str,
    at: &VaultPath,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let wanted = accepted(request)?;
    let is_of_machines = matches!(wanted, ProtectionPolicy::VirtualMachine(_));
    let found: Option<Policy> = tx.get(&Policy::key_of(&at.key, name))?;
    let name = match &found {
        Some(policy) => policy.name.clone(),
        None => new_name(name, at, tx)?,
    };
    let mut properties = value(&as_stored(wanted));
    if let Some(properties) = properties.as_object_mut() {
        properties.remove("protectedItemsCount");
    }
    let policy = Policy {
        vault: at.key.clone(),
        name,
        properties,
    };
    if let Some(found) = &found {
        same_purpose(found, &policy)?;
    }
    let before = found.as_ref().and_then(Rules::of);
    let after = Rules::of(&policy);
    if is_of_machines && after.is_none() {
        return Err(Refusal::bad_request(
            code::INVALID_POLICY,
            "The policy's schedule and retention can't be understood.",
        ));
    }
    let all: Vec<Item> = tx.list(at.key.as_str())?;
    let users: Vec<Item> = all
        .iter()
        .filter(|item| item.policy == policy.name)
        .cloned()
        .collect();
    let is_enhanced = |rules: &Option<Rules>| rules.as_ref().is_some_and(|rules| rules.enhanced);
    if !users.is_empty() && is_enhanced(&before) && !is_enhanced(&after) {
        return Err(in_use(
            &policy.name,
            users.len(),
            "can't become a standard one (V1)",
        ));
    }
    if !users.is_empty()
        && let Some(vault) = tx.get::<VaultRow>(at.key.as_str())?
    {
        immutability::keeps_retention(&vault, before.as_ref(), after.as_ref())?;
    }
    // Writing what is there already is no edit.
    if found.is_some_and(|found| found.properties != policy.properties) {
        edits::count(ctx, tx, at)?;
    }
    let vault = tx.get::<VaultRow>(at.key.as_str())?;
    let schedule = |rules: &Option<Rules>| rules.as_ref().map(|rules| rules.schedule.clone());
    let retention = |rules: &Option<Rules>| rules.as_ref().map(|rules| rules.retention.clone());
    let is_another_schedule = schedule(&before) != schedule(&after);
    let is_another_retention = retention(&before) != retention(&after);
    let write = |tx: &mut Tx<'_>| tx.put(&policy).map_err(Refusal::from);
    let nearer = match vault {
        // To work all ends out takes long where they are many.
        Some(vault) if is_another_schedule || is_another_retention => {
            ends::guarded(&vault, &users, ctx, tx, write)?.1
        }
        _ => {
            write(tx)?;
            None
        }
    };
    if users.is_empty() {
        return Ok((Response::ok(render(&policy, &all, at)), Vec::new()));
    }
    if is_another_schedule {
        for mut item in users {
            // The new schedule's first run is the next one: none is due for the time before.
            item.schedule_anew(ctx.now);
            tx.put(&item)?;
        }
    }
    if is_another_retention {
        cleanup::want(ctx, tx, &at.key)?;
    }
    let operation = operations::done(tx, ctx, &at.key, None, Some(render(&policy, &all, at)))?;
    let scope = Scope::Policy(&policy.name);
    let response = operation.accepted(request, at, scope).bringing(nearer);
    Ok((response, Vec::new()))
}

/// `DELETE V/backupPolicies/{policy}`.
pub(super) fn delete(name: &str, at: &VaultPath, tx: &mut Tx<'_>) -> Answer {
    let key = Policy::key_of(&at.key, name);
    let Some(policy) = tx.get::<Policy>(&key)? else {
        return Ok((Response::empty(204), Vec::new()));
    };
    let users = tx
        .list::<Item>(at.key.as_str())?
        .into_iter()
        .filter(|item| item.policy == policy.name)
        .count();
    if users > 0 {
        return Err(in_use(&policy.name, users, "can't be deleted"));
    }
    tx.delete::<Policy>(&policy.key())?;
    Ok((Response::empty(200), Vec::new()))
}

/// The body's policy, when it is one that a vault has and within the limits of its workload.
fn accepted(request: &Request) -> Result<ProtectionPolicy, Refusal> {
    let policy = request.parse::<wire::Policy>()?.properties;
    if !KINDS.contains(&policy.tag()) {
        return Err(Refusal::bad_request(
            code::INVALID_POLICY,
            format!(
                "A policy of this service is not for '{}'. Its backupManagementType is 'AzureIaasVM' for virtual machines, \
                 'AzureStorage' for file shares, 'AzureWorkload' for SQL Server and SAP HANA, or 'MAB' for the files of a host.",
                policy.tag()
            ),
        ));
    }
    check_limits(&policy).map_err(|broken| {
        Refusal::bad_request(
            broken.code,
            format!("The policy breaks a limit: properties.{broken}."),
        )
    })?;
    Ok(policy)
}

/// What a policy is for, in the wire's words.
#[derive(Debug, PartialEq, Eq)]
struct Purpose {
    management: String,
    workload: String,
}

impl Purpose {
    fn of(properties: &Value) -> Self {
        let text = |field: &str| properties[field].as_str().unwrap_or_default().to_owned();
        let management = text("backupManagementType");
        // What the wire does not repeat in the policy, its filters ask for all the same.
        let workload = match management.as_str() {
            "AzureIaasVM" => "VM".to_owned(),
            "MAB" => "FileFolder".to_owned(),
            _ => text("workLoadType"),
        };
        Self {
            management,
            workload,
        }
    }
}

/// A policy that is there is written over by one of its own kind and no other.
fn same_purpose(found: &Policy, wanted: &Policy) -> Result<(), Refusal> {
    let (is, would) = (
        Purpose::of(&found.properties),
        Purpose::of(&wanted.properties),
    );
    let same = is.management.eq_ignore_ascii_case(&would.management)
        && is.workload.eq_ignore_ascii_case(&would.workload);
    if same {
        return Ok(());
    }
    Err(Refusal::bad_request(
        code::INVALID_POLICY,
        format!(
            "The policy '{}' is one of '{}' ('{}') and can't become one of '{}' ('{}'). Give the new one another name, or delete this one first.",
            found.name, is.management, is.workload, would.management, would.workload
        ),
    ))
}

fn new_name(name: &str, at: &VaultPath, tx: &Tx<'_>) -> Result<String, Refusal> {
    if !is_policy_name(name) {
        return Err(refusals::invalid_input(format!(
            "'{name}' can't name a policy: 3 to 150 letters, digits and hyphens, beginning with a letter and not ending with a hyphen."
        )));
    }
    if tx.count::<Policy>(at.key.as_str())? >= MOST {
        return Err(Refusal::bad_request(
            "UserErrorPolicyLimitReached",
            format!(
                "The vault '{}' has {MOST} policies, as many as a vault can have (rule 38). Delete one that nothing uses first.",
                at.name
            ),
        ));
    }
    Ok(name.to_owned())
}

fn in_use(policy: &str, users: usize, what: &str) -> Refusal {
    let items = if users == 1 {
        "one item".to_owned()
    } else {
        format!("{users} items")
    };
    Refusal::bad_request(
        code::POLICY_IN_USE,
        format!(
            "The policy '{policy}' {what} while it protects {items}. Give them another policy, or stop their protection, first."
        ),
    )
}

fn render(policy: &Policy, items: &[Item], at: &VaultPath) -> Value {
    let mut properties = policy.properties.clone();
    properties["protectedItemsCount"] = json!(
        items
            .iter()
            .filter(|item| item.policy == policy.name)
            .count()
    );
    json!({
        "id": format!("{}/backupPolicies/{}", at.id, policy.name),
        "name": policy.name,
        "type": TYPE,
        "properties": properties,
    })
}
