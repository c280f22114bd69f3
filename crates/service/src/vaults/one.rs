//! One vault: GET, PUT, PATCH, DELETE.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use kluis_arm::error::code;
use serde_json::{Value, json};

use super::identity::{self, Left};
use super::repository::under_way;
use super::{KIND, VaultRow, properties};
use crate::backup;
use crate::core::{Answer, Context, Effect, Refusal, Request, Response, VaultKey};
use crate::inventory::Inventory;
use crate::operations::{self, Operation, Progress, Scope};
use crate::store::{StoreError, Tx};

/// How many vaults a subscription may have.
const MOST: u64 = 500;

/// Answers the path of one vault, by its names as the client wrote them.
///
/// # Errors
/// ARM's refusals.
pub fn one(
    request: &Request,
    group: &str,
    name: &str,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let vault = tx.get::<VaultRow>(ctx.vault_key(group, name).as_str())?;
    match (&request.method, vault) {
        (&Method::GET, Some(vault)) => Ok((Response::ok(vault.render(ctx)), Vec::new())),
        (&Method::GET | &Method::PATCH, None) => {
            Err(Refusal::resource_not_found(KIND, name, group))
        }
        (&Method::PUT, None) => create(request, group, name, ctx, tx),
        (&Method::PUT, Some(vault)) => replace(request, vault, ctx, tx),
        (&Method::PATCH, Some(vault)) => patch(request, vault, ctx, tx),
        (&Method::DELETE, Some(vault)) => delete(request, vault, ctx, tx),
        (&Method::DELETE, None) => Ok((Response::empty(204), Vec::new())),
        (method, _) => Err(Refusal::wrong_method(method, &request.path)),
    }
}

