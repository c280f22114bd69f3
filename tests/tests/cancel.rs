//! Cancelling, by deleting the object that asked for the work and by `kluis jobs --cancel`, on a real API server, operator and service. The
//! machine's pre-script waits for a file, so that a backup stays where it can be cancelled for as long as the test needs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use kluis_tests::binary::kluis;
use kluis_tests::cluster::Cluster;
use kluis_tests::place::scratch;
use kluis_tests::service::{Service, Setup};
use kluis_tests::until::{Look, seconds, until};
use kluis_tests::world::{Estate, NAMESPACE, Sizes, VM, World};
use serde_json::Value;

const LIMIT: std::time::Duration = seconds(120);

fn kluis_says(world: &World, args: &[&str]) -> Output {
    Command::new(kluis().unwrap())
        .args(args)
        .args(["--namespace", NAMESPACE])
        .env("KUBECONFIG", world.kubectl.kubeconfig())
        .output()
        .unwrap()
}

/// A BackupJob whose job is at work, and waits for the script: their names.
fn begun(world: &mut World) -> (String, String) {
    let made = kluis_says(world, &["backup", VM, "--no-wait", "-o", "json"]);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let name = made["metadata"]["name"].as_str().unwrap().to_owned();
    let under_way = world
        .until_object("its job", "backupjob", &name, LIMIT, |object| {
            Ok(object["status"]["job"].is_string())
        })
        .unwrap();
    let held = &under_way["metadata"]["finalizers"];
    assert_eq!(held[0], "kluis.dev/in-use", "{held}");
    let job = under_way["status"]["job"].as_str().unwrap().to_owned();
    (name, job)
}

/// The job in the vault, as a person sees it.
fn job(world: &World, name: &str) -> Value {
    let output = kluis_says(world, &["jobs", VM, "-o", "json"]);
    let jobs: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut jobs = jobs.as_array().unwrap().iter();
    jobs.find(|job| job["name"] == name).unwrap().clone()
}

fn until_gone(world: &World, name: &str) {
    until("the BackupJob to go", LIMIT, || {
        let there = world.kubectl.get("backupjob", name)?;
        Ok(there.map_or(Look::Done(()), |object| {
            Look::NotYet(object["status"].to_string())
        }))
    })
    .unwrap();
}

/// What the events of an object told.
fn events(world: &World, name: &str) -> Vec<String> {
    let events = world.kubectl.list("events").unwrap();
    let of = events
        .into_iter()
        .filter(|event| event["involvedObject"]["name"] == name);
    of.map(|event| event["reason"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Scripts for the machine: the first waits until there is the file.
fn with_a_script(estate: &Estate, dir: &Path, go: &Path) {
    let script = dir.join("pre.sh");
    let text = format!(
        "#!/bin/sh\nwhile [ ! -e {} ]; do sleep 0.1; done\n",
        go.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let inventory = fs::read_to_string(&estate.inventory).unwrap();
    let with = inventory.replacen(
        "        os: Linux\n",
        "        os: Linux\n        scripts: { pre: pre.sh, timeout: 30m }\n",
        1,
    );
    assert_ne!(with, inventory);
    fs::write(&estate.inventory, with).unwrap();
}

#[test]
fn what_is_under_way_is_cancelled_by_deleting_its_object_or_by_its_name() {
    let dir = scratch("cancel").unwrap();
    let go = dir.path().join("go");
    let estate = Estate::lay_out(dir.path(), Sizes::SMALL).unwrap();
    with_a_script(&estate, dir.path(), &go);
    let service = Service::start(Setup::new(dir.path(), &estate.inventory)).unwrap();
    let cluster = Cluster::start().unwrap();
    let mut world = World::new(dir.path(), cluster.kubectl(), service, estate).unwrap();
    world.start_operator(None).unwrap();
    world.apply_service().unwrap();
    world.apply_examples().unwrap();
    world.until_protected(LIMIT).unwrap();
    world.tick().unwrap();

    // By its name: the object stays, and says so.
    let (first, its_job) = begun(&mut world);
    let output = kluis_says(&world, &["jobs", VM, "--cancel", &its_job, "-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["status"], "Cancelled", "{told}");
    let failed = world.until_failed("backupjob", &first, LIMIT).unwrap();
    assert_eq!(failed["status"]["state"], "Cancelled");
    // Over, it is cancelled by nobody, and its object is not held.
    let again = kluis_says(&world, &["jobs", VM, "--cancel", &its_job]);
    assert_eq!(again.status.code(), Some(1));
    let why = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(why.contains("It has ended already"), "{why}");
    world
        .kubectl
        .run(["delete", "backupjob", &first, "--timeout=60s"])
        .unwrap();

    // By deleting its object, which stays until the job has ended.
    world.tick().unwrap();
    let (second, its_job) = begun(&mut world);
    world
        .kubectl
        .run(["delete", "backupjob", &second, "--wait=false"])
        .unwrap();
    until_gone(&world, &second);
    assert_eq!(job(&world, &its_job)["status"], "Cancelled");
    assert_eq!(world.points().unwrap().len(), 0);
    let told = events(&world, &second);
    assert!(told.contains(&"JobCancelled".to_owned()), "{told:?}");

    // And nothing stands in the way of the next.
    world.tick().unwrap();
    let (third, its_job) = begun(&mut world);
    fs::write(&go, "").unwrap();
    world.until_succeeded("backupjob", &third, LIMIT).unwrap();
    assert_eq!(job(&world, &its_job)["status"], "Completed");
    assert_eq!(world.points().unwrap().len(), 1);
}
