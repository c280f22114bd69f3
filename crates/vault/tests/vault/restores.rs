//! Restores in every form: to qcow2, out of snapshot files, of some disks only, and those that cannot end well.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use kluis_vault::{
    DiskFormat, DiskTarget, Event, FailureCode, ForgetTask, RestoreTask, Task, mover,
};

use crate::{
    bad_input::Volume,
    crash::{kind, start, until},
    instant::{of, task},
    qcow2::{image, raw, run, write},
    support::{
        MIB, Place, assert_same, backup, disk, edit, failure, files, noise, notes, restore, saved,
        source, sum,
    },
};

fn target(name: &str, path: PathBuf, format: DiskFormat, instant: Option<&Path>) -> DiskTarget {
    DiskTarget {
        name: name.to_owned(),
        path,
        format,
        instant: instant.map(Path::to_owned),
        size: None,
    }
}

fn of_disks(snapshot: &str, disks: Vec<DiskTarget>) -> RestoreTask {
    RestoreTask {
        disks,
        ..restore(snapshot, Path::new("/"), &[])
    }
}

/// The sum that the event of a disk tells.
fn told(events: &[Event], name: &str) -> String {
    let found = events.iter().find_map(|event| match event {
        Event::Restored { disk, sha256, .. } if disk == name => Some(sha256.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{name} was not restored: {events:?}"))
}

#[test]
fn a_disk_comes_back_as_raw_and_as_qcow2_from_the_vault_and_from_its_snapshot() {
    let place = Place::new();
    let (os, data) = (place.path("os.qcow2"), place.path("data.raw"));
    image(&os, "200M", "");
    write(
        &os,
        &[
            "write -P 1 0 30M",
            "write -P 2 100M 3M",
            "write -P 3 209714688 512",
        ],
    );
    disk(
        &data,
        40 * MIB + 512,
        &[(0, 1, 9 * MIB as usize), (40 * MIB + 5, 2, 500)],
    );
    let snapshots = task(vec![of(&place, "os", &os), of(&place, "data", &data)]);
    place.run("s1", Task::Snapshot(snapshots));
    let snapshot = |name: &str| place.path(&format!("snapshots/{name}"));
    let disks = ["os", "data"].map(|name| source(name, &snapshot(name)));
    let (id, ..) = saved(&place.back_up("j1", backup(disks.to_vec())));
    let expected = |name: &str| match name {
        "os" => raw(&place, &os, "os.expected"),
        _ => data.clone(),
    };

    for (job, from_snapshot, format) in [
        ("a", false, DiskFormat::Raw),
        ("b", false, DiskFormat::Qcow2),
        ("c", true, DiskFormat::Raw),
        ("d", true, DiskFormat::Qcow2),
    ] {
        let disks = ["os", "data"].map(|name| {
            let instant = from_snapshot.then(|| snapshot(name));
            let path = place.path(&format!("restored/{job}/{name}"));
            target(name, path, format, instant.as_deref())
        });
        // Out of their snapshots, disks need no vault.
        let id = if from_snapshot { "" } else { id.as_str() };
        let task = of_disks(id, disks.to_vec());
        let events = place.run(job, Task::Restore(task.clone()));
        assert_eq!(events.last(), Some(&Event::Finished), "{job}: {events:?}");
        for name in ["os", "data"] {
            let path = place.path(&format!("restored/{job}/{name}"));
            let expected = expected(name);
            if format == DiskFormat::Qcow2 {
                run(
                    "qemu-img",
                    &["check", "-f", "qcow2", path.to_str().unwrap()],
                );
                assert_same(&expected, &raw(&place, &path, "restored.raw"));
            } else {
                assert_same(&expected, &path);
            }
            assert_eq!(told(&events, name), sum(&expected), "{job} {name}");
        }
        assert_eq!(files(&place.path(&format!("restored/{job}"))).len(), 2);
        // Once more after it was done: compared again, and told of again.
        let again = place.run(job, Task::Restore(task));
        assert_eq!(told(&again, "os"), told(&events, "os"));
    }
    // A part of the disks.
    let one = target("data", place.path("restored/e/data"), DiskFormat::Raw, None);
    let events = place.run("e", Task::Restore(of_disks(&id, vec![one])));
    assert_same(&data, &place.path("restored/e/data"));
    assert_eq!(
        events
            .iter()
            .filter(|event| kind(event) == "restored")
            .count(),
        1
    );
}

#[test]
fn a_snapshot_that_is_gone_is_made_up_for_by_the_vault() {
    let place = Place::new();
    let os = place.path("os.raw");
    disk(&os, 8 * MIB, &[(0, 1, 3 * MIB as usize)]);
    let (id, ..) = saved(&place.back_up("j1", backup(vec![source("os", &os)])));
    let gone = place.path("gone");
    let to = |job: &str| {
        target(
            "os",
            place.path(&format!("{job}.raw")),
            DiskFormat::Raw,
            Some(&gone),
        )
    };
    let events = place.run("a", Task::Restore(of_disks(&id, vec![to("a")])));
    assert!(
        notes(&events)
            .iter()
            .any(|note| note.contains("from the vault")),
        "{events:?}"
    );
    assert_same(&os, &place.path("a.raw"));
    let events = place.run("b", Task::Restore(of_disks("", vec![to("b")])));
    assert_eq!(failure(&events), FailureCode::SourceUnreadable);
    assert!(!place.path("b.raw").exists());
}

#[test]
fn a_restore_of_a_point_that_is_being_removed_is_whole_or_fails_and_leaves_nothing() {
    let place = Place::new();
    let os = place.path("os.raw");
    disk(&os, 64 * MIB, &[(0, 1, 48 * MIB as usize)]);
    let (mut whole, mut refused) = (0, 0);
    for round in 0..6 {
        let (id, ..) = saved(&place.back_up(&format!("j{round}"), backup(vec![source("os", &os)])));
        let forget = Task::Forget(ForgetTask {
            snapshots: vec![id.clone()],
            prune: true,
        });
        let directory = place.path(&format!("restored-{round}"));
        let restore = restore(&id, &directory, &["os"]);
        let events = std::thread::scope(|scope| {
            let removing = scope.spawn(|| place.run(&format!("f{round}"), forget));
            let events = place.run(&format!("r{round}"), Task::Restore(restore));
            removing.join().unwrap();
            events
        });
        if events.last() == Some(&Event::Finished) {
            assert_same(&os, &directory.join("os.raw"));
            whole += 1;
        } else {
            assert_eq!(failure(&events), FailureCode::SnapshotNotFound);
            assert!(!directory.exists() || files(&directory).is_empty());
            refused += 1;
        }
        place.forget_once(&format!("g{round}"), &[]);
    }
    println!("{whole} whole, {refused} refused");
    place.assert_clean();
}

#[test]
fn a_qcow2_restore_that_finds_no_room_or_a_taken_place_leaves_nothing() {
    let place = Place::new();
    let os = place.path("os.raw");
    fs::write(&os, noise(1, 24 * MIB as usize)).unwrap();
    let (id, ..) = saved(&place.back_up("j1", backup(vec![source("os", &os)])));
    let to = |path: &str| {
        of_disks(
            &id,
            vec![target("os", place.path(path), DiskFormat::Qcow2, None)],
        )
    };
    fs::write(place.path("taken"), b"somebody's").unwrap();
    let events = place.run("a", Task::Restore(to("taken")));
    assert_eq!(failure(&events), FailureCode::TargetTaken);
    assert_eq!(fs::read(place.path("taken")).unwrap(), b"somebody's");

    let Some(_volume) = Volume::mount(&place.path("small"), 27) else {
        println!("SKIPPED: a small file system cannot be mounted here (needs root)");
        return;
    };
    // There seems to be room when it begins; then somebody else takes it.
    let job = place.job("b", Task::Restore(to("small/os.qcow2")));
    let mut events = Vec::new();
    let _ = mover::run(&job, place.key.clone(), &mut |event| {
        if matches!(event, Event::Disk { .. }) {
            fs::write(place.path("small/filler"), noise(6, 4096)).unwrap();
        }
        if matches!(event, Event::Progress { .. }) {
            let _ = fs::write(place.path("small/filler"), noise(6, 20 * MIB as usize));
        }
        events.push(event);
    });
    if events.last() != Some(&Event::Finished) {
        assert_eq!(failure(&events), FailureCode::NoSpace, "{events:?}");
        assert_eq!(files(&place.path("small")), [place.path("small/filler")]);
    }
    for file in files(&place.path("small")) {
        fs::remove_file(file).unwrap();
    }
    fs::write(place.path("small/filler"), noise(6, 10 * MIB as usize)).unwrap();
    let events = place.run("c", Task::Restore(to("small/os.qcow2")));
    assert_eq!(failure(&events), FailureCode::NoSpace, "{events:?}");
}

#[test]
fn a_qcow2_restore_that_is_killed_is_finished_by_the_next_run_or_cleaned_up() {
    let place = Place::new();
    let os = place.path("os.raw");
    disk(&os, 256 * MIB, &[(0, 1, 160 * MIB as usize)]);
    let (id, ..) = saved(&place.back_up("j1", backup(vec![source("os", &os)])));
    for at in ["disk", "progress", "restored"] {
        let path = place.path(&format!("{at}/os.qcow2"));
        let disks = vec![target("os", path.clone(), DiskFormat::Qcow2, None)];
        let job = place.job(&format!("r-{at}"), Task::Restore(of_disks(&id, disks)));
        until(&mut start(&place, &job), |event| kind(event) == at);
        mover::clean_up(&job, &mut |_| {}).unwrap();
        // Killed early enough, it has not even made the folder.
        let folder = path.parent().unwrap();
        let left = if folder.exists() {
            files(folder)
        } else {
            Vec::new()
        };
        assert!(
            left.is_empty() || left == [path.clone()],
            "killed at {at}: {left:?}"
        );
        until(&mut start(&place, &job), |event| kind(event) == at);
        let events = until(&mut start(&place, &job), |_| false);
        assert_eq!(
            events.last(),
            Some(&Event::Finished),
            "killed at {at}: {events:?}"
        );
        assert_same(&os, &raw(&place, &path, "restored.raw"));
    }
}

/// A disk whose snapshot is in the vault too: the snapshot's file, and the vault's.
fn kept_twice(place: &Place) -> (PathBuf, PathBuf, String) {
    let os = place.path("os.raw");
    disk(
        &os,
        8 * MIB,
        &[(0, 1, 3 * MIB as usize), (6 * MIB, 2, 1000)],
    );
    place.run("s1", Task::Snapshot(task(vec![of(place, "os", &os)])));
    let file = place.path("snapshots/os");
    let (id, ..) = saved(&place.back_up("j1", backup(vec![source("os", &file)])));
    (os, file, id)
}

#[test]
fn a_snapshot_that_is_not_what_is_in_the_vault_is_made_up_for_by_it_and_told() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 6] = [
        ("a byte of it is another", |file| {
            edit(file, &[(MIB + 7, 9, 1)]);
        }),
        ("a hole is none", |file| edit(file, &[(5 * MIB, 9, 10)])),
        ("it is cut off", |file| resize(file, 4 * MIB)),
        ("it is cut off in a sector", |file| {
            resize(file, 4 * MIB + 1);
        }),
        ("it is longer", |file| resize(file, 9 * MIB)),
        ("it is of another format", |file| {
            let file = fs::File::options().write(true).open(file).unwrap();
            file.write_all_at(b"KDMV", 0).unwrap();
        }),
    ];
    for (name, damage) in damages {
        for format in [DiskFormat::Raw, DiskFormat::Qcow2] {
            let place = Place::new();
            let (os, file, id) = kept_twice(&place);
            damage(&file);
            let to = place.path("restored/os");
            let disks = vec![target("os", to.clone(), format, Some(&file))];
            let events = place.run("r", Task::Restore(of_disks(&id, disks)));
            assert_eq!(events.last(), Some(&Event::Finished), "{name}: {events:?}");
            assert_eq!(told(&events, "os"), sum(&os), "{name}");
            let restored = match format {
                DiskFormat::Raw => to,
                DiskFormat::Qcow2 => raw(&place, &to, "restored.raw"),
            };
            assert_same(&os, &restored);
            let notes = notes(&events);
            assert!(
                notes.len() == 1 && notes[0].contains("from the vault"),
                "{name}: {notes:?}"
            );
        }
    }
}

#[test]
fn a_snapshot_that_is_the_only_copy_is_not_restored_cut_off() {
    let place = Place::new();
    let os = place.path("os.raw");
    disk(&os, 8 * MIB, &[(0, 1, 3 * MIB as usize)]);
    place.run("s1", Task::Snapshot(task(vec![of(&place, "os", &os)])));
    let file = place.path("snapshots/os");
    resize(&file, 4 * MIB);
    let to = place.path("restored/os");
    let target = DiskTarget {
        size: Some(8 * MIB),
        ..target("os", to.clone(), DiskFormat::Raw, Some(&file))
    };
    let events = place.run("r", Task::Restore(of_disks("", vec![target])));
    assert_eq!(failure(&events), FailureCode::SourceTruncated);
    assert!(!to.exists());
}

#[test]
fn a_snapshot_whose_vault_cannot_be_read_is_restored_and_that_is_told() {
    let place = Place::new();
    let (os, file, id) = kept_twice(&place);
    fs::remove_dir_all(place.vault.join("index")).unwrap();
    let to = place.path("restored/os");
    let disks = vec![target("os", to.clone(), DiskFormat::Raw, Some(&file))];
    let events = place.run("r", Task::Restore(of_disks(&id, disks)));
    assert_same(&os, &to);
    let notes = notes(&events);
    assert!(
        notes.len() == 1 && notes[0].contains("could not be compared with the vault"),
        "{notes:?}"
    );
}

#[test]
fn a_snapshot_that_agrees_with_the_vault_is_restored_without_a_word() {
    let place = Place::new();
    let (os, file, id) = kept_twice(&place);
    let to = place.path("restored/os");
    let disks = vec![target("os", to.clone(), DiskFormat::Raw, Some(&file))];
    let events = place.run("r", Task::Restore(of_disks(&id, disks)));
    assert_same(&os, &to);
    assert_eq!(notes(&events), Vec::<&str>::new());
    assert!(
        events
            .iter()
            .all(|event| !matches!(event, Event::Progress { done, total } if done > total))
    );
}

fn resize(file: &Path, size: u64) {
    let file = fs::File::options().write(true).open(file).unwrap();
    file.set_len(size).unwrap();
}
