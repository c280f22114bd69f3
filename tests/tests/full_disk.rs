//! The vaults' file system, or that of all that the service keeps, fills up: before a backup, and while a backup, a restore
//! and a cleanup are at work. What was there stays, and can be restored.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kluis_tests::disk;
use kluis_tests::place::scratch;
use kluis_tests::portal::Portal;
use kluis_tests::restic::Restic;
use kluis_tests::service::{Service, Setup, Small};
use kluis_tests::until::{Look, every, seconds, until};
use kluis_tests::world::{Estate, RESOURCE_GROUP, Sizes, VAULT, compare};
use serde_json::Value;

const LIMIT: Duration = seconds(120);

/// Small disks with so many MiB on the first, and a service with a small file system; none where that can't be made, which
/// takes root or user namespaces.
fn cramped(dir: &Path, small: Small, os_fill: u64) -> Option<Portal> {
    let sizes = Sizes {
        os: 160,
        os_fill,
        data: 16,
        data_fill: 2,
    };
    let estate = Estate::lay_out(dir, sizes).unwrap();
    let mut setup = Setup::new(dir, &estate.inventory);
    setup.small = Some(small);
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
    let Some(portal) = cramped(dir.path(), Small::Vaults(48), 8) else {
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
    let Some(portal) = cramped(dir.path(), Small::Vaults(96), 8) else {
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
    let filler = Filler::fill(&portal, "vaults");
    portal.ended(&job).unwrap();
    drop(filler);
    restic(&portal).check().unwrap();

    // While a restore is at work: it reads the vault, and does not need its space.
    let filler = Filler::fill(&portal, "vaults");
    let now = aside(&portal, "now");
    put_back(&portal, &copies);
    portal.restore_and_compare_point(&first).unwrap();
    drop(filler);
    put_back(&portal, &now);

    // While a cleanup is at work: what has expired may stay, what has not must.
    portal.back_up().unwrap();
    let filler = Filler::fill(&portal, "vaults");
    let answer = portal.service.advance("PT960H").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    drop(filler);
    let answer = portal.service.advance("PT24H").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    restic(&portal).check().unwrap();
    assert_points_are_snapshots(&portal);
    portal.restore_and_compare().unwrap();
}

#[test]
fn a_data_directory_that_fills_up_under_a_mover_loses_nothing() {
    let dir = scratch("full-data").unwrap();
    let Some(portal) = cramped(dir.path(), Small::Everything(224), 24) else {
        return;
    };
    portal.protect().unwrap();
    portal.back_up().unwrap();
    let first = portal.newest_point().unwrap();

    // A restore has written a part of a disk when there is room for nothing more, neither for the disk nor for the state.
    let caught = Estate::spare_groups().find_map(|group| {
        let job = portal.begin_restore(&first, &group).unwrap();
        let mover = held(&portal, "restore", || {
            Ok(portal.has_ended(&job)? || is_written_to(&portal, &group))
        })?;
        let filler = Filler::fill(&portal, ".");
        let_go_on(&portal, mover);
        drop(filler);
        let ended = portal.ended(&job).unwrap();
        (ended["properties"]["status"] == "Failed").then_some((job, group))
    });
    let (job, group) = caught.expect("every restore was over before the disk was full");
    let (cause, way_out) = portal.failure(&job).unwrap();
    assert!(cause.to_lowercase().contains("space"), "{cause}");
    assert!(way_out.len() > 15, "{way_out}");
    assert_eq!(restored(&portal, &group), Vec::<PathBuf>::new());
    compare_restored(&portal, &first, "shop-restored");

    // A cleanup's mover is at work when there is.
    disk::change(&portal.estate.disks[0], 4 << 20).unwrap();
    portal.back_up().unwrap();
    std::thread::scope(|scope| {
        let advanced = scope.spawn(|| portal.service.advance("PT960H"));
        let mover = held(&portal, "forget", || Ok(true)).expect("no cleanup's mover");
        let filler = Filler::fill(&portal, ".");
        let_go_on(&portal, mover);
        drop(filler);
        let answer = advanced.join().unwrap().unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
    });
    let answer = portal.service.advance("PT24H").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    restic(&portal).check().unwrap();
    assert_points_are_snapshots(&portal);
    compare_restored(&portal, &portal.newest_point().unwrap(), RESOURCE_GROUP);
}

/// The mover of a task of this kind, held up where it is, as soon as it is where `at` says; none if it ended before.
fn held(portal: &Portal, kind: &str, at: impl Fn() -> anyhow::Result<bool>) -> Option<u32> {
    let service = &portal.service;
    let is_of_kind = |mover: &u32| {
        let job = service.job_of_mover(*mover);
        job.is_ok_and(|job| job["task"]["kind"] == kind)
    };
    let what = format!("the mover of a {kind}");
    every(Duration::from_millis(1), &what, LIMIT, || {
        let mover = service.movers()?.into_iter().find(is_of_kind);
        Ok(match (at()?, mover) {
            (false, _) => Look::NotYet("not there".to_owned()),
            (true, None) if kind == "restore" => Look::Done(None),
            (true, None) => Look::NotYet("no mover".to_owned()),
            (true, Some(mover)) => Look::Done(service.hold_mover(mover).ok().map(|()| mover)),
        })
    })
    .unwrap()
}

/// Lets a mover go on to its end, and waits for that.
fn let_go_on(portal: &Portal, mover: u32) {
    portal.service.let_mover_go_on(mover).unwrap();
    until("the mover to end", LIMIT, || {
        Ok(if portal.service.movers()?.contains(&mover) {
            Look::NotYet("it is at work".to_owned())
        } else {
            Look::Done(())
        })
    })
    .unwrap();
}

/// Where a resource group's restored disks are.
fn folder_of(portal: &Portal, group: &str) -> PathBuf {
    let restored = portal.estate.inventory.with_file_name("restored");
    portal.service.seen(&restored.join(group))
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// The files that restores left in a resource group, finished or not.
fn restored(portal: &Portal, group: &str) -> Vec<PathBuf> {
    let mut files = files_in(&folder_of(portal, group));
    files.sort();
    files
}

/// Whether some bytes of a disk are there that is being restored to a resource group.
fn is_written_to(portal: &Portal, group: &str) -> bool {
    use std::os::unix::fs::MetadataExt;
    let files = files_in(&folder_of(portal, group));
    let has_bytes = |file: &PathBuf| fs::metadata(file).is_ok_and(|found| found.blocks() > 0);
    files.iter().any(has_bytes)
}

/// Restores a point's disks into a resource group and compares every byte.
fn compare_restored(portal: &Portal, point: &str, group: &str) {
    let job = portal.begin_restore(point, group).unwrap();
    portal.completed(&job).unwrap();
    let mut made = restored(portal, group);
    made.retain(|path| path.extension().is_some_and(|end| end == "raw"));
    compare(&portal.estate.disks, &made).unwrap();
}

/// Every point of the vault is a snapshot there, and no snapshot is without a point.
fn assert_points_are_snapshots(portal: &Portal) {
    // A backup that met the full disk left its point where the machine is, for its days.
    let in_vault = |point: &Value| {
        let tiers = point["properties"]["recoveryPointTierDetails"].as_array();
        tiers.is_some_and(|tiers| tiers.iter().any(|tier| tier["type"] == "HardenedRP"))
    };
    let points = portal.points().unwrap();
    assert_eq!(
        restic(portal).snapshots().unwrap().len(),
        points.iter().filter(|point| in_vault(point)).count(),
        "{points:?}"
    );
}

fn restic(portal: &Portal) -> Restic {
    Restic::new(
        &portal
            .service
            .seen(&portal.service.vault_dir(RESOURCE_GROUP, VAULT)),
        &portal.service.passphrase(),
    )
}

/// A file that takes all the space there is in the small file system, until it goes.
struct Filler {
    path: PathBuf,
}

impl Filler {
    fn fill(portal: &Portal, folder: &str) -> Self {
        let path = portal.service.setup().data.join(folder).join("filler");
        let path = portal.service.seen(&path);
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
