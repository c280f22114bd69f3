//! From what a person names to the item in its vault and a client that may ask about it.
//!
//! With a cluster: ProtectedVM, Vault, BackupService and, for a client secret, the Secret in the operator's namespace, all
//! read as the person of the kubeconfig. A cluster whose operator signs in by an identity of its own has none to lend: a
//! person signs in with Azure's CLI then. Without a cluster: the credentials that the service wrote.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::core::v1::Secret as KubeSecret;
use kluis_api::{BackupService, CredentialType, ProtectedVM, Vault};
use kluis_arm::id::{ItemId, Name, ResourceGroupId, VmId};
use kluis_client::{ArmClient, Credential, Endpoint, Secret};
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};
use serde::Deserialize;

use super::named::ItemName;
use crate::args::ConnectionArgs;

/// What reads alone is called.
const READER: &str = "kluis";

/// An item of a vault, and who answers about it.
pub(super) struct Reached {
    pub(super) arm: ArmClient,
    pub(super) item: ItemId,
}

/// A cluster, and the namespace that is meant when none is named.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

/// The service's `credentials.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    endpoint: String,
    tenant_id: String,
    subscription_id: String,
    client_id: String,
    client_secret: String,
}

/// Finds the item.
pub(super) async fn reach(item: &ItemName, args: &ConnectionArgs) -> Result<Reached> {
    match &args.credentials {
        Some(file) => by_credentials(item, file, args.ca.as_deref()).await,
        None => by_cluster(item, args).await,
    }
}

/// Finds every item of the namespace that is in a vault, and for each vault one client: vault by vault, the items in each.
pub(super) async fn reach_all(args: &ConnectionArgs) -> Result<Vec<(ArmClient, Vec<ItemId>)>> {
    if args.credentials.is_some() {
        bail!("with --credentials an item has to be named: VAULT-GROUP/VAULT/VM-GROUP/VM");
    }
    let cluster = cluster(args, READER).await?;
    let machines: Api<ProtectedVM> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let machines = machines
        .list(&ListParams::default())
        .await
        .with_context(|| format!("listing the ProtectedVMs of {}", cluster.namespace))?;
    let mut vaults: Vec<(ArmClient, Vec<ItemId>)> = Vec::new();
    for machine in machines {
        let id = machine.status.as_ref();
        let id = id.and_then(|status| status.azure_id.as_ref()?.parse::<ItemId>().ok());
        let known = vaults.iter_mut().find(|(_, items)| {
            let vault = items.first().map(ItemId::vault);
            vault.is_some() && vault == id.as_ref().map(ItemId::vault)
        });
        match (known, id) {
            (Some((_, items)), Some(id)) => items.push(id),
            _ => {
                let reached =
                    of_machine(machine, &cluster.client, &args.operator_namespace).await?;
                vaults.extend(reached.map(|reached| (reached.arm, vec![reached.item])));
            }
        }
    }
    Ok(vaults)
}

/// The cluster of the kubeconfig, or of the pod this runs in, asked as `program`: what the API server notes of its requests.
pub(crate) async fn cluster(args: &ConnectionArgs, program: &str) -> Result<Cluster> {
    if args.credentials.is_some() {
        bail!(
            "this makes an object in a cluster, which --credentials has none of: use the kubeconfig's, or Azure's CLI"
        );
    }
    let config = match &args.context {
        None => Config::infer().await.context("reading the kubeconfig")?,
        Some(context) => {
            let options = KubeConfigOptions {
                context: Some(context.clone()),
                ..KubeConfigOptions::default()
            };
            let read = Kubeconfig::read().context("reading the kubeconfig")?;
            Config::from_custom_kubeconfig(read, &options)
                .await
                .with_context(|| format!("using the kubeconfig's context {context}"))?
        }
    };
    let namespace = args
        .namespace
        .clone()
        .unwrap_or_else(|| config.default_namespace.clone());
    let client = Client::try_from(kluis_operator::named(config, program))
        .context("connecting to the cluster")?;
    Ok(Cluster { client, namespace })
}

impl Cluster {
    /// The namespace and the name of an object.
    pub(super) fn object<'a>(&'a self, item: &'a ItemName) -> Result<(&'a str, &'a str)> {
        let (namespace, name) = item.object().map_err(|error| anyhow!(error))?;
        Ok((namespace.unwrap_or(&self.namespace), name))
    }
}

