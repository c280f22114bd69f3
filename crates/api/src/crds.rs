//! The custom resource definitions, made from the types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, ValidationRule,
};
use kube::CustomResourceExt;

use crate::backup_policy::rules;
use crate::{BackupJob, BackupPolicy, BackupService, ProtectedVM, Restore, Vault};

/// Every kind's definition, in the order in which a person meets them. Applying them is all that an API server needs.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    [
        BackupService::crd(),
        Vault::crd(),
        BackupPolicy::crd(),
        ProtectedVM::crd(),
        BackupJob::crd(),
        Restore::crd(),
    ]
    .into_iter()
    .map(finished)
    .collect()
}

/// The observed generation before the first status.
pub(crate) fn never() -> i64 {
    -1
}

/// Adds what the derive cannot say.
fn finished(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let is_policy = crd.spec.names.kind == "BackupPolicy";
    for version in &mut crd.spec.versions {
        let Some(root) = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut())
        else {
            continue;
        };
        without_null(root);
        if let (true, Some(properties)) = (is_policy, root.properties.as_mut()) {
            properties.entry("spec".to_owned()).and_modify(with_rules);
        }
        // A default inside an absent object is never filled in: the status itself needs one, or a new object would look current
        // to whoever waits for it.
        if let Some(status) = root
            .properties
            .as_mut()
            .and_then(|properties| properties.get_mut("status"))
        {
            status.default = Some(JSON(serde_json::json!({ "observedGeneration": never() })));
        }
    }
    crd
}

/// The rules of a policy that depend on its workload.
fn with_rules(spec: &mut JSONSchemaProps) {
    let made = rules::rules().into_iter().map(|rule| ValidationRule {
        rule: rule.asks,
        message: Some(rule.message),
        field_path: Some(rule.field)
            .filter(|field| !field.is_empty())
            .map(|field| format!(".{field}")),
        ..ValidationRule::default()
    });
    spec.x_kubernetes_validations
        .get_or_insert_with(Vec::new)
        .extend(made);
}

/// A field that is left out and one that is null mean the same to a person. Where null is not allowed, the API server drops it, and
/// `has()` in a rule has one meaning.
fn without_null(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    for property in schema
        .properties
        .iter_mut()
        .flat_map(|properties| properties.values_mut())
    {
        without_null(property);
    }
    match schema.items.as_mut() {
        Some(JSONSchemaPropsOrArray::Schema(items)) => without_null(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(without_null),
        None => {}
    }
}
