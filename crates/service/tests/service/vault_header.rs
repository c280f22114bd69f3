//! What opens the vaults is lost or damaged: while the service runs it is put back, and one vault's trouble is one vault's.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kluis_service::shell::Threads;
use kluis_service::{Config, Movers, ServiceError, start};
use serde_json::Value;

use crate::movers::Site;
use crate::shell::{call, config};

/// What is wrong is told soon, not at once.
const LIMIT: Duration = Duration::from_secs(120);

fn site(dir: &Path) -> Site<'_> {
    Site::start(dir, Movers::Own(Box::new(Threads)))
}

fn disk(dir: &Path) {
    fs::write(dir.join("web-2-os.raw"), vec![7; 1 << 20]).unwrap();
}

fn only_entry(folder: &Path) -> PathBuf {
    let mut entries = fs::read_dir(folder).unwrap();
    entries.next().unwrap().unwrap().path()
}

fn key_of(vault: &Path) -> PathBuf {
    only_entry(&vault.join("keys"))
}

/// The fourth of a day warns that it is one.
fn is_complete(job: &Value) -> bool {
    let status = job["status"].as_str().unwrap();
    status.starts_with("Completed")
}

fn title(job: &Value) -> &str {
    job["errorDetails"][0]["errorTitle"].as_str().unwrap()
}

#[test]
fn a_key_file_that_is_lost_while_the_service_runs_is_back_before_the_next_backup_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    disk(dir);
    let running = site(dir);
    running.protect();
    assert_eq!(running.back_up()["status"], "Completed");
    let vault = dir.join("data/vaults/shop-rg/v1");
    let (key, config) = (key_of(&vault), vault.join("config"));
    let whole = [fs::read(&key).unwrap(), fs::read(&config).unwrap()];
    fs::remove_file(&key).unwrap();
    fs::remove_dir_all(vault.join("copies")).unwrap();
    fs::write(&config, "rotten").unwrap();
    assert_eq!(running.back_up()["status"], "Completed");
    let found = [fs::read(&key).unwrap(), fs::read(&config).unwrap()];
    assert_eq!(found, whole, "both are what they were");
    assert!(vault.join("copies/config").exists());
    // It can't be put back: a backup that nobody could read after a restart is none.
    fs::remove_dir_all(vault.join("keys")).unwrap();
    fs::write(vault.join("keys"), "no folder").unwrap();
    let job = running.back_up();
    assert_eq!(job["status"], "Failed", "{job}");
    fs::remove_file(vault.join("keys")).unwrap();
    assert!(is_complete(&running.back_up()));
    running.running.shutdown().unwrap();
    let again = site(dir);
    assert!(is_complete(&again.back_up()));
    again.running.shutdown().unwrap();
}

