//! Microsoft.DataProtection: backup vaults and their policies, for managed disks and PostgreSQL.
//!
//! Nothing can be protected in a backup vault yet: it has no repository, and making, changing and deleting one is over when it
//! is answered. What clients ask besides is answered by the table of operations ([`crate::offer`]). What lies in recovery
//! services vaults is not known here.

mod policies;
mod properties;
mod row;
mod vaults;

use http::Method;
use serde_json::Value;

use crate::core::{Answer, Context, Refusal, Request, Response, page};
use crate::inventory::same;
use crate::offer::{self, Base};
use crate::operations;
use crate::store::{StoreError, Tx};

use row::BackupVault;

/// The provider's name, in lower case.
pub const PROVIDER: &str = "microsoft.dataprotection";

const KIND: &str = "Microsoft.DataProtection/backupVaults";

/// Answers a request below the provider. `group` is the resource group that the path names, `below` what comes after the
/// provider: decoded, as the client wrote it.
///
/// # Errors
/// ARM's refusals, in this provider's form.
pub fn route(
    request: &Request,
    group: Option<&str>,
    below: &[String],
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let lower: Vec<String> = below.iter().map(|word| word.to_lowercase()).collect();
    let words: Vec<&str> = lower.iter().map(String::as_str).collect();
    answer(request, group, below, &words, ctx, tx)
        .map_err(|refusal| refusal.of_data_protection(&request.id))
}

/// Whether there is a backup vault of this group and name, or an operation of one that was, which is asked for.
///
/// # Errors
/// When the store fails.
pub fn is_there(
    request: &Request,
    (group, name): (&str, &str),
    below: &[String],
    tx: &Tx<'_>,
) -> Result<bool, StoreError> {
    let key = BackupVault::key_of(group, name);
    let is_operation = || matches!(operations::poll(request, &key, below, tx), Some(Ok(_)));
    Ok(tx.get::<BackupVault>(key.as_str())?.is_some() || is_operation())
}

/// Answers a request that is about no vault: what the provider offers, and what protects a resource. `words` are the whole
/// path in lower case.
///
/// # Errors
/// ARM's refusals, in this provider's form.
pub fn of_no_vault(request: &Request, words: &[&str]) -> Result<Response, Refusal> {
    let (base, below) = match words {
        ["providers", PROVIDER, below @ ..] => (Base::DataProtectionTenant, below),
        _ => (
            Base::DataProtectionResource,
            words.last().map_or(&[][..], std::slice::from_ref),
        ),
    };
    offer::instead(request, base, below)
        .unwrap_or_else(|| Err(Refusal::no_route(&request.path)))
        .map_err(|refusal| refusal.of_data_protection(&request.id))
}

fn answer(
    request: &Request,
    group: Option<&str>,
    below: &[String],
    words: &[&str],
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    if let (Some(group), ["backupvaults", _, rest @ ..]) = (group, words) {
        return in_vault(request, group, &below[1], &below[2..], rest, ctx, tx);
    }
    if let Some(answer) = followed(request, words, tx) {
        return answer.map(|response| (response, Vec::new()));
    }
    let base = if group.is_some() {
        Base::DataProtectionGroup
    } else {
        Base::DataProtectionSubscription
    };
    if let Some(answer) = offer::instead(request, base, words) {
        return answer.map(|response| (response, Vec::new()));
    }
    let response = match (&request.method, group, words) {
        (&Method::GET, group, ["backupvaults"]) => list(request, group, ctx, tx)?,
        (&Method::POST, Some(group), ["locations", _, "checknameavailability"]) => {
            Response::ok(vaults::available(request, group, tx)?)
        }
        _ => return Err(Refusal::no_route(&request.path)),
    };
    Ok((response, Vec::new()))
}

/// Whether this is the path, in lower case, of an operation that there is and that outlives its vault.
pub fn is_operation(request: &Request, words: &[&str], tx: &Tx<'_>) -> bool {
    matches!(followed(request, words, tx), Some(Ok(_)))
}

/// How an operation that outlives its vault ended.
fn followed(request: &Request, words: &[&str], tx: &Tx<'_>) -> Option<Result<Response, Refusal>> {
    let (region, kind, id) = match words {
        [
            "locations",
            region,
            kind @ ("operationstatus" | "operationresults"),
            id,
        ] => (*region, *kind, *id),
        _ => return None,
    };
    // Ids are compared without regard to case.
    let below = [kind.to_owned(), id.to_owned()];
    operations::poll(request, &row::region_key(region), &below, tx)
}

fn in_vault(
    request: &Request,
    group: &str,
    name: &str,
    rest: &[String],
    words: &[&str],
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let key = BackupVault::key_of(group, name);
    if let Some(answer) = operations::poll(request, &key, rest, tx) {
        return answer.map(|response| (response, Vec::new()));
    }
    if words.is_empty() {
        return vaults::one(request, group, name, ctx, tx);
    }
    let Some(vault) = tx.get::<BackupVault>(key.as_str())? else {
        return Err(Refusal::resource_not_found(KIND, name, group));
    };
    if let Some(answer) = offer::instead(request, Base::BackupVault, words) {
        return answer.map(|response| (response, Vec::new()));
    }
    let response = match (&request.method, words) {
        (&Method::GET, ["backuppolicies"]) => policies::list(request, &vault, ctx, tx)?,
        (&Method::GET, ["backuppolicies", _]) => policies::get(&rest[1], &vault, ctx, tx)?,
        (&Method::PUT, ["backuppolicies", _]) => policies::put(request, &rest[1], &vault, ctx, tx)?,
        (&Method::DELETE, ["backuppolicies", _]) => policies::delete(&rest[1], &vault, tx)?,
        _ => return Err(Refusal::no_route(&request.path)),
    };
    Ok((response, Vec::new()))
}

fn list(
    request: &Request,
    group: Option<&str>,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<Response, Refusal> {
    let all = BackupVault::all(tx)?;
    let wanted = |vault: &&BackupVault| group.is_none_or(|name| same(name, &vault.resource_group));
    let shown: Vec<Value> = all
        .iter()
        .filter(wanted)
        .map(|vault| vault.render(ctx))
        .collect();
    page(request, shown)
}
