//! BackupService: where the service is, who we are there, and which namespaces may use it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::naming;
use crate::reference::SecretKeyRef;

/// In a consent's `resourceGroups`: every resource group of the subscription.
pub const EVERY_GROUP: &str = "*";

/// Azure, or a `kluis service`: its endpoint, our identity there, and who may use it.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "kluis.dev",
    version = "v1alpha1",
    kind = "BackupService",
    plural = "backupservices",
    shortname = "bsvc",
    category = "kluis",
    status = "BackupServiceStatus",
    derive = "PartialEq",
    doc = "Where the backup service is, who we are there, and which namespaces may use it.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Endpoint", type_ = "string", json_path = ".spec.endpoint"),
    printcolumn(
        name = "Subscription",
        type_ = "string",
        json_path = ".spec.subscriptionId",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct BackupServiceSpec {
    /// Where Azure Resource Manager is, over https. `kluis service` prints its own.
    #[serde(default = "azure")]
    #[schemars(length(max = 512), regex(pattern = r"^https://[^/\s]+/?$"))]
    pub endpoint: String,
    /// The subscription that holds the vaults and what they protect.
    #[schemars(
        length(max = 36),
        regex(pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
    )]
    #[x_kube(validation = Rule::new(naming::SAME_NAME).message("subscriptionId is the service's identity and cannot change: make another BackupService"))]
    pub subscription_id: String,
    /// The tenant (directory) that our identity belongs to.
    #[schemars(
        length(max = 36),
        regex(pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
    )]
    pub tenant_id: String,
    /// Who we are there.
    pub credential: Credential,
    /// Certificates, in PEM, to trust for an endpoint with an authority of its own. They replace the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    #[x_kube(validation = Rule::new("self.contains('-----BEGIN CERTIFICATE-----')").message("caBundle holds no certificate: it has to be PEM, beginning with -----BEGIN CERTIFICATE-----"))]
    pub ca_bundle: Option<String>,
    /// Which namespaces may use the service, and for which resource groups. None, when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub namespaces: Vec<Consent>,
}

/// How to prove who we are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.type != 'ClientSecret' || (has(self.clientId) && has(self.secretRef))").message("a credential of type ClientSecret needs clientId and secretRef"),
    validation = Rule::new("self.type == 'ClientSecret' || !has(self.secretRef)").message("only a credential of type ClientSecret has a secretRef")
)]
pub struct Credential {
    /// Workload identity federation, a managed identity, or a client secret.
    #[serde(rename = "type")]
    pub type_: CredentialType,
    /// The application or user-assigned identity; when left out, the environment's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub client_id: Option<String>,
    /// Where the client secret is: a Secret in the operator's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
}

/// The ways to prove who we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CredentialType {
    WorkloadIdentity,
    ManagedIdentity,
    ClientSecret,
}

/// Consent for namespaces to use the service for resource groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.name) != has(self.selector)").message("each entry of namespaces has exactly one of name and selector"))]
pub struct Consent {
    /// One namespace, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub name: Option<String>,
    /// Namespaces, by their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<NamespaceSelector>,
    /// The resource groups they may use it for; `'*'` is every group.
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 90)))]
    #[x_kube(validation = Rule::new(naming::GROUPS).message(naming::GROUPS_SAY))]
    pub resource_groups: Vec<String>,
}

/// Selects namespaces by their labels. Everything given has to hold; an empty selector selects every namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// Labels with exactly these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub match_labels: BTreeMap<String, String>,
    /// Statements about labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub match_expressions: Vec<SelectorRequirement>,
}

/// A statement about one label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SelectorRequirement {
    /// The label's key.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// How its value relates to `values`.
    pub operator: SelectorOperator,
    /// The values, for `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub values: Vec<String>,
}

/// How a label relates to values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SelectorOperator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

/// What is known of the service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupServiceStatus {
    /// The generation of the spec that this status was made from; -1 before the first.
    #[serde(default = "crate::crds::never")]
    pub observed_generation: i64,
    /// `Ready`, `Healthy` where there is a `caBundle`, `Reconciling`, `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The subscription's name, where the service tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub subscription_name: Option<String>,
    /// When the last of the certificates in `caBundle` ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_expires: Option<Time>,
}

impl Default for BackupServiceStatus {
    fn default() -> Self {
        Self {
            observed_generation: crate::crds::never(),
            conditions: Vec::new(),
            subscription_name: None,
            ca_bundle_expires: None,
        }
    }
}

fn azure() -> String {
    "https://management.azure.com".to_owned()
}
