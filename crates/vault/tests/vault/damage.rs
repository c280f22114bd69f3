//! Damage is found, remembered, never leaned on, healed by the next backup, and then gone: also to stock restic.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use kluis_vault::{DamagedSnapshot, Event, Extent, FailureCode, ScrubTask, Task};
use proptest::prelude::*;

use crate::support::{
    MIB, Place, assert_same, backup, disk, edit, extents, failure, files, noise, notes, saved,
    source,
};

/// What a job told of the damage last: blobs, packs, the snapshots with their disks.
fn damage(events: &[Event]) -> Option<(u64, u64, BTreeMap<String, Vec<String>>)> {
    events.iter().rev().find_map(|event| match event {
        Event::Damage {
            blobs,
            packs,
            snapshots,
            ..
        } => {
            let disks = |point: &DamagedSnapshot| (point.snapshot.clone(), point.disks.clone());
            Some((*blobs, *packs, snapshots.iter().map(disks).collect()))
        }
        _ => None,
    })
}

fn task(now: &str, parts: u32, least: u64) -> Task {
    Task::Scrub(ScrubTask {
        now: now.parse().unwrap(),
        parts,
        least,
        bytes_per_second: None,
    })
}

/// Reads all of the vault.
fn scrub(place: &Place, job: &str) -> Vec<Event> {
    let events = place.run(job, task("2031-05-02T00:00:00Z", 1, 0));
    assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
    events
}

fn packs(place: &Place) -> Vec<PathBuf> {
    let mut packs = files(&place.vault.join("data"));
    packs.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().len()));
    packs
}

/// The bits of some bytes in the middle of a file are turned over.
fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut bytes = [0; 16];
    file.read_exact_at(&mut bytes, at).unwrap();
    file.write_all_at(&bytes.map(|byte| !byte), at).unwrap();
}

fn middle(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len() / 2
}

#[test]
fn one_damaged_chunk_is_found_takes_its_points_and_is_healed_by_the_next_backup() {
    let place = Place::new();
    let (path, other) = (place.path("os.img"), place.path("data.img"));
    disk(&path, 16 * MIB, &[(0, 1, 8 * MIB as usize)]);
    disk(&other, 4 * MIB, &[(0, 2, MIB as usize)]);
    let two = || vec![source("os", &path), source("data", &other)];
    let (first, ..) = saved(&place.back_up("j1", backup(two())));
    assert_eq!(damage(&scrub(&place, "s1")), Some((0, 0, BTreeMap::new())));

    flip(&packs(&place)[0], middle(&packs(&place)[0]));
    let os = vec!["os".to_owned()];
    let hit = BTreeMap::from([(first.clone(), os)]);
    assert_eq!(damage(&scrub(&place, "s2")), Some((1, 1, hit.clone())));
    // It is remembered, and the disk that is whole can be restored.
    assert_eq!(damage(&scrub(&place, "s3")), Some((1, 1, hit)));
    let (restored, _) = place.restore("r1", &first, &["data"]);
    assert_same(&other, &restored.join("data.raw"));
    assert_eq!(
        failure(&place.restore("r2", &first, &["os"]).1),
        FailureCode::VaultDamaged
    );

    // A bitmap says that nothing changed: the lost chunk is read all the same.
    let mut task = backup(two());
    task.parent = Some(first.clone());
    for disk in &mut task.disks {
        disk.changed = Some(Vec::<Extent>::new());
    }
    let events = place.back_up("j2", task);
    let (second, _, read, stored) = saved(&events);
    assert_eq!(read, MIB);
    assert!(stored > MIB, "{stored}");
    assert_eq!(damage(&events), Some((0, 0, BTreeMap::new())), "{events:?}");
    let is_repair = |event: &Event| matches!(event, Event::Damage { repaired: 1, repaired_packs, .. } if repaired_packs.len() == 1);
    assert!(events.iter().any(is_repair), "{events:?}");
    place.assert_clean();
    for (job, snapshot) in [("r3", first), ("r4", second)] {
        let (restored, _) = place.restore(job, &snapshot, &["os", "data"]);
        assert_same(&path, &restored.join("os.raw"));
    }
    place.forget("f1", &[]);
    place.assert_clean();
}

#[test]
fn a_restore_that_meets_damage_remembers_it() {
    let place = Place::new();
    let path = place.path("os.img");
    disk(&path, 16 * MIB, &[(0, 1, 8 * MIB as usize)]);
    let (first, ..) = saved(&place.back_up("j1", backup(vec![source("os", &path)])));
    flip(&packs(&place)[0], middle(&packs(&place)[0]));
    let (_, events) = place.restore("r1", &first, &["os"]);
    assert_eq!(failure(&events), FailureCode::VaultDamaged);
    let (blobs, packs, snapshots) = damage(&events).unwrap();
    assert_eq!((blobs, packs, snapshots.len()), (1, 1, 1), "{events:?}");
    let events = place.back_up("j2", backup(vec![source("os", &path)]));
    assert_eq!(damage(&events), Some((0, 0, BTreeMap::new())));
    let (restored, _) = place.restore("r2", &first, &["os"]);
    assert_same(&path, &restored.join("os.raw"));
    place.assert_clean();
}

