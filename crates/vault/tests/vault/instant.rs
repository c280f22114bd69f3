//! Snapshots of images: files that are the images, scripts around them, and a chain of backups out of them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use kluis_vault::{
    DiskFormat, DiskSource, Event, FailureCode, Retire, ScriptOutcome, Scripts, SnapshotMethod,
    SnapshotSource, SnapshotTask, Task, Which, mover,
};

use crate::{
    bad_input::Volume,
    qcow2::{begin_bitmap, bitmaps, checkpoint, image, raw, write},
    support::{
        MIB, Place, allocated, assert_same, backup, disk, edit, failure, files, notes, saved,
        source,
    },
};

pub(crate) fn of(place: &Place, name: &str, path: &Path) -> SnapshotSource {
    SnapshotSource {
        name: name.to_owned(),
        path: path.to_owned(),
        to: place.path(&format!("snapshots/{name}")),
        track: None,
        keep: None,
        in_use: kluis_vault::InUse::Refuse,
    }
}

pub(crate) fn task(disks: Vec<SnapshotSource>) -> SnapshotTask {
    SnapshotTask {
        disks,
        scripts: None,
        straight: None,
    }
}

/// A script that others may run and only its owner may write.
pub(crate) fn script(place: &Place, name: &str, text: &str) -> PathBuf {
    let path = place.path(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn take(place: &Place, job: &str, task: SnapshotTask) -> Vec<Event> {
    let events = place.run(job, Task::Snapshot(task));
    assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
    events
}

fn scripts_told(events: &[Event]) -> Vec<(Which, ScriptOutcome)> {
    let told = events.iter().filter_map(|event| match event {
        Event::Script { which, outcome, .. } => Some((*which, outcome.clone())),
        _ => None,
    });
    told.collect()
}

fn assert_nothing_left(place: &Place) {
    let left = place.path("snapshots");
    if left.exists() {
        assert_eq!(files(&left), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_snapshot_is_the_image_and_takes_no_more_room() {
    let place = Place::new();
    let (os, data) = (place.path("os.raw"), place.path("data.qcow2"));
    disk(
        &os,
        512 * MIB,
        &[(0, 1, 3 * MIB as usize), (300 * MIB + 100, 2, 5000)],
    );
    image(&data, "1G", "");
    write(&data, &["write -P 7 100M 2M"]);
    let disks = vec![of(&place, "os", &os), of(&place, "data", &data)];
    let events = take(&place, "s1", task(disks));

    for (name, path, size, format) in [
        ("os", &os, 512 * MIB, DiskFormat::Raw),
        ("data", &data, 1024 * MIB, DiskFormat::Qcow2),
    ] {
        let snapshot = place.path(&format!("snapshots/{name}"));
        assert_same(path, &snapshot);
        assert!(allocated(&snapshot) <= allocated(path) + 128 * 1024);
        let mode = fs::metadata(&snapshot).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(events.iter().any(|event| matches!(event,
            Event::Snapshotted { disk, size: told, format: kind, tracked: false, .. }
                if disk == name && *told == size && *kind == format)));
    }
    let mode = fs::metadata(place.path("snapshots"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(
        files(&place.path("snapshots")).len(),
        2,
        "nothing else is left there"
    );
    assert_eq!(notes(&events), Vec::<&str>::new());

    // Once more by the same job is the same again; by another one the place is taken.
    let disks = || vec![of(&place, "os", &os)];
    edit(&os, &[(0, 3, 100)]);
    take(&place, "s1", task(disks()));
    assert_same(&os, &place.path("snapshots/os"));
    let events = place.run("s2", Task::Snapshot(task(disks())));
    assert_eq!(failure(&events), FailureCode::TargetTaken);
    assert_same(&os, &place.path("snapshots/os"));
}

#[test]
fn scripts_run_before_and_after_and_are_told_of() {
    let place = Place::new();
    let os = place.path("os.raw");
    disk(&os, 8 * MIB, &[(0, 1, 1000)]);
    let log = place.path("log");
    let say = |word: &str| format!("echo {word} >> {}", log.display());
    let scripts = |pre: &str, post: &str| Scripts {
        pre: Some(script(&place, "pre", &format!("{}\n{pre}", say("pre")))),
        post: Some(script(&place, "post", &format!("{}\n{post}", say("post")))),
        timeout_seconds: 20,
    };
    let with = |scripts| SnapshotTask {
        scripts: Some(scripts),
        ..task(vec![of(&place, "os", &os)])
    };

    let environment = "env; echo key: $(cat); yes long | head -c 5000; echo the end";
    let events = take(&place, "s1", with(scripts(environment, "exit 3")));
    let told = [
        (Which::Pre, ScriptOutcome::Succeeded),
        (Which::Post, ScriptOutcome::Failed { code: Some(3) }),
    ];
    assert_eq!(scripts_told(&events), told);
    let Some(Event::Script { output, .. }) = events
        .iter()
        .find(|event| matches!(event, Event::Script { .. }))
    else {
        panic!("{events:?}")
    };
    assert!(
        output.len() <= 1000 && output.ends_with("the end"),
        "{output}"
    );

    // The environment is empty, but for where programs are.
    let environment = scripts(
        "env | grep -v ^PWD= | grep -v ^LC_ALL= | grep -v ^_= | cut -c1-5",
        "",
    );
    let events = take(&place, "s1", with(environment));
    assert!(
        events.contains(&Event::Script {
            which: Which::Pre,
            outcome: ScriptOutcome::Succeeded,
            output: "PATH=".to_owned(),
        }),
        "{events:?}"
    );

    // Both run whatever becomes of the first, and of the snapshot; a first one that never ran needs no second.
    fs::write(&log, "").unwrap();
    take(&place, "s1", with(scripts("exit 1", "")));
    assert_eq!(fs::read_to_string(&log).unwrap(), "pre\npost\n");
    let mut shrinking = with(scripts("", ""));
    let cut = script(
        &place,
        "cut",
        &format!("{}\ntruncate -s 1M {}", say("pre"), os.display()),
    );
    shrinking.scripts.as_mut().unwrap().pre = Some(cut);
    let events = place.run("s1", Task::Snapshot(shrinking));
    assert_eq!(failure(&events), FailureCode::SourceChanged);
    assert_eq!(fs::read_to_string(&log).unwrap(), "pre\npost\npre\npost\n");
    assert_nothing_left(&place);

    disk(&os, 8 * MIB, &[(0, 1, 1000)]);
    fs::write(&log, "").unwrap();
    let theirs = scripts("", "");
    fs::set_permissions(
        theirs.pre.as_ref().unwrap(),
        fs::Permissions::from_mode(0o777),
    )
    .unwrap();
    let events = take(&place, "s1", with(theirs));
    assert!(
        matches!(
            &scripts_told(&events)[..],
            [(Which::Pre, ScriptOutcome::NotStarted { .. })]
        ),
        "{events:?}"
    );
    assert_eq!(fs::read_to_string(&log).unwrap(), "");
}

#[test]
fn a_script_that_hangs_is_ended_with_all_that_it_started() {
    let place = Place::new();
    let os = place.path("os.raw");
    disk(&os, 8 * MIB, &[(0, 1, 1000)]);
    let held = place.path("held");
    Command::new("mkfifo").arg(&held).status().unwrap();
    // It and its child hold the pipe's end open: its reader comes to an end when both are gone.
    let hang = format!("exec 5>{}\nsleep 1000 &\nsleep 1000", held.display());
    let task = SnapshotTask {
        scripts: Some(Scripts {
            pre: Some(script(&place, "pre", &hang)),
            post: Some(script(&place, "post", "exit 0")),
            timeout_seconds: 1,
        }),
        ..task(vec![of(&place, "os", &os)])
    };
    let reader = std::thread::spawn(move || fs::read(held).unwrap());
    let events = take(&place, "s1", task);
    let told = [
        (Which::Pre, ScriptOutcome::TimedOut),
        (Which::Post, ScriptOutcome::Succeeded),
    ];
    assert_eq!(scripts_told(&events), told);
    assert_eq!(reader.join().unwrap(), b"");
    assert_same(&os, &place.path("snapshots/os"));
}

#[test]
fn an_image_that_changes_while_it_is_copied_is_told_of_or_refused() {
    let place = Place::new();
    let (os, data) = (place.path("os.raw"), place.path("data.qcow2"));
    disk(&os, 64 * MIB, &[(0, 1, 20 * MIB as usize)]);
    image(&data, "64M", "");
    write(&data, &["write -P 7 1M 2M"]);
    begin_bitmap(&data, "kluis-old");
    let run = |disk: SnapshotSource, change: &dyn Fn()| {
        let mut events = Vec::new();
        let job = place.job("s1", Task::Snapshot(task(vec![disk])));
        let _ = mover::run(&job, place.key.clone(), &mut |event| {
            // Its time is taken; nothing has been copied.
            if matches!(event, Event::Progress { done: 0, .. }) {
                change();
            }
            events.push(event);
        });
        events
    };
    let touched = |events: &[Event]| {
        notes(events)
            .iter()
            .any(|note| note.contains("no single moment"))
    };
    let reflinks = |events: &[Event]| {
        events.iter().any(|event| {
            matches!(
                event,
                Event::Snapshotted {
                    method: SnapshotMethod::Reflink,
                    ..
                }
            )
        })
    };

    let events = run(of(&place, "os", &os), &|| edit(&os, &[(5 * MIB, 9, 100)]));
    assert!(touched(&events) || reflinks(&events), "{events:?}");
    assert!(
        events.iter().any(|event| matches!(event,
            Event::Snapshotted { touched: said, .. } if *said == touched(&events))),
        "{events:?}"
    );
    let events = run(of(&place, "os", &os), &|| {
        fs::File::options()
            .write(true)
            .open(&os)
            .unwrap()
            .set_len(65 * MIB)
            .unwrap();
    });
    assert_eq!(failure(&events), FailureCode::SourceChanged);
    assert_nothing_left(&place);

    // A qcow2 image that was only touched may be torn, as far as anybody knows: its bitmap is not believed.
    let events = run(of(&place, "data", &data), &|| {
        let file = fs::File::options().write(true).open(&data).unwrap();
        file.set_modified(std::time::SystemTime::now()).unwrap();
    });
    assert!(touched(&events) || reflinks(&events), "{events:?}");
    let snapshot = place.path("snapshots/data");
    assert_same(
        &raw(&place, &data, "a.raw"),
        &raw(&place, &snapshot, "b.raw"),
    );
    assert_eq!((bitmaps(&data).len(), bitmaps(&snapshot).len()), (1, 0));
    fs::remove_file(snapshot).unwrap();

    // One that grew is torn, and shows it.
    let events = run(of(&place, "data", &data), &|| {
        write(&data, &["write -P 8 9M 1M"]);
    });
    if !reflinks(&events) {
        assert_eq!(failure(&events), FailureCode::SourceChanged);
        assert_nothing_left(&place);
    }
}

#[test]
fn a_chain_of_tracked_snapshots_loses_no_write() {
    let place = Place::new();
    let os = image(&place.path("os.qcow2"), "256M", "");
    write(&os, &["write -P 1 0 100M"]);
    let mut before: Option<(String, String, kluis_vault::Checkpoint)> = None;
    let mut points = Vec::new();
    for round in 1..=4_u64 {
        let (point, job) = (format!("p{round}"), format!("b{round}"));
        let snapshot = place.path(&format!("snapshots/{point}"));
        let disk = SnapshotSource {
            track: Some(format!("kluis-{point}")),
            keep: before.as_ref().map(|(_, name, _)| format!("kluis-{name}")),
            to: snapshot.clone(),
            ..of(&place, "os", &os)
        };
        let events = take(&place, &format!("s{round}"), task(vec![disk]));
        assert!(
            events
                .iter()
                .any(|event| matches!(event, Event::Snapshotted { tracked: true, .. }))
        );
        let begun = checkpoint(&events);
        // Writes after the snapshot, and before its transfer, belong to the next one.
        let late = format!("write -P {} {}M 64k", 10 + round, 10 * round);
        write(&os, &[&late]);

        // The third one's transfer never happens: its bitmap is nobody's, and goes.
        if round == 3 {
            assert_eq!(bitmaps(&os).len(), 2);
            continue;
        }
        let mut backup = backup(vec![source("os", &snapshot)]);
        backup.tags = vec![format!("rp={point}")];
        backup.parent = before.as_ref().map(|(id, ..)| id.clone());
        let bitmap = before.as_ref().map(|(_, name, _)| format!("kluis-{name}"));
        backup.disks[0] = DiskSource {
            retire: bitmap.clone().map(|bitmap| Retire {
                path: os.clone(),
                bitmap,
            }),
            bitmap,
            checkpoint: before.as_ref().map(|(.., begun)| begun.clone()),
            image: Some(begun.file),
            ..backup.disks[0].clone()
        };
        let events = place.back_up(&job, backup);
        let (id, _, read, _) = saved(&events);
        assert_eq!(notes(&events), Vec::<&str>::new());
        // Up to four marks beside what changed.
        let expected = [100..=100, 1..=5, 0..=0, 2..=6][round as usize - 1].clone();
        assert!(expected.contains(&(read / MIB)), "round {round}: {read}");
        assert_eq!(bitmaps(&os), [format!("kluis-{point}")]);
        points.push((id.clone(), raw(&place, &snapshot, &format!("{point}.raw"))));
        before = Some((id, point, begun));
    }
    place.assert_clean();
    for (number, (id, expected)) in points.iter().enumerate() {
        let (restored, _) = place.restore(&format!("r{number}"), id, &["os"]);
        assert_same(expected, &restored.join("os.raw"));
    }
}

#[test]
fn a_snapshot_that_has_no_room_leaves_nothing_and_nothing_begun() {
    let place = Place::new();
    let Some(_volume) = Volume::mount(&place.path("snapshots"), 8) else {
        println!("SKIPPED: a small file system cannot be mounted here (needs root)");
        return;
    };
    let os = image(&place.path("os.qcow2"), "64M", "");
    write(&os, &["write -P 7 0 10M"]);
    let disk = SnapshotSource {
        track: Some("kluis-p1".to_owned()),
        ..of(&place, "os", &os)
    };
    let log = place.path("log");
    let snapshot = SnapshotTask {
        scripts: Some(Scripts {
            pre: Some(script(&place, "pre", &format!("touch {}", log.display()))),
            post: None,
            timeout_seconds: 10,
        }),
        ..task(vec![disk])
    };
    let events = place.run("s1", Task::Snapshot(snapshot));
    assert_eq!(failure(&events), FailureCode::NoSpace);
    assert_nothing_left(&place);
    assert!(!log.exists(), "the machine was not held up for nothing");
    assert_eq!(bitmaps(&os), Vec::<String>::new());
}

#[test]
fn a_file_system_that_shares_blocks_is_asked_to() {
    let place = Place::new();
    let Some(_volume) = Volume::xfs(&place.path("volume"), &place.path("volume.img")) else {
        println!(
            "SKIPPED: a file system that shares blocks cannot be made here (needs root and xfsprogs)"
        );
        return;
    };
    let os = place.path("volume/os.raw");
    disk(&os, 200 * MIB, &[(MIB, 1, 150 * MIB as usize)]);
    // Twice its bytes are not free, and need not be.
    let disk = SnapshotSource {
        to: place.path("volume/snapshots/os"),
        ..of(&place, "os", &os)
    };
    let events = take(&place, "s1", task(vec![disk.clone()]));
    assert!(
        events.iter().any(|event| matches!(
            event,
            Event::Snapshotted {
                method: SnapshotMethod::Reflink,
                ..
            }
        )),
        "{events:?}"
    );
    assert_same(&os, &disk.to);
    edit(&os, &[(MIB, 2, 1000)]);
    let changed = Command::new("cmp").arg(&os).arg(&disk.to).output().unwrap();
    assert!(!changed.status.success(), "the snapshot stays what it was");
}
