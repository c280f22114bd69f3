//! A release's life after its first day: upgraded, rolled back, a namespace
//! deleted under it, removed, and installed again on what it left.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result, bail, ensure};

use super::install;
use super::installed::{Installed, RELEASE, STEP, SYSTEM, example, path, until_object};
use super::waiting::ESTATE;
use crate::node;
use crate::until::{Look, every, seconds};
use crate::world::{VAULT, VM};

/// To another image, and other values, from a version whose definitions were older.
pub(super) fn upgrade(kluis: &Installed) -> Result<()> {
    let next = next_image(kluis)?;
    age(kluis)?;
    kluis.node.tag(&kluis.image, &next)?;
    let before = pods(kluis)?;
    helm_upgrade(kluis, "next", "120s", true)?;
    let after = pods(kluis)?;
    ensure!(
        after.len() == 3 && !after.iter().any(|(_, image)| *image != next),
        "not every pod runs {next}: {after:?}"
    );
    ensure!(
        before
            .iter()
            .all(|(uid, _)| !after.iter().any(|(other, _)| other == uid)),
        "a pod of before the upgrade is still there: {after:?}"
    );
    ensure!(
        columns(kluis)?.is_some(),
        "the upgrade left the definitions as they were"
    );
    install::ready(kluis)
}

