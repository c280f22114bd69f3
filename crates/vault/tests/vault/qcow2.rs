//! qcow2 images by real qemu tools: what is stored is the disk, byte for byte, and a dirty bitmap is believed only where it
//! can be.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use kluis_vault::{BackupTask, Checkpoint, DiskSource, Event, FailureCode, SnapshotSource, Task};

use crate::{
    instant::{of, task},
    support::{MIB, Place, assert_same, backup, failure, notes, saved, source},
};

pub(crate) fn run(program: &str, arguments: &[&str]) {
    let done = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| {
            panic!("{program} is needed (apt-get install qemu-utils): {error}")
        });
    assert!(
        done.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

pub(crate) fn image(path: &Path, size: &str, options: &str) -> PathBuf {
    let text = path.to_str().unwrap();
    let mut arguments = vec!["create", "-q", "-f", "qcow2"];
    if !options.is_empty() {
        arguments.extend(["-o", options]);
    }
    arguments.extend([text, size]);
    run("qemu-img", &arguments);
    path.to_owned()
}

/// Writes as a machine would, by commands such as `write -P 7 1M 64k`.
pub(crate) fn write(path: &Path, commands: &[&str]) {
    let mut arguments = vec!["-f", "qcow2"];
    for command in commands {
        arguments.extend(["-c", command]);
    }
    arguments.push(path.to_str().unwrap());
    run("qemu-io", &arguments);
}

pub(crate) fn begin_bitmap(path: &Path, name: &str) {
    run(
        "qemu-img",
        &["bitmap", "--add", path.to_str().unwrap(), name],
    );
}

/// The names of an image's dirty bitmaps.
pub(crate) fn bitmaps(path: &Path) -> Vec<String> {
    let listed = Command::new("qemu-img")
        .args(["info", "--output=json"])
        .arg(path)
        .output()
        .unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let bitmaps = listed["format-specific"]["data"]["bitmaps"].as_array();
    let name = |bitmap: &serde_json::Value| bitmap["name"].as_str().unwrap().to_owned();
    bitmaps.into_iter().flatten().map(name).collect()
}

/// The disk as qemu-img sees it.
pub(crate) fn raw(place: &Place, path: &Path, name: &str) -> PathBuf {
    let to = place.path(name);
    let arguments = ["convert", "-O", "raw"];
    let paths = [path.to_str().unwrap(), to.to_str().unwrap()];
    run("qemu-img", &[&arguments[..], &paths[..]].concat());
    to
}

/// Begins the bitmap `kluis-<point>` as a backup does: what the image was then.
pub(crate) fn begin(place: &Place, path: &Path, point: &str) -> Checkpoint {
    let tracked = SnapshotSource {
        track: Some(format!("kluis-{point}")),
        ..of(place, "begun", path)
    };
    let events = place.run(
        &format!("begin-{point}"),
        Task::Snapshot(task(vec![tracked])),
    );
    fs::remove_file(place.path("snapshots/begun")).unwrap();
    checkpoint(&events)
}

/// What an image was when its bitmap was begun.
pub(crate) fn checkpoint(events: &[Event]) -> Checkpoint {
    let found = events.iter().find_map(|event| match event {
        Event::Snapshotted { checkpoint, .. } => checkpoint.clone(),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("nothing was begun: {events:?}"))
}

pub(crate) fn with_bitmap(name: &str, path: &Path, bitmap: &str, begun: &Checkpoint) -> DiskSource {
    DiskSource {
        bitmap: Some(bitmap.to_owned()),
        checkpoint: Some(begun.clone()),
        ..source(name, path)
    }
}

pub(crate) fn since(parent: &str, disk: DiskSource) -> BackupTask {
    BackupTask {
        parent: Some(parent.to_owned()),
        ..backup(vec![disk])
    }
}

/// The snapshot restores to what the image is, by us and by stock restic.
pub(crate) fn assert_point(place: &Place, job: &str, snapshot: &str, image: &Path) {
    place.assert_clean();
    let expected = raw(place, image, &format!("expected-{job}"));
    let (restored, _) = place.restore(job, snapshot, &["os"]);
    assert_same(&expected, &restored.join("os.raw"));
    let target = place.path(&format!("by-restic-{job}"));
    let arguments = ["restore", snapshot, "--target", target.to_str().unwrap()];
    if place.restic(&arguments).is_some() {
        assert_same(&expected, &target.join("web-1/os.raw"));
    }
}

#[test]
fn a_qcow2_disk_is_stored_as_the_disk_that_it_is() {
    let place = Place::new();
    for (number, options) in [
        "",
        "compat=0.10",
        "cluster_size=2M",
        "extended_l2=on,cluster_size=128k",
        "preallocation=metadata",
        "compression_type=zstd",
    ]
    .into_iter()
    .enumerate()
    {
        let os = image(&place.path(&format!("os-{number}.qcow2")), "96M", options);
        write(
            &os,
            &[
                "write -P 1 0 3M",
                "write -P 2 20000000 69632",
                "write -z 1M 1M",
                "write -P 4 100662272 1024",
            ],
        );
        if !options.contains("preallocation") {
            write(&os, &["write -c -P 3 64M 2M"]);
        }
        let events = place.back_up(&format!("j{number}"), backup(vec![source("os", &os)]));
        let (snapshot, logical, read, _) = saved(&events);
        assert_eq!(logical, 96 * MIB);
        assert!(read < 10 * MIB, "holes are not read: {read}");
        assert_eq!(notes(&events), Vec::<&str>::new());
        assert_point(&place, &format!("r{number}"), &snapshot, &os);
    }
}

#[test]
fn a_dirty_bitmap_says_what_is_read() {
    let place = Place::new();
    let os = image(&place.path("os.qcow2"), "512M", "");
    write(&os, &["write -P 1 0 200M"]);
    let begun = begin(&place, &os, "20310501");
    let (first, ..) = saved(&place.back_up("j1", backup(vec![source("os", &os)])));

    write(
        &os,
        &[
            "write -P 2 50M 64k",
            "write -P 3 150M 3M",
            "write -z 10M 1M",
            "write -P 4 500M 1k",
        ],
    );
    let events = place.back_up(
        "j2",
        since(&first, with_bitmap("os", &os, "kluis-20310501", &begun)),
    );
    let (second, _, read, stored) = saved(&events);
    // Up to four marks beside what changed.
    assert!((6..=10).contains(&(read / MIB)), "{read}");
    assert_eq!(notes(&events), Vec::<&str>::new());
    assert!(stored < MIB, "{stored}");
    assert_point(&place, "r2", &second, &os);
}

/// QEMU says so on standard error, before the answer and without an end of its line.
#[test]
fn an_image_that_a_program_without_bitmaps_changed_is_read_whole_and_not_refused() {
    let place = Place::new();
    let os = image(&place.path("os.qcow2"), "64M", "");
    write(&os, &["write -P 1 0 3M"]);
    let begun = begin(&place, &os, "20310501");
    let (first, ..) = saved(&place.back_up("j1", backup(vec![source("os", &os)])));
    write(&os, &["write -P 2 20M 64k"]);
    let file = fs::File::options().write(true).open(&os).unwrap();
    // The features that such a program takes away as it does not know them.
    file.write_all_at(&[0; 8], 88).unwrap();
    drop(file);
    let events = place.back_up(
        "j2",
        since(&first, with_bitmap("os", &os, "kluis-20310501", &begun)),
    );
    let whole = |note: &&str| note.contains("read whole");
    assert!(notes(&events).iter().any(whole), "{events:?}");
    assert_point(&place, "r2", &saved(&events).0, &os);
}

#[test]
fn a_bitmap_goes_from_the_original_once_the_snapshot_is_saved() {
    let place = Place::new();
    let os = image(&place.path("os.qcow2"), "64M", "");
    let begun = begin(&place, &os, "20310501");
    begin_bitmap(&os, "somebodys");
    let (first, ..) = saved(&place.back_up("j1", backup(vec![source("os", &os)])));
    write(&os, &["write -P 2 50M 64k"]);
    begin_bitmap(&os, "kluis-second");
    let snapshot = place.path("snapshot.qcow2");
    fs::copy(&os, &snapshot).unwrap();
    begin_bitmap(&os, "kluis-later");
    let retire = Some(kluis_vault::Retire {
        path: os.clone(),
        bitmap: "kluis-20310501".to_owned(),
    });

    // A backup that fails takes nothing away.
    let disk = DiskSource {
        retire,
        ..with_bitmap("os", &snapshot, "kluis-20310501", &begun)
    };
    let task = BackupTask {
        vm: String::new(),
        ..since(&first, disk.clone())
    };
    failure(&place.run("j2", Task::Backup(task)));
    assert_eq!(bitmaps(&os).len(), 4);

    let events = place.back_up("j3", since(&first, disk));
    assert_eq!(notes(&events), Vec::<&str>::new());
    assert!((1..=5).contains(&(saved(&events).2 / MIB)), "{events:?}");
    let mut left = bitmaps(&os);
    left.sort();
    assert_eq!(left, ["kluis-later", "kluis-second", "somebodys"]);
}

#[test]
fn a_bitmap_that_cannot_be_believed_makes_a_full_read_and_is_told_of() {
    let place = Place::new();
    let os = image(&place.path("os.qcow2"), "64M", "");
    write(&os, &["write -P 1 0 8M"]);
    let begun = begin(&place, &os, "20310501");
    begin_bitmap(&os, "kluis-other");
    let (first, ..) = saved(&place.back_up("j1", backup(vec![source("os", &os)])));
    write(&os, &["write -P 2 1M 64k"]);

    // One that is gone, one that was begun at another point, and images that have none.
    let unclean = place.path("unclean.qcow2");
    fs::copy(&os, &unclean).unwrap();
    let old = image(&place.path("old.qcow2"), "64M", "compat=0.10");
    let without = place.path("without.qcow2");
    let paths = [os.to_str().unwrap(), without.to_str().unwrap()];
    run(
        "qemu-img",
        &[&["convert", "-O", "qcow2"][..], &paths[..]].concat(),
    );
    let plain = raw(&place, &os, "plain.raw");
    for (job, path, bitmap, why) in [
        ("lost", &without, "kluis-20310501", "is lost"),
        ("other", &os, "kluis-other", "was not begun at the parent"),
        ("old", &old, "kluis-20310501", "no dirty bitmaps"),
        ("raw", &plain, "kluis-20310501", "no dirty bitmaps"),
    ] {
        let events = place.back_up(job, since(&first, with_bitmap("os", path, bitmap, &begun)));
        let notes = notes(&events);
        assert!(
            notes.len() == 1 && notes[0].contains(why) && notes[0].contains("read whole"),
            "{notes:?}"
        );
        assert!(*path == old || saved(&events).2 == 8 * MIB);
        assert_point(&place, &format!("r-{job}"), &saved(&events).0, path);
    }

    // One whose image was not closed: killed while it was open for writing.
    let mut open = Command::new("qemu-io")
        .args(["-f", "qcow2"])
        .arg(&unclean)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = open.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, b"write -P 9 2M 64k\nflush\n").unwrap();
    let mut output = std::io::BufReader::new(open.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("wrote") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut output, &mut line).unwrap() > 0);
    }
    open.kill().unwrap();
    open.wait().unwrap();
    let disk = with_bitmap("os", &unclean, "kluis-20310501", &begun);
    let events = place.back_up("unclean", since(&first, disk));
    assert!(
        notes(&events)
            .iter()
            .any(|note| note.contains("inconsistent")),
        "{events:?}"
    );
    assert_point(&place, "r-unclean", &saved(&events).0, &unclean);

    // A parent that is gone.
    let disk = with_bitmap("os", &os, "kluis-20310501", &begun);
    let events = place.back_up("gone", since(&"00".repeat(32), disk));
    assert!(
        notes(&events)
            .iter()
            .any(|note| note.contains("read whole"))
    );
    assert_point(&place, "r-gone", &saved(&events).0, &os);
}

