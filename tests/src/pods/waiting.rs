//! kstatus, by who relies on it: `helm install --wait` on a chart of custom
//! resources returns when they are as declared, and fails when one cannot be.

use std::time::Instant;

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use super::installed::{Installed, path};
use crate::world::{condition_of, told};

/// The namespace, and the release in it.
pub(super) const ESTATE: &str = "estate";

const KINDS: [&str; 3] = ["vault", "backuppolicy", "protectedvm"];

/// When helm returns, all three are Ready for what they say now.
pub(super) fn until_current(kluis: &Installed) -> Result<()> {
    install(kluis, ESTATE, "180s", &[])?;
    let kubectl = kluis.node.kubectl().within(ESTATE);
    for kind in KINDS {
        let Some(object) = kubectl.get(kind, ESTATE)? else {
            bail!("helm made no {kind}");
        };
        ensure!(
            current(&object),
            "helm did not wait for {kind}/{ESTATE}: {}",
            told(&object)
        );
    }
    Ok(())
}

/// A machine that does not exist is never protected: helm says so, and the object says why.
pub(super) fn never_current(kluis: &Installed) -> Result<()> {
    let begun = Instant::now();
    let failed = install(kluis, "absent", "20s", &["--set=machine=no-such-machine"]);
    let Err(why) = failed else {
        bail!("helm waited for a machine that does not exist, and says it is there");
    };
    let why = format!("{why:#}");
    ensure!(
        why.to_lowercase().contains("protectedvm") || why.contains("absent"),
        "helm failed for another reason, after {} s: {why}",
        begun.elapsed().as_secs()
    );
    let kubectl = kluis.node.kubectl().within(ESTATE);
    let Some(object) = kubectl.get("protectedvm", "absent")? else {
        bail!("helm made no protectedvm");
    };
    ensure!(
        !current(&object)
            && condition_of(&object, "Stalled").is_some_and(|it| it["status"] == "True"),
        "protectedvm/absent is not Stalled: {}",
        told(&object)
    );
    kluis.helm.run([
        "uninstall",
        "absent",
        "--namespace",
        ESTATE,
        "--wait",
        "--timeout=180s",
    ])?;
    Ok(())
}

fn install(kluis: &Installed, release: &str, timeout: &str, more: &[&str]) -> Result<String> {
    let chart = path("tests/node/charts/estate");
    let timeout = format!("--timeout={timeout}");
    let mut arguments = vec!["install", release, &chart, "--namespace", ESTATE];
    arguments.extend(["--create-namespace", "--wait", &timeout]);
    arguments.extend(more);
    kluis.helm.run(arguments)
}

fn current(object: &Value) -> bool {
    object["status"]["observedGeneration"] == object["metadata"]["generation"]
        && condition_of(object, "Ready").is_some_and(|ready| ready["status"] == "True")
}
