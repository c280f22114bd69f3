//! Backups after the first: what is read, what is stored, and that every recovery point stays what it was.

use std::fs;

use kluis_vault::Extent;
use proptest::prelude::*;

use crate::support::{MIB, Place, assert_same, backup, disk, edit, extents, notes, saved, source};

#[test]
fn with_a_list_only_changed_blocks_are_read_and_without_one_only_changed_blocks_are_stored() {
    let place = Place::new();
    let path = place.path("os.img");
    disk(&path, 64 * MIB, &[(0, 1, 48 * MIB as usize)]);
    let (first, ..) = saved(&place.back_up("j1", backup(vec![source("os", &path)])));

    let edits = [(10 * MIB + 100, 2, MIB as usize), (50 * MIB, 3, 10)];
    edit(&path, &edits);
    let mut task = backup(vec![source("os", &path)]);
    task.parent = Some(first.clone());
    task.disks[0].changed = Some(extents(&edits));
    let (second, logical, read, stored) = saved(&place.back_up("j2", task.clone()));
    assert_eq!((logical, read), (64 * MIB, 3 * MIB));
    assert!(stored > 2 * MIB && stored < 3 * MIB, "{stored}");

    // The same without the list: everything is read, nothing is new.
    task.disks[0].changed = None;
    let (third, _, read, stored) = saved(&place.back_up("j3", task.clone()));
    assert_eq!(read, 49 * MIB);
    assert!(
        stored < 10_000,
        "an unchanged disk takes a snapshot's document and no more: {stored}"
    );

    // Nothing changed, and we know it.
    task.parent = Some(third.clone());
    task.disks[0].changed = Some(Vec::new());
    let (_, _, read, stored) = saved(&place.back_up("j4", task));
    assert_eq!(read, 0);
    assert!(stored < 10_000, "{stored}");

    place.assert_clean();
    for (job, snapshot) in [("r2", second), ("r3", third)] {
        let (restored, _) = place.restore(job, &snapshot, &["os"]);
        assert_same(&path, &restored.join("os.raw"));
    }
    let (restored, _) = place.restore("r1", &first, &["os"]);
    edit(&path, &[(0, 1, 48 * MIB as usize)]);
    fs::File::options().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(
        &fs::File::options().write(true).open(&path).unwrap(),
        &[0; 10],
        50 * MIB,
    )
    .unwrap();
    assert_same(&path, &restored.join("os.raw"));
}

#[test]
fn a_list_that_does_not_fit_its_parent_is_not_trusted() {
    let place = Place::new();
    let path = place.path("os.img");
    disk(&path, 8 * MIB, &[(0, 1, 4 * MIB as usize)]);
    let (first, ..) = saved(&place.back_up("j1", backup(vec![source("os", &path)])));
    let nothing = Some(Vec::<Extent>::new());

    // No parent, another disk's name, another size, a parent that is gone: each is read whole, and that is said.
    let mut task = backup(vec![source("os", &path)]);
    task.disks[0].changed = nothing.clone();
    for (job, parent, name) in [
        ("a", None, "os"),
        ("b", Some(first.clone()), "other"),
        ("c", Some("00".repeat(32)), "os"),
    ] {
        task.parent = parent;
        task.disks[0].name = name.to_owned();
        let events = place.back_up(job, task.clone());
        assert_eq!(saved(&events).2, 4 * MIB);
        assert!(
            notes(&events)
                .iter()
                .any(|note| note.contains("read whole")),
            "{events:?}"
        );
    }
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(9 * MIB)
        .unwrap();
    task.parent = Some(first);
    let events = place.back_up("d", task);
    let (snapshot, _, read, _) = saved(&events);
    assert_eq!((read, notes(&events).len()), (4 * MIB, 1), "{events:?}");
    let (restored, _) = place.restore("r", &snapshot, &["os"]);
    assert_same(&path, &restored.join("os.raw"));
}

#[test]
fn a_backup_stores_again_what_the_vault_lost() {
    let place = Place::new();
    let path = place.path("os.img");
    disk(&path, 8 * MIB, &[(0, 1, 4 * MIB as usize)]);
    let (first, ..) = saved(&place.back_up("j1", backup(vec![source("os", &path)])));
    for pack in crate::support::files(&place.vault.join("data")) {
        if fs::metadata(&pack).unwrap().len() > MIB {
            fs::remove_file(pack).unwrap();
        }
    }
    let mut task = backup(vec![source("os", &path)]);
    task.parent = Some(first);
    task.disks[0].changed = Some(Vec::new());
    let (second, _, read, _) = saved(&place.back_up("j2", task));
    assert_eq!(
        read,
        8 * MIB,
        "the chunks of the lost pack, zeros among them, although nothing changed"
    );
    let (restored, _) = place.restore("r", &second, &["os"]);
    assert_same(&path, &restored.join("os.raw"));
}

#[derive(Debug, Clone)]
struct Edit {
    offset: u64,
    length: usize,
    zeros: bool,
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = (
        0..12 * MIB,
        prop_oneof![1..5000_usize, 1..3 * MIB as usize],
        any::<bool>(),
    );
    prop::collection::vec(
        edit.prop_map(|(offset, length, zeros)| Edit {
            offset,
            length,
            zeros,
        }),
        0..4,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// Whatever is written to the disks, and whether or not the changes are known, each recovery point is the disks as
    /// they were then.
    #[test]
    fn every_recovery_point_is_the_disks_as_they_were(
        sizes in prop::collection::vec((1..28 * 1024_u64).prop_map(|sectors| sectors * 512), 1..3),
        rounds in prop::collection::vec((prop::collection::vec(edits(), 2), any::<bool>()), 1..5),
    ) {
        let place = Place::new();
        let names: Vec<String> = (0..sizes.len()).map(|number| format!("disk-{number}")).collect();
        for (name, size) in names.iter().zip(&sizes) {
            fs::File::create(place.path(name)).unwrap().set_len(*size).unwrap();
        }
        let mut points: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
        for (round, (edits, listed)) in rounds.into_iter().enumerate() {
            let mut task = backup(Vec::new());
            task.parent = points.last().map(|(snapshot, _)| snapshot.clone());
            let mut contents = Vec::new();
            for ((name, size), edits) in names.iter().zip(&sizes).zip(edits) {
                let path = place.path(name);
                let mut content = fs::read(&path).unwrap();
                let mut changed = Vec::new();
                for (number, Edit { offset, length, zeros }) in edits.into_iter().enumerate() {
                    let start = offset.min(*size) as usize;
                    let end = (start + length).min(*size as usize);
                    let new = crate::support::noise((round * 100 + number) as u64, end - start);
                    if zeros { content[start..end].fill(0) } else { content[start..end].copy_from_slice(&new) }
                    changed.push(Extent { offset: start as u64, length: (end - start) as u64 });
                }
                fs::write(&path, &content).unwrap();
                let mut disk = source(name, &path);
                disk.changed = (listed && round > 0).then_some(changed);
                task.disks.push(disk);
                contents.push(content);
            }
            let (snapshot, ..) = saved(&place.back_up(&format!("j{round}"), task));
            points.push((snapshot, contents));
        }
        let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
        for (number, (snapshot, contents)) in points.iter().enumerate() {
            let (restored, _) = place.restore(&format!("r{number}"), snapshot, &wanted);
            for (name, content) in names.iter().zip(contents) {
                let path = restored.join(format!("{name}.raw"));
                let same = fs::read(&path).unwrap() == *content;
                prop_assert!(same, "{} of recovery point {}", path.display(), number);
            }
        }
        place.assert_clean();
    }
}
