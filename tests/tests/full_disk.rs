//! The vaults' file system fills up: before a backup, and while a backup, a restore and a cleanup are at work. What was there
//! stays, and can be restored.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kluis_tests::disk;
use kluis_tests::place::scratch;
use kluis_tests::portal::Portal;
use kluis_tests::restic::Restic;
use kluis_tests::service::{Service, Setup};
use kluis_tests::until::{Look, seconds, until};
use kluis_tests::world::{Estate, RESOURCE_GROUP, Sizes, VAULT};
use serde_json::Value;

const LIMIT: Duration = seconds(120);

/// Small disks, and a service whose vaults have so many MiB; none where a small file system can't be made, which takes root
/// or user namespaces.
fn cramped(dir: &Path, mib: u32) -> Option<Portal> {
    let sizes = Sizes {
        os: 160,
        os_fill: 8,
        data: 16,
        data_fill: 2,
    };
    let estate = Estate::lay_out(dir, sizes).unwrap();
    let mut setup = Setup::new(dir, &estate.inventory);
    setup.vaults_mib = Some(mib);
    match Service::start(setup) {
        Ok(service) => Some(Portal { service, estate }),
        Err(why) => {
            assert!(format!("{why:#}").contains("unshare"), "{why:#}");
            eprintln!("skipped: {why:#}");
            None
        }
    }
}

/// Copies of the disks, as they are now.
fn aside(portal: &Portal, name: &str) -> Vec<PathBuf> {
    let copy = |path: &PathBuf| {
        let to = path.with_extension(name);
        disk::copy(path, &to).unwrap();
        to
    };
    portal.estate.disks.iter().map(copy).collect()
}

/// Puts copies back in the disks' places.
fn put_back(portal: &Portal, copies: &[PathBuf]) {
    for (path, copy) in portal.estate.disks.iter().zip(copies) {
        fs::rename(copy, path).unwrap();
    }
}

#[test]
fn a_full_disk_fails_the_job_and_nothing_else() {
    let dir = scratch("full-disk").unwrap();
    let Some(portal) = cramped(dir.path(), 48) else {
        return;
    };
    portal.protect().unwrap();
    portal.back_up().unwrap();
    let first = portal.newest_point().unwrap();
    let copies = aside(&portal, "aside");

    disk::change(&portal.estate.disks[0], 100 << 20).unwrap();
    let (cause, way_out) = portal.failure(&portal.begin_backup().unwrap()).unwrap();
    assert!(cause.to_lowercase().contains("space"), "{cause}");
    assert!(way_out.len() > 15, "{way_out}");

    // The point that was in the vault is there, and whole.
    assert_eq!(restic(&portal).snapshots().unwrap().len(), 1);
    put_back(&portal, &copies);
    portal.restore_and_compare_point(&first).unwrap();
}

#[test]
fn a_disk_that_fills_up_while_work_is_done_loses_nothing() {
    let dir = scratch("filling-disk").unwrap();
    let Some(portal) = cramped(dir.path(), 96) else {
        return;
    };
    portal.protect().unwrap();
    portal.back_up().unwrap();
    let first = portal.newest_point().unwrap();
    let copies = aside(&portal, "first");

    // While a backup is at work: it fails, or it got through before. Either way it says so.
    disk::change(&portal.estate.disks[0], 60 << 20).unwrap();
    let job = portal.begin_backup().unwrap();
    until("the backup's mover to start", LIMIT, || {
        let over = portal.has_ended(&job)?;
        Ok(if over || !portal.service.movers()?.is_empty() {
            Look::Done(())
        } else {
            Look::NotYet("no mover".to_owned())
        })
    })
    .unwrap();
    let filler = Filler::fill(&portal);
    portal.ended(&job).unwrap();
    drop(filler);
    restic(&portal).check().unwrap();

    // While a restore is at work: it reads the vault, and does not need its space.
    let filler = Filler::fill(&portal);
    let now = aside(&portal, "now");
    put_back(&portal, &copies);
    portal.restore_and_compare_point(&first).unwrap();
    drop(filler);
    put_back(&portal, &now);

    // While a cleanup is at work: what has expired may stay, what has not must.
    portal.back_up().unwrap();
    let filler = Filler::fill(&portal);
    let answer = portal.service.advance("PT960H").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    drop(filler);
    let answer = portal.service.advance("PT24H").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    restic(&portal).check().unwrap();
    // A backup that met the full disk left its point where the machine is, for its days.
    let in_vault = |point: &Value| {
        let tiers = point["properties"]["recoveryPointTierDetails"].as_array();
        tiers.is_some_and(|tiers| tiers.iter().any(|tier| tier["type"] == "HardenedRP"))
    };
    let points = portal.points().unwrap();
    assert_eq!(
        restic(&portal).snapshots().unwrap().len(),
        points.iter().filter(|point| in_vault(point)).count(),
        "every point of the vault is a snapshot there, and no snapshot is without a point: {points:?}"
    );
    portal.restore_and_compare().unwrap();
}

fn restic(portal: &Portal) -> Restic {
    Restic::new(
        &seen_by(portal, &portal.service.vault_dir(RESOURCE_GROUP, VAULT)),
        &portal.service.passphrase(),
    )
}

/// A path as the service sees it: its vaults' file system is its alone, and reached through its process.
fn seen_by(portal: &Portal, path: &Path) -> PathBuf {
    PathBuf::from(format!(
        "/proc/{}/root{}",
        portal.service.id(),
        path.display()
    ))
}

/// A file that takes all the space there is in the vaults' file system, until it goes.
struct Filler {
    path: PathBuf,
}

impl Filler {
    fn fill(portal: &Portal) -> Self {
        let path = seen_by(portal, &portal.service.setup().data.join("vaults/filler"));
        let mut file = File::create(&path).unwrap();
        for size in [1 << 20, 1 << 10, 1] {
            let block = vec![0x5a_u8; size];
            while file.write_all(&block).is_ok() {}
        }
        Self { path }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