fn create(
    request: &Request,
    group: &str,
    name: &str,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Answer {
    let Some(group) = ctx.inventory.resource_group(group) else {
        return Err(Refusal::no_group(group));
    };
    properties::name(name)?;
    if tx.total::<VaultRow>()? >= MOST {
        return Err(Refusal::bad_request(
            "SubscriptionVaultLimitExceeded",
            format!(
                "The subscription has {MOST} vaults, the most it may have (rule 37); delete one first."
            ),
        ));
    }
    let body = body(request)?;
    let location = body["location"]
        .as_str()
        .map(Inventory::region)
        .filter(|location| !location.is_empty());
    let Some(location) = location else {
        return Err(Refusal::bad_request(
            "LocationRequired",
            "The location property is required for this definition.",
        ));
    };
    let mut vault = VaultRow {
        resource_group: group.name.clone(),
        name: name.to_owned(),
        location,
        tags: json!({}),
        sku: json!({ "name": "Standard" }),
        identity: None,
        etag: String::new(),
        properties: properties::of_a_new_vault(),
        operation: None,
        shelf: None,
        extended_info: None,
    };
    vault.take(&body, false, Left::Go, ctx)?;
    let effect = provision(&mut vault, ctx, tx)?;
    Ok((provisioning(&vault, request, ctx, tx)?, vec![effect]))
}

fn replace(request: &Request, mut vault: VaultRow, ctx: &Context<'_>, tx: &mut Tx<'_>) -> Answer {
    let body = body(request)?;
    if let Some(location) = body["location"]
        .as_str()
        .filter(|l| Inventory::region(l) != vault.location)
    {
        return Err(Refusal::conflict(
            code::OTHER_LOCATION,
            format!(
                "The resource '{}' already exists in location '{}' in resource group '{}'. A resource with the same name cannot \
                 be created in location '{location}'. Please select a new resource name.",
                vault.name, vault.location, vault.resource_group
            ),
        ));
    }
    change(&mut vault, &body, Left::Go, ctx, tx)?;
    match vault.state() {
        // What asked first is still making it: the same operation tells how that ends.
        "Provisioning" => {
            tx.put(&vault)?;
            Ok((provisioning(&vault, request, ctx, tx)?, Vec::new()))
        }
        "Failed" => {
            let effect = provision(&mut vault, ctx, tx)?;
            Ok((provisioning(&vault, request, ctx, tx)?, vec![effect]))
        }
        _ => {
            tx.put(&vault)?;
            Ok((Response::ok(vault.render(ctx)), Vec::new()))
        }
    }
}

fn patch(request: &Request, mut vault: VaultRow, ctx: &Context<'_>, tx: &mut Tx<'_>) -> Answer {
    if vault.state() == "Provisioning" {
        return Err(Refusal::conflict(
            "ResourceNotReady",
            format!(
                "The vault '{}' is still being made; wait until it is Succeeded, then try again.",
                vault.name
            ),
        ));
    }
    let body = body(request)?;
    change(&mut vault, &body, Left::Stay, ctx, tx)?;
    tx.put(&vault)?;
    if identity::is_done_at_once(&body) {
        return Ok((Response::ok(vault.render(ctx)), Vec::new()));
    }
    let key = vault.id_key();
    let progress = Progress::Succeeded {
        result: Some(vault.render(ctx)),
    };
    let operation = operations::start(tx, ctx, &key, None, operation_id("2047", ctx), progress)?;
    let id = ctx.vault_id(&vault.resource_group, &vault.name);
    Ok((
        operation.follow(Response::empty(202), request, &id, Scope::Vault, true),
        Vec::new(),
    ))
}

fn delete(request: &Request, mut vault: VaultRow, ctx: &Context<'_>, tx: &mut Tx<'_>) -> Answer {
    let key = vault.id_key();
    let id = ctx.vault_id(&vault.resource_group, &vault.name);
    if vault.state() == "Deleting"
        && let Some(operation) = known(&vault, tx)?
    {
        return Ok((
            operation.follow(Response::empty(202), request, &id, Scope::Vault, true),
            Vec::new(),
        ));
    }
    if vault.state() == "Provisioning" {
        return Err(Refusal::conflict(
            "ResourceNotReady",
            format!(
                "The vault '{}' is still being made; wait until that has ended, then delete it.",
                vault.name
            ),
        ));
    }
    let softly = is_soft(request, &vault);
    empty(&vault, &key, softly, tx)?;
    let operation = operations::start(
        tx,
        ctx,
        &key,
        None,
        operation_id("1023", ctx),
        Progress::InProgress,
    )?;
    vault.properties["provisioningState"] = json!("Deleting");
    vault.operation = Some(operation.id.clone());
    vault.shelf = softly.then(|| ctx.new_id());
    tx.put(&vault)?;
    let mut effects = backup::stop_scrubs(tx, &key)?;
    effects.push(under_way(&vault, ctx));
    Ok((
        operation.follow(Response::empty(202), request, &id, Scope::Vault, true),
        effects,
    ))
}

/// The first api-version of which a deletion is a soft one.
const SOFT_SINCE: &str = "2024-09-30";

/// Whether a deletion can be undone: older clients, and vaults whose soft delete is off, delete for good.
fn is_soft(request: &Request, vault: &VaultRow) -> bool {
    let version = request.api_version();
    version
        .get(..SOFT_SINCE.len())
        .is_some_and(|date| date >= SOFT_SINCE)
        && vault.soft_delete().enabled
}

/// Refuses the deletion of a vault that still holds something; what is soft-deleted itself is soft-deleted with it.
fn empty(vault: &VaultRow, key: &VaultKey, softly: bool, tx: &Tx<'_>) -> Result<(), Refusal> {
    let contents = backup::contents(tx, key)?;
    let start = format!(
        "Recovery Services vault '{}' cannot be deleted as there are",
        vault.name
    );
    if contents.protected > 0 || contents.containers > 0 {
        return Err(Refusal::bad_request(
            code::VAULT_NOT_EMPTY,
            format!(
                "{start} existing resources within the vault: {} protected items, {} registered containers. Stop protection \
                 with delete data for each item, then delete the vault.",
                contents.protected, contents.containers
            ),
        ));
    }
    if contents.soft_deleted > 0 && !softly {
        return Err(Refusal::bad_request(
            code::VAULT_NOT_EMPTY_BACKEND,
            format!(
                "{start} backup items in soft deleted state in the vault: {}. They are removed for good when their retention \
                 ends; undelete them or wait, then delete the vault. From api-version {SOFT_SINCE}-preview on, the vault can be \
                 soft-deleted with them.",
                contents.soft_deleted
            ),
        ));
    }
    if backup::busy_in(tx, key)? {
        return Err(Refusal::conflict(
            "ResourceNotReady",
            format!(
                "A job is still at work in the vault '{}'; wait until it has ended, then delete the vault.",
                vault.name
            ),
        ));
    }
    Ok(())
}

fn change(
    vault: &mut VaultRow,
    body: &Value,
    left: Left,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<(), Refusal> {
    if vault.state() == "Deleting" {
        return Err(Refusal::conflict(
            "ResourceNotReady",
            format!(
                "The vault '{}' is being deleted; wait until it is gone, then try again.",
                vault.name
            ),
        ));
    }
    let locked = backup::redundancy_locked(tx, &vault.id_key())?;
    vault.take(body, locked, left, ctx)?;
    vault.etag = etag(ctx);
    Ok(())
}

/// Makes a vault `Provisioning` under a new operation.
fn provision(
    vault: &mut VaultRow,
    ctx: &Context<'_>,
    tx: &mut Tx<'_>,
) -> Result<Effect, StoreError> {
    let key = vault.id_key();
    let operation = operations::start(
        tx,
        ctx,
        &key,
        None,
        operation_id("2047", ctx),
        Progress::InProgress,
    )?;
    vault.properties["provisioningState"] = json!("Provisioning");
    vault.etag = etag(ctx);
    vault.operation = Some(operation.id);
    tx.put(vault)?;
    Ok(under_way(vault, ctx))
}

fn provisioning(
    vault: &VaultRow,
    request: &Request,
    ctx: &Context<'_>,
    tx: &Tx<'_>,
) -> Result<Response, Refusal> {
    let response = Response::json(201, vault.render(ctx));
    let id = ctx.vault_id(&vault.resource_group, &vault.name);
    Ok(match known(vault, tx)? {
        Some(operation) => operation.follow(response, request, &id, Scope::Vault, false),
        None => response,
    })
}

fn known(vault: &VaultRow, tx: &Tx<'_>) -> Result<Option<Operation>, StoreError> {
    vault
        .operation
        .as_ref()
        .map_or(Ok(None), |id| tx.get(&id.to_lowercase()))
}

/// The vault's operations have names of another form than all others: Base64 of a number and a GUID.
pub(super) fn operation_id(kind: &str, ctx: &Context<'_>) -> String {
    STANDARD.encode(format!("{kind};{}", ctx.new_id()))
}

pub(crate) fn etag(ctx: &Context<'_>) -> String {
    format!(
        "W/\"datetime'{}'\"",
        ctx.now.to_string().replace(':', "%3A")
    )
}

fn body(request: &Request) -> Result<Value, Refusal> {
    let body = request.json()?.filter(Value::is_object);
    body.ok_or_else(|| {
        Refusal::bad_request(
            code::INVALID_REQUEST_CONTENT,
            "The request needs a body that is a JSON object: the vault, or what is to change of it.",
        )
    })
}

impl VaultRow {
    /// The vault as ARM shows it.
    pub(super) fn render(&self, ctx: &Context<'_>) -> Value {
        let mut body = json!({
            "location": self.location, "name": self.name, "etag": self.etag,
            "properties": properties::with_consequences(self),
            "id": ctx.vault_id(&self.resource_group, &self.name), "type": KIND, "sku": self.sku, "tags": self.tags,
        });
        if let Some(identity) = &self.identity {
            body["identity"] = identity.clone();
        }
        body
    }

    /// Takes over what a body says; what it doesn't name stays.
    pub(super) fn take(
        &mut self,
        body: &Value,
        locked: bool,
        left: Left,
        ctx: &Context<'_>,
    ) -> Result<(), Refusal> {
        let before = properties::settled(&self.properties);
        let mut properties = before.clone();
        properties::merge(&mut properties, &body["properties"])?;
        properties::check(&before, &properties, locked)?;
        self.properties = properties;
        if let Some(tags) = body.get("tags").filter(|tags| !tags.is_null()) {
            self.tags = properties::tags(tags)?;
        }
        if let Some(sku) = body.get("sku").filter(|sku| sku["name"].is_string()) {
            self.sku = properties::sku(sku);
        }
        if let Some(identity) = body.get("identity") {
            self.identity = identity::merged(self.identity.as_ref(), identity, left, ctx)?;
        }
        Ok(())
    }
}
