//! `kluis crds`: the custom resource definitions of this version, printed, or
//! put into the cluster and waited for.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Config};

/// Print the custom resource definitions.
#[derive(Debug, clap::Args)]
pub(crate) struct CrdsArgs {
    /// Apply them to the cluster of the kubeconfig instead, or to the one that this runs in, and wait until it serves them.
    #[arg(long)]
    pub(crate) apply: bool,
}

/// Who owns the fields that we write.
const FIELD_MANAGER: &str = "kluis-crds";

/// How long the API server may take to serve a definition, and how often it is asked.
const PATIENCE: Duration = Duration::from_secs(60);
const PACE: Duration = Duration::from_millis(250);

/// One YAML document a definition, in the order in which they may be applied.
pub(crate) fn print(out: &mut impl Write) -> Result<()> {
    for definition in kluis_api::crds() {
        let text = serde_yaml::to_string(&definition).context("writing a definition as YAML")?;
        writeln!(out, "---\n{}", text.trim_end()).context("writing to standard output")?;
    }
    Ok(())
}

/// Makes the cluster's definitions those of this version. What else somebody
/// wrote into them, such as labels, stays.
pub(crate) async fn apply(out: &mut impl Write) -> Result<()> {
    let cluster = Config::infer()
        .await
        .context("finding a cluster: set KUBECONFIG, or run inside of one")?;
    let client = Client::try_from(kluis_operator::named(cluster, FIELD_MANAGER))
        .context("connecting to the cluster")?;
    let api: Api<CustomResourceDefinition> = Api::all(client);
    for definition in kluis_api::crds() {
        let name = definition.metadata.name.clone().unwrap_or_default();
        let ours = PatchParams::apply(FIELD_MANAGER).force();
        api.patch(&name, &ours, &Patch::Apply(&definition))
            .await
            .with_context(|| format!("applying the definition {name}"))?;
        served(&api, &name).await?;
        writeln!(out, "{name} applied").context("writing to standard output")?;
    }
    Ok(())
}

/// Waits until the API server serves a definition: an object of it would be refused before.
async fn served(api: &Api<CustomResourceDefinition>, name: &str) -> Result<()> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let found = api
            .get(name)
            .await
            .with_context(|| format!("reading the definition {name}"))?;
        let conditions = found.status.and_then(|status| status.conditions);
        let established = conditions
            .unwrap_or_default()
            .iter()
            .any(|condition| condition.type_ == "Established" && condition.status == "True");
        if established {
            return Ok(());
        }
        if tokio::time::Instant::now() >= deadline {
            bail!(
                "the API server does not serve {name} after {} s: kubectl describe crd {name} says why",
                PATIENCE.as_secs()
            );
        }
        tokio::time::sleep(PACE).await;
    }
}
