//! A fleet: an inventory of machines with tiny disks, and the manifests that protect them all.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::operator;
use crate::service::Service;

/// A disk is a hole of this size.
const DISK: u64 = 1 << 20;

/// How many machines, in how many vaults.
#[derive(Debug, Clone, Copy)]
pub struct Fleet {
    pub machines: usize,
    pub vaults: usize,
}

impl Fleet {
    /// The namespace of all its objects.
    pub const NAMESPACE: &str = "fleet";
    /// The resource group of its machines and vaults.
    pub const RESOURCE_GROUP: &str = "fleet-rg";

    /// Writes the inventory and its disks into `dir`, and says where the inventory is.
    pub fn lay_out(&self, dir: &Path) -> Result<PathBuf> {
        fs::create_dir_all(dir.join("disks"))?;
        let mut text = format!(
            "resourceGroups:\n  {}:\n    location: westeurope\n    virtualMachines:\n",
            Self::RESOURCE_GROUP
        );
        for machine in 0..self.machines {
            let path = format!("disks/vm-{machine:04}.raw");
            let disk = File::create(dir.join(&path)).context("making a disk")?;
            disk.set_len(DISK)?;
            writeln!(
                text,
                "      vm-{machine:04}: {{ os: Linux, disks: [{{ path: {path} }}] }}"
            )?;
        }
        let inventory = dir.join("inventory.yaml");
        fs::write(&inventory, text).context("writing the inventory")?;
        Ok(inventory)
    }

    /// All objects as one list for `kubectl apply`: the service with its Secret, a policy that is not due for long,
    /// the vaults, and a ProtectedVM for each machine.
    pub fn manifests(&self, service: &Service, due_hour: i8) -> Value {
        let known = service.credentials();
        let object = |kind: &str, metadata: Value, spec: Value| json!({ "apiVersion": "kluis.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec });
        let named = |name: &str| json!({ "namespace": Self::NAMESPACE, "name": name });
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "namespace": operator::NAMESPACE, "name": "kluis-service" },
            "stringData": { "clientSecret": known.client_secret },
        });
        let service = object(
            "BackupService",
            json!({ "name": "backup" }),
            json!({
                "endpoint": known.endpoint, "subscriptionId": known.subscription_id,
                "tenantId": known.tenant_id, "caBundle": service.ca(),
                "credential": { "type": "ClientSecret", "clientId": known.client_id,
                    "secretRef": { "name": "kluis-service", "key": "clientSecret" } },
                "namespaces": [{ "name": Self::NAMESPACE, "resourceGroups": [Self::RESOURCE_GROUP] }],
            }),
        );
        let policy = object(
            "BackupPolicy",
            named("daily"),
            json!({
                "workload": "VirtualMachine", "timeZone": "Etc/UTC",
                "schedule": { "daily": { "at": format!("{due_hour:02}:00") } },
                "retention": { "daily": { "keep": 30 } },
            }),
        );
        let vaults = (0..self.vaults).map(|vault| {
            object(
                "Vault",
                named(&format!("vault-{vault:02}")),
                json!({ "serviceRef": { "name": "backup" }, "resourceGroup": Self::RESOURCE_GROUP, "location": "westeurope" }),
            )
        });
        let machines = (0..self.machines).map(|machine| {
            object(
                "ProtectedVM",
                named(&format!("vm-{machine:04}")),
                json!({
                    "vaultRef": { "name": format!("vault-{:02}", machine % self.vaults.max(1)) },
                    "policyRef": { "name": "daily" },
                    "vm": { "resourceGroup": Self::RESOURCE_GROUP, "name": format!("vm-{machine:04}") },
                    "objectives": { "rpo": "26h" },
                }),
            )
        });
        let items: Vec<Value> = [secret, service, policy]
            .into_iter()
            .chain(vaults)
            .chain(machines)
            .collect();
        json!({ "apiVersion": "v1", "kind": "List", "items": items })
    }
}
