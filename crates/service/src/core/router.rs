//! Who answers a request: checks that hold for every path, then one function a resource.

use jiff::Timestamp;
use kluis_arm::api_version::ApiVersionError;
use kluis_arm::error::code;

use super::{
    Answer, BitmapReport, Context, Effect, Gauge, MoverReport, Refusal, RepositoryReport, Request,
    Role, VaultPath, decode,
};
use crate::offer::{self, Base};
use crate::store::{StoreError, Tx};
use crate::vaults::VaultRow;
use crate::{backup, health, inventory, operations, protection, vaults};

/// The provider whose vaults these are, in lower case.
const PROVIDER: &str = "microsoft.recoveryservices";

/// Answers a request. A refusal means that nothing may be committed.
///
/// # Errors
/// ARM's refusal of the request, or 500 when the store failed.
pub fn handle(request: &Request, ctx: &Context<'_>, tx: &mut Tx<'_>) -> Answer {
    if health::is_of(&request.path) {
        return health::route(request, ctx, tx);
    }
    let Some(segments) = decode(&request.path) else {
        return Err(Refusal::bad_request(
            "InvalidRequestUri",
            "The path is not one that could name a resource.",
        ));
    };
    let lower: Vec<String> = segments
        .iter()
        .map(|segment| segment.to_lowercase())
        .collect();
    known_root(&lower, request)?;
    api_version(request, &lower)?;
    permitted(request)?;
    request.json()?;
    let words: Vec<&str> = lower.iter().map(String::as_str).collect();
    subscription(&segments, &words, ctx)?;
    group(request, &segments, &words, ctx, tx)?;
    routed(request, &segments, &words, ctx, tx)
}

fn subscription(segments: &[String], words: &[&str], ctx: &Context<'_>) -> Result<(), Refusal> {
    match words {
        ["subscriptions", subscription, ..] if *subscription != ctx.subscription.to_lowercase() => {
            Err(Refusal::not_found(
                "SubscriptionNotFound",
                format!(
                    "The subscription '{}' could not be found; this service has '{}'.",
                    segments[1], ctx.subscription
                ),
            ))
        }
        _ => Ok(()),
    }
}

