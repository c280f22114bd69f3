//! A person's shortcuts (`kluis points`, `jobs`, `backup`, `restore`, `ls`) on a real API server, operator and service, and on a
//! service alone.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use kluis_tests::binary::kluis;
use kluis_tests::files;
use kluis_tests::place::scratch;
use kluis_tests::until::seconds;
use kluis_tests::world::{NAMESPACE, RESOURCE_GROUP, Sizes, VAULT, VM, World, compare};
use serde_json::Value;

const LIMIT: std::time::Duration = seconds(180);

/// `kluis …` as the person of the kubeconfig.
fn cluster(world: &World, args: &[&str]) -> Output {
    Command::new(kluis().unwrap())
        .args(args)
        .args(["--namespace", NAMESPACE])
        .env("KUBECONFIG", world.kubectl.kubeconfig())
        .output()
        .unwrap()
}

/// `kluis …` with nothing but what the service wrote about itself.
fn alone(world: &World, args: &[&str]) -> Output {
    Command::new(kluis().unwrap())
        .args(args)
        .arg("--credentials")
        .arg(world.service.setup().data.join("credentials.json"))
        .env_remove("KUBECONFIG")
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&said(output)).unwrap()
}

#[test]
fn a_person_backs_up_looks_and_restores_in_one_line_each() {
    let mut world = World::start("person", Sizes::SMALL).unwrap();
    world.apply_service().unwrap();
    world.apply_examples().unwrap();
    world.until_protected(LIMIT).unwrap();
    world.tick().unwrap();

    let told = said(&cluster(&world, &["backup", VM]));
    assert!(told.contains("BackupJob shop/web-1-"), "{told}");

    // What it says is what the service has, from the cluster and from the service alone.
    let known = world.points().unwrap();
    assert_eq!(known.len(), 1);
    let by_cluster = json(&cluster(&world, &["points", VM, "-o", "json"]));
    let item = format!("{RESOURCE_GROUP}/{VAULT}/{RESOURCE_GROUP}/{VM}");
    let by_service = json(&alone(&world, &["points", &item, "-o", "json"]));
    assert_eq!(by_cluster, by_service);
    assert_eq!(by_cluster[0]["name"], known[0]["name"]);
    let table = said(&cluster(&world, &["points", VM]));
    assert!(table.starts_with("NAME"), "{table}");
    assert_eq!(table.lines().count(), 2, "{table}");

    let jobs = json(&cluster(&world, &["jobs", VM, "-o", "json"]));
    let backups: Vec<&Value> = jobs
        .as_array()
        .unwrap()
        .iter()
        .filter(|job| job["operation"] == "Backup")
        .collect();
    assert_eq!(backups.len(), 1, "{jobs}");
    assert_eq!(backups[0]["status"], "Completed");
    let of_all = json(&cluster(&world, &["jobs", "-o", "json"]));
    assert_eq!(of_all, jobs, "the namespace has no other item");

    // A restore waits for its end, and its bytes are the machine's.
    let before = world.estate.restored("shop-restored");
    let point = known[0]["name"].as_str().unwrap();
    let which = format!("{VM}@{point}");
    let told = said(&cluster(
        &world,
        &["restore", &which, "--to-disks", "shop-restored"],
    ));
    assert!(told.contains("Restored"), "{told}");
    let made: Vec<_> = world
        .estate
        .restored("shop-restored")
        .difference(&before)
        .cloned()
        .collect();
    compare(&world.estate.disks, &made).unwrap();

    // What is not there is an error that says how to find what is.
    let wrong = cluster(&world, &["ls", "web-1@0000", "/"]);
    assert_eq!(wrong.status.code(), Some(1));
    let told = String::from_utf8_lossy(&wrong.stderr);
    assert!(told.contains("kluis points web-1"), "{told}");

    brought(&world, &item);

    // A word that another restore in place is not forgotten goes with the object, and with no other kind of restore.
    let again = [
        "restore",
        VM,
        "--in-place",
        "--again",
        "job-7",
        "--no-wait",
        "-o",
        "json",
    ];
    let made = json(&cluster(&world, &again));
    let words = &made["metadata"]["annotations"];
    assert_eq!(words[kluis_plan::RESTORE_AGAIN], "job-7", "{made}");
    let wrong = cluster(
        &world,
        &["restore", VM, "--files", "/etc", "--again", "job-7"],
    );
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
}

/// Files of the recovery point, listed and brought here without a mount and without the machine.
fn brought(world: &World, item: &str) {
    let volumes = json(&cluster(world, &["ls", VM, "-o", "json"]));
    assert!(!volumes.as_array().unwrap().is_empty(), "{volumes}");
    let listed = json(&cluster(world, &["ls", VM, "/", "-o", "json"]));
    let name = |entry: &Value| entry["name"].as_str().unwrap().to_owned();
    let first_file = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["type"] == "file" || entry["type"] == "directory")
        .map(name)
        .unwrap();
    let dir = scratch("person-files").unwrap();
    let path = format!("/{first_file}");
    let into = dir.path().join("by-cluster");
    fs::create_dir(&into).unwrap();
    said(&cluster(
        world,
        &[
            "restore",
            VM,
            "--files",
            &path,
            "--into",
            into.to_str().unwrap(),
        ],
    ));
    let other = dir.path().join("by-service");
    fs::create_dir(&other).unwrap();
    said(&alone(
        world,
        &[
            "restore",
            item,
            "--files",
            &path,
            "--into",
            other.to_str().unwrap(),
        ],
    ));
    let here = files::tree(&into).unwrap();
    assert!(!here.is_empty());
    assert_eq!(here, files::tree(&other).unwrap());
    assert_eq!(
        here,
        files::of_image(&world.estate.disks[0], &path).unwrap()
    );
    // A second time, everything stays as it is.
    let again = cluster(
        world,
        &[
            "restore",
            VM,
            "--files",
            &path,
            "--into",
            into.to_str().unwrap(),
        ],
    );
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(here, files::tree(&into).unwrap());
}

#[test]
fn kubectl_finds_it_as_a_plugin() {
    let dir = scratch("plugin").unwrap();
    symlink(kluis().unwrap(), dir.path().join("kubectl-kluis")).unwrap();
    let cluster = kluis_tests::cluster::Cluster::shared().unwrap();
    let path = format!(
        "{}:{}",
        dir.path().display(),
        std::env::var("PATH").unwrap()
    );
    let output = cluster
        .kubectl()
        .command()
        .args(["kluis", "points", "--help"])
        .env("PATH", path)
        .output()
        .unwrap();
    let told = said(&output);
    assert!(told.contains("Usage: kubectl kluis points"), "{told}");
}

#[test]
fn shells_and_man_are_served() {
    for shell in ["bash", "zsh", "fish"] {
        let output = Command::new(kluis().unwrap())
            .args(["completions", shell])
            .output()
            .unwrap();
        let script = said(&output);
        assert!(
            script.contains("kluis") && script.contains("validate"),
            "{shell}"
        );
    }
    let dir = scratch("completions").unwrap();
    let script = dir.path().join("kluis.bash");
    let output = Command::new(kluis().unwrap())
        .args(["completions", "bash"])
        .output()
        .unwrap();
    fs::write(&script, &output.stdout).unwrap();
    let parsed = Command::new("bash")
        .arg("-n")
        .arg(&script)
        .status()
        .unwrap();
    assert!(parsed.success());
    let page = said(&Command::new(kluis().unwrap()).arg("man").output().unwrap());
    assert!(
        page.contains(".TH kluis 1"),
        "{}",
        &page[..200.min(page.len())]
    );
}
