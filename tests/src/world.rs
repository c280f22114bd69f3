//! The world of the examples: a cluster, a service with the inventory of
//! `examples/` and real disks behind it, an operator; and what a person does there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::disk;
use crate::kubectl::Kubectl;
use crate::operator::{self, Operator};
use crate::place::{Scratch, scratch, workspace};
use crate::restic::Restic;
use crate::service::{self, Service};
use crate::until::{Look, every};

/// The examples' names.
pub const NAMESPACE: &str = "shop";
pub const RESOURCE_GROUP: &str = "shop-rg";
pub const VAULT: &str = "shop-weu";
pub const POLICY: &str = "daily";
pub const VM: &str = "web-1";

/// A machine beside it that is there and not backed up.
pub const IDLE_VM: &str = "idle-1";

/// How often kubectl is asked: it costs a process each time.
const PACE: Duration = Duration::from_millis(400);

/// Sizes of the example VM's two disks in MiB, and how full they are.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub os: u64,
    pub os_fill: u64,
    pub data: u64,
    pub data_fill: u64,
}

impl Sizes {
    /// Enough to be real, small enough for a test.
    pub const SMALL: Self = Self {
        os: 96,
        os_fill: 40,
        data: 32,
        data_fill: 8,
    };
}

/// The folder that the service's inventory lies in, and the disks in it.
#[derive(Debug, Clone)]
pub struct Estate {
    pub inventory: PathBuf,
    pub disks: Vec<PathBuf>,
    pub files: usize,
}

impl Estate {
    /// Lays out `examples/inventory.yaml` in `dir` and makes the disks it names.
    pub fn lay_out(dir: &Path, sizes: Sizes) -> Result<Self> {
        fs::create_dir_all(dir.join("disks"))?;
        let inventory = dir.join("inventory.yaml");
        let example = fs::read_to_string(workspace().join("examples/inventory.yaml"))
            .context("reading the example inventory")?;
        fs::write(&inventory, with_more_groups(&example)).context("writing the inventory")?;
        let os = dir.join("disks/web-1-os.raw");
        let data = dir.join("disks/web-1-data.raw");
        let on_os = disk::make(&os, sizes.os, sizes.os_fill << 20)?;
        let on_data = disk::make(&data, sizes.data, sizes.data_fill << 20)?;
        Ok(Self {
            inventory,
            disks: vec![os, data],
            files: on_os.files + on_data.files,
        })
    }

    /// Resource groups to restore into one after the other: a disk's name is taken
    /// once it was restored into one.
    pub fn spare_groups() -> impl Iterator<Item = String> {
        (0..8).map(|number| format!("spare-{number}"))
    }

    /// The disks that restores made in a resource group.
    pub fn restored(&self, resource_group: &str) -> BTreeSet<PathBuf> {
        let dir = self
            .inventory
            .with_file_name("restored")
            .join(resource_group);
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| end == "raw"))
            .collect()
    }
}

/// The example's inventory, the spare groups, and a second machine that nobody
/// protects.
fn with_more_groups(example: &str) -> String {
    let spare: String = Estate::spare_groups()
        .map(|name| format!("  {name}:\n    location: westeurope\n"))
        .collect();
    let machine =
        format!("      {IDLE_VM}: {{ os: Linux, disks: [{{ path: disks/idle.raw }}] }}\n");
    example
        .replacen("resourceGroups:\n", &format!("resourceGroups:\n{spare}"), 1)
        .replacen(
            "    virtualMachines:\n",
            &format!("    virtualMachines:\n{machine}"),
            1,
        )
}

/// All of it, running.
#[derive(Debug)]
pub struct World {
    pub operator: Option<Operator>,
    pub service: Service,
    pub estate: Estate,
    /// In the examples' namespace.
    pub kubectl: Kubectl,
    operator_setup: operator::Setup,
    _cluster: Option<Cluster>,
    _dir: Option<Scratch>,
}

impl World {
    /// A world of a test's own: its own API server, since its operator sees all of it.
    pub fn start(name: &str, sizes: Sizes) -> Result<Self> {
        let mut world = Self::without_operator(name, sizes)?;
        world.start_operator(None)?;
        Ok(world)
    }

    /// The same before its operator, for a test that starts that in its own way.
    pub fn without_operator(name: &str, sizes: Sizes) -> Result<Self> {
        let dir = scratch(name)?;
        let estate = Estate::lay_out(dir.path(), sizes)?;
        let service = Service::start(service::Setup::new(dir.path(), &estate.inventory))?;
        let cluster = Cluster::start()?;
        let kubectl = cluster.kubectl().clone();
        let mut world = Self::new(dir.path(), &kubectl, service, estate)?;
        world._cluster = Some(cluster);
        world._dir = Some(dir);
        Ok(world)
    }

