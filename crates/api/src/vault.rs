//! Vault: where recovery points are kept.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::approval::{Approval, ChangeControl};
use crate::condition::Condition;
use crate::naming;
use crate::operation::Operation;
use crate::reference::ServiceRef;

/// A vault of Azure Backup.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "kluis.dev",
    version = "v1alpha1",
    kind = "Vault",
    plural = "vaults",
    category = "kluis",
    namespaced,
    status = "VaultStatus",
    derive = "PartialEq",
    doc = "A vault: where recovery points are kept.",
    validation = Rule::new(naming::VAULT).message(naming::VAULT_SAYS).optional_old_self(true),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type", priority = 1),
    printcolumn(name = "Location", type_ = "string", json_path = ".spec.location"),
    printcolumn(name = "Redundancy", type_ = "string", json_path = ".status.redundancy"),
    printcolumn(name = "Soft delete", type_ = "string", json_path = ".status.softDelete"),
    printcolumn(name = "Healthy", type_ = "string", json_path = ".status.conditions[?(@.type==\"Healthy\")].status", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(naming::SAME_VAULT).message("azureName is the vault's identity and cannot change: make another Vault"),
    validation = Rule::new("oldSelf.softDelete.state != 'AlwaysOn' || self.softDelete.state == 'AlwaysOn'").message("softDelete.state AlwaysOn cannot be taken back (rule 41)"),
    validation = Rule::new("!has(oldSelf.immutability) || oldSelf.immutability != 'Locked' || (has(self.immutability) && self.immutability == 'Locked')").message("immutability Locked cannot be taken back")
)]
pub struct VaultSpec {
    /// The service that has the vault.
    #[x_kube(validation = Rule::new("self == oldSelf").message("serviceRef is the vault's identity and cannot change: make another Vault"))]
    pub service_ref: ServiceRef,
    /// Recovery Services vault (virtual machines, databases in them, file shares) or Backup vault (disks, PostgreSQL, blobs).
    #[serde(rename = "type", default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("type is the vault's identity and cannot change: make another Vault"))]
    pub type_: VaultType,
    /// The resource group the vault is in.
    #[schemars(length(min = 1, max = 90))]
    #[x_kube(
        validation = Rule::new(naming::GROUP).message(naming::GROUP_SAYS),
        validation = Rule::new(naming::SAME_NAME).message("resourceGroup is the vault's identity and cannot change: make another Vault")
    )]
    pub resource_group: String,
    /// The region, which has to be that of what the vault protects: `westeurope`, or `West Europe`.
    #[schemars(
        length(min = 1, max = 64),
        regex(pattern = r"^[A-Za-z0-9]+( [A-Za-z0-9]+)*$")
    )]
    #[x_kube(validation = Rule::new(naming::SAME_REGION).message("location is the vault's identity and cannot change: make another Vault"))]
    pub location: String,
    /// The vault's name in Azure; `metadata.name` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 50), regex(pattern = r"^[A-Za-z][A-Za-z0-9-]*$"))]
    pub azure_name: Option<String>,
    /// How often, and how far apart, the vault's storage keeps what is in it. It can change until the first item is protected
    /// (rule 39).
    #[serde(default)]
    pub redundancy: Redundancy,
    /// What happens to recovery points that are deleted.
    #[serde(default)]
    pub soft_delete: SoftDelete,
    /// Whether recovery points can be lost before their time. Left out, the vault's immutability is left as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub immutability: Option<Immutability>,
    /// Other namespaces whose items and policies may use the vault; `'*'` is every namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 63)))]
    pub allowed_namespaces: Vec<String>,
    /// Whether a restore may replace the disks of the machine it came from.
    #[serde(default)]
    pub allow_in_place_restore: bool,
    /// Whether a vault that is already there may be taken over: never, when its tag says Kluis made it for this Vault, always.
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,
    /// What becomes of the vault in Azure when this object is deleted.
    #[serde(default)]
    pub deletion_policy: VaultDeletionPolicy,
    /// Whether an edit that would delete recovery points, such as turning soft delete off, waits for approval.
    #[serde(default)]
    pub change_control: ChangeControl,
    /// The digest of the loss that is approved, as `status.approval` and the message say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 8192),
        regex(pattern = r"^[0-9a-f]{32}( *, *[0-9a-f]{32})*$")
    )]
    pub approved_loss: Option<String>,
}

