//! Microsoft's own command line, as it is, runs a virtual machine's whole life against the service: nothing of it is
//! patched, its cloud is registered and signed in to as a person would.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use jiff::{SignedDuration, Timestamp};
use kluis_tests::place::{scratch, workspace};
use kluis_tests::process::free_port;
use kluis_tests::service::{Service, Setup};
use kluis_tests::until::{Look, seconds};
use kluis_tests::venv;
use serde_json::Value;

const INVENTORY: &str = "
resourceGroups:
  shop-rg:
    location: westeurope
    virtualMachines:
      web-1:
        os: Linux
        disks:
          - path: disks/os.raw
          - { path: disks/data.raw, lun: 0 }
    storageAccounts: { stagingweu: {} }
  restored-rg:
    location: westeurope
restored: restored/
";

/// What names the one item in every command about it.
const ITEM: &str = "-g shop-rg -v shop-weu -c web-1 -i web-1 --backup-management-type AzureIaasVM --workload-type VM";

/// `az`, with a configuration of its own, on one service.
struct Az {
    python: PathBuf,
    config: PathBuf,
    service: Service,
}

impl Az {
    fn start(folder: &Path) -> Self {
        fs::create_dir_all(folder.join("disks")).unwrap();
        for (name, mib) in [("os", 6), ("data", 3)] {
            let disk = File::create(folder.join(format!("disks/{name}.raw"))).unwrap();
            disk.set_len(mib << 20).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&disk, name.as_bytes(), 1 << 20).unwrap();
        }
        fs::write(folder.join("inventory.yaml"), INVENTORY).unwrap();
        let setup = Setup {
            listen_http: Some(free_port().unwrap()),
            // What az is given as a recovery point's end is a day of the machine's clock.
            virtual_clock: false,
            ..Setup::new(folder, &folder.join("inventory.yaml"))
        };
        Self {
            python: venv::python(&workspace().join("tests/az/requirements.txt")).unwrap(),
            config: folder.join("az"),
            service: Service::start(setup).unwrap(),
        }
    }

    fn run(&self, line: &str, more: &[&str]) -> Output {
        let data = &self.service.setup().data;
        let mut command = Command::new(&self.python);
        command.args(["-m", "azure.cli"]);
        command.args(line.split_whitespace()).args(more);
        command.args(["--only-show-errors", "--output", "json"]);
        for (name, value) in [
            ("AZURE_CORE_COLLECT_TELEMETRY", "no"),
            ("AZURE_CORE_NO_COLOR", "true"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
        ] {
            command.env(name, value);
        }
        command.env("AZURE_CONFIG_DIR", &self.config);
        command.env("REQUESTS_CA_BUNDLE", data.join("ca.pem"));
        let port = self.service.setup().listen_http.unwrap();
        command.env(
            "IDENTITY_ENDPOINT",
            format!("http://127.0.0.1:{port}/msi/token"),
        );
        let header = self.service.credentials().identity_header.clone();
        command.env("IDENTITY_HEADER", header.unwrap());
        command.output().unwrap()
    }

    /// What a command that has to succeed prints.
    fn with(&self, line: &str, more: &[&str]) -> Value {
        let ran = self.run(line, more);
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(
            ran.status.success(),
            "az {line}: {}\n{said}{}",
            ran.status,
            String::from_utf8_lossy(&ran.stderr)
        );
        serde_json::from_str(&said).unwrap_or(Value::Null)
    }

    fn ok(&self, line: &str) -> Value {
        self.with(line, &[])
    }

    /// What a command that has to fail says.
    fn refused(&self, line: &str) -> String {
        let ran = self.run(line, &[]);
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(!ran.status.success(), "az {line} was not refused");
        assert!(!said.contains("Traceback"), "az {line} fell over:\n{said}");
        said
    }

    /// The job of an answer, once it has ended: az itself would look again only after half a minute.
    fn ended(&mut self, answer: &Value) -> Value {
        let job = text(answer, "/name").to_owned();
        let path = format!(
            "resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu/backupJobs/{job}"
        );
        self.service
            .until("the job to end", seconds(180), |service| {
                let found = service.read(&path)?;
                Ok(match found["properties"]["status"].as_str() {
                    Some("InProgress") => Look::NotYet(found.to_string()),
                    _ => Look::Done(()),
                })
            })
            .unwrap();
        self.ok(&format!("backup job wait -g shop-rg -v shop-weu -n {job}"));
        self.ok(&format!("backup job show -g shop-rg -v shop-weu -n {job}"))
    }

    fn item(&self) -> Value {
        self.ok("backup item list -g shop-rg -v shop-weu")[0]["properties"].clone()
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

fn completed(job: &Value, operation: &str) {
    assert_eq!(text(job, "/properties/operation"), operation, "{job}");
    assert_eq!(text(job, "/properties/status"), "Completed", "{job}");
}

#[test]
fn az_runs_a_machines_whole_life() {
    let scratch = scratch("az").unwrap();
    let mut az = Az::start(scratch.path());
    signing_in(&az);
    vault_and_policy(&az);
    protecting(&az);
    let point = backing_up(&mut az);
    restoring(&mut az, &point, scratch.path());
    stopping(&az);
    deleting(&az);
    as_a_managed_identity(&az);
}

fn signing_in(az: &Az) {
    let given = az.service.credentials();
    az.ok(&format!(
        "cloud register -n Kluis --endpoint-resource-manager {}",
        given.endpoint
    ));
    az.ok("cloud set -n Kluis");
    az.ok("config set core.instance_discovery=false");
    let login = "login --service-principal";
    let wrong = az.refused(&format!(
        "{login} -u {} -p not-the-secret --tenant {}",
        given.client_id, given.tenant_id
    ));
    assert!(wrong.contains("AADSTS7000215"), "{wrong}");
    let who = az.ok(&format!(
        "{login} -u {} -p {} --tenant {}",
        given.client_id, given.client_secret, given.tenant_id
    ));
    assert_eq!(text(&who, "/0/id"), given.subscription_id);
}

fn vault_and_policy(az: &Az) {
    let missing = az.refused("backup vault show -g shop-rg -n shop-weu");
    assert!(missing.contains("was not found"), "{missing}");
    let vault = az.ok("backup vault create -g shop-rg -n shop-weu -l westeurope");
    assert_eq!(text(&vault, "/properties/provisioningState"), "Succeeded");
    let storage = "backup vault backup-properties";
    az.ok(&format!(
        "{storage} set -g shop-rg -n shop-weu --backup-storage-redundancy LocallyRedundant"
    ));
    let mut policy = az.ok("backup policy show -g shop-rg -v shop-weu -n DefaultPolicy");
    let properties = &mut policy["properties"];
    properties["retentionPolicy"]["dailySchedule"]["retentionDuration"]["count"] = 35.into();
    // The clock is the machine's: a run of the schedule in the middle of the story would be one backup more.
    let due = Timestamp::now() + SignedDuration::from_hours(12);
    let due = due.strftime("%Y-%m-%dT%H:30:00Z").to_string();
    properties["schedulePolicy"]["scheduleRunTimes"] = serde_json::json!([due]);
    properties["retentionPolicy"]["dailySchedule"]["retentionTimes"] = serde_json::json!([due]);
    let policy = policy.to_string();
    let create = "backup policy create -g shop-rg -v shop-weu -n daily --backup-management-type AzureIaasVM --policy";
    az.with(create, &[&policy]);
    let policies =
        az.ok("backup policy list -g shop-rg -v shop-weu --backup-management-type AzureIaasVM");
    let names: Vec<&str> = policies
        .as_array()
        .unwrap()
        .iter()
        .map(|policy| text(policy, "/name"))
        .collect();
    assert_eq!(names, ["daily", "DefaultPolicy", "EnhancedPolicy"]);
}

fn protecting(az: &Az) {
    let enable = "backup protection enable-for-vm -g shop-rg -v shop-weu --vm web-1 -p";
    completed(&az.ok(&format!("{enable} daily")), "ConfigureBackup");
    assert_eq!(text(&az.item(), "/protectionState"), "IRPending");
    let check = az.ok("backup protection check-vm -g shop-rg --vm web-1");
    assert!(text(&check, "").ends_with("/vaults/shop-weu"), "{check}");
    let containers =
        az.ok("backup container list -g shop-rg -v shop-weu --backup-management-type AzureIaasVM");
    assert_eq!(text(&containers, "/0/properties/friendlyName"), "web-1");
    let locked = az.refused(
        "backup vault backup-properties set -g shop-rg -n shop-weu --backup-storage-redundancy GeoRedundant",
    );
    assert!(
        locked.contains("can't change once items are registered"),
        "{locked}"
    );
}

/// Backs up once; the recovery point's name.
fn backing_up(az: &mut Az) -> String {
    let asked = az.ok(&format!("backup protection backup-now {ITEM}"));
    let job = az.ended(&asked);
    completed(&job, "Backup");
    let jobs =
        az.ok("backup job list -g shop-rg -v shop-weu --operation Backup --status Completed");
    assert_eq!(text(&jobs, "/0/name"), text(&job, "/name"));
    assert_eq!(text(&az.item(), "/protectionState"), "Protected");
    let points = az.ok(&format!("backup recoverypoint list {ITEM}"));
    let name = text(&points, "/0/name").to_owned();
    let point = az.ok(&format!(
        "backup recoverypoint show -g shop-rg -v shop-weu -c web-1 -i web-1 -n {name} \
         --backup-management-type AzureIaasVM --workload-type VM"
    ));
    assert_eq!(
        text(&point, "/properties/objectType"),
        "IaasVMRecoveryPoint"
    );
    name
}

fn restoring(az: &mut Az, point: &str, folder: &Path) {
    let asked = az.ok(&format!(
        "backup restore restore-disks -g shop-rg -v shop-weu -c web-1 -i web-1 -r {point} \
         --storage-account stagingweu --target-resource-group restored-rg"
    ));
    completed(&az.ended(&asked), "Restore");
    let mut restored: Vec<Vec<u8>> = fs::read_dir(folder.join("restored/restored-rg"))
        .unwrap()
        .map(|disk| disk.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "raw"))
        .map(|path| fs::read(path).unwrap())
        .collect();
    restored.sort();
    let mut disks =
        ["os", "data"].map(|name| fs::read(folder.join(format!("disks/{name}.raw"))).unwrap());
    disks.sort();
    assert!(restored == disks, "every byte of both disks is there again");

    let files = az.refused(&format!(
        "backup restore files mount-rp -g shop-rg -v shop-weu -c web-1 -i web-1 -r {point}"
    ));
    assert!(files.contains("without a mount"), "{files}");
}

fn stopping(az: &Az) {
    let disable = format!("backup protection disable {ITEM} --yes");
    completed(&az.ok(&disable), "DisableBackup");
    assert_eq!(text(&az.item(), "/protectionState"), "ProtectionStopped");
    let mutable = az.refused(&format!("{disable} --retain-recovery-points-as-per-policy"));
    assert!(mutable.contains("immutable"), "{mutable}");
    let resume = format!("backup protection resume {ITEM} --policy-name daily");
    completed(&az.ok(&resume), "ConfigureBackup");
    assert_eq!(text(&az.item(), "/protectionState"), "Protected");

    completed(
        &az.ok(&format!("{disable} --delete-backup-data true")),
        "DeleteBackupData",
    );
    let item = az.item();
    assert_eq!(item["isScheduledForDeferredDelete"], true, "{item}");
    completed(
        &az.ok(&format!("backup protection undelete {ITEM}")),
        "Undelete",
    );
    let item = az.item();
    assert_eq!(text(&item, "/protectionState"), "ProtectionStopped");
    assert_eq!(
        az.ok(&format!("backup recoverypoint list {ITEM}"))
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

fn deleting(az: &Az) {
    let delete = "backup vault delete -g shop-rg -n shop-weu --yes";
    let held = az.refused(delete);
    assert!(
        held.contains("existing resources within the vault"),
        "{held}"
    );
    az.ok(&format!(
        "backup protection disable {ITEM} --yes --delete-backup-data true"
    ));
    az.ok(delete);
    assert!(
        az.refused("backup vault show -g shop-rg -n shop-weu")
            .contains("was not found")
    );
    let deleted = az.ok("backup deleted-vault list --location westeurope");
    let name = text(&deleted, "/0/name");
    assert!(
        text(&deleted, "/0/properties/vaultId").ends_with("/shop-weu"),
        "{deleted}"
    );
    az.ok(&format!(
        "backup deleted-vault undelete -n {name} --location westeurope"
    ));
    let item = az.item();
    assert_eq!(item["isScheduledForDeferredDelete"], true, "{item}");
    az.ok("backup policy delete -g shop-rg -v shop-weu -n daily");
}

/// The same vault, seen by a caller whom the loopback's token endpoint vouches for.
fn as_a_managed_identity(az: &Az) {
    az.ok("account clear");
    let out = az.refused("backup vault list");
    assert!(out.contains("az login"), "{out}");
    az.ok("login --identity");
    let vaults = az.ok("backup vault list -g shop-rg");
    assert_eq!(text(&vaults, "/0/name"), "shop-weu");
}
