//! A data folder of the version before: what it holds is there after the upgrade.

use std::path::Path;

use kluis_service::store::Store;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::world::{VAULT, World};

/// The documents as the first version wrote them: a vault, a protected machine with one point in the vault, a backup that
/// ended, one that ran when the service was stopped, and the day of the last cleanup.
fn first_version(path: &Path) {
    let database = Connection::open(path).unwrap();
    let tables = [
        "vaults",
        "policies",
        "containers",
        "items",
        "points",
        "jobs",
        "operations",
        "restored",
        "meta",
    ];
    for table in tables {
        database
            .execute_batch(&format!(
                "CREATE TABLE {table} (key TEXT PRIMARY KEY NOT NULL, vault TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
                 CREATE INDEX {table}_by_vault ON {table} (vault, key);"
            ))
            .unwrap();
    }
    database.pragma_update(None, "user_version", 1).unwrap();
    let item = "shop-rg/v1/shop-rg/web-1";
    let put = |table: &str, key: &str, body: &Value| {
        database
            .execute(
                &format!("INSERT INTO {table} (key, vault, body) VALUES (?1, 'shop-rg/v1', ?2)"),
                [key, &body.to_string()],
            )
            .unwrap();
    };
    put(
        "vaults",
        "shop-rg/v1",
        &json!({
            "resourceGroup": "shop-rg", "name": "v1", "location": "westeurope", "tags": {}, "sku": {"name": "Standard"},
            "identity": null, "etag": "e", "operation": null, "properties": {"provisioningState": "Succeeded"},
        }),
    );
    put(
        "items",
        item,
        &json!({
            "vault": "shop-rg/v1", "resourceGroup": "shop-rg", "vm": "web-1", "vmId": "/subscriptions/s/vm", "state": "protected",
            "policy": "DefaultPolicy", "dataId": "1", "disks": null, "handled": "2026-11-21T20:00:00Z", "waiting": null,
            "lastBackup": {"began": "2026-11-21T20:00:00Z", "fault": null}, "lastPoint": "2026-11-21T20:00:00Z",
        }),
    );
    put(
        "points",
        &format!("{item}/100000000000001"),
        &json!({
            "vault": "shop-rg/v1", "item": item, "name": "100000000000001", "time": "2026-11-21T20:00:00Z",
            "origin": {"by": "schedule", "due": "2026-11-21T20:00:00Z", "tags": {"weekly": true, "monthly": false, "yearly": false}},
            "snapshot": "5a", "job": "00000000-0000-4000-8000-0000000000aa", "enhanced": false, "vm": "web-1",
            "vmSize": "Standard_D2s_v5", "windows": false,
            "disks": [{"name": "web-1-os", "lun": null, "sku": "StandardSSD_LRS", "size": 1073741824, "os": "Linux"}],
            "logical": 1073741824, "read": 7, "stored": 5, "removing": false,
        }),
    );
    let job = |id: &str, stage: Value, due: Value, until: Value, saved: Value| {
        json!({
            "id": id, "vault": "shop-rg/v1", "item": item, "vm": "web-1", "container": "iaasvmcontainerv2;shop-rg;web-1",
            "kind": "Backup", "stage": stage, "began": "2026-11-21T20:00:00Z", "sequence": 1, "activity": "a", "crashes": 0,
            "cancel": null, "facts": [["VM Name", "web-1"]], "warnings": [], "fault": null,
            "copied": {"done": 9, "total": 9, "started": "2026-11-21T20:00:01Z", "read": "2026-11-21T20:03:00Z"},
            "work": {"kind": "backup", "point": "100000000000001", "due": due, "until": until, "policy": "DefaultPolicy",
                "taken": "2026-11-21T20:00:00Z", "disks": [], "saved": saved},
        })
    };
    put(
        "jobs",
        "ended/00000000-0000-4000-8000-0000000000aa",
        &job(
            "00000000-0000-4000-8000-0000000000aa",
            json!({"at": "ended", "when": "2026-11-21T20:05:00Z", "outcome": "Completed"}),
            json!("2026-11-21T20:00:00Z"),
            json!(null),
            json!({"snapshot": "5a", "logical": 1_073_741_824, "read": 7, "stored": 5}),
        ),
    );
    put(
        "jobs",
        "active/00000000-0000-4000-8000-0000000000bb",
        &job(
            "00000000-0000-4000-8000-0000000000bb",
            json!({"at": "running"}),
            json!(null),
            json!("2026-12-24T00:00:00Z"),
            json!(null),
        ),
    );
    put(
        "meta",
        "cleaned/shop-rg/v1",
        &json!({"vault": "shop-rg/v1", "at": "2026-11-22T00:00:00Z", "wanted": false}),
    );
}

#[test]
fn a_store_of_the_first_version_keeps_every_point_and_every_job() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    first_version(&path);
    let mut world = World::new();
    world.store = Store::open(&path).unwrap();
    let item = "backupFabrics/Azure/protectionContainers/IaasVMContainer;iaasvmcontainerv2;shop-rg;web-1/protectedItems/VM;iaasvmcontainerv2;shop-rg;web-1";
    let points = world.get(&format!("{VAULT}/{item}/recoveryPoints"));
    let points = points.body.unwrap()["value"].clone();
    assert_eq!(points.as_array().unwrap().len(), 1);
    let point = &points[0]["properties"];
    assert_eq!(point["recoveryPointTime"], "2026-11-21T20:00:00Z");
    assert_eq!(point["recoveryPointType"], "CrashConsistent");
    assert_eq!(
        point["recoveryPointTierDetails"],
        json!([{"type": "HardenedRP", "status": "Valid"}])
    );
    let ended = world.get(&format!(
        "{VAULT}/backupJobs/00000000-0000-4000-8000-0000000000aa"
    ));
    let ended = ended.body.unwrap()["properties"].clone();
    assert_eq!(ended["isUserTriggered"], false);
    let tasks = ended["extendedInfo"]["tasksList"]
        .as_array()
        .unwrap()
        .clone();
    assert!(
        tasks.iter().all(|task| task["status"] == "Completed"),
        "{tasks:?}"
    );
    let active = world.get(&format!(
        "{VAULT}/backupJobs/00000000-0000-4000-8000-0000000000bb"
    ));
    assert_eq!(active.body.unwrap()["properties"]["isUserTriggered"], true);
    drop(world);
    Store::open(&path).unwrap();
}
