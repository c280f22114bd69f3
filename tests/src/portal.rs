//! Protecting the example VM by hand, over ARM, without Kubernetes: for what is
//! asked of the service alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::https::Answer;
use crate::service::{Service, Setup};
use crate::until::{Look, seconds, until};
use crate::world::{Estate, RESOURCE_GROUP, Sizes, VAULT, VM, compare};

/// How long an operation or a small job may take.
const LIMIT: Duration = seconds(180);

/// A service, its estate, and whoever uses them.
#[derive(Debug)]
pub struct Portal {
    pub service: Service,
    pub estate: Estate,
}

impl Portal {
    /// A service on a virtual clock over disks of `sizes`, with nothing in it.
    pub fn open(dir: &Path, sizes: Sizes) -> Result<Self> {
        let estate = Estate::lay_out(dir, sizes)?;
        let service = Service::start(Setup::new(dir, &estate.inventory))?;
        Ok(Self { service, estate })
    }

    /// The vault and in it the VM, by the policy that every new vault has.
    pub fn protect(&self) -> Result<()> {
        let vault = json!({ "location": "westeurope", "sku": { "name": "RS0", "tier": "Standard" },
            "properties": { "publicNetworkAccess": "Enabled" } });
        self.done(&self.service.arm().put(&self.path(""), &vault)?)?;
        self.done(&self.put_item(VM)?)
    }

    /// PUT of a VM's protected item.
    pub fn put_item(&self, vm: &str) -> Result<Answer> {
        let subscription = &self.service.credentials().subscription_id;
        let group =
            format!("/subscriptions/{subscription}/resourceGroups/{RESOURCE_GROUP}/providers");
        let body = json!({ "properties": {
            "protectedItemType": "Microsoft.Compute/virtualMachines",
            "sourceResourceId": format!("{group}/Microsoft.Compute/virtualMachines/{vm}"),
            "policyId": format!("{group}/Microsoft.RecoveryServices/vaults/{VAULT}/backupPolicies/DefaultPolicy"),
        }});
        self.service.arm().put(&self.path(&item(vm)), &body)
    }

    /// Asks for a backup and returns its job's name.
    pub fn begin_backup(&self) -> Result<String> {
        let body = json!({ "properties": { "objectType": "IaasVMBackupRequest" } });
        let answer = self
            .service
            .arm()
            .post(&self.path(&format!("{}/backup", item(VM))), &body)?;
        self.job_of(&answer)
    }

    /// Asks for a restore of a recovery point's disks into a resource group and
    /// returns its job's name.
    pub fn begin_restore(&self, point: &str, into: &str) -> Result<String> {
        let answer = self.post_restore(point, into)?;
        self.job_of(&answer)
    }

    /// POST of a restore into a resource group.
    pub fn post_restore(&self, point: &str, into: &str) -> Result<Answer> {
        self.post_restore_of(point, into, &json!({}))
    }

    /// POST of a restore of another kind: one of disks into a resource group, but for these properties.
    pub fn post_restore_of(&self, point: &str, into: &str, changes: &Value) -> Result<Answer> {
        let groups = self.groups();
        let mut body = json!({ "properties": {
            "objectType": "IaasVMRestoreRequest",
            "recoveryPointId": point,
            "recoveryType": "RestoreDisks",
            "sourceResourceId": format!("{groups}/{RESOURCE_GROUP}/providers/Microsoft.Compute/virtualMachines/{VM}"),
            "storageAccountId": format!("{groups}/{RESOURCE_GROUP}/providers/Microsoft.Storage/storageAccounts/stagingweu"),
            "targetResourceGroupId": format!("{groups}/{into}"),
            "region": "westeurope",
            "createNewCloudService": false,
            "originalStorageAccountOption": false,
        }});
        let changes = changes.as_object().into_iter().flatten();
        for (name, value) in changes {
            body["properties"][name] = value.clone();
        }
        self.service.arm().post(
            &self.path(&format!("{}/recoveryPoints/{point}/restore", item(VM))),
            &body,
        )
    }

    /// What a restore to a new machine in a resource group says besides.
    pub fn new_machine(&self, into: &str, name: &str) -> Value {
        let groups = self.groups();
        let network = format!(
            "{groups}/{RESOURCE_GROUP}/providers/Microsoft.Network/virtualNetworks/shop-net"
        );
        json!({
            "recoveryType": "AlternateLocation",
            "targetVirtualMachineId": format!("{groups}/{into}/providers/Microsoft.Compute/virtualMachines/{name}"),
            "virtualNetworkId": network,
            "subnetId": format!("{network}/subnets/default"),
        })
    }

    /// What a restore in place says besides.
    pub fn in_place(&self) -> Value {
        json!({ "recoveryType": "OriginalLocation" })
    }

    /// The job that an answer to a POST began.
    pub fn job_begun_by(&self, answer: &Answer) -> Result<String> {
        self.job_of(answer)
    }

    /// The files of the disks that a machine has now, as ARM names them: the OS disk first.
    pub fn files_of(&self, resource_group: &str, vm: &str) -> Result<Vec<PathBuf>> {
        let path = format!(
            "resourceGroups/{resource_group}/providers/Microsoft.Compute/virtualMachines/{vm}"
        );
        let profile = self.service.read(&path)?["properties"]["storageProfile"].clone();
        let data = profile["dataDisks"].as_array().cloned().unwrap_or_default();
        let disks = std::iter::once(profile["osDisk"].clone()).chain(data);
        let folder = self
            .estate
            .inventory
            .with_file_name("restored")
            .join(resource_group);
        let file = |disk: Value| {
            let name = disk["name"].as_str().context("a disk has no name")?;
            Ok(folder.join(format!("{name}.raw")))
        };
        disks.map(file).collect()
    }

