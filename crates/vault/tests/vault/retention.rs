//! Recovery points that go, and the space that comes back with them.

use std::{fs, time::Duration};

use kluis_vault::{Event, Task, repository};

use crate::support::{MIB, Place, assert_same, backup, disk, edit, files, saved, source};

fn size(place: &Place) -> u64 {
    files(&place.vault)
        .iter()
        .map(|file| fs::metadata(file).unwrap().len())
        .sum()
}

#[test]
fn forgetting_gives_space_back_at_once_and_keeps_what_others_need() {
    let place = Place::new();
    let path = place.path("os.img");
    disk(&path, 64 * MIB, &[(0, 1, 20 * MIB as usize)]);
    let (first, ..) = saved(&place.back_up("j1", backup(vec![source("os", &path)])));
    edit(&path, &[(0, 2, 18 * MIB as usize)]);
    let (second, ..) = saved(&place.back_up("j2", backup(vec![source("os", &path)])));
    let before = size(&place);

    let events = place.forget("f1", &[&first]);
    let Some(Event::Forgotten {
        snapshots,
        freed,
        pruned: true,
    }) = events
        .iter()
        .rfind(|event| matches!(event, Event::Forgotten { .. }))
    else {
        panic!("{events:?}")
    };
    assert_eq!(snapshots, std::slice::from_ref(&first));
    assert_eq!(*freed, before - size(&place));
    assert!(*freed > 15 * MIB, "{freed}");
    place.assert_clean();
    let (restored, _) = place.restore("r", &second, &["os"]);
    assert_same(&path, &restored.join("os.raw"));

    // Once more: nothing is left to do, and that is no failure.
    let events = place.forget("f2", &[&first]);
    assert!(
        events.contains(&Event::Forgotten {
            snapshots: vec![],
            freed: 0,
            pruned: true
        }),
        "{events:?}"
    );

    place.forget("f3", &[&second]);
    assert_eq!(
        files(&place.vault.join("data")),
        Vec::<std::path::PathBuf>::new()
    );
    assert!(
        repository::snapshots(&place.vault, &place.key)
            .unwrap()
            .is_empty()
    );
    saved(&place.back_up("j3", backup(vec![source("os", &path)])));
    place.assert_clean();
}

#[test]
fn space_is_not_given_back_under_the_feet_of_another_job() {
    let place = Place::new();
    let path = place.path("os.img");
    disk(&path, 4 * MIB, &[(0, 1, 2 * MIB as usize)]);
    let (first, ..) = saved(&place.back_up("j1", backup(vec![source("os", &path)])));
    // What a running mover holds.
    let config = fs::File::open(place.vault.join("config")).unwrap();
    rustix::fs::flock(&config, rustix::fs::FlockOperation::LockShared).unwrap();
    let events = place.forget_once("f1", &[&first]);
    assert!(
        events.iter().any(
            |event| matches!(event, Event::Forgotten { pruned: false, freed, .. } if *freed < MIB)
        ),
        "{events:?}"
    );
    drop(config);
    let events = place.forget("f2", &[]);
    assert!(
        events.iter().any(
            |event| matches!(event, Event::Forgotten { pruned: true, freed, .. } if *freed > MIB)
        ),
        "{events:?}"
    );
}

#[test]
fn jobs_beside_each_other_and_cleanups_leave_the_vault_clean() {
    let place = Place::new();
    let deadline = std::time::Instant::now() + Duration::from_secs(4);
    std::thread::scope(|scope| {
        for worker in 0..2_u64 {
            let place = &place;
            scope.spawn(move || {
                let path = place.path(&format!("disk-{worker}.img"));
                let mut round = 0;
                while std::time::Instant::now() < deadline {
                    disk(
                        &path,
                        16 * MIB,
                        &[
                            (0, worker, 4 * MIB as usize),
                            (8 * MIB, 100 * worker + round, 3 * MIB as usize),
                        ],
                    );
                    let job = format!("j{worker}-{round}");
                    let (snapshot, ..) =
                        saved(&place.back_up(&job, backup(vec![source("os", &path)])));
                    let (restored, _) =
                        place.restore(&format!("r{worker}-{round}"), &snapshot, &["os"]);
                    assert_same(&path, &restored.join("os.raw"));
                    fs::remove_dir_all(restored).unwrap();
                    let events = place.forget_once(&format!("f{worker}-{round}"), &[&snapshot]);
                    assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
                    round += 1;
                }
            });
        }
    });
    let events = place.run("check", Task::Check);
    assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
    place.assert_clean();
}
