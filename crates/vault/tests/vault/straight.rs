//! Disks that go straight into the vault, because the file system can't share their blocks: snapshots that are no copies.

use std::{fs, path::PathBuf};

use kluis_vault::{
    BackupTask, DiskSource, Event, Retire, Scripts, SnapshotMethod, SnapshotSource, SnapshotTask,
    StraightTask, Task, mover, repository,
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{
    crash::{kind, start, until},
    instant::{of, script, task},
    qcow2::{assert_point, bitmaps, checkpoint, image, with_bitmap, write},
    support::{MIB, Place, assert_same, backup, disk, files, notes, saved, source},
};

/// Images on a file system that is not the snapshots': no block of them can be shared.
struct Elsewhere(TempDir);

impl Elsewhere {
    fn new() -> Self {
        Self(tempfile::tempdir_in("/dev/shm").unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// The snapshots of the backup's disks, from where it says that they are.
fn straight(place: &Place, mut backup: BackupTask) -> SnapshotTask {
    let disks = backup.disks.iter().map(|disk| SnapshotSource {
        track: Some("kluis-new".to_owned()),
        keep: disk.bitmap.clone(),
        ..of(place, &disk.name, &disk.path)
    });
    let disks: Vec<_> = disks.collect();
    for disk in &mut backup.disks {
        // What a mover must not read: these are the snapshots' places.
        disk.path = place.path(&format!("snapshots/{}", disk.name));
    }
    SnapshotTask {
        straight: Some(Box::new(StraightTask {
            backup,
            about_otherwise: Some("less".into()),
        })),
        ..task(disks)
    }
}

fn run(place: &Place, job: &str, backup: BackupTask) -> Vec<Event> {
    let events = place.run(job, Task::Snapshot(straight(place, backup)));
    assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
    events
}

/// How each disk was taken, and whether it was written to meanwhile.
fn taken(events: &[Event]) -> Vec<(SnapshotMethod, bool)> {
    let taken = events.iter().filter_map(|event| match event {
        Event::Snapshotted {
            method, touched, ..
        } => Some((*method, *touched)),
        _ => None,
    });
    taken.collect()
}

fn snapshot_files(place: &Place) -> Vec<PathBuf> {
    let folder = place.path("snapshots");
    if folder.exists() {
        files(&folder)
    } else {
        Vec::new()
    }
}

#[test]
fn disks_are_read_once_and_nothing_lies_beside_the_vault() {
    let (place, elsewhere) = (Place::new(), Elsewhere::new());
    let (os, data) = (elsewhere.path("os.qcow2"), elsewhere.path("data.raw"));
    image(&os, "256M", "");
    write(&os, &["write -P 7 1M 40M"]);
    disk(&data, 64 * MIB, &[(0, 2, 9 * MIB as usize)]);
    let events = run(
        &place,
        "j1",
        backup(vec![source("os", &os), source("data", &data)]),
    );
    assert_eq!(taken(&events), [(SnapshotMethod::Vault, false); 2]);
    assert_eq!(notes(&events), Vec::<&str>::new());
    // What is told of the disks comes before what is told of the vault.
    let told: Vec<_> = events.iter().map(kind).collect();
    let at = |word: &str| told.iter().rposition(|kind| kind == word);
    assert!(at("snapshotted") < at("saved"), "{told:?}");
    let (snapshot, logical, read, _) = saved(&events);
    assert_eq!(logical, 320 * MIB);
    assert!((49..=52).contains(&(read / MIB)), "{read}");
    assert_eq!(snapshot_files(&place), Vec::<PathBuf>::new());
    assert_eq!(bitmaps(&os), ["kluis-new"]);
    assert_point(&place, "r1", &snapshot, &os);
    let (restored, _) = place.restore("r1-data", &snapshot, &["data"]);
    assert_same(&data, &restored.join("data.raw"));
}

#[test]
fn a_bitmap_says_what_is_read_and_goes_with_the_next_point() {
    let (place, elsewhere) = (Place::new(), Elsewhere::new());
    let os = image(&elsewhere.path("os.qcow2"), "256M", "");
    write(&os, &["write -P 7 1M 90M"]);
    let first = SnapshotTask {
        disks: vec![SnapshotSource {
            track: Some("kluis-20310501".to_owned()),
            ..of(&place, "os", &os)
        }],
        ..straight(&place, backup(vec![source("os", &os)]))
    };
    let events = place.run("j1", Task::Snapshot(first));
    let (parent, ..) = saved(&events);
    write(&os, &["write -P 9 50M 3M"]);
    let changed = DiskSource {
        retire: Some(Retire {
            path: os.clone(),
            bitmap: "kluis-20310501".to_owned(),
        }),
        ..with_bitmap("os", &os, "kluis-20310501", &checkpoint(&events))
    };
    let second = BackupTask {
        parent: Some(parent),
        ..backup(vec![changed])
    };
    let events = run(&place, "j2", second);
    let (snapshot, _, read, _) = saved(&events);
    // Up to four marks beside what changed.
    assert!((3..=8).contains(&(read / MIB)), "{read}: {events:?}");
    assert_eq!(bitmaps(&os), ["kluis-new"]);
    assert_point(&place, "r2", &snapshot, &os);
}

#[test]
fn a_qcow2_image_that_is_written_to_while_it_is_read_is_copied_and_nobody_is_kept_from_it() {
    let (place, elsewhere) = (Place::new(), Elsewhere::new());
    let os = image(&elsewhere.path("os.qcow2"), "2G", "");
    write(&os, &["write -P 7 0 1G"]);
    let job = place.job(
        "j1",
        Task::Snapshot(straight(&place, backup(vec![source("os", &os)]))),
    );
    let mut child = start(&place, &job);
    let pid = Pid::from_child(&child);
    let stopped = std::cell::Cell::new(false);
    let events = until(&mut child, |event| {
        if kind(event) == "progress" && !stopped.replace(true) {
            kill_process(pid, Signal::STOP).unwrap();
            // As a machine that is started would: QEMU takes its locks, and gets them.
            write(&os, &["write -P 9 1G 1M"]);
            kill_process(pid, Signal::CONT).unwrap();
        }
        false
    });
    assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
    assert_eq!(taken(&events), [(SnapshotMethod::Copy, false)]);
    assert_same(&os, &place.path("snapshots/os"));
    assert!(!events.iter().any(|event| kind(event) == "saved"));
    place.assert_clean();
}

#[test]
fn a_vault_that_cannot_be_opened_costs_no_point() {
    let (place, elsewhere) = (Place::new(), Elsewhere::new());
    let data = elsewhere.path("data.raw");
    disk(&data, 8 * MIB, &[(0, 2, MIB as usize)]);
    fs::rename(place.vault.join("config"), place.path("config")).unwrap();
    let events = run(&place, "j1", backup(vec![source("data", &data)]));
    assert_eq!(taken(&events), [(SnapshotMethod::Copy, false)]);
    assert_same(&data, &place.path("snapshots/data"));
}

#[test]
fn the_machine_is_held_up_while_its_disks_are_read_and_no_longer() {
    let (place, elsewhere) = (Place::new(), Elsewhere::new());
    let data = elsewhere.path("data.raw");
    disk(&data, 8 * MIB, &[(0, 2, MIB as usize)]);
    let put = |text: &str, at: u64| {
        format!(
            "printf {text} | dd of={} bs=1 seek={at} conv=notrunc",
            data.display()
        )
    };
    let scripts = Scripts {
        pre: Some(script(&place, "pre", &put("before", 0))),
        post: Some(script(&place, "post", &put("after", 100))),
        timeout_seconds: 20,
    };
    let snapshot = SnapshotTask {
        scripts: Some(scripts),
        ..straight(&place, backup(vec![source("data", &data)]))
    };
    let events = place.run("j1", Task::Snapshot(snapshot));
    assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
    assert_eq!(taken(&events), [(SnapshotMethod::Vault, false)]);
    let scripts = events.iter().filter(|event| kind(event) == "script");
    assert_eq!(scripts.count(), 2, "{events:?}");
    let (snapshot, ..) = saved(&events);
    let (restored, _) = place.restore("r1", &snapshot, &["data"]);
    let mut then = fs::read(restored.join("data.raw")).unwrap();
    assert!(then.starts_with(b"before"));
    then[100..105].copy_from_slice(b"after");
    assert!(then == fs::read(&data).unwrap());
}

#[test]
fn a_point_carries_what_was_meant_only_where_nothing_went_wrong() {
    for (end, carried) in [("true", "all"), ("exit 3", "less")] {
        let (place, elsewhere) = (Place::new(), Elsewhere::new());
        let data = elsewhere.path("data.raw");
        disk(&data, 8 * MIB, &[(0, 2, MIB as usize)]);
        let scripts = Scripts {
            pre: None,
            post: Some(script(&place, "post", end)),
            timeout_seconds: 20,
        };
        let snapshot = SnapshotTask {
            scripts: Some(scripts),
            ..straight(
                &place,
                BackupTask {
                    about: Some("all".into()),
                    ..backup(vec![source("data", &data)])
                },
            )
        };
        place.run("j1", Task::Snapshot(snapshot));
        let points = repository::snapshots(&place.vault, &place.key).unwrap();
        assert_eq!(points[0].about, Some(carried.into()), "{end}");
    }
}

#[test]
fn one_that_is_killed_at_any_event_is_made_anew_and_loses_nothing_that_was_written_since() {
    for at in ["started", "disk", "progress", "snapshotted"] {
        let (place, elsewhere) = (Place::new(), Elsewhere::new());
        let os = image(&elsewhere.path("os.qcow2"), "128M", "");
        write(&os, &["write -P 7 1M 40M"]);
        let task = SnapshotTask {
            disks: vec![SnapshotSource {
                track: Some("kluis-20310501".to_owned()),
                ..of(&place, "os", &os)
            }],
            ..straight(&place, backup(vec![source("os", &os)]))
        };
        let job = place.job("j1", Task::Snapshot(task));
        let events = until(&mut start(&place, &job), |event| kind(event) == at);
        assert_eq!(kind(events.last().unwrap()), at);
        write(&os, &["write -P 8 20M 1M"]);
        let events = until(&mut start(&place, &job), |_| false);
        assert_eq!(events.last(), Some(&Event::Finished), "{at}: {events:?}");
        let (parent, ..) = saved(&events);
        assert_point(&place, "r1", &parent, &os);
        assert_eq!(snapshot_files(&place), Vec::<PathBuf>::new(), "{at}");

        write(&os, &["write -P 9 60M 1M"]);
        let second = BackupTask {
            parent: Some(parent),
            ..backup(vec![with_bitmap(
                "os",
                &os,
                "kluis-20310501",
                &checkpoint(&events),
            )])
        };
        let events = run(&place, "j2", second);
        let (snapshot, _, read, _) = saved(&events);
        assert!(read < 8 * MIB, "{at}: {read}");
        assert_point(&place, "r2", &snapshot, &os);
    }
}

#[test]
fn one_that_is_given_up_leaves_nothing() {
    let (place, elsewhere) = (Place::new(), Elsewhere::new());
    let os = image(&elsewhere.path("os.qcow2"), "128M", "");
    write(&os, &["write -P 7 1M 40M"]);
    let task = straight(&place, backup(vec![source("os", &os)]));
    let job = place.job("j1", Task::Snapshot(task));
    until(&mut start(&place, &job), |event| kind(event) == "progress");
    mover::clean_up(&job, &mut |_| {}).unwrap();
    assert_eq!(bitmaps(&os), Vec::<String>::new());
    assert_eq!(snapshot_files(&place), Vec::<PathBuf>::new());
    place.assert_clean();
}
