//! What the operator may do, and what it did: the chart's roles against the API
//! server's audit log of the whole run. Nothing was refused, nothing is allowed
//! that was not used.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use super::installed::{Installed, SYSTEM};
use crate::audit::{Act, Request, allowed};

/// Allowed, and used only when something goes as it rarely does: verb, group, resource.
const RARE: [(&str, &str, &str); 4] = [
    // Asked for by name before the watch has brought all namespaces.
    ("get", "", "namespaces"),
    // Read again after a write that met somebody else's; its finalizers are written without.
    ("get", "kluis.dev", "backupservices"),
    // Read before a vault that is there is edited: making one begins with a write that shows that nobody else wrote.
    ("get", "kluis.dev", "vaults"),
    // One event more of a kind that was there a moment ago.
    ("patch", "events.k8s.io", "events"),
];

pub(super) fn compare(kluis: &Installed) -> Result<()> {
    let requests = kluis.requests()?;
    let refused: Vec<String> = requests
        .iter()
        .filter(|request| request.forbidden)
        .map(Request::told)
        .collect();
    ensure!(
        refused.is_empty(),
        "the chart's roles lack what the operator needs:\n{}",
        refused.join("\n")
    );
    let everywhere = kluis
        .node
        .kubectl()
        .get("clusterrole", &format!("kluis-operator-{SYSTEM}"))?;
    let here = kluis.system.get("role", "kluis-operator")?;
    let everywhere = allowed(&everywhere.context("the cluster role")?["rules"]);
    let here = allowed(&here.context("the role")?["rules"]);
    let both: Vec<&Act> = everywhere.intersection(&here).collect();
    ensure!(both.is_empty(), "allowed here and everywhere: {both:?}");
    let may: BTreeSet<Act> = everywhere.union(&here).cloned().collect();

    let did: BTreeSet<Act> = requests
        .iter()
        .map(|request| request.act.clone())
        .filter(|act| !act.resource.is_empty())
        .collect();
    // Who may do it in one namespace could not have done it in another: it would have been refused.
    let rare: Vec<Act> = RARE
        .iter()
        .map(|(verb, group, resource)| Act {
            group: (*group).to_owned(),
            resource: (*resource).to_owned(),
            verb: (*verb).to_owned(),
        })
        .collect();
    let unused: Vec<String> = may
        .difference(&did)
        .filter(|act| !rare.contains(act))
        .map(ToString::to_string)
        .collect();
    ensure!(
        unused.is_empty(),
        "the chart's roles allow what the operator never did:\n{}",
        unused.join("\n")
    );
    let beyond: Vec<String> = did.difference(&may).map(ToString::to_string).collect();
    ensure!(
        beyond.is_empty(),
        "the operator did what the chart's roles don't name:\n{}",
        beyond.join("\n")
    );
    Ok(())
}
