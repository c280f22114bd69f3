//! Every way back for a machine, with real disks: a new machine, its own disks replaced, one disk; each compared byte for
//! byte, and each cut off by `kill -9` at every word of its mover.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kluis_tests::disk;
use kluis_tests::place::scratch;
use kluis_tests::portal::Portal;
use kluis_tests::restic::Restic;
use kluis_tests::service::Service;
use kluis_tests::until::seconds;
use kluis_tests::world::{Estate, RESOURCE_GROUP, Sizes, VAULT, VM, compare};
use serde_json::{Value, json};

const LIMIT: Duration = seconds(180);

/// See `crash.rs`.
const HOOK: &str = "KLUIS_CRASH_ON_MOVER_EVENT";

/// A machine that was backed up, and whose disks were changed since; and copies of the disks as they were backed up.
fn changed_since(dir: &Path) -> (Portal, Vec<PathBuf>) {
    let portal = Portal::open(dir, Sizes::SMALL).unwrap();
    portal.protect().unwrap();
    portal.back_up().unwrap();
    portal.service.advance("PT1M").unwrap();
    let copies = copies(&portal.estate.disks, "then");
    for disk in &portal.estate.disks {
        disk::change(disk, 4 << 20).unwrap();
    }
    (portal, copies)
}

fn copies(disks: &[PathBuf], name: &str) -> Vec<PathBuf> {
    let copy = |path: &PathBuf| {
        let to = path.with_extension(name);
        disk::copy(path, &to).unwrap();
        to
    };
    disks.iter().map(copy).collect()
}

/// The restore of a point, to its end, which must be a good one.
fn restored(portal: &Portal, point: &str, into: &str, changes: &Value) -> Value {
    let answer = portal.post_restore_of(point, into, changes).unwrap();
    let job = portal.job_begun_by(&answer).unwrap();
    portal.completed(&job).unwrap()
}