#[test]
fn images_that_refer_to_others_or_hide_their_bytes_are_refused() {
    let place = Place::new();
    let base = image(&place.path("base.qcow2"), "8M", "");
    let backing = format!("backing_file={},backing_fmt=qcow2", base.display());
    let external = format!("data_file={}", place.path("data").display());
    for (job, options, what) in [
        ("backing", backing.as_str(), "a backing file"),
        ("external", external.as_str(), "its data in another file"),
    ] {
        let path = image(&place.path(&format!("{job}.qcow2")), "8M", options);
        let events = place.run(job, Task::Backup(backup(vec![source("os", &path)])));
        assert_eq!(failure(&events), FailureCode::SourceFormat);
        assert!(format!("{events:?}").contains(what), "{events:?}");
    }
    let encrypted = place.path("encrypted.qcow2");
    run(
        "qemu-img",
        &[
            "create",
            "-q",
            "-f",
            "qcow2",
            "--object",
            "secret,id=s,data=secret",
            "-o",
            "encrypt.format=aes,encrypt.key-secret=s",
            encrypted.to_str().unwrap(),
            "8M",
        ],
    );
    let events = place.run("enc", Task::Backup(backup(vec![source("os", &encrypted)])));
    assert_eq!(failure(&events), FailureCode::SourceFormat);
}

#[test]
fn an_image_whose_tables_are_damaged_is_no_disk_of_zeros() {
    let place = Place::new();
    let os = image(&place.path("os.qcow2"), "64M", "");
    write(&os, &["write -P 1 0 8M"]);
    // The tables are in the first clusters; the data behind them.
    fs::File::options()
        .write(true)
        .open(&os)
        .unwrap()
        .set_len(4 * 65536)
        .unwrap();
    let events = place.run("cut", Task::Backup(backup(vec![source("os", &os)])));
    assert_eq!(failure(&events), FailureCode::SourceUnreadable);
}
