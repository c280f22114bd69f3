//! A disk of a TiB that is nearly empty: what is not there takes neither time nor room.

use std::{fs::File, os::unix::fs::FileExt};

use kluis_vault::{Event, Task};

use crate::{
    crash::{start, until},
    support::{MIB, Place, allocated, backup, disk, edit, extents, noise, restore, saved, source},
};

const TIB: u64 = 1 << 40;

#[test]
fn a_disk_of_a_tib_is_backed_up_changed_and_restored_in_little_memory() {
    let place = Place::new();
    let path = place.path("big.raw");
    let mut pieces = vec![
        (0, 1, MIB as usize),
        (TIB / 3 + 5, 2, 3 * MIB as usize),
        (TIB - 512, 3, 512),
    ];
    disk(&path, TIB, &pieces);
    let first = place.job("j1", Task::Backup(backup(vec![source("big", &path)])));
    let (first, logical, read, stored) = saved(&in_a_mover(&place, &first));
    assert_eq!(logical, TIB);
    assert!(read <= 8 * MIB, "{read}");
    assert!(stored <= 6 * MIB, "{stored}");

    let edits = [(TIB / 2 + 100, 4, 1000)];
    edit(&path, &edits);
    pieces.extend(edits);
    let mut task = backup(vec![source("big", &path)]);
    task.parent = Some(first);
    task.disks[0].changed = Some(extents(&edits));
    let second = place.job("j2", Task::Backup(task));
    let (second, _, read, stored) = saved(&in_a_mover(&place, &second));
    assert_eq!(read, MIB);
    assert!(stored <= MIB, "{stored}");
    place.assert_clean();

    let directory = place.path("restored");
    let task = Task::Restore(restore(&second, &directory, &["big"]));
    let events = in_a_mover(&place, &place.job("r1", task));
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Restored { bytes: TIB, .. })),
        "{events:?}"
    );
    let restored = directory.join("big.raw");
    assert!(allocated(&restored) <= allocated(&path) + 256 * 1024);
    let file = File::open(restored).unwrap();
    assert_eq!(file.metadata().unwrap().len(), TIB);
    for (offset, seed, length) in pieces {
        let mut piece = vec![0; length];
        file.read_exact_at(&mut piece, offset).unwrap();
        assert!(piece == noise(seed, length), "at {offset}");
    }
}

/// Does a job in a process of its own and looks, at each of its events, at the most memory that it has had.
fn in_a_mover(place: &Place, job: &kluis_vault::JobFile) -> Vec<Event> {
    let mut child = start(place, job);
    let status = format!("/proc/{}/status", child.id());
    let peak = std::cell::Cell::new(0);
    let events = until(&mut child, |_| {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak.set(peak.get().max(kib.unwrap_or(0)));
        false
    });
    assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
    assert!(
        peak.get() > 0 && peak.get() <= 256 * 1024,
        "{} KiB",
        peak.get()
    );
    println!("{} MiB", peak.get() / 1024);
    events
}
