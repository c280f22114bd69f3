//! What lies in a vault: restic's format, readable by restic, in the layout that is promised.

use std::{fs, os::unix::fs::PermissionsExt};

use kluis_vault::{Event, repository};

use crate::support::{
    MIB, PASSPHRASE, Place, allocated, assert_same, backup, disk, files, noise, saved, source, sum,
};

#[test]
fn disks_of_a_machine_come_back_equal_from_us_and_from_stock_restic() {
    let place = Place::new();
    let (os, data) = (place.path("os.img"), place.path("data.img"));
    disk(
        &os,
        40 * MIB,
        &[(0, 1, 3 * MIB as usize), (20 * MIB + 12345, 2, 70_000)],
    );
    disk(
        &data,
        7 * MIB + 512,
        &[(5 * MIB, 3, 2 * MIB as usize + 512)],
    );
    let text = "all work and no play ".repeat(100_000);
    std::os::unix::fs::FileExt::write_all_at(
        &fs::File::options().write(true).open(&os).unwrap(),
        text.as_bytes(),
        8 * MIB,
    )
    .unwrap();

    let events = place.back_up(
        "j1",
        backup(vec![source("web-1-os", &os), source("web-1-data", &data)]),
    );
    let (snapshot, logical, read, stored) = saved(&events);
    assert_eq!(logical, 47 * MIB + 512);
    assert!(read < 12 * MIB, "holes are not read: {read}");
    assert!(stored > 5 * MIB && stored < 6 * MIB, "{stored}");
    assert!(events.contains(&Event::Disk {
        name: "web-1-data".to_owned(),
        size: 7 * MIB + 512
    }));
    assert!(
        matches!(events.iter().rfind(|event| matches!(event, Event::Progress { .. })), Some(Event::Progress { done, total }) if done == total)
    );
    place.assert_clean();

    let (restored, events) = place.restore("r1", &snapshot, &["web-1-os", "web-1-data"]);
    for (name, original) in [("web-1-os", &os), ("web-1-data", &data)] {
        let path = restored.join(format!("{name}.raw"));
        assert_same(original, &path);
        let (bytes, sha256) = (fs::metadata(original).unwrap().len(), sum(original));
        assert!(
            events.contains(&Event::Restored {
                disk: name.to_owned(),
                bytes,
                sha256
            }),
            "{events:?}"
        );
        assert!(
            allocated(&path) <= allocated(original) + 256 * 1024,
            "holes stay holes"
        );
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    assert_eq!(files(&restored).len(), 2, "nothing else is left there");

    let target = place.path("by-restic");
    if let Some(done) = place.restic(&["restore", &snapshot, "--target", target.to_str().unwrap()])
    {
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        assert_same(&os, &target.join("web-1/web-1-os.raw"));
        assert_same(&data, &target.join("web-1/web-1-data.raw"));
    }
}

#[test]
fn restic_lists_a_snapshot_with_the_recovery_points_time_host_and_tags() {
    let place = Place::new();
    let os = place.path("os.img");
    disk(&os, 2 * MIB, &[(0, 1, 1000)]);
    let mut task = backup(vec![source("os", &os)]);
    task.description = "before the upgrade".to_owned();
    let (snapshot, ..) = saved(&place.back_up("j1", task));

    if let Some(listed) = place.restic(&["snapshots", "--json"]) {
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        assert_eq!(listed[0]["id"], snapshot);
        assert_eq!(listed[0]["time"], "2031-05-01T22:30:00Z");
        assert_eq!(listed[0]["hostname"], "kluis");
        assert_eq!(
            listed[0]["tags"],
            serde_json::json!(["job=j1", "rp=20310501"])
        );
        assert_eq!(listed[0]["paths"], serde_json::json!(["/web-1"]));
    }
    let ours = repository::snapshots(&place.vault, &place.key).unwrap();
    assert_eq!(ours.len(), 1);
    assert_eq!(
        (
            ours[0].saved.snapshot.as_str(),
            ours[0].description.as_str()
        ),
        (snapshot.as_str(), "before the upgrade")
    );
    assert_eq!(
        repository::find_by_job(&place.vault, &place.key, "j1")
            .unwrap()
            .unwrap()
            .snapshot,
        snapshot
    );
    assert_eq!(
        repository::find_by_job(&place.vault, &place.key, "j2").unwrap(),
        None
    );
}

#[test]
fn a_disk_of_more_than_64_gib_is_a_directory_of_segments() {
    let place = Place::new();
    let big = place.path("big.img");
    let segment = 64 * 1024 * MIB;
    let pieces = [
        (0, 1, 4096),
        (segment - 10, 2, 20),
        (2 * segment + 5 * MIB, 3, 1 << 20),
    ];
    disk(&big, 2 * segment + 6 * MIB + 512, &pieces);
    let (snapshot, logical, read, _) =
        saved(&place.back_up("j1", backup(vec![source("big", &big)])));
    assert_eq!(logical, 2 * segment + 6 * MIB + 512);
    assert!(read <= 6 * MIB, "{read}");
    place.assert_clean();
    if let Some(listed) = place.restic(&["ls", &snapshot]) {
        let listed = String::from_utf8(listed.stdout).unwrap();
        for path in [
            "/web-1/big.raw/0000",
            "/web-1/big.raw/0001",
            "/web-1/big.raw/0002",
        ] {
            assert!(listed.lines().any(|line| line == path), "{listed}");
        }
    }
    // Changes in a segment, by list, from a parent with segments.
    let edits = [(segment + 3, 4, 100)];
    crate::support::edit(&big, &edits);
    let mut task = backup(vec![source("big", &big)]);
    task.parent = Some(snapshot);
    task.disks[0].changed = Some(crate::support::extents(&edits));
    let events = place.back_up("j2", task);
    let (_, _, read, _) = saved(&events);
    assert_eq!((read, crate::support::notes(&events)), (MIB, vec![]));
    place.assert_clean();
}

#[test]
fn a_vault_is_its_owners_alone() {
    let place = Place::new();
    let os = place.path("os.img");
    disk(&os, 2 * MIB, &[(0, 1, 1000)]);
    place.back_up("j1", backup(vec![source("os", &os)]));
    for file in files(&place.vault) {
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600,
            "{}",
            file.display()
        );
        assert_eq!(
            fs::metadata(file.parent().unwrap())
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o700
        );
    }
}