fn fact(job: &Value, name: &str) -> String {
    let fact = &job["properties"]["extendedInfo"]["propertyBag"][name];
    fact.as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_new_machine_has_the_bytes_of_the_point() {
    let dir = scratch("restore-new-vm").unwrap();
    let (portal, then) = changed_since(dir.path());
    let point = portal.newest_point().unwrap();
    let into = "shop-restored";
    let job = restored(&portal, &point, into, &portal.new_machine(into, "web-9"));
    let files = portal.files_of(into, "web-9").unwrap();
    compare(&then, &files).unwrap();

    // The template is where the job says, and beside the disks.
    let uri = fact(&job, "Template Blob Uri");
    let name = uri.rsplit('/').next().unwrap();
    let folder = fact(&job, "Config Blob Container Name");
    let beside = files[0].with_file_name(folder).join(name);
    let text = std::fs::read_to_string(&beside).unwrap();
    let template: Value = serde_json::from_str(&text).unwrap();
    let defaults = template["parameters"].as_object().unwrap();
    assert_eq!(defaults["OsDiskName"]["defaultValue"], "web-9-os");
    let answer = portal.service.arm().get(&uri).unwrap();
    assert_eq!((answer.status, answer.body), (200, template));
}

#[test]
fn a_machine_is_put_back_in_place_and_forward_again() {
    let dir = scratch("restore-in-place").unwrap();
    let (portal, then) = changed_since(dir.path());
    let now = copies(&portal.estate.disks, "now");
    let point = portal.newest_point().unwrap();
    let job = restored(&portal, &point, RESOURCE_GROUP, &portal.in_place());
    compare(&then, &portal.files_of(RESOURCE_GROUP, VM).unwrap()).unwrap();
    compare(&now, &portal.estate.disks).unwrap();

    let before = fact(&job, "Recovery Point Before");
    let points = portal.points().unwrap();
    let names: Vec<_> = points.iter().map(|point| point["name"].clone()).collect();
    assert!(
        names.contains(&json!(before)),
        "{before} is none of {names:?}"
    );
    restored(&portal, &before, RESOURCE_GROUP, &portal.in_place());
    compare(&now, &portal.files_of(RESOURCE_GROUP, VM).unwrap()).unwrap();
    let restic = Restic::new(
        &portal.service.vault_dir(RESOURCE_GROUP, VAULT),
        &portal.service.passphrase(),
    );
    restic.check().unwrap();
}

#[test]
fn one_disk_is_put_back_and_the_other_left_alone() {
    let dir = scratch("restore-one-disk").unwrap();
    let (portal, then) = changed_since(dir.path());
    let point = portal.newest_point().unwrap();
    let mut changes = portal.in_place();
    changes["restoreDiskLunList"] = json!([0]);
    restored(&portal, &point, RESOURCE_GROUP, &changes);
    let files = portal.files_of(RESOURCE_GROUP, VM).unwrap();
    assert!(!files[0].exists(), "the OS disk is the inventory's still");
    compare(&then[1..], &files[1..]).unwrap();
    let os_alone = json!({ "restoreDiskLunList": [] });
    restored(&portal, &point, "shop-restored", &os_alone);
    let made: Vec<_> = portal
        .estate
        .restored("shop-restored")
        .into_iter()
        .collect();
    compare(&then[..1], &made).unwrap();
}

#[test]
fn a_service_that_dies_at_any_word_of_a_restore_has_all_of_it_or_nothing() {
    let dir = scratch("crash-restores").unwrap();
    let (mut portal, then) = changed_since(dir.path());
    let point = portal.newest_point().unwrap();
    let events = ["Restored", "Written", "Finished"];
    let moments = ["before", "after"].map(|moment| events.map(|event| format!("{moment}:{event}")));
    let mut swaps = 0;
    for (number, hook) in moments.iter().flatten().enumerate() {
        let (into, vm) = ("shop-restored", format!("web-9{number}"));
        let new = portal.new_machine(into, &vm);
        portal = struck_by(portal, hook, &point, into, &new);
        compare(&then, &portal.files_of(into, &vm).unwrap())
            .unwrap_or_else(|why| panic!("after {hook}: {why:#}"));
        // Each replacing is of what the one before made; papers are none of its own.
        if hook.ends_with("Restored") || hook == "before:Finished" {
            portal.service.advance("PT1M").unwrap();
            let in_place = portal.in_place();
            portal = struck_by(portal, hook, &point, RESOURCE_GROUP, &in_place);
            compare(&then, &portal.files_of(RESOURCE_GROUP, VM).unwrap())
                .unwrap_or_else(|why| panic!("in place after {hook}: {why:#}"));
            swaps += 1;
        }
    }
    let partial = walk(&portal.estate.inventory.with_file_name("restored"));
    assert!(
        partial.iter().all(|path| !path.ends_with(".partial")),
        "{partial:?}"
    );
    let disks = Estate::restored(&portal.estate, RESOURCE_GROUP).len();
    assert_eq!(disks, swaps * 2, "each replacing made its disks once");
}

/// A restore that the service dies of, and which it finishes when it is started again.
fn struck_by(mut portal: Portal, hook: &str, point: &str, into: &str, changes: &Value) -> Portal {
    let before = portal.jobs("Restore").unwrap().len();
    portal.service = restarted(portal.service, Some(hook));
    // The service may be gone before it has answered that there is a job.
    let _ = portal.post_restore_of(point, into, changes);
    portal.service.daemon().wait(LIMIT).unwrap();
    portal.service = restarted(portal.service, None);
    for job in portal.jobs("Backup").unwrap() {
        portal.completed(job["name"].as_str().unwrap()).unwrap();
    }
    let jobs = portal.jobs("Restore").unwrap();
    assert_eq!(jobs.len(), before + 1, "after {hook}");
    for job in jobs {
        portal
            .completed(job["name"].as_str().unwrap())
            .unwrap_or_else(|why| panic!("after {hook}: {why:#}"));
    }
    portal
}

fn restarted(service: Service, hook: Option<&str>) -> Service {
    let mut setup = service.setup().clone();
    setup.env = hook
        .map(|hook| (HOOK.to_owned(), hook.to_owned()))
        .into_iter()
        .collect();
    drop(service);
    Service::start(setup).unwrap()
}

fn walk(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path()),
            _ => vec![entry.path().display().to_string()],
        })
        .collect()
}