    /// A world from parts that are already there; the operator's log goes to `dir`.
    pub fn new(dir: &Path, kubectl: &Kubectl, service: Service, estate: Estate) -> Result<Self> {
        let operator_setup = operator::Setup::new(kubectl.kubeconfig(), dir);
        kubectl.apply(&json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": operator::NAMESPACE } }).to_string())?;
        let kubectl = kubectl.within(NAMESPACE);
        Ok(Self {
            operator: None,
            service,
            estate,
            kubectl,
            operator_setup,
            _cluster: None,
            _dir: None,
        })
    }

    pub fn operator_setup(&mut self) -> &mut operator::Setup {
        &mut self.operator_setup
    }

    /// Starts the operator, to abort after so many executed steps or not at all.
    pub fn start_operator(&mut self, crash_after_step: Option<u32>) -> Result<()> {
        let setup = operator::Setup {
            crash_after_step,
            ..self.operator_setup.clone()
        };
        self.operator = Some(Operator::start(&setup)?);
        Ok(())
    }

    /// Applies `examples/services/kluis.yaml` with what this service wrote about itself.
    pub fn apply_service(&self) -> Result<()> {
        let text = fs::read_to_string(workspace().join("examples/services/kluis.yaml"))
            .context("reading the example service")?;
        let mut objects: Vec<Value> = serde_yaml::from_multiple(&text)
            .map_err(|why| anyhow!("the example service: {why}"))?;
        let known = self.service.credentials();
        for object in &mut objects {
            if object["kind"] == "Secret" {
                object["stringData"]["clientSecret"] = json!(known.client_secret);
            } else {
                let spec = &mut object["spec"];
                spec["endpoint"] = json!(known.endpoint);
                spec["subscriptionId"] = json!(known.subscription_id);
                spec["tenantId"] = json!(known.tenant_id);
                spec["credential"]["clientId"] = json!(known.client_id);
                spec["caBundle"] = json!(self.service.ca());
            }
            self.kubectl.feed(
                &["apply", "--namespace", operator::NAMESPACE, "-f", "-"],
                &object.to_string(),
            )?;
        }
        Ok(())
    }

    /// `kubectl apply -f examples/protect-a-vm/`.
    pub fn apply_examples(&self) -> Result<String> {
        self.kubectl.run(["apply", "-f", &example("protect-a-vm")])
    }

    /// `kubectl create -f` of one of the examples beside it; the new object's name.
    pub fn create(&self, file: &str) -> Result<String> {
        let made = self
            .kubectl
            .run(["create", "-f", &example(file), "--output=name"])?;
        // "backupjob.kluis.dev/web-1-now-x7k2p"
        made.trim()
            .rsplit_once('/')
            .map(|(_, name)| name.to_owned())
            .ok_or_else(|| anyhow!("kubectl create said {made:?}"))
    }

    /// Waits until a condition has a status for the object's present generation.
    pub fn until_condition(
        &mut self,
        kind: &str,
        name: &str,
        condition: &str,
        status: &str,
        limit: Duration,
    ) -> Result<Value> {
        let what = format!("{kind}/{name} to be {condition}={status}");
        self.until_object(&what, kind, name, limit, |object| {
            let current =
                object["status"]["observedGeneration"] == object["metadata"]["generation"];
            let found = condition_of(object, condition);
            Ok(current && found.is_some_and(|found| found["status"] == status))
        })
    }

    /// Waits until an object is as `so` says, and returns it.
    pub fn until_object(
        &mut self,
        what: &str,
        kind: &str,
        name: &str,
        limit: Duration,
        so: impl Fn(&Value) -> Result<bool>,
    ) -> Result<Value> {
        let kubectl = self.kubectl.clone();
        let found = every(PACE, what, limit, || {
            let Some(object) = kubectl.get(kind, name)? else {
                return Ok(Look::NotYet(format!("there is no {kind}/{name}")));
            };
            Ok(if so(&object)? {
                Look::Done(object)
            } else {
                Look::NotYet(told(&object))
            })
        });
        found.map_err(|why| match &mut self.operator {
            Some(operator) => why.context(operator.daemon().tail()),
            None => why,
        })
    }

    /// Service, vault, policy and VM as the examples declare them: all Ready.
    pub fn until_protected(&mut self, limit: Duration) -> Result<()> {
        for (kind, name) in [
            ("backupservice", "backup"),
            ("vault", VAULT),
            ("backuppolicy", POLICY),
            ("protectedvm", VM),
        ] {
            self.until_condition(kind, name, "Ready", "True", limit)?;
        }
        Ok(())
    }

    /// Waits for a bounded object to end well.
    ///
    /// # Errors
    /// It failed, with what its conditions say; or the time is over.
    pub fn until_succeeded(&mut self, kind: &str, name: &str, limit: Duration) -> Result<Value> {
        self.until_object(
            &format!("{kind}/{name} to succeed"),
            kind,
            name,
            limit,
            |object| {
                let is = |condition: &str, status: &str| {
                    condition_of(object, condition).is_some_and(|found| found["status"] == status)
                };
                if is("Succeeded", "False") && is("Reconciling", "False") {
                    bail!("{kind}/{name} failed: {}", told(object));
                }
                Ok(is("Succeeded", "True"))
            },
        )
    }

    /// The conditions of a bounded object that ended badly.
    pub fn until_failed(&mut self, kind: &str, name: &str, limit: Duration) -> Result<Value> {
        self.until_object(
            &format!("{kind}/{name} to fail"),
            kind,
            name,
            limit,
            |object| {
                let is = |condition: &str, status: &str| {
                    condition_of(object, condition).is_some_and(|found| found["status"] == status)
                };
                if is("Succeeded", "True") {
                    bail!("{kind}/{name} succeeded, though it should not have");
                }
                Ok(is("Succeeded", "False") && is("Reconciling", "False"))
            },
        )
    }

    /// Lets the service's clock go on by a second. It stands still otherwise, and
    /// a day is never so full that two backups of a machine have the same time.
    pub fn tick(&self) -> Result<()> {
        let answer = self.service.advance("PT1S")?;
        if answer.status != 200 {
            bail!("the clock answered {}: {}", answer.status, answer.text);
        }
        Ok(())
    }

    /// One backup on demand, to its end.
    pub fn back_up(&mut self, limit: Duration) -> Result<Value> {
        self.tick()?;
        let name = self.create("backup-now.yaml")?;
        self.until_succeeded("backupjob", &name, limit)
    }

    /// One restore of the newest point's disks, to its end; every byte is
    /// compared with the VM's disks as they are now.
    ///
    /// # Errors
    /// The restore failed, or a disk differs, or one is missing.
    pub fn restore_and_compare(&mut self, limit: Duration) -> Result<u64> {
        let before = self.estate.restored("shop-restored");
        let name = self.create("restore.yaml")?;
        self.until_succeeded("restore", &name, limit)?;
        let new: Vec<PathBuf> = self
            .estate
            .restored("shop-restored")
            .difference(&before)
            .cloned()
            .collect();
        compare(&self.estate.disks, &new)
    }

    /// Stock restic on the examples' vault.
    pub fn restic(&self) -> Restic {
        Restic::new(
            &self.service.vault_dir(RESOURCE_GROUP, VAULT),
            &self.service.passphrase(),
        )
    }

    /// A path of the examples' vault below the subscription: `vault_path("backupJobs")`.
    pub fn vault_path(&self, below: &str) -> String {
        format!(
            "resourceGroups/{RESOURCE_GROUP}/providers/Microsoft.RecoveryServices/vaults/{VAULT}/{below}"
        )
    }

    /// The example VM's recovery points, as the service tells them.
    pub fn points(&self) -> Result<Vec<Value>> {
        let container = format!("IaasVMContainer;iaasvmcontainerv2;{RESOURCE_GROUP};{VM}");
        let item = format!("VM;iaasvmcontainerv2;{RESOURCE_GROUP};{VM}");
        let path = format!(
            "backupFabrics/Azure/protectionContainers/{container}/protectedItems/{item}/recoveryPoints"
        );
        self.service.list(&self.vault_path(&path))
    }

    /// The vault's jobs of one operation: `Backup`, `Restore`, `ConfigureBackup`.
    pub fn jobs(&self, operation: &str) -> Result<Vec<Value>> {
        let rows = self.service.list(&self.vault_path("backupJobs"))?;
        Ok(rows
            .into_iter()
            .filter(|row| row["properties"]["operation"] == operation)
            .collect())
    }
}

/// Compares each disk with the one restored of it: as many as there are, told
/// apart by their sizes, every byte.
pub fn compare(disks: &[PathBuf], restored: &[PathBuf]) -> Result<u64> {
    if disks.len() != restored.len() {
        bail!(
            "{} disks were restored instead of {}: {restored:?}",
            restored.len(),
            disks.len()
        );
    }
    let mut bytes = 0;
    for disk in disks {
        let size = fs::metadata(disk)?.len();
        let twin = restored
            .iter()
            .find(|path| fs::metadata(path).is_ok_and(|found| found.len() == size));
        let twin = twin.ok_or_else(|| {
            anyhow!(
                "no restored disk has the {size} bytes of {}",
                disk.display()
            )
        })?;
        bytes += disk::same(disk, twin)?;
    }
    Ok(bytes)
}

/// One condition of an object.
pub fn condition_of<'a>(object: &'a Value, condition: &str) -> Option<&'a Value> {
    object["status"]["conditions"]
        .as_array()?
        .iter()
        .find(|found| found["type"] == condition)
}

/// An object's conditions in one line each, for a message.
pub fn told(object: &Value) -> String {
    let conditions = object["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let line = |found: &Value| {
        let part = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
        format!(
            "{}={} {}: {}",
            part("type"),
            part("status"),
            part("reason"),
            part("message")
        )
    };
    let lines: Vec<String> = conditions.iter().map(line).collect();
    let seen = (
        &object["metadata"]["generation"],
        &object["status"]["observedGeneration"],
    );
    if lines.is_empty() {
        "no conditions yet".to_owned()
    } else {
        format!(
            "generation {}, observed {}; {}",
            seen.0,
            seen.1,
            lines.join("; ")
        )
    }
}

fn example(file: &str) -> String {
    workspace()
        .join("examples")
        .join(file)
        .display()
        .to_string()
}