/// The two kinds of vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VaultType {
    #[default]
    RecoveryServices,
    /// Not offered yet: answered with `Stalled`.
    Backup,
}

/// How a vault's storage is replicated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Redundancy {
    #[default]
    GeoRedundant,
    LocallyRedundant,
    ZoneRedundant,
}

/// What happens to deleted recovery points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SoftDelete {
    /// Kept for a while, gone at once, or kept for a while with no way to turn that off again.
    #[serde(default)]
    pub state: SoftDeleteState,
    /// For how many days, 14 to 180.
    #[serde(default = "fortnight")]
    #[x_kube(validation = Rule::new("self >= 14 && self <= 180").message("softDelete.retentionDays is 14 to 180 (rule 41)"))]
    pub retention_days: u32,
}

/// Whether deleted recovery points are kept for a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SoftDeleteState {
    #[default]
    Enabled,
    Disabled,
    AlwaysOn,
}

/// Whether recovery points can be lost before their time. In a vault with immutability no data is deleted and no policy keeps points for a
/// shorter time than before; and there alone backups can be suspended, with points that expire by the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Immutability {
    /// They can.
    Disabled,
    /// They cannot, and this can be taken back.
    Unlocked,
    /// They cannot, for ever: nobody can take this back.
    Locked,
}

/// Whether a vault that is already there may be taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AdoptionPolicy {
    /// When its tag `kluis.dev/managed-by` names this Vault.
    #[default]
    IfTagged,
    Never,
    Always,
}

/// What becomes of the vault in Azure when its object is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VaultDeletionPolicy {
    /// It stays, with all that is in it.
    #[default]
    Retain,
    /// It is deleted: softly where its soft delete is on, with what is softly deleted in it, and who declares it again within those days
    /// has it back. While anything else is in it, it stays, and the object says what.
    Delete,
}

/// What is known of the vault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultStatus {
    /// The generation of the spec that this status was made from; -1 before the first.
    #[serde(default = "crate::crds::never")]
    pub observed_generation: i64,
    /// `Ready`, `Healthy` where the service tells, `Reconciling`, `Stalled`, and `ApprovalRequired` where an edit would cost recovery points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The vault's resource id in Azure, while it is there and ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub azure_id: Option<String>,
    /// The redundancy it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub redundancy: Option<String>,
    /// The soft delete it has: its state and its days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub soft_delete: Option<String>,
    /// The immutability it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub immutability: Option<String>,
    /// What is being done to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// What this spec would cost, as long as that is not approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// How what is in it is, where the service tells: Azure does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<VaultHealth>,
}

/// How what is in a vault is, by its service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultHealth {
    /// How many things are wrong with the vault: the condition `Healthy` says which.
    pub problems: u32,
    /// When the part of the vault was last read back that was not for the longest time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_unread: Option<Time>,
    /// How many recovery points cannot be restored whole, because something that they need is damaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damaged_points: Option<u32>,
    /// How many recovery points are kept beyond their end, until a person confirms the clock or their time has certainly passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back_expiries: Option<u32>,
}

impl Default for VaultStatus {
    fn default() -> Self {
        Self {
            observed_generation: crate::crds::never(),
            conditions: Vec::new(),
            azure_id: None,
            redundancy: None,
            soft_delete: None,
            immutability: None,
            operation: None,
            approval: None,
            health: None,
        }
    }
}

impl Default for SoftDelete {
    fn default() -> Self {
        Self {
            state: SoftDeleteState::default(),
            retention_days: fortnight(),
        }
    }
}

fn fortnight() -> u32 {
    14
}

impl Vault {
    /// The region as Azure's paths have it: `westeurope`, however it was written.
    pub fn region(&self) -> String {
        let letters = self.spec.location.chars().filter(|c| *c != ' ');
        letters.map(|c| c.to_ascii_lowercase()).collect()
    }

    /// Whether it lets objects of another namespace use it: by name, or by `*`.
    pub fn allows(&self, namespace: &str) -> bool {
        let allowed = &self.spec.allowed_namespaces;
        allowed.iter().any(|one| one == "*" || one == namespace)
    }
}
