//! From nothing to a protected machine, and its disks back.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::installed::{Installed, RELEASE, STEP, SYSTEM, example, path, until_object};
use crate::disk;
use crate::place::workspace;
use crate::process::run;
use crate::until::{Look, every, seconds};
use crate::world::{IDLE_VM, NAMESPACE, POLICY, VAULT, VM, compare};

/// MiB of the machine's two disks, and how full they are.
const DISKS: [(&str, u64, u64); 2] = [
    ("disks/web-1-os.raw", 256, 180),
    ("disks/web-1-data.raw", 64, 24),
];

/// The chart with nothing set, and with everything that changes what is rendered.
pub(super) fn lint(kluis: &Installed) -> Result<()> {
    let chart = path("charts/kluis");
    let everything = path("tests/node/everything.yaml");
    for values in [&[][..], &["--values", &everything]] {
        let mut arguments = vec!["lint", "--strict", &chart];
        arguments.extend(values);
        kluis.helm.run(&arguments)?;
    }
    let misspelt = kluis.helm.run(["lint", &chart, "--set=operator.replica=3"]);
    ensure!(misspelt.is_err(), "the schema lets a misspelt value pass");
    let nothing = kluis
        .helm
        .run(["lint", &chart, "--set=service.enabled=true"]);
    ensure!(
        nothing.is_err(),
        "the schema lets a service without an inventory pass"
    );
    Ok(())
}

/// The namespace refuses what is not restricted, and so it is shown that nothing is.
pub(super) fn install(kluis: &Installed) -> Result<()> {
    let kubectl = kluis.node.kubectl();
    kubectl.run(["create", "namespace", SYSTEM])?;
    let restricted = "pod-security.kubernetes.io/enforce=restricted";
    kubectl.run(["label", "namespace", SYSTEM, restricted])?;
    let inventory = kluis.node.dir().join("inventory.yaml");
    let text = fs::read_to_string(workspace().join("examples/inventory.yaml"))?;
    let machine =
        format!("      {IDLE_VM}: {{ os: Linux, disks: [{{ path: disks/idle.raw }}] }}\n");
    let machines = "    virtualMachines:\n";
    let text = text.replacen(machines, &format!("{machines}{machine}"), 1);
    fs::write(&inventory, text)?;
    helm_install(kluis)?;
    let pods = kluis.system.list("pods")?;
    ensure!(
        pods.len() == 3,
        "{} pods instead of two operators and a service",
        pods.len()
    );
    // A machine's disks, where the inventory says that they are.
    let volume = kluis.volume()?;
    for (disk, mib, fill) in DISKS {
        disk::make(&volume.join(disk), mib, fill << 20)?;
    }
    Ok(())
}

/// `helm install` as the documentation has it.
pub(super) fn helm_install(kluis: &Installed) -> Result<()> {
    let inventory = kluis.node.dir().join("inventory.yaml");
    kluis.helm.run([
        "install",
        RELEASE,
        &path("charts/kluis"),
        "--namespace",
        SYSTEM,
        "--wait",
        "--timeout=120s",
        "--set=service.enabled=true",
        &format!("--set-file=service.inventory={}", inventory.display()),
    ])?;
    Ok(())
}

/// What NOTES.txt says to do.
pub(super) fn connect(kluis: &Installed) -> Result<()> {
    let allow = format!("{NAMESPACE}=shop-rg,shop-restored");
    let manifests = kluis.system.run([
        "exec",
        "kluis-service-0",
        "--",
        "kluis",
        "connection",
        "--allow",
        &allow,
        "--allow",
        "estate=shop-rg",
    ])?;
    kluis.node.kubectl().apply(&manifests)?;
    kluis.until_condition(
        kluis.node.kubectl(),
        ("backupservice", "backup"),
        "Ready",
        "True",
    )?;
    Ok(())
}

