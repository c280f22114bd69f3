//! Folders in and out of a vault: compared with rsync's eye for detail, and with what stock restic makes of them.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::{
        ffi::OsStrExt,
        fs::{FileExt, MetadataExt, PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
};

use kluis_vault::{BackupFolderTask, Event, FailureCode, FolderTask, RestoreFolderTask, Task};

use crate::{
    crash::{kind, start, until},
    files_images::run,
    support::{MIB, Place, failure, noise, notes, saved},
};

fn tree(root: &Path) {
    for directory in ["a/b/c", "many", "empty", "locked"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::write(
        root.join("a/b/c/text"),
        "all work and no play\n".repeat(9_000),
    )
    .unwrap();
    fs::write(root.join("a/big"), noise(1, 21 * MIB as usize + 77)).unwrap();
    for number in 0..400 {
        fs::write(
            root.join(format!("many/{number:03}")),
            noise(number, number as usize * 11),
        )
        .unwrap();
    }
    fs::write(root.join("none"), "").unwrap();
    fs::write(root.join("Grüße \"€\" \\x\n\t.txt"), "quoted").unwrap();
    fs::write(
        root.join(std::ffi::OsStr::from_bytes(b"caf\xe9")),
        "latin-1",
    )
    .unwrap();
    fs::write(root.join("locked/inside"), "inside").unwrap();
    fs::hard_link(root.join("a/big"), root.join("a/same")).unwrap();
    symlink("../a/big", root.join("many/link")).unwrap();
    symlink("/nowhere", root.join("dangling")).unwrap();
    let sparse = File::create(root.join("sparse")).unwrap();
    sparse.set_len(30 * MIB).unwrap();
    sparse.write_all_at(b"here", 17 * MIB).unwrap();
    let mode = |path: &str, mode| {
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("a/big", 0o4751);
    mode("none", 0o400);
    mode("locked", 0o1555);
    for path in ["a/big", "a/b", "locked", "none"] {
        run(
            "touch",
            &[
                "-d",
                "2001-02-03T04:05:06.789Z",
                root.join(path).to_str().unwrap(),
            ],
            "",
        );
    }
    run(
        "touch",
        &[
            "-h",
            "-d",
            "2002-02-03T04:05:06.789Z",
            root.join("dangling").to_str().unwrap(),
        ],
        "",
    );
    // Where the file system keeps attributes.
    let _ = rustix_setxattr(&root.join("none"));
}

fn rustix_setxattr(path: &Path) -> bool {
    std::process::Command::new("setfattr")
        .args(["-n", "user.kluis", "-v", "kept"])
        .arg(path)
        .status()
        .is_ok_and(|status| status.success())
}

fn backup(path: &Path, parent: Option<&str>) -> Task {
    Task::Folder(FolderTask::Backup(BackupFolderTask {
        name: "home".to_owned(),
        time: "2031-05-01T22:30:00Z".parse().unwrap(),
        tags: vec!["rp=1".to_owned()],
        description: String::new(),
        parent: parent.map(str::to_owned),
        path: path.to_owned(),
    }))
}

fn restore(snapshot: &str, to: &Path) -> Task {
    Task::Folder(FolderTask::Restore(RestoreFolderTask {
        snapshot: snapshot.to_owned(),
        name: "home".to_owned(),
        to: to.to_owned(),
    }))
}

/// Every entry below with all that is kept of it; `links` says whether hard links are.
fn described(root: &Path, links: bool) -> Vec<String> {
    fn add(root: &Path, path: &Path, links: bool, all: &mut Vec<String>) {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            let about = fs::symlink_metadata(&path).unwrap();
            let content = if about.is_file() {
                format!("{:x}", sum(&path))
            } else if about.is_symlink() {
                format!("{:?}", fs::read_link(&path).unwrap())
            } else {
                String::new()
            };
            let name = path.strip_prefix(root).unwrap();
            let count = if links && about.is_file() {
                about.nlink()
            } else {
                0
            };
            all.push(format!(
                "{name:?} {:o} {}.{:09} {}:{} {} {count} {content}",
                about.mode(),
                about.mtime(),
                about.mtime_nsec(),
                about.uid(),
                about.gid(),
                if about.is_dir() { 0 } else { about.len() },
            ));
            if about.is_dir() {
                add(root, &path, links, all);
            }
        }
    }
    let mut all = Vec::new();
    add(root, root, links, &mut all);
    all.sort();
    all
}

/// Tells contents apart, which is all that is needed here.
fn sum(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    fs::read(path).unwrap().hash(&mut hasher);
    hasher.finish()
}

fn assert_same(a: &Path, b: &Path, links: bool) {
    let (a, b) = (described(a, links), described(b, links));
    for (a, b) in a.iter().zip(&b) {
        assert_eq!(a, b);
    }
    assert_eq!(a.len(), b.len());
}

fn place() -> (Place, PathBuf) {
    let place = Place::new();
    let root = place.path("root");
    tree(&root);
    (place, root)
}

#[test]
fn a_folder_comes_back_equal_from_us_and_from_stock_restic() {
    let (place, root) = place();
    let events = place.run("j1", backup(&root, None));
    let (snapshot, logical, read, stored) = saved(&events);
    assert_eq!(notes(&events), Vec::<&str>::new());
    assert_eq!(logical, read);
    assert!(stored > 21 * MIB && stored < 24 * MIB, "{stored}");
    place.assert_clean();

    let to = place.path("restored/home");
    let events = place.run("r1", restore(&snapshot, &to));
    assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::FilesRestored { directories: 6, bytes, .. } if *bytes == logical)),
        "{events:?}"
    );
    assert_same(&root, &to, false);
    assert!(crate::support::allocated(&to.join("sparse")) < 2 * MIB);

    let target = place.path("by-restic");
    if let Some(done) = place.restic(&["restore", &snapshot, "--target", target.to_str().unwrap()])
    {
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        assert_same(&root, &target.join("home"), true);
    }
    let again = place.run("r2", restore(&snapshot, &to));
    assert_eq!(failure(&again), FailureCode::TargetTaken);
}

