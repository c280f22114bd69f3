//! Files are restored by whoever may not do everything: directories that he may not enter, list or change come back with their
//! modes, and so does all that is in them.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use kluis_vault::{DiskImage, Event, RestoreFilesTask, Task};

use crate::{
    crash::{start_by, until},
    files_images::{ext, run},
    files_trees::receive,
    support::{MIB, Place},
};

const NOBODY: u32 = 65534;

/// Says where an image is, and where its files go to.
const RECEIVE: &str = "KLUIS_TEST_RECEIVE";

/// Not a test: what `kluis restore --files` does, in a process of another user.
#[test]
fn be_a_person() {
    if let Ok(paths) = std::env::var(RECEIVE) {
        let (image, into) = paths.split_once(' ').unwrap();
        let received = receive(Path::new(image), &["/"], false, 1 << 20, Path::new(into));
        let received = received.unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(
            (received.damaged, received.unsupported),
            (0, 0),
            "{received:?}"
        );
    }
}

/// An image of directories that shut their owner out in every way, and of links that lead into and out of them.
fn image(place: &Place) -> PathBuf {
    let content = place.path("content");
    let shut = [("a", 0o311), ("b", 0o000), ("c", 0o600), ("d", 0o555)];
    for (name, _) in shut {
        fs::create_dir_all(content.join("h").join(name).join("within")).unwrap();
        fs::write(content.join(format!("h/{name}/f")), name).unwrap();
        fs::write(content.join(format!("h/{name}/within/g")), name).unwrap();
    }
    // A batch of directories is finished before the second names come.
    for number in 0..80 {
        fs::create_dir(content.join(format!("h/m{number}"))).unwrap();
    }
    fs::create_dir(content.join("h/z")).unwrap();
    for (name, _) in shut {
        let (first, second) = (format!("h/{name}/f"), format!("h/z/{name}"));
        fs::hard_link(content.join(first), content.join(second)).unwrap();
    }
    symlink("nowhere", content.join("h/a/link")).unwrap();
    fs::set_permissions(content.join("h/d/f"), fs::Permissions::from_mode(0o000)).unwrap();
    for (name, mode) in shut {
        let path = content.join("h").join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let image = place.path("image");
    ext("ext4", &image, 16 * MIB, &content);
    // mke2fs makes two links of one with two names.
    for command in ["ln /h/a/link /h/z/link", "sif /h/a/link links_count 2"] {
        run(
            "debugfs",
            &["-w", "-R", command, image.to_str().unwrap()],
            "",
        );
    }
    fs::set_permissions(&image, fs::Permissions::from_mode(0o644)).unwrap();
    image
}

fn assert_whole(root: &Path) {
    let of = |path: &str| fs::symlink_metadata(root.join(path)).unwrap();
    for (name, mode) in [("a", 0o311), ("b", 0o000), ("c", 0o600), ("d", 0o555)] {
        assert_eq!(of(&format!("h/{name}")).mode() & 0o777, mode, "{name}");
        assert_ne!(of(&format!("h/{name}")).uid(), 0);
        let (first, second) = (format!("h/{name}/f"), format!("h/z/{name}"));
        assert_eq!(of(&first).ino(), of(&second).ino(), "{name}");
        for path in [first, format!("h/{name}/within/g")] {
            assert_eq!(fs::read_to_string(root.join(path)).unwrap(), name);
        }
    }
    assert_eq!(of("h/a/link").ino(), of("h/z/link").ino());
    assert_eq!(
        fs::read_link(root.join("h/z/link")).unwrap(),
        Path::new("nowhere")
    );
}

/// What another user may go into.
fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
}

/// This binary, by somebody who is not root.
fn as_nobody(place: &Place) -> Command {
    open_to_all(&place.path(""));
    // Where it was built nobody else may come.
    let own = place.path("binary");
    fs::copy(std::env::current_exe().unwrap(), &own).unwrap();
    let mut command = Command::new(own);
    command.current_dir("/");
    if is_root(place) {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn is_root(place: &Place) -> bool {
    fs::metadata(place.path("")).unwrap().uid() == 0
}

#[test]
fn a_service_that_is_not_root_restores_directories_that_shut_it_out() {
    let place = Place::new();
    let image = image(&place);
    let task = RestoreFilesTask {
        snapshot: String::new(),
        vm: "web-1".to_owned(),
        images: vec![DiskImage {
            name: "web-1-os".to_owned(),
            path: image,
        }],
        volume: None,
        paths: vec!["/".to_owned()],
        to: place.path("to"),
    };
    let job = place.job("files", Task::RestoreFiles(task));
    // The second finds what the first one finished, and may not read all of it.
    for _ in 0..2 {
        let mut mover = start_by(as_nobody(&place), &place, &job);
        let events = until(&mut mover, |event| {
            matches!(event, Event::Finished | Event::Failed { .. })
        });
        mover.wait().unwrap();
        assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
        assert_whole(&place.path("to"));
    }
}

#[test]
fn a_person_who_is_not_root_gets_directories_that_shut_him_out() {
    let place = Place::new();
    let image = image(&place);
    let into = place.path("into");
    fs::create_dir(&into).unwrap();
    open_to_all(&into);
    let ran = as_nobody(&place)
        .args(["--exact", "files_as_nobody::be_a_person", "--nocapture"])
        .env(RECEIVE, format!("{} {}", image.display(), into.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    assert_whole(&into);
}