    fn groups(&self) -> String {
        let subscription = &self.service.credentials().subscription_id;
        format!("/subscriptions/{subscription}/resourceGroups")
    }

    /// One backup to its end, which must be a good one.
    pub fn back_up(&self) -> Result<Value> {
        let name = self.begin_backup()?;
        self.completed(&name)
    }

    /// One restore of the newest point to its end; every byte is compared.
    pub fn restore_and_compare(&self) -> Result<u64> {
        self.restore_and_compare_point(&self.newest_point()?)
    }

    /// The same of a point by its name. Under a clock that stands still points share a time, and only a name tells them apart.
    pub fn restore_and_compare_point(&self, point: &str) -> Result<u64> {
        let groups = Estate::spare_groups().chain(["shop-restored".to_owned()]);
        let into = groups
            .into_iter()
            .find(|group| self.estate.restored(group).is_empty())
            .context("every resource group to restore into was used")?;
        let name = self.begin_restore(point, &into)?;
        self.completed(&name)?;
        let made: Vec<_> = self.estate.restored(&into).into_iter().collect();
        compare(&self.estate.disks, &made)
    }

    /// Whether a job has ended.
    pub fn has_ended(&self, job: &str) -> Result<bool> {
        let found = self
            .service
            .read(&self.below(&format!("backupJobs/{job}")))?;
        let status = found["properties"]["status"].as_str().unwrap_or_default();
        Ok(!matches!(status, "InProgress" | "Cancelling"))
    }

    /// Waits for a job to end, however it does.
    pub fn ended(&self, job: &str) -> Result<Value> {
        until(&format!("the job {job} to end"), LIMIT, || {
            let found = self
                .service
                .read(&self.below(&format!("backupJobs/{job}")))?;
            let status = found["properties"]["status"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let over = ["Completed", "CompletedWithWarnings", "Failed", "Cancelled"]
                .contains(&status.as_str());
            Ok(if over {
                Look::Done(found)
            } else {
                Look::NotYet(found.to_string())
            })
        })
    }

    /// Waits for a job to end well. (A fourth backup on demand within a day is
    /// completed with the warning that it is one.)
    pub fn completed(&self, job: &str) -> Result<Value> {
        let ended = self.ended(job)?;
        let properties = &ended["properties"];
        let status = properties["status"].as_str().unwrap_or_default();
        if !status.starts_with("Completed") {
            bail!(
                "the job {job} ended {}: {}",
                properties["status"],
                properties["errorDetails"]
            );
        }
        Ok(ended)
    }

    /// Waits for a job to fail and returns what it says about that: the cause,
    /// and the way out.
    pub fn failure(&self, job: &str) -> Result<(String, String)> {
        let ended = self.ended(job)?;
        let properties = &ended["properties"];
        if properties["status"] != "Failed" {
            bail!(
                "the job {job} ended {}, though it should have failed",
                properties["status"]
            );
        }
        let detail = &properties["errorDetails"][0];
        let cause = detail["errorString"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let way_out = detail["recommendations"][0]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        Ok((cause, way_out))
    }

    /// The VM's recovery points.
    pub fn points(&self) -> Result<Vec<Value>> {
        self.service
            .list(&self.below(&format!("{}/recoveryPoints", item(VM))))
    }

    /// The name of the newest one.
    pub fn newest_point(&self) -> Result<String> {
        let points = self.points()?;
        let newest = points
            .iter()
            .max_by_key(|point| point["properties"]["recoveryPointTime"].as_str());
        let name = newest
            .and_then(|point| point["name"].as_str())
            .context("there is no recovery point")?;
        Ok(name.to_owned())
    }

    /// The vault's jobs of one operation.
    pub fn jobs(&self, operation: &str) -> Result<Vec<Value>> {
        let rows = self.service.list(&self.below("backupJobs"))?;
        Ok(rows
            .into_iter()
            .filter(|row| row["properties"]["operation"] == operation)
            .collect())
    }

    /// A path below the vault, complete with its api-version.
    pub fn path(&self, below: &str) -> String {
        self.service.path(&self.below(below))
    }

    fn below(&self, path: &str) -> String {
        let vault = format!(
            "resourceGroups/{RESOURCE_GROUP}/providers/Microsoft.RecoveryServices/vaults/{VAULT}"
        );
        if path.is_empty() {
            vault
        } else {
            format!("{vault}/{path}")
        }
    }

    /// Follows what was accepted to its end.
    pub fn done(&self, answer: &Answer) -> Result<()> {
        self.operation(answer).map(drop)
    }

    fn operation(&self, answer: &Answer) -> Result<Value> {
        if !(200..300).contains(&answer.status) {
            bail!("answered {}: {}", answer.status, answer.text);
        }
        let url = answer.header("azure-asyncoperation").to_owned();
        if url.is_empty() {
            return Ok(answer.body.clone());
        }
        until("an operation to end", LIMIT, || {
            let status = self.service.arm().get(&url)?;
            match status.body["status"].as_str() {
                Some("Succeeded") => Ok(Look::Done(status.body)),
                Some("InProgress") => Ok(Look::NotYet(status.text)),
                _ => bail!("the operation answered {}: {}", status.status, status.text),
            }
        })
    }

    fn job_of(&self, answer: &Answer) -> Result<String> {
        let operation = self.operation(answer)?;
        let job = operation["properties"]["jobId"].as_str();
        Ok(job
            .with_context(|| format!("the operation names no job: {operation}"))?
            .to_owned())
    }
}

/// A VM's item below its vault.
fn item(vm: &str) -> String {
    let names = format!("iaasvmcontainerv2;{RESOURCE_GROUP};{vm}");
    format!(
        "backupFabrics/Azure/protectionContainers/IaasVMContainer;{names}/protectedItems/VM;{names}"
    )
}
