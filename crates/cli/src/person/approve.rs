//! `kluis approve`: what an edit would cost, and the line that approves it; with `--yes` the line is written into the object, for whoever
//! keeps no manifests in Git. Whoever may edit the object may approve: a separation of duties is the review in Git.

use std::io::Write;

use anyhow::{Context, Result, bail};
use kluis_api::{Approval, BackupPolicy, ProtectedVM, Time, Vault};
use kube::api::{Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::connection::cluster;
use super::named::{ApprovalKind, ObjectName};
use crate::args::ApproveArgs;
use crate::output::{self, Format};

/// Who owns what this writes.
const FIELD_MANAGER: &str = "kluis-approve";

/// An object with what it asks to have approved.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    kind: &'static str,
    namespace: String,
    name: String,
    /// What to put under `spec`: with the digests that stand there already.
    approved_loss: String,
    losses: Vec<Loss>,
    #[serde(skip)]
    version: Option<String>,
}

/// One loss: of a policy, one a vault.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Loss {
    #[serde(skip_serializing_if = "Option::is_none")]
    vault: Option<String>,
    #[serde(flatten)]
    approval: Approval,
}

/// Prints what would be lost, and approves it when told so.
pub(crate) async fn approve(args: &ApproveArgs, out: &mut impl Write) -> Result<()> {
    let cluster = cluster(&args.connection, FIELD_MANAGER).await?;
    let namespace = args.object.namespace.as_deref();
    let namespace = namespace.unwrap_or(&cluster.namespace);
    let asked = find(&cluster.client, namespace, &args.object).await?;
    let [asked] = asked.as_slice() else {
        let names: Vec<String> = asked.iter().map(Asked::to_string).collect();
        bail!(
            "several objects of this name ask for approval: say which of {}",
            names.join(", ")
        );
    };
    match args.output {
        Format::Table => tell(asked, args.yes, out)?,
        format => output::value(asked, format, out)?,
    }
    if args.yes {
        write(&cluster.client, asked).await?;
        if args.output == Format::Table {
            writeln!(out, "approved {asked}").context("writing to standard output")?;
        }
    }
    Ok(())
}

/// The objects that are meant and ask for approval.
async fn find(client: &Client, namespace: &str, named: &ObjectName) -> Result<Vec<Asked>> {
    let kinds = match named.kind {
        Some(kind) => vec![kind],
        None => ApprovalKind::ALL.to_vec(),
    };
    let mut found = Vec::new();
    let mut exists = false;
    for kind in kinds {
        let name = &named.name;
        let (is_there, asked) = match kind {
            ApprovalKind::BackupPolicy => {
                look::<BackupPolicy>(client, namespace, name, |policy| {
                    let vaults = policy.status.iter().flat_map(|status| &status.vaults);
                    let losses = vaults.filter_map(|vault| {
                        Some(Loss {
                            vault: Some(vault.name.clone()),
                            approval: vault.approval.clone()?,
                        })
                    });
                    (policy.spec.approved_loss.clone(), losses.collect())
                })
                .await?
            }
            ApprovalKind::ProtectedVM => {
                look::<ProtectedVM>(client, namespace, name, |item| {
                    let status = item.status.as_ref();
                    let approval = status.and_then(|status| status.approval.clone());
                    (item.spec.approved_loss.clone(), one(approval))
                })
                .await?
            }
            ApprovalKind::Vault => {
                look::<Vault>(client, namespace, name, |vault| {
                    let status = vault.status.as_ref();
                    let approval = status.and_then(|status| status.approval.clone());
                    (vault.spec.approved_loss.clone(), one(approval))
                })
                .await?
            }
        };
        exists |= is_there;
        found.extend(asked);
    }
    match (exists, found.is_empty()) {
        (false, _) => bail!(
            "the namespace {namespace} has no {}",
            named.kind.map_or_else(
                || format!("BackupPolicy, ProtectedVM or Vault {}", named.name),
                |kind| format!("{} {}", kind.name(), named.name)
            )
        ),
        (true, true) => bail!("{named} has nothing to be approved: its status asks for nothing"),
        (true, false) => Ok(found),
    }
}

fn one(approval: Option<Approval>) -> Vec<Loss> {
    let loss = approval.map(|approval| Loss {
        vault: None,
        approval,
    });
    loss.into_iter().collect()
}

