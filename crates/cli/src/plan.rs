//! `kluis plan`: what applying manifests would change, by the operator's own observation and plan over the cluster's
//! objects, the service's answers, and the manifests laid over both; and which recovery points that would cost.
//!
//! It reads, as the person of the kubeconfig, and writes nothing anywhere: neither does it ask the API server for a
//! rehearsal, which needs the right to write. What is deleted from the manifests is not its business: an apply leaves
//! that alone, too.

mod document;
mod fields;
mod gathered;
mod promises;
mod services;
mod table;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use kluis_operator::Key;
use kluis_operator::overlay::Overlay;
use kluis_operator::preview::Preview;

use crate::args::{ConnectionArgs, PlanArgs};
use crate::output::{self, Format};
use crate::person::connection::cluster;
use crate::validate::objects::{self, Manifests};
use services::PersonServices;

/// What `kluis plan` ends with when something would change.
const CHANGES: u8 = 2;

/// Plans and prints; the code says whether anything would change, or that not all could be read.
///
/// # Errors
/// Manifests that the API server would refuse, and whatever cannot be read.
pub(crate) async fn run(args: &PlanArgs, out: &mut impl Write) -> Result<ExitCode> {
    let manifests = objects::read(&args.filename)?;
    refuse_what_is_wrong(&manifests)?;
    let connection = ConnectionArgs {
        namespace: args.namespace.clone(),
        context: args.context.clone(),
        operator_namespace: args.operator_namespace.clone(),
        credentials: None,
        ca: None,
    };
    let cluster = cluster(&connection, "kluis-plan").await?;
    let overlay = Overlay::read(cluster.client, &args.operator_namespace)
        .await
        .context("a plan looks at all that the operator looks at")?;
    let mut laid = Vec::new();
    let mut seen = BTreeMap::new();
    for manifest in &manifests.ours {
        let place = || format!("{}:{}", manifest.file, manifest.line);
        let over = overlay
            .lay(&manifest.value, &cluster.namespace, Timestamp::now())
            .with_context(place)?;
        if let (Some(wrong), None) = (&manifest.when_new, &over.present) {
            bail!("{}: {}: {}", place(), wrong.object, wrong.message);
        }
        refuse_a_second(&mut seen, &over.key, place())?;
        fields::refuse_what_cannot_change(&manifests, &over).with_context(place)?;
        laid.push((manifest, over));
    }
    let overlay = Arc::new(overlay);
    let services = Arc::new(PersonServices::new(Arc::clone(&overlay)));
    let preview = Preview::new(Arc::clone(&overlay) as _, services);
    let document = gathered::document(&laid, manifests.others, &overlay, &preview).await?;
    match args.output {
        Format::Table => table::print(&document, out)?,
        Format::Json | Format::Yaml => output::value(&document, args.output, out)?,
    }
    Ok(match (document.is_whole(), document.would_change) {
        (false, _) => ExitCode::FAILURE,
        (true, Some(true)) => ExitCode::from(CHANGES),
        (true, Some(false) | None) => ExitCode::SUCCESS,
    })
}

/// Of two manifests of one object an apply would leave the second, and what either costs could not be told apart.
fn refuse_a_second(seen: &mut BTreeMap<Key, String>, key: &Key, place: String) -> Result<()> {
    match seen.entry(key.clone()) {
        Entry::Occupied(first) => bail!("{place}: {key} is in {} already", first.get()),
        Entry::Vacant(new) => {
            new.insert(place);
            Ok(())
        }
    }
}

fn refuse_what_is_wrong(manifests: &Manifests) -> Result<()> {
    let Some(first) = manifests.findings.first() else {
        return Ok(());
    };
    let more = match manifests.findings.len() {
        1 => String::new(),
        all => format!(" (and {} more: `kluis validate` shows them)", all - 1),
    };
    bail!(
        "{}:{}:{}: {}: {}: {}{more}",
        first.file,
        first.line,
        first.column,
        first.object,
        first.field,
        first.message
    )
}

#[cfg(test)]
mod tests {
    use kluis_operator::Kind;

    use super::*;

    #[test]
    fn a_second_manifest_of_an_object_is_refused_with_both_places() {
        let key = |name: &str| Key {
            kind: Kind::BackupPolicy,
            namespace: Some("shop".to_owned()),
            name: name.to_owned(),
        };
        let mut seen = BTreeMap::new();
        refuse_a_second(&mut seen, &key("daily"), "a.yaml:1".to_owned()).unwrap();
        refuse_a_second(&mut seen, &key("weekly"), "a.yaml:9".to_owned()).unwrap();
        let second = refuse_a_second(&mut seen, &key("daily"), "b.yaml:3".to_owned());
        assert_eq!(
            second.unwrap_err().to_string(),
            "b.yaml:3: BackupPolicy shop/daily is in a.yaml:1 already"
        );
    }
}