/// Whatever is asked below a resource group that is not there, Azure says of the group. A vault outlives its group in the inventory,
/// which a person edits: it stays where it is.
fn group(
    request: &Request,
    segments: &[String],
    words: &[&str],
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<(), Refusal> {
    let ["subscriptions", _, "resourcegroups", group, below @ ..] = words else {
        return Ok(());
    };
    if below.is_empty() || ctx.inventory.resource_group(group).is_some() {
        return Ok(());
    }
    let is_there = match below {
        ["providers", PROVIDER, "vaults", name, ..] => {
            let key = ctx.vault_key(group, name);
            // That a vault is deleted is asked when it is gone.
            tx.get::<VaultRow>(key.as_str())?.is_some()
                || matches!(
                    operations::poll(request, &key, &segments[8..], tx),
                    Some(Ok(_))
                )
        }
        ["providers", protection::PROVIDER, "backupvaults", name, ..] => {
            protection::is_there(request, (group, name), &segments[8..], tx)?
        }
        ["providers", protection::PROVIDER, below @ ..] => {
            protection::is_operation(request, below, tx)
        }
        _ => false,
    };
    if is_there {
        return Ok(());
    }
    Err(Refusal::no_group(&segments[3]))
}

fn routed(
    request: &Request,
    segments: &[String],
    words: &[&str],
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    match words {
        [
            _,
            _,
            "resourcegroups",
            _,
            "providers",
            PROVIDER,
            "vaults",
            _,
            ..,
        ] => in_vault(request, segments, ctx, tx),
        [
            _,
            _,
            "resourcegroups",
            _,
            "providers",
            protection::PROVIDER,
            ..,
        ] => protection::route(request, Some(&segments[3]), &segments[6..], ctx, tx),
        [_, _, "providers", protection::PROVIDER, ..] => {
            protection::route(request, None, &segments[4..], ctx, tx)
        }
        [_, _, "resourcegroups", _, "providers", PROVIDER, below @ ..] => {
            around(request, Base::Group, below, segments, words, ctx, tx)
        }
        // Some clients write the subscription twice before a question about a region.
        [_, _, "providers", PROVIDER, below @ ..]
        | [_, _, "subscriptions", _, "providers", PROVIDER, below @ ..] => {
            around(request, Base::Subscription, below, segments, words, ctx, tx)
        }
        ["providers", protection::PROVIDER, ..]
        | [.., "providers", protection::PROVIDER, "backupinstances"] => {
            protection::of_no_vault(request, words).map(|response| (response, Vec::new()))
        }
        _ => inventory::route(request, segments, ctx, tx).map(|response| (response, Vec::new())),
    }
}

/// The provider's own paths: lists of vaults, and questions about regions, names and machines.
fn around(
    request: &Request,
    base: Base,
    below: &[&str],
    segments: &[String],
    words: &[&str],
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    if let Some(answer) = offer::instead(request, base, below) {
        return answer.map(|response| (response, Vec::new()));
    }
    match (base, below) {
        (Base::Subscription, ["locations", _, question]) => {
            if let Some(answer) = backup::asked(request, question, ctx, tx) {
                return answer;
            }
            vaults::route(request, segments, words, ctx, tx)
        }
        _ => vaults::route(request, segments, words, ctx, tx),
    }
}

fn in_vault(request: &Request, segments: &[String], ctx: &Context<'_>, tx: &mut Tx<'_>) -> Answer {
    let [_, _, _, group, _, _, _, name, below @ ..] = segments else {
        return Err(Refusal::no_route(&request.path));
    };
    let key = ctx.vault_key(group, name);
    if let Some(answer) = operations::poll(request, &key, below, tx) {
        return answer.map(|response| (response, Vec::new()));
    }
    inventory::permits(request, group, ctx)?;
    if below.is_empty() {
        return vaults::one(request, group, name, ctx, tx);
    }
    let Some(vault) = tx.get::<VaultRow>(key.as_str())? else {
        return Err(Refusal::resource_not_found(
            "Microsoft.RecoveryServices/vaults",
            name,
            group,
        ));
    };
    if vault.state() != "Succeeded" && request.method != http::Method::GET {
        return Err(Refusal::conflict(
            "ResourceNotReady",
            format!(
                "The vault '{name}' is {}; wait until it is Succeeded, then try again.",
                vault.state()
            ),
        ));
    }
    let at = VaultPath {
        id: ctx.vault_id(&vault.resource_group, &vault.name),
        resource_group: vault.resource_group.clone(),
        name: vault.name.clone(),
        key,
        rest: below.to_vec(),
    };
    let lower = at.lower();
    let words: Vec<&str> = lower.iter().map(String::as_str).collect();
    if let Some(answer) = offer::instead(request, Base::Vault, &words) {
        return answer.map(|response| (response, Vec::new()));
    }
    match vaults::below(request, &at, &vault, ctx, tx) {
        Some(answer) => answer,
        None => backup::route(request, &at, &vault, ctx, tx),
    }
}

/// Lives through the present moment: starts what is due, cleans up what has expired.
///
/// # Errors
/// When the store fails; so for every function below.
pub fn tick(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<Vec<Effect>, StoreError> {
    let mut effects = vaults::tick(ctx, tx)?;
    effects.extend(backup::tick(ctx, tx)?);
    Ok(effects)
}

/// When [`tick`] will next have something to do; `None` when nothing is planned.
pub fn next_due(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    let due = [backup::next_due(ctx, tx)?, vaults::next_due(ctx, tx)?];
    Ok(due.into_iter().flatten().min())
}

/// Whether something is under way that was due: a job, or the end of a soft-deleted vault.
pub fn busy(tx: &Tx<'_>) -> Result<bool, StoreError> {
    Ok(backup::busy(tx)? || vaults::busy(tx)?)
}

/// A person has set the service's time by the machine's clock: what was planned by another time is planned anew.
///
/// # Errors
/// When the store fails; so for every function below.
pub fn clock_was_set(ctx: &Context<'_>, tx: &mut Tx<'_>) -> Result<(), StoreError> {
    backup::clock_was_set(ctx, tx)
}

/// The last time that the rows of a store tell which keeps none.
pub fn last_known_time(tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    backup::last_known_time(tx)
}

/// How many recovery points are kept beyond their end because the time until it is not proven to have passed.
pub fn held_back(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<usize, StoreError> {
    backup::held_back(ctx, tx, None)
}

/// Whether there is anything that a wrong clock could destroy.
pub fn holds_data(tx: &Tx<'_>) -> Result<bool, StoreError> {
    Ok(backup::holds_data(tx)? || vaults::holds_deleted(tx)?)
}

/// What the state tells in numbers at this moment, for a scrape. Whoever has another number adds it to its part's list.
pub fn gauges(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Vec<Gauge>, StoreError> {
    let mut gauges = vaults::gauges(tx)?;
    gauges.extend(backup::gauges(ctx, tx)?);
    gauges.extend(health::gauges(ctx, tx)?);
    Ok(gauges)
}

/// Takes note of what a mover did.
pub fn on_mover(
    report: &MoverReport,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Vec<Effect>, StoreError> {
    backup::on_mover(report, ctx, tx)
}

/// Takes note of bitmaps that were removed.
pub fn on_bitmaps(
    report: &BitmapReport,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<(), StoreError> {
    backup::on_bitmaps(report, ctx, tx)
}

/// Takes note of a repository that was made or removed.
pub fn on_repository(
    report: &RepositoryReport,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Vec<Effect>, StoreError> {
    vaults::on_repository(report, ctx, tx)
}

/// What has to be done again after a restart for vaults that were being made or removed.
pub fn resume(ctx: &Context<'_>, tx: &Tx<'_>) -> Result<Vec<Effect>, StoreError> {
    vaults::resume(ctx, tx)
}

fn known_root(lower: &[String], request: &Request) -> Result<(), Refusal> {
    match lower.first().map(String::as_str) {
        Some("subscriptions" | "tenants" | "providers") => Ok(()),
        _ => Err(Refusal::no_route(&request.path)),
    }
}

/// Checks the version that the call asks for. What is not the vaults' provider has versions of its own, far more of them: there
/// we only want to see that there is one.
fn api_version(request: &Request, words: &[String]) -> Result<(), Refusal> {
    let ours = words
        .iter()
        .skip_while(|word| *word != "providers")
        .nth(1)
        .is_some_and(|provider| provider == PROVIDER);
    let refused = match (
        kluis_arm::api_version::check(request.query.get("api-version")),
        ours,
    ) {
        (Ok(()), _) | (Err(ApiVersionError::Unknown(_)), false) => return Ok(()),
        (Err(error), _) => error,
    };
    let missing = refused == ApiVersionError::Missing;
    let code = if missing {
        code::MISSING_API_VERSION
    } else {
        code::INVALID_API_VERSION
    };
    Err(Refusal::bad_request(code, sentence(&refused.to_string())))
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}.", first.to_uppercase(), letters.as_str())
    })
}

fn permitted(request: &Request) -> Result<(), Refusal> {
    let reads = request.method == http::Method::GET || request.method == http::Method::HEAD;
    if reads || request.principal.role >= Role::Contributor {
        return Ok(());
    }
    Err(Refusal::new(
        403,
        code::AUTHORIZATION_FAILED,
        format!(
            "The client '{}' does not have authorization to perform {} over '{}': its role is Reader. \
             Give it the role Contributor in the inventory's identities.",
            request.principal.client_id, request.method, request.path
        ),
    ))
}