/// The examples as they are, but that their policy is due half a day from now: the service's clock is the machine's, and a run
/// of the schedule in the middle of the story would make a recovery point that nobody asked for.
pub(super) fn protect(kluis: &Installed) -> Result<()> {
    let due = due_in_half_a_day(Timestamp::now())?;
    let folder = workspace().join("examples/protect-a-vm");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .with_context(|| format!("looking into {}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    files.sort();
    let mut changed = 0;
    for file in files {
        let text = fs::read_to_string(&file)?;
        changed += text.matches(DUE).count();
        kluis.node.kubectl().apply(&text.replace(DUE, &due))?;
    }
    ensure!(changed == 1, "the example's policy is due {changed} times");
    ready(kluis)
}

/// When the example's policy is due.
const DUE: &str = "at: \"22:30\"";

/// The same, at the half hour of the clock that the example's policy goes by, which knows no summer time.
fn due_in_half_a_day(now: Timestamp) -> Result<String> {
    let clock = TimeZone::fixed(jiff::tz::offset(1));
    let due = now.checked_add(SignedDuration::from_hours(12))?;
    Ok(format!("at: \"{}:30\"", due.to_zoned(clock).strftime("%H")))
}

/// Vault, policy and machine as the examples declare them.
pub(super) fn ready(kluis: &Installed) -> Result<()> {
    for object in [
        ("vault", VAULT),
        ("backuppolicy", POLICY),
        ("protectedvm", VM),
    ] {
        kluis.until_condition(&kluis.shop, object, "Ready", "True")?;
    }
    Ok(())
}

/// `examples/restore.yaml`, and every byte compared.
pub(super) fn restore(kluis: &Installed) -> Result<()> {
    let name = kluis.create(&example("restore.yaml")?)?;
    kluis.until_succeeded(("restore", &name))?;
    let volume = kluis.volume()?;
    let disks: Vec<PathBuf> = DISKS.iter().map(|(disk, ..)| volume.join(disk)).collect();
    let folder = volume.join("restored/shop-restored");
    let restored: Vec<PathBuf> = fs::read_dir(&folder)
        .with_context(|| format!("looking into {}", folder.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "raw"))
        .collect();
    let bytes = compare(&disks, &restored)?;
    let expected: u64 = DISKS.iter().map(|(_, mib, _)| mib << 20).sum();
    ensure!(
        bytes == expected,
        "{bytes} bytes were compared instead of {expected}"
    );
    Ok(())
}

/// A backup that may be forgotten after a second is; and what it did stays.
pub(super) fn outlived(kluis: &Installed) -> Result<()> {
    let mut backup = example("backup-now.yaml")?;
    backup["spec"]["ttlSecondsAfterFinished"] = json!(1);
    let name = kluis.create(&backup)?;
    gone(kluis, "backupjob", &name)?;
    until_object(
        &kluis.shop,
        "both recovery points",
        ("protectedvm", VM),
        |vm| Ok(vm["status"]["recoveryPoints"]["total"].as_u64() >= Some(2)),
    )?;
    Ok(())
}

fn gone(kluis: &Installed, kind: &str, name: &str) -> Result<()> {
    every(seconds(1), &format!("{kind}/{name} to go"), STEP, || {
        let Some(found) = kluis.shop.get(kind, name)? else {
            return Ok(Look::Done(()));
        };
        let told = crate::world::told(&found);
        if told.contains("Succeeded=False") && told.contains("Reconciling=False") {
            bail!("{kind}/{name} failed: {told}");
        }
        Ok(Look::NotYet(told))
    })
}

/// Stock restic on the vault, as it lies on the volume.
pub(super) fn restic_check(kluis: &Installed) -> Result<()> {
    let volume = kluis.volume()?;
    let vault = volume.join("vaults/shop-rg").join(VAULT);
    run(std::process::Command::new("restic")
        .arg("--repo")
        .arg(vault)
        .arg("--password-file")
        .arg(volume.join("passphrase"))
        .args(["--no-lock", "--no-cache", "check", "--read-data"]))?;
    Ok(())
}