#[test]
fn what_is_untouched_is_not_read_again_and_what_changed_is() {
    let (place, root) = place();
    let (first, logical, ..) = saved(&place.run("j1", backup(&root, None)));
    fs::write(root.join("many/007"), "new").unwrap();
    fs::write(root.join("a/b/new"), noise(99, 300_000)).unwrap();
    fs::remove_file(root.join("many/008")).unwrap();
    let (second, now, read, stored) = saved(&place.run("j2", backup(&root, Some(&first))));
    assert_eq!(now, logical + 3 - 77 + 300_000 - 88);
    assert_eq!(read, 300_003);
    assert!(stored < 500_000, "{stored}");
    let to = place.path("second");
    place.run("r1", restore(&second, &to));
    assert_same(&root, &to, false);
    place.forget("f1", &[&first]);
    place.assert_clean();
    let to = place.path("after");
    place.run("r2", restore(&second, &to));
    assert_same(&root, &to, false);
}

#[test]
fn movers_of_folders_that_are_killed_are_finished_by_the_next_run() {
    let (place, root) = place();
    for at in ["started", "progress", "saved"] {
        let job = place.job(&format!("j-{at}"), backup(&root, None));
        until(&mut start(&place, &job), |event| kind(event) == at);
        let events = until(&mut start(&place, &job), |_| false);
        assert_eq!(
            events.last(),
            Some(&Event::Finished),
            "killed at {at}: {events:?}"
        );
    }
    place.assert_clean();
    let (snapshot, ..) = saved(&place.run("j-saved", backup(&root, None)));
    for at in ["progress", "filesRestored"] {
        let to = place.path(&format!("restored/{at}"));
        let job = place.job(&format!("r-{at}"), restore(&snapshot, &to));
        until(&mut start(&place, &job), |event| kind(event) == at);
        let events = until(&mut start(&place, &job), |_| false);
        assert_eq!(
            events.last(),
            Some(&Event::Finished),
            "killed at {at}: {events:?}"
        );
        assert_same(&root, &to, false);
    }
    assert_eq!(fs::read_dir(place.path("restored")).unwrap().count(), 2);
}

#[test]
fn damage_is_found_and_nothing_is_left_of_the_restore() {
    let (place, root) = place();
    let (snapshot, ..) = saved(&place.run("j1", backup(&root, None)));
    let packs = crate::support::files(&place.vault.join("data"));
    let largest = packs
        .iter()
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    File::options()
        .write(true)
        .open(largest)
        .unwrap()
        .write_all_at(&[1, 2, 3, 4, 5], 5 * MIB)
        .unwrap();
    let to = place.path("restored/home");
    assert_eq!(
        failure(&place.run("r1", restore(&snapshot, &to))),
        FailureCode::VaultDamaged
    );
    assert_eq!(fs::read_dir(place.path("restored")).unwrap().count(), 0);
    assert_eq!(
        failure(&place.run("j2", backup(&place.path("no-such"), None))),
        FailureCode::SourceUnreadable
    );
}