#[test]
fn the_key_opens_what_the_passphrase_opens_and_never_shows_itself() {
    let place = Place::new();
    let json = place.key.to_json().unwrap();
    assert_eq!(
        *repository::open(&place.vault, PASSPHRASE)
            .unwrap()
            .to_json()
            .unwrap(),
        *json
    );
    let again = kluis_vault::MasterKey::from_json(&json).unwrap();
    assert!(
        repository::snapshots(&place.vault, &again)
            .unwrap()
            .is_empty()
    );
    assert_eq!(format!("{again:?}"), "MasterKey(…)");
    let secret = serde_json::from_str::<serde_json::Value>(&json).unwrap()["encrypt"]
        .as_str()
        .unwrap()
        .to_owned();
    let os = place.path("os.img");
    disk(&os, MIB, &[(0, 1, 1000)]);
    let events = place.back_up("j1", backup(vec![source("os", &os)]));
    assert!(!format!("{events:?}").contains(&secret));
}

#[test]
fn what_two_disks_share_is_stored_once() {
    let place = Place::new();
    let (a, b) = (place.path("a.img"), place.path("b.img"));
    disk(&a, 20 * MIB, &[(0, 7, 10 * MIB as usize)]);
    fs::write(&b, noise(7, 10 * MIB as usize)).unwrap();
    let (_, _, read, stored) =
        saved(&place.back_up("j1", backup(vec![source("a", &a), source("b", &b)])));
    assert_eq!(read, 20 * MIB);
    assert!(stored < 11 * MIB, "{stored}");
    place.assert_clean();
}