/// Whether the object is there, and what it asks for.
async fn look<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    read: impl Fn(&K) -> (Option<String>, Vec<Loss>),
) -> Result<(bool, Option<Asked>)>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let found = api
        .get_opt(name)
        .await
        .with_context(|| format!("reading the {} {namespace}/{name}", K::kind(&())))?;
    let Some(object) = found else {
        return Ok((false, None));
    };
    let (given, losses) = read(&object);
    if losses.is_empty() {
        return Ok((true, None));
    }
    // What stands there may still be waiting to be sent.
    let given = given.unwrap_or_default();
    let given = given.split(',').map(str::trim);
    let mut digests: Vec<&str> = given.filter(|digest| !digest.is_empty()).collect();
    for loss in &losses {
        if !digests.contains(&loss.approval.digest.as_str()) {
            digests.push(&loss.approval.digest);
        }
    }
    let oldest = digests.len().saturating_sub(MOST);
    let approved_loss = digests.get(oldest..).unwrap_or_default().join(",");
    let kind = match K::kind(&()).as_ref() {
        "BackupPolicy" => "BackupPolicy",
        "Vault" => "Vault",
        _ => "ProtectedVM",
    };
    Ok((
        true,
        Some(Asked {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            approved_loss,
            losses,
            version: object.meta().resource_version.clone(),
        }),
    ))
}

/// Digests in one line: it has room for some 240.
const MOST: usize = 200;

fn tell(asked: &Asked, yes: bool, out: &mut impl Write) -> Result<()> {
    let mut text = format!("{asked}\n");
    for loss in &asked.losses {
        let approval = &loss.approval;
        if let Some(vault) = &loss.vault {
            text.push_str(&format!("in the vault {vault}\n"));
        }
        text.push_str(&format!(
            "  {} recovery points would be deleted, {} kept for a shorter time\n  the oldest of {}, the newest of {}, counted at {}\n",
            approval.deleted,
            approval.shortened,
            at(approval.oldest.as_ref()),
            at(approval.newest.as_ref()),
            at(Some(&approval.counted_at)),
        ));
        for item in &approval.items {
            text.push_str(&format!(
                "  {}: {} deleted, {} shortened, {} to {}\n",
                item.item,
                item.deleted,
                item.shortened,
                at(item.oldest.as_ref()),
                at(item.newest.as_ref()),
            ));
        }
        let shown = u32::try_from(approval.items.len()).unwrap_or(u32::MAX);
        let more = approval.items_total.saturating_sub(shown);
        if more > 0 {
            text.push_str(&format!("  and {more} more items\n"));
        }
        if approval.uncounted > 0 {
            text.push_str(&format!(
                "  and all of {} more items, whose recovery points cannot be counted\n",
                approval.uncounted
            ));
        }
    }
    if !yes {
        text.push_str(&format!(
            "to approve it, add under spec, or run this again with --yes:\n  approvedLoss: \"{}\"\n",
            asked.approved_loss
        ));
    }
    out.write_all(text.as_bytes())
        .context("writing to standard output")
}

/// Writes the line, if the object still is the one that was shown.
async fn write(client: &Client, asked: &Asked) -> Result<()> {
    let patch = json!({
        "metadata": { "resourceVersion": asked.version },
        "spec": { "approvedLoss": asked.approved_loss },
    });
    let patch = Patch::Merge(&patch);
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let (namespace, name) = (&asked.namespace, &asked.name);
    let doing =
        || format!("approving the loss of {asked}: run it again to see what is asked for now");
    match asked.kind {
        "BackupPolicy" => {
            let api: Api<BackupPolicy> = Api::namespaced(client.clone(), namespace);
            api.patch(name, &params, &patch).await.map(drop)
        }
        "Vault" => {
            let api: Api<Vault> = Api::namespaced(client.clone(), namespace);
            api.patch(name, &params, &patch).await.map(drop)
        }
        _ => {
            let api: Api<ProtectedVM> = Api::namespaced(client.clone(), namespace);
            api.patch(name, &params, &patch).await.map(drop)
        }
    }
    .with_context(doing)
}

fn at(time: Option<&Time>) -> String {
    time.map_or_else(
        || "-".to_owned(),
        |time| time.0.strftime("%Y-%m-%d %H:%MZ").to_string(),
    )
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}
