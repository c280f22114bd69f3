//! Texts beside restored disks, and what goes with a restore that was given up.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use kluis_vault::{Document, Event, FailureCode, RestoreTask, Task, mover};

use crate::support::{MIB, Place, backup, disk, failure, files, restore, saved, source};

fn with_documents(mut task: RestoreTask, place: &Place, names: &[&str]) -> RestoreTask {
    let document = |name: &&str| Document {
        path: place.path("restored").join("papers").join(name),
        text: format!("{{ \"{name}\": \"é\" }}\n"),
    };
    task.documents = names.iter().map(document).collect();
    task
}

#[test]
fn documents_are_written_after_the_disks_and_once() {
    let place = Place::new();
    let os = place.path("os.img");
    disk(&os, 8 * MIB, &[(0, 1, MIB as usize)]);
    let (snapshot, ..) = saved(&place.back_up("j1", backup(vec![source("os", &os)])));
    let folder = place.path("restored");
    let task = with_documents(restore(&snapshot, &folder, &["os"]), &place, &["a", "b"]);
    let events = place.run("r1", Task::Restore(task.clone()));
    let order: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Restored { disk, .. } => Some(disk.clone()),
            Event::Written { path, bytes } => {
                let name = path.file_name()?.to_string_lossy().into_owned();
                assert_eq!(fs::metadata(path).unwrap().len(), *bytes);
                let mode = fs::metadata(path).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600);
                Some(name)
            }
            _ => None,
        })
        .collect();
    assert_eq!(order, ["os", "a", "b"]);
    let text = fs::read_to_string(folder.join("papers/a")).unwrap();
    assert_eq!(text, "{ \"a\": \"é\" }\n");

    // The same job again, of which nobody heard the end: it finds its own. Another finds them taken.
    let only = RestoreTask {
        disks: Vec::new(),
        snapshot: String::new(),
        ..task
    };
    let again = place.run("r1", Task::Restore(only.clone()));
    assert_eq!(again.last(), Some(&Event::Finished), "{again:?}");
    let other = place.run("r2", Task::Restore(only));
    assert_eq!(failure(&other), FailureCode::TargetTaken);
}

#[test]
fn what_a_restore_had_made_goes_with_it_and_nothing_else() {
    let place = Place::new();
    let os = place.path("os.img");
    disk(&os, 8 * MIB, &[(0, 1, MIB as usize)]);
    let (snapshot, ..) = saved(&place.back_up("j1", backup(vec![source("os", &os)])));
    let folder = place.path("restored");
    let task = with_documents(restore(&snapshot, &folder, &["os"]), &place, &["a"]);
    let paths = vec![folder.join("os.raw"), folder.join("papers/a")];
    place.run("r1", Task::Restore(task));
    mover::discard("r2", &paths).unwrap();
    assert_eq!(files(&folder).len(), 2, "another job's files stay");
    fs::write(folder.join("by-hand.raw"), "mine").unwrap();
    mover::discard("r1", &[&paths[..], &[folder.join("by-hand.raw")]].concat()).unwrap();
    let left: Vec<_> = files(&folder)
        .iter()
        .map(|path| path.file_name().unwrap().to_owned())
        .collect();
    assert_eq!(
        left,
        ["by-hand.raw"],
        "and so does what nobody says is ours"
    );
    assert!(!folder.join("papers").exists());
    mover::discard("r1", &paths).unwrap();
}
