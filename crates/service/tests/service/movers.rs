//! Movers as processes and as threads: bytes move, a crash is noticed, nothing outlives its service.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kluis_service::shell::Threads;
use kluis_service::{Config, Movers, Running, start};
use serde_json::{Value, json};

use crate::shell::{Answer, bearer, call, config, follow, vault};

const CONTAINER: &str = "IaasVMContainer;iaasvmcontainerv2;shop-rg;web-2";
const ITEM: &str = "VM;iaasvmcontainerv2;shop-rg;web-2";

pub(crate) struct Site<'a> {
    dir: &'a Path,
    pub(crate) running: Running,
    pub(crate) token: String,
    pub(crate) vault: String,
}

impl<'a> Site<'a> {
    pub(crate) fn start(dir: &'a Path, movers: Movers) -> Self {
        let running = start(Config {
            movers,
            ..config(dir)
        })
        .unwrap();
        Self::of(running, dir)
    }

    pub(crate) fn of(running: Running, dir: &'a Path) -> Self {
        let (token, vault) = (bearer(&running, dir), vault(&running));
        Self {
            dir,
            running,
            token,
            vault,
        }
    }

    /// A service that somebody else started over `dir`.
    pub(crate) fn over(dir: &'a Path, running: Running, token: String, vault: String) -> Self {
        Self {
            dir,
            running,
            token,
            vault,
        }
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let sign = if path.contains('?') { '&' } else { '?' };
        let target = format!("{}{path}{sign}api-version=2024-04-01", self.vault);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        call(
            &self.running,
            self.dir,
            method,
            &target,
            &[("Authorization", &self.token)],
            &body,
        )
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.call("GET", path, &Value::Null).body
    }

    pub(crate) fn item(&self) -> String {
        format!("/backupFabrics/Azure/protectionContainers/{CONTAINER}/protectedItems/{ITEM}")
    }

    /// A vault in which web-2 is protected.
    pub(crate) fn protect(&self) {
        self.make_vault();
        self.protect_by("DefaultPolicy");
    }

    pub(crate) fn make_vault(&self) {
        let made = self.call("PUT", "", &json!({ "location": "westeurope" }));
        follow(&self.running, self.dir, &self.token, &made);
    }

    pub(crate) fn protect_by(&self, policy: &str) {
        let vm = self.vault.replace(
            "Microsoft.RecoveryServices/vaults/v1",
            "Microsoft.Compute/virtualMachines/web-2",
        );
        let done = self.call(
            "PUT",
            &self.item(),
            &json!({ "properties": {
            "protectedItemType": "Microsoft.Compute/virtualMachines", "sourceResourceId": vm,
            "policyId": format!("{}/backupPolicies/{policy}", self.vault),
        } }),
        );
        assert_eq!(done.status, 202, "{}", done.body);
    }

    /// Backs web-2 up, and the job once it has ended.
    pub(crate) fn back_up(&self) -> Value {
        self.end_of(&self.begin_backup())
    }

    /// Begins a backup of web-2, and the job's id.
    pub(crate) fn begin_backup(&self) -> String {
        let begun = self.call(
            "POST",
            &format!("{}/backup", self.item()),
            &json!({ "properties": { "objectType": "IaasVMBackupRequest" } }),
        );
        assert_eq!(begun.status, 202, "{}", begun.body);
        let done = follow(&self.running, self.dir, &self.token, &begun);
        done["properties"]["jobId"].as_str().unwrap().to_owned()
    }

    pub(crate) fn end_of(&self, job: &str) -> Value {
        loop {
            let shown = self.get(&format!("/backupJobs/{job}"));
            if shown["properties"]["endTime"].is_string() {
                return shown["properties"].clone();
            }
            std::thread::yield_now();
        }
    }
}

