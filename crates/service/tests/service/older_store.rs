//! A store and a vault as the version of 2026-11-30 wrote them, before vaults had copies of what opens them and snapshots
//! carried their points: all of it is there, and goes on.
//!
//! Two machines with three points each, and a backup whose mover had saved its snapshot when the service was killed. The file
//! `points` has a machine, a point and the SHA-256 of its disk's bytes a line. In the documents `@ROOT@` stands for the folder
//! that all of it was in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kluis_service::shell::Threads;
use kluis_service::{Config, Movers, start};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::movers::Site;
use crate::shell::{bearer, call, config, follow};

const PACKED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/service/fixtures/store-of-2026-11-30.tar.gz"
);
const GROUP: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups";

fn unpack(dir: &Path) {
    let unpacked = Command::new("tar")
        .args(["-xzf", PACKED, "-C"])
        .arg(dir)
        .status()
        .unwrap();
    assert!(unpacked.success());
    let root = dir.to_str().unwrap();
    for job in fs::read_dir(dir.join("data/jobs")).unwrap().flatten() {
        let text = fs::read_to_string(job.path()).unwrap();
        fs::write(job.path(), text.replace("@ROOT@", root)).unwrap();
    }
    let store = rusqlite::Connection::open(dir.join("data/state.db")).unwrap();
    for table in kluis_service::store::TABLES {
        let sql = format!("UPDATE {table} SET body = replace(body, '@ROOT@', ?1)");
        store.execute(&sql, [root]).unwrap();
    }
}

fn begin(dir: &Path) -> Site<'_> {
    // It writes an inventory of its own.
    let unused = tempfile::tempdir().unwrap();
    let running = start(Config {
        data_dir: dir.join("data"),
        inventory: dir.join("inventory.yaml"),
        movers: Movers::Own(Box::new(Threads)),
        ..config(unused.path())
    });
    let running = running.map_err(|error| error.to_string()).unwrap();
    let token = bearer(&running, dir);
    let vault = format!("{GROUP}/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu");
    Site::over(dir, running, token, vault)
}

fn item(vm: &str) -> String {
    format!(
        "/backupFabrics/Azure/protectionContainers/IaasVMContainer;iaasvmcontainerv2;shop-rg;{vm}/protectedItems/VM;iaasvmcontainerv2;shop-rg;{vm}"
    )
}

fn points(site: &Site<'_>, vm: &str) -> Vec<Value> {
    let found = site.get(&format!("{}/recoveryPoints", item(vm)));
    found["value"].as_array().unwrap().clone()
}

/// Restores a point's disk from the vault, and the SHA-256 of the disk's bytes.
fn restored(site: &Site<'_>, dir: &Path, vm: &str, point: &str) -> String {
    drop(fs::remove_dir_all(dir.join("restored")));
    let path = format!("{}/recoveryPoints/{point}/restore", item(vm));
    let begun = site.call("POST", &path, &json!({ "properties": {
        "objectType": "IaasVMRestoreRequest", "recoveryPointId": point, "recoveryType": "RestoreDisks", "region": "westeurope",
        "sourceResourceId": format!("{GROUP}/shop-rg/providers/Microsoft.Compute/virtualMachines/{vm}"),
        "storageAccountId": format!("{GROUP}/shop-rg/providers/Microsoft.Storage/storageAccounts/stagingweu"),
        "targetResourceGroupId": format!("{GROUP}/shop-restored"), "createNewCloudService": false,
        "originalStorageAccountOption": false,
    } }));
    assert_eq!(begun.status, 202, "{}", begun.body);
    let done = follow(&site.running, dir, &site.token, &begun);
    let job = site.end_of(done["properties"]["jobId"].as_str().unwrap());
    assert!(
        job["status"].as_str().unwrap().starts_with("Completed"),
        "{job}"
    );
    let made = fs::read_dir(dir.join("restored/shop-restored")).unwrap();
    let image = made
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.extension()
                .is_some_and(|found| found == "raw" || found == "qcow2")
        })
        .unwrap();
    let raw = raw_of(dir, image);
    hex::encode(Sha256::digest(fs::read(raw).unwrap()))
}

fn raw_of(dir: &Path, image: PathBuf) -> PathBuf {
    if image.extension().is_some_and(|found| found == "raw") {
        return image;
    }
    let raw = dir.join("raw");
    let converted = Command::new("qemu-img")
        .args(["convert", "-q", "-O", "raw"])
        .args([&image, &raw])
        .status()
        .unwrap();
    assert!(converted.success());
    raw
}

#[test]
fn a_store_and_a_vault_of_2026_11_30_open_and_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    unpack(dir);
    let expected: Vec<(String, String, String)> = fs::read_to_string(dir.join("points"))
        .unwrap()
        .lines()
        .map(|line| {
            let mut words = line.split(' ').map(str::to_owned);
            let mut next = || words.next().unwrap();
            (next(), next(), next())
        })
        .collect();
    // What is beside the machines hides what is in the vault.
    fs::remove_dir_all(dir.join("data/snapshots")).unwrap();
    let first = begin(dir);
    let jobs = first.get("/backupJobs")["value"]
        .as_array()
        .unwrap()
        .clone();
    let backups = jobs
        .iter()
        .filter(|job| job["properties"]["operation"] == "Backup");
    for job in backups {
        let ended = first.end_of(job["name"].as_str().unwrap());
        let status = ended["status"].as_str().unwrap();
        assert!(status.starts_with("Completed"), "{ended}");
    }
    // The last backup of web-1 was saved and not heard to be: it is a point all the same.
    let counted = ["web-1", "web-2"].map(|vm| points(&first, vm).len());
    assert_eq!(counted, [4, 3]);
    for (vm, point, sum) in &expected {
        assert_eq!(&restored(&first, dir, vm, point), sum, "{vm} {point}");
    }
    let job = back_up(&first, dir, "web-2");
    assert!(
        job["status"].as_str().unwrap().starts_with("Completed"),
        "{job}"
    );
    assert_eq!(points(&first, "web-2").len(), 4);
    first.running.shutdown().unwrap();

    // Its vault has its copies now, and the new state goes on, too.
    assert!(
        dir.join("data/vaults/shop-rg/shop-weu/copies/config")
            .exists()
    );
    let second = begin(dir);
    let newest: BTreeMap<&str, Value> = ["web-1", "web-2"]
        .map(|vm| (vm, points(&second, vm)[0].clone()))
        .into();
    let headers = [("Authorization", second.token.as_str())];
    let body = r#"{"advance":"P400D"}"#;
    fs::remove_dir_all(dir.join("disks")).unwrap();
    let moved = call(
        &second.running,
        dir,
        "POST",
        "/_kluis/clock",
        &headers,
        body,
    );
    assert_eq!(moved.status, 200, "{}", moved.body);
    for (vm, newest) in newest {
        let left = points(&second, vm);
        assert_eq!(
            left.len(),
            1,
            "{vm}: all others have expired, and the newest never does"
        );
        assert_eq!(left[0]["name"], newest["name"]);
    }
    second.running.shutdown().unwrap();
}

fn back_up(site: &Site<'_>, dir: &Path, vm: &str) -> Value {
    let begun = site.call(
        "POST",
        &format!("{}/backup", item(vm)),
        &json!({ "properties": { "objectType": "IaasVMBackupRequest" } }),
    );
    assert_eq!(begun.status, 202, "{}", begun.body);
    let done = follow(&site.running, dir, &site.token, &begun);
    site.end_of(done["properties"]["jobId"].as_str().unwrap())
}