#[test]
fn an_index_that_is_lost_or_damaged_costs_nothing() {
    let place = Place::new();
    let path = place.path("os.img");
    disk(&path, 16 * MIB, &[(0, 1, 8 * MIB as usize)]);
    let (first, ..) = saved(&place.back_up("j1", backup(vec![source("os", &path)])));
    for (number, harm) in [0, 1].into_iter().enumerate() {
        let index = files(&place.vault.join("index")).remove(0);
        match harm {
            0 => fs::remove_file(&index).unwrap(),
            _ => flip(&index, middle(&index)),
        }
        let (restored, _) = place.restore(&format!("r{number}"), &first, &["os"]);
        assert_same(&path, &restored.join("os.raw"));
        let events = scrub(&place, &format!("s{number}"));
        assert_eq!(damage(&events), Some((0, 0, BTreeMap::new())), "{events:?}");
        place.assert_clean();
        let (_, _, _, stored) =
            saved(&place.back_up(&format!("b{number}"), backup(vec![source("os", &path)])));
        assert!(stored < 10_000, "what was there was stored again: {stored}");
    }
}

#[test]
fn a_damaged_snapshot_keeps_nobody_else_from_anything() {
    let place = Place::new();
    let path = place.path("os.img");
    disk(&path, 8 * MIB, &[(0, 1, 4 * MIB as usize)]);
    let (first, ..) = saved(&place.back_up("j1", backup(vec![source("os", &path)])));
    let snapshot = place.vault.join("snapshots").join(&first);
    flip(&snapshot, middle(&snapshot));
    let (second, ..) = saved(&place.back_up("j2", backup(vec![source("os", &path)])));
    let hit = BTreeMap::from([(first.clone(), Vec::new())]);
    assert_eq!(damage(&scrub(&place, "s1")), Some((0, 0, hit)));
    let (restored, _) = place.restore("r1", &second, &["os"]);
    assert_same(&path, &restored.join("os.raw"));
    // It goes as any other, and then the space is given back again.
    assert!(!notes(&place.forget("f0", &[])).is_empty());
    place.forget("f1", &[&first]);
    assert_eq!(damage(&scrub(&place, "s2")), Some((0, 0, BTreeMap::new())));
    place.assert_clean();
}

#[test]
fn a_scrub_reads_its_share_the_oldest_first_and_all_of_it_in_time() {
    let place = Place::new();
    let path = place.path("os.img");
    disk(&path, 64 * MIB, &[(0, 1, 60 * MIB as usize)]);
    place.back_up("j1", backup(vec![source("os", &path)]));
    let read = |job: &str, now: &str, parts| {
        let events = place.run(job, task(now, parts, 0));
        let scrubbed = events.iter().find_map(|event| match event {
            Event::Scrubbed {
                bytes,
                total,
                oldest,
                ..
            } => Some((*bytes, *total, oldest.unwrap().to_string())),
            _ => None,
        });
        scrubbed.unwrap()
    };
    let days: Vec<String> = (1..=9)
        .map(|day| format!("2031-06-{day:02}T00:00:00Z"))
        .collect();
    let mut bytes = 0;
    for (number, day) in days.iter().take(4).enumerate() {
        let (share, total, _) = read(&format!("s{number}"), day, 4);
        assert!(share >= total / 4 && share < total, "{share} of {total}");
        bytes += share;
        if bytes >= total {
            break;
        }
    }
    // What was never read counts from the first day; what was, from then on.
    let (_, _, oldest) = read("s8", &days[7], 4);
    assert!(oldest > days[0], "{oldest}");
    let (_, _, oldest) = read("s9", &days[8], 1);
    assert_eq!(oldest, days[8]);
}

/// Ways in which a file of a vault comes to harm.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Flip,
    Cut,
    Remove,
    Header,
}