/// Takes something out of a definition that this version has in it.
fn age(kluis: &Installed) -> Result<()> {
    let patch = format!(r#"[{{"op":"remove","path":"{COLUMNS}"}}]"#);
    let kubectl = kluis.node.kubectl();
    kubectl.run(["patch", "crd", DEFINITION, "--type=json", "--patch", &patch])?;
    ensure!(columns(kluis)?.is_none(), "the columns are still there");
    Ok(())
}

const DEFINITION: &str = "protectedvms.kluis.dev";
const COLUMNS: &str = "/spec/versions/0/additionalPrinterColumns";

fn columns(kluis: &Installed) -> Result<Option<serde_json::Value>> {
    let found = kluis.node.kubectl().get("crd", DEFINITION)?;
    Ok(found.and_then(|found| found.pointer(COLUMNS).cloned()))
}

/// One that cannot come up leaves the old one working until it is taken back.
pub(super) fn rollback(kluis: &Installed) -> Result<()> {
    // With the Job that comes first, nothing of the release would even be touched.
    if helm_upgrade(kluis, "nowhere", "8s", false).is_ok() {
        bail!("helm upgraded to an image that does not exist");
    }
    kluis.helm.run([
        "rollback",
        RELEASE,
        "2",
        "--namespace",
        SYSTEM,
        "--wait",
        "--timeout=120s",
    ])?;
    let next = next_image(kluis)?;
    let now = pods(kluis)?;
    ensure!(
        now.len() == 3 && now.iter().all(|(_, image)| *image == next),
        "not every pod is back at {next}: {now:?}"
    );
    install::ready(kluis)
}

/// Everything in it goes at once, in whatever order, and nothing hangs.
pub(super) fn namespace(kluis: &Installed) -> Result<()> {
    let kubectl = kluis.node.kubectl();
    kubectl.run(["delete", "namespace", ESTATE, "--timeout=180s"])?;
    ensure!(
        kubectl.get("namespace", ESTATE)?.is_none(),
        "the namespace {ESTATE} is still there"
    );
    install::ready(kluis)
}

pub(super) fn uninstall(kluis: &Installed) -> Result<()> {
    let definitions = definitions(kluis)?;
    ensure!(definitions.len() >= 6, "only {definitions:?} are defined");
    kluis.helm.run([
        "uninstall",
        RELEASE,
        "--namespace",
        SYSTEM,
        "--wait",
        "--timeout=120s",
    ])?;
    ensure!(
        self::definitions(kluis)? == definitions,
        "the uninstall took definitions with it"
    );
    ensure!(
        kluis.shop.get("protectedvm", VM)?.is_some() && kluis.shop.get("vault", VAULT)?.is_some(),
        "the uninstall took objects with it"
    );
    node::bound(&kluis.system, "data-kluis-service-0").context("the service's claim")?;
    // helm waits for what it made; the pods of that take a moment more.
    every(seconds(1), "all of the release to be gone", STEP, || {
        let left = kluis.system.run([
            "get",
            "all,configmaps,secrets,roles,rolebindings,serviceaccounts,poddisruptionbudgets",
            "--selector=app.kubernetes.io/instance=kluis",
            "--output=name",
        ])?;
        Ok(if left.trim().is_empty() {
            Look::Done(())
        } else {
            Look::NotYet(left)
        })
    })?;
    install::restic_check(kluis).context("the vault that is left, read by stock restic")
}

/// On the same volume and objects: same identity, same recovery points.
pub(super) fn again(kluis: &Installed) -> Result<()> {
    let credentials = kluis.volume()?.join("credentials.json");
    let client = |text: String| {
        text.lines()
            .find(|line| line.contains("clientSecret"))
            .map(str::to_owned)
    };
    let before = client(fs::read_to_string(&credentials)?);
    install::helm_install(kluis)?;
    let after = client(fs::read_to_string(&credentials)?);
    ensure!(
        before.is_some() && before == after,
        "the service forgot who may sign in"
    );
    kluis.until_condition(
        kluis.node.kubectl(),
        ("backupservice", "backup"),
        "Ready",
        "True",
    )?;
    install::ready(kluis)?;
    private(kluis)?;
    // Conditions of before would say the same: a backup is made only by who is there now.
    let name = kluis.create(&example("backup-now.yaml")?)?;
    kluis.until_succeeded(("backupjob", &name))?;
    until_object(
        &kluis.shop,
        "the recovery points of before, and one more",
        ("protectedvm", VM),
        |vm| Ok(vm["status"]["recoveryPoints"]["total"].as_u64() >= Some(3)),
    )?;
    Ok(())
}

/// What nobody else may read is nobody else's after three starts of the pod, either.
fn private(kluis: &Installed) -> Result<()> {
    let volume = kluis.volume()?;
    for file in ["passphrase", "credentials.json", "ca.key"] {
        let mode = fs::metadata(volume.join(file))?.permissions().mode();
        ensure!(mode & 0o077 == 0, "{file} is open to others: {mode:o}");
    }
    Ok(())
}

fn next_image(kluis: &Installed) -> Result<String> {
    let (repository, _) = kluis
        .image
        .rsplit_once(':')
        .context("the image has no tag")?;
    Ok(format!("{repository}:next"))
}

fn helm_upgrade(kluis: &Installed, tag: &str, timeout: &str, definitions: bool) -> Result<()> {
    kluis.helm.run([
        "upgrade",
        RELEASE,
        &path("charts/kluis"),
        "--namespace",
        SYSTEM,
        "--reuse-values",
        "--wait",
        &format!("--timeout={timeout}"),
        &format!("--set=image.tag={tag}"),
        "--set=log.format=text",
        &format!("--set=definitions.apply={definitions}"),
    ])?;
    Ok(())
}

/// The pods of the release that are not on their way out: who each is, and what it runs.
fn pods(kluis: &Installed) -> Result<Vec<(String, String)>> {
    let found = kluis.system.list("pods")?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    Ok(found
        .iter()
        .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
        .map(|pod| {
            (
                text(&pod["metadata"]["uid"]),
                text(&pod["spec"]["containers"][0]["image"]),
            )
        })
        .collect())
}

fn definitions(kluis: &Installed) -> Result<BTreeSet<String>> {
    let told = kluis
        .node
        .kubectl()
        .run(["get", "customresourcedefinitions", "--output=name"])?;
    Ok(told
        .lines()
        .filter(|name| name.ends_with(".kluis.dev"))
        .map(str::to_owned)
        .collect())
}