/// Something that looks like a mover to the service: its job file is its last argument.
pub(crate) fn script(dir: &Path, lines: &str) -> PathBuf {
    let path = dir.join("mover.sh");
    std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn bytes_move_into_the_vault_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let disk: Vec<u8> = (0..3_000_000_u32)
        .flat_map(|n| (n / 7).to_le_bytes())
        .take(3 << 20)
        .collect();
    std::fs::write(dir.join("web-2-os.raw"), &disk).unwrap();
    let site = Site::start(dir, Movers::Own(Box::new(Threads)));
    site.protect();
    let job = site.back_up();
    assert_eq!(job["status"], "Completed", "{job}");
    let points = site.get(&format!("{}/recoveryPoints", site.item()));
    assert_eq!(points["value"].as_array().unwrap().len(), 1, "{points}");
    let point = points["value"][0]["name"].as_str().unwrap();
    let group = site.vault.split("/providers/").next().unwrap();
    let begun = site.call("POST", &format!("{}/recoveryPoints/{point}/restore", site.item()), &json!({ "properties": {
        "objectType": "IaasVMRestoreRequest", "recoveryPointId": point, "recoveryType": "RestoreDisks", "region": "westeurope",
        "sourceResourceId": format!("{group}/providers/Microsoft.Compute/virtualMachines/web-2"),
        "storageAccountId": format!("{group}/providers/Microsoft.Storage/storageAccounts/stagingweu"),
        "targetResourceGroupId": group, "createNewCloudService": false, "originalStorageAccountOption": false,
    } }));
    assert_eq!(begun.status, 202, "{}", begun.body);
    let done = follow(&site.running, dir, &site.token, &begun);
    let job = site.end_of(done["properties"]["jobId"].as_str().unwrap());
    assert_eq!(job["status"], "Completed", "{job}");
    let restored: Vec<PathBuf> = std::fs::read_dir(dir.join("restored/shop-rg"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let images: Vec<&PathBuf> = restored
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "raw"))
        .collect();
    assert_eq!(images.len(), 1, "{restored:?}");
    assert!(
        std::fs::read(images[0]).unwrap() == disk,
        "the restored disk is the disk"
    );
    let target = format!("{group}/providers/Microsoft.Compute/disks?api-version=2024-03-02");
    let disks = call(
        &site.running,
        dir,
        "GET",
        &target,
        &[("Authorization", &site.token)],
        "",
    )
    .body;
    let unattached = disks["value"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|disk| disk["properties"]["diskState"] == "Unattached");
    assert_eq!(unattached.count(), 1, "{disks}");
    site.running.shutdown().unwrap();
}

#[test]
fn a_mover_gets_its_key_by_stdin_and_its_crash_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("web-2-os.raw"), vec![1; 1 << 20]).unwrap();
    let key = dir.join("key");
    let mover = script(
        dir,
        &format!(
            "cat > {}\ncp \"$2\" {}.job\necho 'the pipe burst' >&2\nexit 3",
            key.display(),
            key.display()
        ),
    );
    let site = Site::start(dir, Movers::Program(mover));
    site.protect();
    let job = site.back_up();
    assert_eq!(job["status"], "Failed", "{job}");
    assert!(
        job["errorDetails"].to_string().contains("the pipe burst"),
        "{job}"
    );
    let told = std::fs::read_to_string(&key).unwrap();
    assert!(
        kluis_vault::MasterKey::from_json(&told).is_ok(),
        "the key came over standard input"
    );
    let file: kluis_vault::JobFile =
        serde_json::from_slice(&std::fs::read(key.with_extension("job")).unwrap()).unwrap();
    assert_eq!(file.vault, dir.join("data/vaults/shop-rg/v1"));
    let secrets: Value = serde_json::from_str(&told).unwrap();
    let job_file = serde_json::to_string(&file).unwrap();
    for secret in [&secrets["encrypt"], &secrets["mac"]["k"]] {
        let secret = secret.as_str().unwrap();
        assert!(!job_file.contains(secret), "no key is in the job file");
    }
    let left = std::fs::read_dir(dir.join("data/jobs")).unwrap().count();
    assert_eq!(left, 0, "a job's files go with it");
    site.running.shutdown().unwrap();
}

#[test]
fn a_service_that_stops_ends_its_movers_and_runs_their_jobs_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("web-2-os.raw"), vec![2; 1 << 20]).unwrap();
    // It says who it is, then holds on to its job file until it is ended.
    let stuck = script(
        dir,
        "echo '{\"event\":\"started\",\"pid\":'$$'}'\nexec tail -f \"$2\"",
    );
    let site = Site::start(dir, Movers::Program(stuck));
    site.protect();
    let job = site.begin_backup();
    site.running.shutdown().unwrap();

    let again = Site::start(dir, Movers::Own(Box::new(Threads)));
    assert_eq!(
        again.end_of(&job)["status"],
        "Completed",
        "the same job, done once"
    );
    let points = again.get(&format!("{}/recoveryPoints", again.item()));
    assert_eq!(points["value"].as_array().unwrap().len(), 1);
    again.running.shutdown().unwrap();
}

#[test]
fn a_mover_that_an_earlier_service_left_behind_is_ended_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let jobs = dir.path().join("data/jobs");
    std::fs::create_dir_all(&jobs).unwrap();
    std::fs::write(jobs.join("lost.json"), "left\n").unwrap();
    let mut orphan = Command::new("tail")
        .arg("-n1")
        .arg("-f")
        .arg(jobs.join("lost.json"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(orphan.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    std::fs::write(jobs.join("lost.pid"), orphan.id().to_string()).unwrap();
    let mut bystander = Command::new("tail")
        .arg("-f")
        .arg("/dev/null")
        .spawn()
        .unwrap();
    std::fs::write(jobs.join("other.pid"), bystander.id().to_string()).unwrap();
    let site = Site::start(dir.path(), Movers::Own(Box::new(Threads)));
    assert!(!orphan.wait().unwrap().success(), "it was ended");
    assert!(
        bystander.try_wait().unwrap().is_none(),
        "a process that only got the same number lives"
    );
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    assert_eq!(std::fs::read_dir(&jobs).unwrap().count(), 0);
    site.running.shutdown().unwrap();
}
