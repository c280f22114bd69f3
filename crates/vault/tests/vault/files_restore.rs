//! Files and folders out of a vault into a directory, compared with those that the file system was made of.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use kluis_vault::{DiskImage, Event, FailureCode as Code, RestoreFilesTask, Task, mover};

use crate::{
    crash::{kind, start, until},
    files_images::{back_up, ext, run},
    support::{MIB, Place, allocated, failure, files, noise, notes},
};

fn tree(root: &Path) {
    for directory in ["etc/nginx/conf.d", "usr/bin", "var/empty", "locked"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::write(root.join("etc/hostname"), "web-1\n").unwrap();
    fs::write(root.join("etc/nginx/nginx.conf"), "worker_processes 1;\n").unwrap();
    for number in 0..1_500 {
        fs::write(
            root.join(format!("etc/nginx/conf.d/{number:04}.conf")),
            noise(number, number as usize * 7),
        )
        .unwrap();
    }
    fs::write(root.join("usr/bin/big"), noise(7, 9 * MIB as usize + 123)).unwrap();
    fs::write(root.join("locked/inside"), "inside").unwrap();
    symlink("usr/bin", root.join("bin")).unwrap();
    symlink("/etc", root.join("etc/evil")).unwrap();
    symlink("../../../../outside", root.join("etc/up")).unwrap();
    let sparse = File::create(root.join("var/sparse")).unwrap();
    sparse.set_len(40 * MIB).unwrap();
    sparse.write_all_at(b"here", 20 * MIB).unwrap();
    let mode = |path: &str, mode| {
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("usr/bin/big", 0o4755);
    mode("etc/hostname", 0o400);
    mode("locked", 0o500);
    for path in ["etc/hostname", "usr/bin/big", "etc/nginx", "locked"] {
        run(
            "touch",
            &[
                "-d",
                "2001-02-03T04:05:06.7Z",
                root.join(path).to_str().unwrap(),
            ],
            "",
        );
    }
}

fn task(snapshot: &str, paths: &[&str], to: PathBuf) -> RestoreFilesTask {
    RestoreFilesTask {
        snapshot: snapshot.to_owned(),
        vm: "web-1".to_owned(),
        images: Vec::new(),
        volume: None,
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        to,
    }
}

/// A vault with the tree on a disk, and the snapshot.
fn vault() -> (Place, PathBuf, String) {
    let place = Place::new();
    let root = place.path("root");
    tree(&root);
    let image = place.path("image");
    ext("ext4", &image, 128 * MIB, &root);
    let snapshot = back_up(&place, &[("web-1-os", &image)]);
    (place, root, snapshot)
}

fn assert_same_tree(a: &Path, b: &Path) {
    let compared = Command::new("diff")
        .args(["-r", "--no-dereference"])
        .args([a, b])
        .output()
        .unwrap();
    assert!(
        compared.status.success(),
        "{}",
        String::from_utf8_lossy(&compared.stdout)
    );
}

#[test]
fn folders_come_back_with_all_that_is_in_them() {
    let (place, root, snapshot) = vault();
    let to = place.path("restored/shop-rg/one");
    let paths = ["/etc", "/etc/nginx", "/bin/big", "/var/", "/locked"];
    let events = place.run(
        "r1",
        Task::RestoreFiles(task(&snapshot, &paths, to.clone())),
    );
    let bytes: u64 = (0..1_500).map(|n| n * 7).sum::<u64>() + 6 + 20 + 9 * MIB + 123 + 6 + 40 * MIB;
    assert!(
        events.contains(&Event::FilesRestored {
            files: 1_500 + 2 + 2 + 1 + 1 + 1,
            directories: 3 + 2 + 2 + 1,
            bytes
        }),
        "{:?}",
        events.last_chunk::<3>()
    );
    assert_eq!(notes(&events), Vec::<&str>::new());
    assert_same_tree(&root.join("etc"), &to.join("etc"));
    assert_same_tree(&root.join("var"), &to.join("var"));
    assert_same_tree(&root.join("usr"), &to.join("usr"));
    assert!(!to.join("bin").exists(), "the path that it truly has");
    assert!(allocated(&to.join("var/sparse")) < MIB);
    for path in ["etc/hostname", "etc/nginx", "locked"] {
        let (a, b) = (
            fs::metadata(root.join(path)).unwrap(),
            fs::metadata(to.join(path)).unwrap(),
        );
        assert_eq!(
            (a.mode(), a.mtime(), a.uid()),
            (b.mode(), b.mtime(), b.uid()),
            "{path}"
        );
    }
    assert_eq!(
        fs::read_link(to.join("etc/up")).unwrap(),
        Path::new("../../../../outside")
    );
    assert_eq!(fs::metadata(&to).unwrap().mode() & 0o777, 0o700);
    assert_eq!(
        fs::read_dir(to.parent().unwrap()).unwrap().count(),
        1,
        "nothing hidden is left"
    );

    // The same job again, as after a crash: it proves what is there. Another one finds its place taken.
    let again = place.run(
        "r1",
        Task::RestoreFiles(task(&snapshot, &paths, to.clone())),
    );
    assert!(
        again
            .iter()
            .any(|event| matches!(event, Event::FilesRestored { bytes: b, .. } if *b == bytes))
    );
    let other = place.run(
        "r2",
        Task::RestoreFiles(task(&snapshot, &paths, to.clone())),
    );
    assert_eq!(failure(&other), Code::TargetTaken);
    fs::write(to.join("var/sparse"), "changed").unwrap();
    let changed = place.run("r1", Task::RestoreFiles(task(&snapshot, &paths, to)));
    assert_eq!(failure(&changed), Code::TargetDamaged);
}

#[test]
fn a_whole_volume_and_one_link_are_restored_and_what_cannot_be_is_told() {
    let place = Place::new();
    let root = place.path("root");
    tree(&root);
    let image = place.path("image");
    ext("ext4", &image, 128 * MIB, &root);
    // Special files are put in by debugfs: making them takes root.
    let image_path = image.to_str().unwrap();
    for command in ["mknod pipe p", "mknod disk b 8 0"] {
        run("debugfs", &["-w", "-R", command, image_path], "");
    }
    let snapshot = back_up(&place, &[("web-1-os", &image)]);
    let to = place.path("all");
    fs::create_dir(&to).unwrap();
    let events = place.run(
        "r1",
        Task::RestoreFiles(task(&snapshot, &["/"], to.clone())),
    );
    assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
    let told = notes(&events);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.iter().any(|note| note.contains("/pipe"))
            && told.iter().any(|note| note.contains("/disk"))
    );
    fs::remove_dir(to.join("lost+found")).unwrap();
    assert_same_tree(&root, &to);

    let one = place.path("one");
    place.run(
        "r2",
        Task::RestoreFiles(task(&snapshot, &["/etc/evil"], one.clone())),
    );
    assert_eq!(
        fs::read_link(one.join("etc/evil")).unwrap(),
        Path::new("/etc")
    );
}

#[test]
fn what_cannot_be_restored_leaves_nothing_behind() {
    let (place, _, snapshot) = vault();
    let to = place.path("restored/target");
    let refused = |job: &str, task: RestoreFilesTask| {
        let code = failure(&place.run(job, Task::RestoreFiles(task)));
        let left = fs::read_dir(place.path("restored")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{code:?}");
        code
    };
    assert_eq!(
        refused("a", task(&snapshot, &["/etc", "/no/such"], to.clone())),
        Code::FileNotFound
    );
    assert_eq!(
        refused("b", task(&snapshot, &["/etc/../.."], to.clone())),
        Code::InvalidJob
    );
    assert_eq!(
        refused("c", task(&snapshot, &[], to.clone())),
        Code::InvalidJob
    );
    let mut other = task(&snapshot, &["/etc"], to.clone());
    other.volume = Some("web-1-os/7".to_owned());
    assert_eq!(refused("d", other), Code::FileNotFound);
    assert_eq!(
        refused("e", task(&"0".repeat(64), &["/etc"], to.clone())),
        Code::SnapshotNotFound
    );
    // A pack that is damaged is found while the files are written.
    let packs = files(&place.vault.join("data"));
    for pack in &packs {
        let file = File::options().write(true).open(pack).unwrap();
        let length = file.metadata().unwrap().len();
        for at in (100_000..length).step_by(300_000) {
            file.write_all_at(&[1, 2, 3, 4], at).unwrap();
        }
    }
    assert_eq!(
        refused("f", task(&snapshot, &["/usr"], to)),
        Code::VaultDamaged
    );
}

#[test]
fn a_job_that_is_killed_at_any_event_is_finished_by_the_next_run() {
    let (place, root, snapshot) = vault();
    for at in ["started", "progress", "filesRestored", "finished"] {
        let to = place.path(&format!("restored/{at}"));
        let job = place.job(at, Task::RestoreFiles(task(&snapshot, &["/"], to.clone())));
        let events = until(&mut start(&place, &job), |event| kind(event) == at);
        assert_eq!(kind(events.last().unwrap()), at);
        let events = until(&mut start(&place, &job), |_| false);
        assert_eq!(events.last(), Some(&Event::Finished), "killed at {at}");
        fs::remove_dir(to.join("lost+found")).unwrap();
        assert_same_tree(&root, &to);
        run("chmod", &["-R", "u+rwX", to.to_str().unwrap()], "");
        fs::remove_dir_all(&to).unwrap();
    }
    // One that was cancelled leaves nothing.
    let to = place.path("restored/cancelled");
    let job = place.job(
        "cancelled",
        Task::RestoreFiles(task(&snapshot, &["/"], to.clone())),
    );
    for at in ["progress", "filesRestored"] {
        until(&mut start(&place, &job), |event| kind(event) == at);
        mover::clean_up(&job, &mut |_| {}).unwrap();
        mover::discard("another", std::slice::from_ref(&to)).unwrap();
        assert_eq!(
            to.exists(),
            at == "filesRestored",
            "it stays until it is given up"
        );
        mover::discard(&job.job, std::slice::from_ref(&to)).unwrap();
        assert_eq!(fs::read_dir(place.path("restored")).unwrap().count(), 0);
    }
}

#[test]
fn files_come_out_of_snapshot_files_too() {
    let place = Place::new();
    let root = place.path("root");
    tree(&root);
    let image = place.path("image");
    ext("ext4", &image, 128 * MIB, &root);
    let to = place.path("restored/target");
    let mut task = task("", &["/etc"], to.clone());
    task.images.push(DiskImage {
        name: "web-1-os".to_owned(),
        path: image,
    });
    let events = place.run("r1", Task::RestoreFiles(task));
    assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
    assert_same_tree(&root.join("etc"), &to.join("etc"));
}
