//! A vault's managed identity: what a body says of it, put over what there is, and the ids that Azure gives to each.
//!
//! The service signs in nowhere as a vault. The ids are made up once and kept, because clients read them to give roles to them.

use serde_json::{Map, Value, json};

use crate::core::{Context, Refusal};

/// Whether the identities that a body leaves out stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// They stay, as with PATCH: a null removes one.
    Stay,
    /// They go, as with PUT: the body names all.
    Go,
}

/// The identity after a body said `said` of it; `None` where a vault has none and was never given one.
///
/// # Errors
/// 400 for a type that is none, and for one whose identities are missing.
pub(crate) fn merged(
    old: Option<&Value>,
    said: &Value,
    left: Left,
    ctx: &Context<'_>,
) -> Result<Option<Value>, Refusal> {
    if said.is_null() {
        return Ok(old.cloned());
    }
    let Some(said) = said.as_object() else {
        return Err(invalid("'identity' must be a JSON object with a 'type'."));
    };
    let before = old.cloned().unwrap_or_default();
    let named = match said.get("type").or(before.get("type")) {
        Some(Value::String(word)) => word.as_str(),
        None => "None",
        Some(other) => {
            return Err(invalid(&format!(
                "'identity.type' must be a text; it is {other}."
            )));
        }
    };
    let kind = Kinds::parse(named)?;
    let mut users = match left {
        Left::Stay => before["userAssignedIdentities"]
            .as_object()
            .cloned()
            .unwrap_or_default(),
        Left::Go => Map::new(),
    };
    change(&mut users, said.get("userAssignedIdentities"), &before, ctx)?;
    if kind.user && users.is_empty() {
        return Err(Refusal::bad_request(
            "MissingIdentityIds",
            "The identity ids must not be null or empty for 'UserAssigned' identity type.",
        ));
    }
    let mut identity = json!({ "type": kind.word() });
    if kind.system {
        let known = before["principalId"].as_str();
        identity["principalId"] = json!(known.map_or_else(|| ctx.new_id(), str::to_owned));
        identity["tenantId"] = json!(ctx.tenant);
    }
    if kind.user {
        identity["userAssignedIdentities"] = Value::Object(users);
    }
    Ok(Some(identity))
}

/// Whether Azure answers a PATCH of a recovery services vault with the vault itself: where nothing but its identity changes, and that
/// names no identity of a user's.
pub(super) fn is_done_at_once(body: &Value) -> bool {
    let word = body["identity"]["type"].as_str().unwrap_or_default();
    let alone = body.as_object().is_some_and(|body| body.len() == 1);
    alone && (word.eq_ignore_ascii_case("None") || word.eq_ignore_ascii_case("SystemAssigned"))
}

/// Which identities a type is made of.
struct Kinds {
    system: bool,
    user: bool,
}

impl Kinds {
    /// Reads `None`, `SystemAssigned`, `UserAssigned`, or both of the latter with a comma between.
    fn parse(word: &str) -> Result<Self, Refusal> {
        let mut kinds = Self {
            system: false,
            user: false,
        };
        for part in word.split(',').map(str::trim) {
            match part.to_ascii_lowercase().as_str() {
                "systemassigned" => kinds.system = true,
                "userassigned" => kinds.user = true,
                "none" if !word.contains(',') => {}
                _ => {
                    return Err(invalid(&format!(
                        "'identity.type' is '{word}'; it may be 'None', 'SystemAssigned', 'UserAssigned' or 'SystemAssigned, UserAssigned'."
                    )));
                }
            }
        }
        Ok(kinds)
    }

    fn word(&self) -> &'static str {
        match (self.system, self.user) {
            (false, false) => "None",
            (true, false) => "SystemAssigned",
            (false, true) => "UserAssigned",
            (true, true) => "SystemAssigned, UserAssigned",
        }
    }
}

/// Adds, keeps and removes user-assigned identities. Their ids are the same in any case.
fn change(
    users: &mut Map<String, Value>,
    said: Option<&Value>,
    before: &Value,
    ctx: &Context<'_>,
) -> Result<(), Refusal> {
    let said = match said {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(said)) => said,
        Some(other) => {
            return Err(invalid(&format!(
                "'identity.userAssignedIdentities' must be an object of ids; it is {other}."
            )));
        }
    };
    let known = before["userAssignedIdentities"].as_object();
    for (id, value) in said {
        let same = |(key, _): &(&String, &Value)| key.eq_ignore_ascii_case(id);
        let present = known.and_then(|known| known.iter().find(same));
        users.retain(|key, _| !key.eq_ignore_ascii_case(id));
        if value.is_null() {
            continue;
        }
        let (id, value) = present.map_or_else(
            || {
                (
                    id.clone(),
                    json!({ "clientId": ctx.new_id(), "principalId": ctx.new_id() }),
                )
            },
            |(key, value)| (key.clone(), value.clone()),
        );
        users.insert(id, value);
    }
    Ok(())
}

fn invalid(message: &str) -> Refusal {
    Refusal::bad_request("InvalidIdentityValues", message)
}
