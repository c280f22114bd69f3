//! Every body that the real service was recorded to exchange with Microsoft's own client reads and writes back the same.

use kluis_arm::backup::TriggerBackup;
use kluis_arm::config::{
    EncryptionConfigResource, ResourceGuardProxyResource, VaultConfigResource,
};
use kluis_arm::container::Container;
use kluis_arm::error::ErrorBody;
use kluis_arm::id::segments;
use kluis_arm::item::Item;
use kluis_arm::job::Job;
use kluis_arm::operation::OperationStatus;
use kluis_arm::policy::Policy;
use kluis_arm::protectable::Protectable;
use kluis_arm::recovery_point::RecoveryPoint;
use kluis_arm::resource::Page;
use kluis_arm::restore::TriggerRestore;
use kluis_arm::vault::Vault;
use serde_json::Value;

use crate::examples::same;
use crate::published::{Reread, Shape, folder, read_lines, shape};

/// What stands at a path below a vault, its names replaced by `*`; both what is written there and what is read.
const SHAPES: &[(&str, Shape)] = &[
    ("", shape::<Vault>),
    ("backupconfig/vaultconfig", shape::<VaultConfigResource>),
    (
        "backupEncryptionConfigs/backupResourceEncryptionConfig",
        shape::<EncryptionConfigResource>,
    ),
    (
        "backupResourceGuardProxies",
        shape::<Page<ResourceGuardProxyResource>>,
    ),
    ("backupPolicies", shape::<Page<Policy>>),
    ("backupPolicies/*", shape::<Policy>),
    ("backupJobs/*", shape::<Job>),
    ("backupOperations/*", shape::<OperationStatus>),
    ("operationStatus/*", shape::<OperationStatus>),
    ("backupProtectableItems", shape::<Page<Protectable>>),
    ("backupProtectedItems", shape::<Page<Item>>),
    ("backupProtectionContainers", shape::<Page<Container>>),
    (
        "backupDeletedProtectionContainers",
        shape::<Page<Container>>,
    ),
    ("backupFabrics/*/protectionContainers/*", shape::<Container>),
    (
        "backupFabrics/*/protectionContainers/*/operationResults/*",
        shape::<Container>,
    ),
    (
        "backupFabrics/*/protectionContainers/*/protectedItems/*",
        shape::<Item>,
    ),
    (
        "backupFabrics/*/protectionContainers/*/protectedItems/*/backup",
        shape::<TriggerBackup>,
    ),
    (
        "backupFabrics/*/protectionContainers/*/protectedItems/*/recoveryPoints",
        shape::<Page<RecoveryPoint>>,
    ),
    (
        "backupFabrics/*/protectionContainers/*/protectedItems/*/recoveryPoints/*",
        shape::<RecoveryPoint>,
    ),
    (
        "backupFabrics/*/protectionContainers/*/protectedItems/*/recoveryPoints/*/restore",
        shape::<TriggerRestore>,
    ),
];

/// Calls of other workloads that are not served.
const NOT_SERVED: &[&str] = &[
    "backupFabrics/*/protectableContainers",
    "backupProtectionIntents",
    "backupStatus",
];

#[test]
fn recorded_bodies_of_virtual_machines_read_and_write_back_the_same() {
    check(
        &["backup_scenario", "backup_protection", "backup_softdelete"],
        true,
    );
}

#[test]
fn recorded_bodies_of_other_workloads_are_kept() {
    check(
        &[
            "afs_backup_scenario",
            "backup_wl_hana_restore",
            "backup_wl_sql_protection",
        ],
        false,
    );
}

fn check(traces: &[&str], must_be_known: bool) {
    let Some(folder) = folder() else { return };
    for trace in traces {
        let exchanges = read_lines(&folder.join(format!("traces/{trace}.jsonl")));
        let mut bodies = 0;
        for exchange in &exchanges {
            let (method, uri) = (
                exchange["method"].as_str().unwrap(),
                exchange["uri"].as_str().unwrap(),
            );
            let Some(place) = place(uri) else { continue };
            let status = exchange["status"].as_u64().unwrap();
            if NOT_SERVED.contains(&place.as_str()) {
                continue;
            }
            let known = SHAPES
                .iter()
                .find(|(path, _)| path.eq_ignore_ascii_case(&place))
                .map(|(_, shape)| *shape);
            for (side, shape) in [
                ("request", known),
                (
                    "response",
                    if status < 400 { known } else { error(exchange) },
                ),
            ] {
                if exchange[side].is_null() {
                    continue;
                }
                bodies += 1;
                let result = same(&without_ellipses(&exchange[side]), shape, must_be_known);
                assert!(
                    result.is_ok(),
                    "{trace}: {method} {uri} ({status}), {side}: {}",
                    result.unwrap_err()
                );
            }
        }
        assert!(bodies > 10, "{trace} had {bodies} bodies only");
    }
}

/// Failures come in Resource Manager's form, or in an older one that is only ever read.
fn error(exchange: &Value) -> Option<Shape> {
    fn legacy(body: &Value) -> Result<Reread, String> {
        let error = ErrorBody::read(body.to_string().as_bytes()).error;
        let known = error.code == body["ErrorCode"].as_str().unwrap() && !error.message.is_empty();
        Ok(Reread {
            body: body.clone(),
            known,
        })
    }
    Some(if exchange["response"].get("ErrorCode").is_some() {
        legacy
    } else {
        shape::<ErrorBody>
    })
}

/// The path below the vault with its names replaced, as in [`SHAPES`]; none for what is not in a vault.
fn place(uri: &str) -> Option<String> {
    let path = uri.split('?').next()?;
    let parts = segments(path).ok()?;
    let vault = parts
        .iter()
        .position(|part| part.eq_ignore_ascii_case("vaults"))?;
    let below = parts.get(vault + 2..)?;
    let fixed = below
        .first()
        .is_some_and(|first| first.ends_with("onfig") || first.ends_with("onfigs"));
    let place = below.iter().enumerate().map(|(at, part)| {
        if at % 2 == 1 && !fixed {
            "*"
        } else {
            part.as_str()
        }
    });
    Some(place.collect::<Vec<_>>().join("/"))
}

/// The recordings end long lists with a text that says how many more there were.
fn without_ellipses(body: &Value) -> Value {
    match body {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| (key.clone(), without_ellipses(value)))
                .collect(),
        ),
        Value::Array(values) => {
            let is_ellipsis =
                |value: &&Value| value.as_str().is_some_and(|text| text.starts_with('…'));
            Value::Array(
                values
                    .iter()
                    .filter(|value| !is_ellipsis(value))
                    .map(without_ellipses)
                    .collect(),
            )
        }
        other => other.clone(),
    }
}
