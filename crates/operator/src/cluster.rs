//! What is read of a cluster besides our own kinds: a namespace's labels, and the operator's Secrets.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use kube::{Api, Client, core::PartialObjectMeta};

use crate::objects::ObjectsError;

/// The labels of a namespace; none for a namespace that is not there.
pub(crate) async fn namespace_labels(
    client: &Client,
    name: &str,
) -> Result<Option<BTreeMap<String, String>>, ObjectsError> {
    let namespaces = Api::<PartialObjectMeta<core::Namespace>>::all(client.clone());
    let found = namespaces.get_opt(name).await;
    let found = found
        .map_err(|error| ObjectsError::failed(format!("reading the namespace {name}"), error))?;
    Ok(found.map(|namespace| namespace.metadata.labels.unwrap_or_default()))
}

/// A Secret of the operator's own namespace, if it is there.
pub(crate) async fn secret(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<core::Secret>, ObjectsError> {
    let secrets = Api::<core::Secret>::namespaced(client.clone(), namespace);
    let found = secrets.get_opt(name).await;
    found.map_err(|error| {
        let doing = format!("reading the Secret {name} of the namespace {namespace}");
        ObjectsError::failed(doing, error)
    })
}
