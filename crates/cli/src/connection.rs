//! `kluis connection`: what leads an operator to a service, read from the
//! service's data folder and printed as manifests. Run where that folder is, by
//! who may read it: the secret goes from there into a Secret and nowhere else.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use kluis_service::Credentials;
use serde_json::{Value, json};

/// Print the Secret and the BackupService that lead an operator to this service.
#[derive(Debug, clap::Args)]
pub(crate) struct ConnectionArgs {
    /// The service's data folder.
    #[arg(long, env = "KLUIS_DATA_DIR")]
    data_dir: PathBuf,
    /// Where the operator finds the service. Default: what the service calls itself.
    #[arg(long, env = "KLUIS_SERVICE_ENDPOINT")]
    endpoint: Option<String>,
    /// The operator's own namespace, which the Secret belongs in.
    #[arg(long, default_value = "kluis-system", env = "KLUIS_NAMESPACE")]
    namespace: String,
    /// The name of the BackupService, and a part of the Secret's.
    #[arg(long, default_value = "backup")]
    name: String,
    /// A namespace that may use the service, and for which resource groups: shop=shop-rg,shop-restored. '*' is every group.
    #[arg(long, value_name = "NAMESPACE=GROUP,…", value_parser = consent, required_unless_present = "passphrase")]
    allow: Vec<Value>,
    /// Print the passphrase that opens the vaults instead, to keep a copy of it elsewhere.
    #[arg(long, conflicts_with = "allow")]
    passphrase: bool,
}

pub(crate) fn print(args: &ConnectionArgs, out: &mut impl Write) -> Result<()> {
    let text = if args.passphrase {
        read(&args.data_dir.join("passphrase"))?
    } else {
        manifests(args)?
    };
    writeln!(out, "{}", text.trim_end()).context("writing to standard output")
}

fn manifests(args: &ConnectionArgs) -> Result<String> {
    let path = args.data_dir.join("credentials.json");
    let known: Credentials = serde_json::from_str(&read(&path)?)
        .with_context(|| format!("understanding {}", path.display()))?;
    let ca = read(&args.data_dir.join("ca.pem"))?;
    let secret = format!("{}-credential", args.name);
    let objects = [
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "namespace": args.namespace, "name": secret },
            "stringData": { "clientSecret": known.client_secret },
        }),
        json!({
            "apiVersion": "kluis.dev/v1alpha1",
            "kind": "BackupService",
            "metadata": { "name": args.name },
            "spec": {
                "endpoint": args.endpoint.as_ref().unwrap_or(&known.endpoint),
                "subscriptionId": known.subscription_id,
                "tenantId": known.tenant_id,
                "credential": {
                    "type": "ClientSecret",
                    "clientId": known.client_id,
                    "secretRef": { "name": secret, "key": "clientSecret" },
                },
                "caBundle": ca,
                "namespaces": args.allow,
            },
        }),
    ];
    let mut text = String::new();
    for object in objects {
        text += "---\n";
        text += &serde_yaml::to_string(&object).context("writing a manifest as YAML")?;
    }
    Ok(text)
}

/// `shop=shop-rg,shop-restored`, as an entry of a BackupService's `namespaces`.
fn consent(text: &str) -> Result<Value> {
    let Some((namespace, groups)) = text.split_once('=') else {
        bail!("write NAMESPACE=GROUP,… such as shop=shop-rg,shop-restored; '*' is every group");
    };
    let groups: Vec<&str> = groups
        .split(',')
        .filter(|group| !group.is_empty())
        .collect();
    if namespace.is_empty() || groups.is_empty() {
        bail!("name a namespace and at least one resource group");
    }
    Ok(json!({ "name": namespace, "resourceGroups": groups }))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| {
        format!(
            "reading {}: is this the data folder of a service that has started?",
            path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consent_names_a_namespace_and_its_groups() {
        let shop = consent("shop=shop-rg,shop-restored").unwrap();
        assert_eq!(
            shop,
            json!({ "name": "shop", "resourceGroups": ["shop-rg", "shop-restored"] })
        );
        for wrong in ["shop", "=rg", "shop=", "shop=,"] {
            assert!(consent(wrong).is_err(), "{wrong}");
        }
    }
}