async fn by_cluster(item: &ItemName, args: &ConnectionArgs) -> Result<Reached> {
    let cluster = cluster(args, READER).await?;
    let (namespace, name) = cluster.object(item)?;
    let machines: Api<ProtectedVM> = Api::namespaced(cluster.client.clone(), namespace);
    let machine = machines
        .get(name)
        .await
        .with_context(|| format!("reading ProtectedVM {namespace}/{name}"))?;
    let reached = of_machine(machine, &cluster.client, &args.operator_namespace).await?;
    reached.ok_or_else(|| {
        anyhow!("ProtectedVM {namespace}/{name} is in no vault yet: see its conditions")
    })
}

/// The item in its vault; `None` for one that is in none yet.
async fn of_machine(
    machine: ProtectedVM,
    client: &Client,
    operator_namespace: &str,
) -> Result<Option<Reached>> {
    let name = machine.name_any();
    let namespace = machine.namespace().unwrap_or_default();
    let status = machine.status.unwrap_or_default();
    let Some(id) = status.azure_id else {
        return Ok(None);
    };
    let item: ItemId = id
        .parse()
        .with_context(|| format!("reading status.azureId of ProtectedVM {namespace}/{name}"))?;
    let vault_ref = &machine.spec.vault_ref;
    let home = vault_ref.namespace.as_deref().unwrap_or(&namespace);
    let vaults: Api<Vault> = Api::namespaced(client.clone(), home);
    let vault = vaults
        .get(&vault_ref.name)
        .await
        .with_context(|| format!("reading Vault {home}/{}", vault_ref.name))?;
    let services: Api<BackupService> = Api::all(client.clone());
    let named = &vault.spec.service_ref.name;
    let service = services
        .get(named)
        .await
        .with_context(|| format!("reading BackupService {named}"))?;
    let endpoint = Endpoint {
        credential: credential(&service, client, operator_namespace).await?,
        url: service.spec.endpoint,
        ca_bundle: service.spec.ca_bundle,
        tenant_id: Some(service.spec.tenant_id),
    };
    Ok(Some(Reached {
        arm: connect(&endpoint).await?,
        item,
    }))
}

async fn credential(
    service: &BackupService,
    client: &Client,
    operator_namespace: &str,
) -> Result<Credential> {
    let asked = &service.spec.credential;
    if asked.type_ != CredentialType::ClientSecret {
        return Ok(Credential::AzureCli);
    }
    let at = asked
        .secret_ref
        .as_ref()
        .ok_or_else(|| anyhow!("the BackupService names no Secret"))?;
    let secrets: Api<KubeSecret> = Api::namespaced(client.clone(), operator_namespace);
    let secret = secrets
        .get(&at.name)
        .await
        .with_context(|| format!("reading Secret {operator_namespace}/{}", at.name))?;
    let bytes = secret
        .data
        .and_then(|mut data| data.remove(&at.key))
        .ok_or_else(|| {
            anyhow!(
                "Secret {operator_namespace}/{} has no key {}",
                at.name,
                at.key
            )
        })?;
    let text = String::from_utf8(bytes.0).context("reading the client secret")?;
    Ok(Credential::ClientSecret {
        client_id: asked.client_id.clone().unwrap_or_default(),
        secret: Secret::new(text.trim_end().to_owned()),
    })
}

async fn by_credentials(item: &ItemName, file: &Path, ca: Option<&Path>) -> Result<Reached> {
    let [vault_group, vault, group, vm] = item.in_service().map_err(|error| anyhow!(error))?;
    let text =
        std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let credentials: Credentials = serde_json::from_str(&text)
        .with_context(|| format!("reading {} as a service's credentials", file.display()))?;
    let ca = ca.map_or_else(|| file.with_file_name("ca.pem"), PathBuf::from);
    let bundle =
        std::fs::read_to_string(&ca).with_context(|| format!("reading {}", ca.display()))?;
    let name = |text: &str| Name::new(text).with_context(|| format!("reading the name '{text}'"));
    let subscription = name(&credentials.subscription_id)?;
    let vault = ResourceGroupId {
        subscription: subscription.clone(),
        name: name(vault_group)?,
    }
    .vault(name(vault)?);
    let machine = VmId {
        subscription,
        resource_group: name(group)?,
        name: name(vm)?,
    };
    let endpoint = Endpoint {
        url: credentials.endpoint,
        ca_bundle: Some(bundle),
        tenant_id: Some(credentials.tenant_id),
        credential: Credential::ClientSecret {
            client_id: credentials.client_id,
            secret: Secret::new(credentials.client_secret),
        },
    };
    Ok(Reached {
        arm: connect(&endpoint).await?,
        item: ItemId::for_vm(&vault, &machine),
    })
}

async fn connect(endpoint: &Endpoint) -> Result<ArmClient> {
    ArmClient::connect(endpoint)
        .await
        .with_context(|| format!("connecting to {}", endpoint.url))
}