#[test]
fn a_vault_that_can_not_be_opened_leaves_the_others_running_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    disk(dir);
    fs::write(dir.join("web-1-os.raw"), vec![1; 1 << 20]).unwrap();
    fs::write(dir.join("web-1-data.raw"), vec![2; 1 << 20]).unwrap();
    let mut running = site(dir);
    running.protect();
    let own = running.vault.clone();
    running.vault = own.replace("vaults/v1", "vaults/v2");
    running.make_vault();
    running.running.shutdown().unwrap();
    let vaults = dir.join("data/vaults/shop-rg");
    // v1 sorts first: all of its key files go, and strangers sort before it.
    fs::remove_dir_all(vaults.join("v1/keys")).unwrap();
    fs::remove_dir_all(vaults.join("v1/copies/keys")).unwrap();
    let foreign = dir.join("data/vaults/a-group/foreign");
    kluis_vault::repository::create(&foreign, "somebody else's").unwrap();
    fs::create_dir_all(dir.join("data/vaults/lost+found")).unwrap();
    fs::create_dir_all(vaults.join("empty")).unwrap();
    fs::write(vaults.join("a-file"), "").unwrap();
    fs::write(dir.join("data/vaults/a-file"), "").unwrap();

    let again = site(dir);
    let job = again.back_up();
    assert_eq!(
        (title(&job), &job["status"]),
        ("UserErrorVaultKeyMissing", &"Failed".into())
    );
    let advice = job["errorDetails"][0]["recommendations"][0]
        .as_str()
        .unwrap();
    assert!(advice.contains("key file"), "{advice}");
    let other = again.call("GET", "", &Value::Null);
    assert_eq!(other.status, 200);
    assert!(
        foreign.join("config").exists(),
        "what is nobody's is left alone"
    );
    again.running.shutdown().unwrap();

    // Another passphrase's vault in the place of v1: the others still run.
    fs::remove_dir_all(vaults.join("v1")).unwrap();
    fs::rename(&foreign, vaults.join("v1")).unwrap();
    let again = site(dir);
    assert_eq!(title(&again.back_up()), "UserErrorVaultKeyMismatch");
    again.running.shutdown().unwrap();
    for (lost, expected) in [
        ("config", "UserErrorVaultConfigMissing"),
        ("", "UserErrorVaultRepositoryMissing"),
    ] {
        fs::remove_dir_all(vaults.join("v1")).unwrap();
        copy(&vaults.join("v2"), &vaults.join("v1"));
        for root in [vaults.join("v1"), vaults.join("v1/copies")] {
            drop(fs::remove_file(root.join(lost)));
        }
        if lost.is_empty() {
            fs::remove_dir_all(vaults.join("v1")).unwrap();
        }
        let again = site(dir);
        assert_eq!(title(&again.back_up()), expected);
        again.running.shutdown().unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn the_passphrase_has_a_copy_and_a_replaced_one_is_told_with_the_place_of_the_right_one() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    disk(dir);
    let running = site(dir);
    running.protect();
    running.running.shutdown().unwrap();
    let (file, twin) = (
        dir.join("data/passphrase"),
        dir.join("data/copies/passphrase"),
    );
    let right = fs::read(&file).unwrap();
    for harm in ["lost", "empty"] {
        match harm {
            "lost" => fs::remove_file(&file).unwrap(),
            _ => fs::write(&file, "\n").unwrap(),
        }
        site(dir).running.shutdown().unwrap();
        assert_eq!(fs::read(&file).unwrap(), right, "{harm}");
    }
    fs::remove_file(&twin).unwrap();
    site(dir).running.shutdown().unwrap();
    assert_eq!(fs::read(&twin).unwrap(), right);

    fs::write(&file, "another").unwrap();
    let error = start(config(dir)).unwrap_err();
    let ServiceError::WrongPassphrase { right: copy, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(copy.as_ref(), Some(&twin));
    assert!(error.to_string().contains("copies/passphrase"), "{error}");
    assert_eq!(fs::read(&twin).unwrap(), right, "the right one stays");
}

/// The titles of what is wrong with the vault.
fn problems(site: &Site<'_>, dir: &Path) -> Vec<String> {
    let path = format!("/kluis/v1{}/health", site.vault);
    let headers = [("Authorization", site.token.as_str())];
    let told = call(&site.running, dir, "GET", &path, &headers, "").body;
    let problems = told["problems"].as_array().unwrap().iter();
    let titles = problems.map(|problem| problem["title"].as_str().unwrap().to_owned());
    titles.filter(|title| title != "ScrubOff").collect()
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_passphrase_that_is_lost_while_the_service_runs_is_back_before_the_next_backup_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    disk(dir);
    let running = site(dir);
    running.protect();
    assert_eq!(running.back_up()["status"], "Completed");
    let file = dir.join("data/passphrase");
    let twin = dir.join("data/copies/passphrase");
    let right = fs::read(&file).unwrap();
    let lose = || {
        fs::remove_file(&file).unwrap();
        fs::remove_file(&twin).unwrap();
    };
    let is_back = || fs::read(&file).unwrap() == right && fs::read(&twin).unwrap() == right;
    lose();
    assert_eq!(running.back_up()["status"], "Completed");
    assert!(is_back(), "before a backup is complete");
    // It can't be put back: a backup that nobody could read after a restart is none.
    lose();
    fs::create_dir(&file).unwrap();
    fs::create_dir(&twin).unwrap();
    let job = running.back_up();
    assert_eq!(job["status"], "Failed", "{job}");
    let is_told = || problems(&running, dir).contains(&"VaultPassphraseUnreadable".to_owned());
    until("the vault did not say so", is_told);
    fs::remove_dir(&file).unwrap();
    fs::remove_dir(&twin).unwrap();
    assert!(is_complete(&running.back_up()));
    until("it was not over", || !is_told());
    // The last moment at which it is in memory is the service's end.
    lose();
    running.running.shutdown().unwrap();
    assert!(is_back(), "at the end");
    let again = site(dir);
    assert!(is_complete(&again.back_up()));
    again.running.shutdown().unwrap();
}

#[test]
fn a_passphrase_of_a_person_that_is_lost_is_told_at_the_next_job_and_written_by_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    disk(dir);
    let file = dir.join("passphrase of ours");
    fs::write(&file, "a passphrase").unwrap();
    let running = start(Config {
        movers: Movers::Own(Box::new(Threads)),
        passphrase_file: Some(file.clone()),
        ..config(dir)
    });
    let running = Site::of(running.unwrap(), dir);
    running.protect();
    assert_eq!(running.back_up()["status"], "Completed");
    assert!(problems(&running, dir).is_empty());
    fs::remove_file(&file).unwrap();
    assert_eq!(running.back_up()["status"], "Completed");
    let expected = ["VaultPassphraseMissing"];
    until("the vault did not say so", || {
        problems(&running, dir) == expected
    });
    assert!(!file.exists());
    fs::write(&file, "a passphrase").unwrap();
    assert!(is_complete(&running.back_up()));
    until("it was not over", || problems(&running, dir).is_empty());
    fs::remove_file(&file).unwrap();
    running.running.shutdown().unwrap();
    assert!(!file.exists());
}
