//! Objects around an object: decoded, or not there.

use std::collections::BTreeMap;

use kluis_api::{BackupPolicy, BackupService, ItemKind, ItemRef, ProtectedVM, Vault, VaultRef};
use kluis_plan::Access;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ObserveError;
use crate::{
    ctx::Ctx,
    kept::Kept,
    key::{Key, Kind},
    objects::ObjectsError,
};

/// The object itself.
pub(super) fn decode<T: DeserializeOwned>(key: &Key, object: &Value) -> Result<T, ObserveError> {
    T::deserialize(object).map_err(|source| ObserveError::Undecodable {
        key: key.clone(),
        source,
    })
}

/// An object that is named.
async fn named<T: DeserializeOwned>(key: &Key, ctx: &Ctx) -> Result<Option<T>, ObserveError> {
    match ctx.objects.known(key).await? {
        Some(object) => decode(key, &object).map(Some),
        None => Ok(None),
    }
}

pub(super) async fn service(name: &str, ctx: &Ctx) -> Result<Option<BackupService>, ObserveError> {
    named(&Key::service(name), ctx).await
}

pub(super) async fn vault(
    namespace: &str,
    reference: &VaultRef,
    ctx: &Ctx,
) -> Result<Option<Vault>, ObserveError> {
    let namespace = reference.namespace.as_deref().unwrap_or(namespace);
    named(&Key::new(Kind::Vault, namespace, &reference.name), ctx).await
}

pub(super) async fn policy(
    namespace: &str,
    name: &str,
    ctx: &Ctx,
) -> Result<Option<BackupPolicy>, ObserveError> {
    named(&Key::new(Kind::BackupPolicy, namespace, name), ctx).await
}

/// The item that a job or a restore names, and the vault that the item names.
pub(super) async fn item_and_vault(
    namespace: &str,
    reference: &ItemRef,
    ctx: &Ctx,
) -> Result<(Option<ProtectedVM>, Option<Vault>), ObserveError> {
    let item: Option<ProtectedVM> = match reference.kind {
        ItemKind::ProtectedVM => {
            named(
                &Key::new(Kind::ProtectedVM, namespace, &reference.name),
                ctx,
            )
            .await?
        }
        ItemKind::ProtectedDatabase
        | ItemKind::ProtectedFileShare
        | ItemKind::ProtectedDisk
        | ItemKind::ProtectedHost => None,
    };
    let vault = match &item {
        Some(item) => vault(namespace, &item.spec.vault_ref, ctx).await?,
        None => None,
    };
    Ok((item, vault))
}

/// What a namespace may ask of a vault's service.
pub(super) async fn access(
    namespace: &str,
    vault: Option<&Vault>,
    ctx: &Ctx,
) -> Result<Access, ObserveError> {
    let service = match vault {
        Some(vault) => service(&vault.spec.service_ref.name, ctx).await?,
        None => None,
    };
    Ok(Access {
        service,
        namespace_labels: labels(namespace, ctx).await?,
    })
}

async fn labels(namespace: &str, ctx: &Ctx) -> Result<BTreeMap<String, String>, ObjectsError> {
    let labels = ctx.objects.namespace_labels(namespace).await?;
    Ok(labels.unwrap_or_default())
}

/// The objects of these kinds that name `used`, decodable or not.
pub(super) async fn users(used: &Key, kinds: &[Kind], ctx: &Ctx) -> Result<Vec<Key>, ObjectsError> {
    users_that(used, kinds, ctx, |_| true).await
}

/// The objects of these kinds that name `used` and have not ended.
pub(super) async fn unfinished_users(
    used: &Key,
    kinds: &[Kind],
    ctx: &Ctx,
) -> Result<Vec<Key>, ObjectsError> {
    users_that(used, kinds, ctx, |kept| !is_finished(&kept.object())).await
}

async fn users_that(
    used: &Key,
    kinds: &[Kind],
    ctx: &Ctx,
    so: impl Fn(&Kept) -> bool,
) -> Result<Vec<Key>, ObjectsError> {
    let mut users = Vec::new();
    for kind in kinds {
        let found = ctx.objects.users(used, *kind).await?.into_iter();
        users.extend(found.filter(|(_, kept)| so(kept)).map(|(key, _)| key));
    }
    users.sort();
    Ok(users)
}

pub(super) fn key(kind: Kind, object: &Value) -> Option<Key> {
    Some(Key {
        kind,
        namespace: object["metadata"]["namespace"].as_str().map(str::to_owned),
        name: object["metadata"]["name"].as_str()?.to_owned(),
    })
}

/// Whether a bounded object has come to its end, one way or the other.
fn is_finished(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| {
        condition["type"] == "Succeeded"
            && matches!(condition["status"].as_str(), Some("True" | "False"))
    })
}

/// The namespace of an object that has one.
pub(super) fn namespace(key: &Key) -> &str {
    key.namespace.as_deref().unwrap_or_default()
}