fn harm(path: &Path, how: Harm, place: prop::sample::Index) {
    let length = fs::metadata(path).unwrap().len();
    match how {
        Harm::Flip => flip(path, place.index(length as usize - 16) as u64),
        Harm::Cut => {
            let file = OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(place.index(length as usize) as u64).unwrap();
        }
        Harm::Remove => fs::remove_file(path).unwrap(),
        Harm::Header => flip(path, length - 20),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Whatever comes to harm: a point that nobody marks restores to what it was, and once a backup has stored again what
    /// its machine still has and no point is marked any more, stock restic finds nothing wrong either.
    #[test]
    fn nothing_that_is_called_whole_is_not(
        edits in prop::collection::vec((0..40_u64, 1..1000_u64), 1..4),
        harms in prop::collection::vec(
            (any::<prop::sample::Index>(), 0..4_usize, any::<prop::sample::Index>()), 1..4,
        ),
        in_index in prop::option::of((any::<prop::sample::Index>(), prop::bool::ANY)),
    ) {
        let place = Place::new();
        let path = place.path("os.img");
        disk(&path, 48 * MIB, &[(0, 7, 20 * MIB as usize)]);
        let (mut points, mut parent) = (Vec::new(), None);
        let mut changed: Vec<(u64, u64, usize)> = Vec::new();
        for (number, edited) in std::iter::once(None).chain(edits.iter().map(Some)).enumerate() {
            changed.clear();
            if let Some((at, seed)) = edited {
                changed.push((at * MIB, *seed, MIB as usize + 100));
                edit(&path, &changed);
            }
            let mut task = backup(vec![source("os", &path)]);
            task.parent.clone_from(&parent);
            task.disks[0].changed = parent.as_ref().map(|_| extents(&changed));
            let (snapshot, ..) = saved(&place.back_up(&format!("j{number}"), task));
            let kept = place.path(&format!("as-of-{number}.img"));
            fs::copy(&path, &kept).unwrap();
            points.push((snapshot.clone(), kept));
            parent = Some(snapshot);
        }
        for (which, how, at) in &harms {
            let packs = packs(&place);
            if packs.is_empty() {
                continue;
            }
            let how = [Harm::Flip, Harm::Cut, Harm::Remove, Harm::Header][*how];
            harm(&packs[which.index(packs.len())], how, *at);
        }
        if let Some((which, gone)) = in_index {
            let index = files(&place.vault.join("index"));
            let path = &index[which.index(index.len())];
            if gone {
                fs::remove_file(path).unwrap();
            } else {
                flip(path, middle(path));
            }
        }
        let (_, _, marked) = damage(&scrub(&place, "scrub-1")).unwrap();
        let whole = |marked: &BTreeMap<String, Vec<String>>, round: &str| {
            for (number, (snapshot, kept)) in points.iter().enumerate() {
                if !marked.contains_key(snapshot) {
                    let (restored, events) = place.restore(&format!("{round}-{number}"), snapshot, &["os"]);
                    assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
                    assert_same(kept, &restored.join("os.raw"));
                }
            }
        };
        whole(&marked, "before");

        // A bitmap that says that nothing changed.
        let mut task = backup(vec![source("os", &path)]);
        task.parent.clone_from(&parent);
        task.disks[0].changed = Some(Vec::new());
        let events = place.back_up("healing", task);
        let (newest, ..) = saved(&events);
        let (restored, _) = place.restore("newest", &newest, &["os"]);
        assert_same(&path, &restored.join("os.raw"));

        let (_, left, marked) = damage(&scrub(&place, "scrub-2")).unwrap();
        assert!(!marked.contains_key(&newest));
        whole(&marked, "after");
        if marked.is_empty() {
            assert_eq!(left, 0);
            place.assert_clean();
        }
        // What nobody can heal goes with its points, and then nothing is left of it.
        let gone: Vec<&str> = marked.keys().map(String::as_str).collect();
        place.forget("forget", &gone);
        let (blobs, left, marked) = damage(&scrub(&place, "scrub-3")).unwrap();
        assert_eq!((blobs, left, marked.len()), (0, 0, 0));
        place.assert_clean();
        let events = place.forget("prune", &[]);
        assert_eq!(notes(&events), Vec::<&str>::new());
        place.assert_clean();
    }
}

#[test]
fn the_list_of_damage_may_itself_be_lost() {
    let place = Place::new();
    let path = place.path("os.img");
    disk(&path, 8 * MIB, &[(0, 1, 4 * MIB as usize)]);
    place.back_up("j1", backup(vec![source("os", &path)]));
    flip(&packs(&place)[0], middle(&packs(&place)[0]));
    assert_eq!(damage(&scrub(&place, "s1")).unwrap().1, 1);
    fs::write(place.vault.join("damage"), noise(3, 100)).unwrap();
    // A share of nothing: only what nobody believes any more is read.
    let events = place.run("s2", task("2031-05-03T00:00:00Z", u32::MAX, 1));
    assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
    assert_eq!(damage(&scrub(&place, "s3")).unwrap().1, 1);
    assert!(File::open(place.vault.join("damage")).is_ok());
}
