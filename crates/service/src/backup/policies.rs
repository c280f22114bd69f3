//! Policies: read, written within Azure's limits, and deleted while nothing uses them.

use kluis_arm::error::code;
use kluis_arm::id::Name;
use kluis_arm::policy::{self as wire, ProtectionPolicy, as_stored, check_limits};
use serde_json::{Value, json};

use super::job_words::value;
use super::rows::{Item, Policy};
use super::rules::Rules;
use super::{cleanup, edits, refusals};
use crate::core::{Answer, Context, Refusal, Request, Response, VaultPath, page};
use crate::operations::{self, Scope};
use crate::store::{Row as _, Tx};

const TYPE: &str = "Microsoft.RecoveryServices/vaults/backupPolicies";
/// Azure's limits of policies a vault, and of the length of a name.
const MOST: u64 = 200;
const LONGEST_NAME: usize = 150;

/// `GET V/backupPolicies[?$filter=backupManagementType eq '…']`.
pub(super) fn list(request: &Request, at: &VaultPath, tx: &Tx<'_>) -> Answer {
    let filter = refusals::filter(request, &["backupManagementType", "workloadType"])?;
    let text = |policy: &Policy, field: &str| {
        policy.properties[field]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let mut policies: Vec<Policy> = tx.list(at.key.as_str())?;
    policies.retain(|policy| {
        let workload = match text(policy, "backupManagementType").as_str() {
            "AzureIaasVM" => "VM".to_owned(),
            _ => text(policy, "workLoadType"),
        };
        filter.allows(
            "backupManagementType",
            &text(policy, "backupManagementType"),
        ) && filter.allows("workloadType", &workload)
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
    let before = found.as_ref().and_then(Rules::of);
    let after = Rules::of(&policy).ok_or_else(|| {
        Refusal::bad_request(
            code::INVALID_POLICY,
            "The policy's schedule and retention can't be understood.",
        )
    })?;
    let all: Vec<Item> = tx.list(at.key.as_str())?;
    let users: Vec<Item> = all
        .iter()
        .filter(|item| item.policy == policy.name)
        .cloned()
        .collect();
    if !users.is_empty() && before.as_ref().is_some_and(|before| before.enhanced) && !after.enhanced
    {
        return Err(in_use(
            &policy.name,
            users.len(),
            "can't become a standard one (V1)",
        ));
    }
    // Writing what is there already is no edit.
    if found.is_some_and(|found| found.properties != policy.properties) {
        edits::count(ctx, tx, at)?;
    }
    tx.put(&policy)?;
    if users.is_empty() {
        return Ok((Response::ok(render(&policy, &all, at)), Vec::new()));
    }
    if before
        .as_ref()
        .is_none_or(|before| before.schedule != after.schedule)
    {
        for mut item in users {
            // The new schedule's first run is the next one: none is due for the time before.
            item.schedule_anew(ctx.now);
            tx.put(&item)?;
        }
    }
    if before.is_none_or(|before| before.retention != after.retention) {
        cleanup::want(ctx, tx, &at.key)?;
    }
    let operation = operations::done(tx, ctx, &at.key, None, Some(render(&policy, &all, at)))?;
    Ok((
        operation.accepted(request, at, Scope::Policy(&policy.name)),
        Vec::new(),
    ))
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

/// The body's policy, when it is one for virtual machines within the limits.
fn accepted(request: &Request) -> Result<ProtectionPolicy, Refusal> {
    let body = request.parse::<wire::Policy>()?;
    let policy = body.properties;
    if !matches!(policy, ProtectionPolicy::VirtualMachine(_)) {
        return Err(Refusal::bad_request(
            code::INVALID_POLICY,
            format!(
                "Policies of backupManagementType '{}' can't be written to this service yet; it must be 'AzureIaasVM'.",
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

fn new_name(name: &str, at: &VaultPath, tx: &Tx<'_>) -> Result<String, Refusal> {
    let fit = Name::new(name).is_ok() && name.chars().count() <= LONGEST_NAME;
    if !fit {
        return Err(refusals::invalid_input(format!(
            "A policy's name has at most {LONGEST_NAME} characters, none of them / \\ ? # % or a quote."
        )));
    }
    if tx.count::<Policy>(at.key.as_str())? >= MOST {
        return Err(Refusal::bad_request(
            "UserErrorPolicyLimitReached",
            format!(
                "The vault '{}' has {MOST} policies, as many as a vault can have. Delete one that nothing uses first.",
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
