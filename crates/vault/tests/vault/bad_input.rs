//! What people and machines get wrong: each ends in its own error, and nothing that was backed up is touched.

use std::{
    fs,
    os::unix::fs::{FileExt, PermissionsExt},
    path::Path,
    process::Command,
};

use kluis_vault::{Event, FailureCode, MasterKey, Task, VaultError, mover, repository};

use crate::support::{
    MIB, PASSPHRASE, Place, assert_same, backup, disk, edit, failure, files, noise, notes, restore,
    saved, source,
};

/// A vault with one recovery point of one disk.
fn with_a_point() -> (Place, std::path::PathBuf, String) {
    let place = Place::new();
    let path = place.path("os.img");
    disk(&path, 8 * MIB, &[(0, 1, 4 * MIB as usize)]);
    let (snapshot, ..) = saved(&place.back_up("j1", backup(vec![source("os", &path)])));
    (place, path, snapshot)
}

fn assert_still_there(place: &Place, snapshot: &str, path: &Path) {
    let points = repository::snapshots(&place.vault, &place.key).unwrap();
    assert_eq!(
        points
            .iter()
            .map(|point| point.saved.snapshot.as_str())
            .collect::<Vec<_>>(),
        [snapshot]
    );
    place.assert_clean();
    let (restored, _) = place.restore("still", snapshot, &["os"]);
    assert_same(path, &restored.join("os.raw"));
}

#[test]
fn a_vault_is_opened_by_its_passphrase_alone() {
    let (place, path, snapshot) = with_a_point();
    assert!(matches!(
        repository::open(&place.vault, "wrong"),
        Err(VaultError::WrongPassphrase(_))
    ));
    assert!(matches!(
        repository::open(&place.path("nowhere"), PASSPHRASE),
        Err(VaultError::NotAVault(_))
    ));
    assert!(matches!(
        repository::create(&place.vault, PASSPHRASE),
        Err(VaultError::VaultExists(_))
    ));
    assert!(matches!(
        MasterKey::from_json("{}"),
        Err(VaultError::BadKey)
    ));
    let other = repository::create(&place.path("other"), PASSPHRASE).unwrap();
    let mut events = Vec::new();
    let job = place.job("j2", Task::Check);
    mover::run(&job, other, &mut |event| events.push(event)).unwrap_err();
    assert_eq!(failure(&events), FailureCode::WrongPassphrase);
    assert_still_there(&place, &snapshot, &path);
}

#[test]
fn a_vault_of_a_newer_format_is_told_from_a_broken_one() {
    let place = Place::new();
    let config = place.vault.join("config");
    let id = "00".repeat(32);
    let path = place.path("os.img");
    disk(&path, MIB, &[(0, 1, 1000)]);
    for newer in [r#""version":3"#, r#""version":2,"kluis":{"format":2}"#] {
        let json = format!(r#"{{{newer},"id":"{id}","chunker_polynomial":"3da3358b4dc173"}}"#);
        fs::write(&config, sealed(&place.key, json.as_bytes())).unwrap();
        assert!(matches!(
            repository::open(&place.vault, PASSPHRASE),
            Err(VaultError::NewerFormat(_))
        ));
        let before = files(&place.vault);
        for task in [
            Task::Backup(backup(vec![source("os", &path)])),
            Task::Restore(restore(&id, &place.path("x"), &["os"])),
            Task::Forget(kluis_vault::ForgetTask {
                snapshots: vec![id.clone()],
                prune: true,
            }),
            Task::Check,
        ] {
            assert_eq!(failure(&place.run("j1", task)), FailureCode::NewerFormat);
        }
        assert_eq!(files(&place.vault), before, "nothing was touched");
    }
}

/// What a file of the vault looks like on disk, made without the crate under test.
fn sealed(key: &MasterKey, plain: &[u8]) -> Vec<u8> {
    use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Key, Nonce, aead::Aead};
    let key: rustic_core::repofile::MasterKey =
        serde_json::from_str(&key.to_json().unwrap()).unwrap();
    let key = [key.encrypt, key.mac.k, key.mac.r].concat();
    let nonce = noise(1, 16);
    let body = Aes256CtrPoly1305Aes::new(Key::from_slice(&key))
        .encrypt(Nonce::from_slice(&nonce), plain)
        .unwrap();
    [nonce, body].concat()
}

#[test]
fn a_disk_that_is_not_there_or_cannot_be_read_leaves_no_snapshot() {
    let (place, path, snapshot) = with_a_point();
    let cases = [
        place.path("missing.img"),
        place.directory.path().to_owned(),
        Path::new("/proc/self/mem").to_owned(),
    ];
    for (number, bad) in cases.iter().enumerate() {
        let task = backup(vec![source("os", &path), source("bad", bad)]);
        let events = place.run(&format!("bad-{number}"), Task::Backup(task));
        assert_eq!(
            failure(&events),
            FailureCode::SourceUnreadable,
            "{}",
            bad.display()
        );
    }
    fs::write(place.path("empty.img"), b"").unwrap();
    let events = place.run(
        "empty",
        Task::Backup(backup(vec![source("os", &place.path("empty.img"))])),
    );
    assert_eq!(failure(&events), FailureCode::SourceUnreadable);
    assert_still_there(&place, &snapshot, &path);
}

#[test]
fn an_image_that_ends_in_a_sector_is_refused_and_one_that_is_smaller_is_read_whole_and_told_of() {
    let (place, path, snapshot) = with_a_point();
    let cut = place.path("cut.img");
    fs::copy(&path, &cut).unwrap();
    let file = fs::File::options().write(true).open(&cut).unwrap();
    file.set_len(4 * MIB + 100).unwrap();
    let events = place.run("cut", Task::Backup(backup(vec![source("os", &cut)])));
    assert_eq!(failure(&events), FailureCode::SourceTruncated);

    assert_still_there(&place, &snapshot, &path);

    file.set_len(4 * MIB).unwrap();
    let mut task = backup(vec![source("os", &cut)]);
    task.parent = Some(snapshot);
    let events = place.back_up("smaller", task);
    assert!(
        matches!(notes(&events)[..], [note] if note.contains("is smaller than at its last recovery point")),
        "{events:?}"
    );
    let (restored, _) = place.restore("cut-off", &saved(&events).0, &["os"]);
    assert_same(&cut, &restored.join("os.raw"));
}

#[test]
fn an_image_of_another_format_is_not_taken_for_the_disk() {
    let (place, path, snapshot) = with_a_point();
    let image = place.path("image");
    for magic in [
        b"QFI\xfb\0\0\0\x04".as_slice(),
        b"vhdxfile",
        b"KDMV\x01\0\0\0",
    ] {
        fs::write(&image, [magic, &[0; 4088]].concat()).unwrap();
        let events = place.run("j2", Task::Backup(backup(vec![source("os", &image)])));
        assert_eq!(failure(&events), FailureCode::SourceFormat);
    }
    assert_still_there(&place, &snapshot, &path);
}

#[test]
fn a_snapshot_that_lost_its_data_is_nobodys_evidence() {
    let (place, _, _) = with_a_point();
    assert!(
        repository::find_by_job(&place.vault, &place.key, "j1")
            .unwrap()
            .is_some()
    );
    for pack in files(&place.vault.join("data")) {
        if fs::metadata(&pack).unwrap().len() > MIB {
            fs::remove_file(pack).unwrap();
        }
    }
    let found = repository::find_by_job(&place.vault, &place.key, "j1");
    assert!(matches!(found, Err(VaultError::Damaged(_))), "{found:?}");
}

#[test]
fn a_disk_that_shrinks_while_it_is_read_leaves_no_snapshot() {
    let (place, path, snapshot) = with_a_point();
    let shrinking = place.path("shrinking.img");
    disk(&shrinking, 64 * MIB, &[(0, 9, 64 * MIB as usize)]);
    let job = place.job("j2", Task::Backup(backup(vec![source("os", &shrinking)])));
    let mut last = None;
    let done = mover::run(&job, place.key.clone(), &mut |event| {
        // The disk is open and its size taken; no chunk has been read.
        if matches!(event, Event::Disk { .. }) {
            fs::File::options()
                .write(true)
                .open(&shrinking)
                .unwrap()
                .set_len(5 * MIB)
                .unwrap();
        }
        last = Some(event);
    });
    assert!(
        matches!(done, Err(VaultError::SourceChanged { .. })),
        "{done:?}"
    );
    assert_eq!(failure(&[last.unwrap()]), FailureCode::SourceChanged);
    assert_still_there(&place, &snapshot, &path);
    assert_eq!(
        files(&place.vault.join("tmp")),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn a_disk_that_grows_while_it_is_read_leaves_no_snapshot() {
    let (place, path, snapshot) = with_a_point();
    let growing = place.path("growing.img");
    disk(&growing, 3 * MIB, &[(0, 9, MIB as usize)]);
    let job = place.job("j2", Task::Backup(backup(vec![source("os", &growing)])));
    let done = mover::run(&job, place.key.clone(), &mut |event| {
        if matches!(event, Event::Disk { .. }) {
            fs::File::options()
                .write(true)
                .open(&growing)
                .unwrap()
                .set_len(4 * MIB)
                .unwrap();
        }
    });
    assert!(
        matches!(done, Err(VaultError::SourceChanged { .. })),
        "{done:?}"
    );
    assert_still_there(&place, &snapshot, &path);
}

#[test]
fn a_restore_never_overwrites() {
    let (place, path, snapshot) = with_a_point();
    let target = place.path("restored-r1");
    fs::create_dir_all(&target).unwrap();
    fs::write(target.join("os.raw"), b"somebody's").unwrap();
    let (_, events) = place.restore("r1", &snapshot, &["os"]);
    assert_eq!(failure(&events), FailureCode::TargetTaken);
    assert_eq!(fs::read(target.join("os.raw")).unwrap(), b"somebody's");
    fs::remove_file(target.join("os.raw")).unwrap();
    std::os::unix::fs::symlink("/nowhere", target.join("os.raw")).unwrap();
    let (_, events) = place.restore("r1", &snapshot, &["os"]);
    assert_eq!(failure(&events), FailureCode::TargetTaken);
    assert_eq!(files(&target).len(), 1);
    assert_still_there(&place, &snapshot, &path);
}

#[test]
fn what_is_not_in_the_vault_is_not_restored() {
    let (place, path, snapshot) = with_a_point();
    for (id, disk) in [
        (snapshot.as_str(), "data"),
        (&"ab".repeat(32), "os"),
        ("latest", "os"),
    ] {
        let (_, events) = place.restore("r1", id, &[disk]);
        assert_eq!(failure(&events), FailureCode::SnapshotNotFound);
    }
    let mut task = restore(&snapshot, &place.path("x"), &["os"]);
    task.vm = "web-2".to_owned();
    assert_eq!(
        failure(&place.run("r2", Task::Restore(task))),
        FailureCode::SnapshotNotFound
    );
    assert_still_there(&place, &snapshot, &path);
}

#[test]
fn a_damaged_pack_is_never_restored() {
    let (place, _, snapshot) = with_a_point();
    let pack = files(&place.vault.join("data"))
        .into_iter()
        .max_by_key(|file| fs::metadata(file).unwrap().len())
        .unwrap();
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(&pack)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 2 * MIB).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 2 * MIB).unwrap();
    let (restored, events) = place.restore("r1", &snapshot, &["os"]);
    assert_eq!(failure(&events), FailureCode::VaultDamaged);
    assert_eq!(files(&restored), Vec::<std::path::PathBuf>::new());
    assert_eq!(
        failure(&place.run("c1", Task::Check)),
        FailureCode::VaultDamaged
    );

    file.set_len(MIB).unwrap();
    let (restored, events) = place.restore("r2", &snapshot, &["os"]);
    assert_eq!(failure(&events), FailureCode::VaultDamaged);
    fs::remove_file(pack).unwrap();
    let (_, events) = place.restore("r2", &snapshot, &["os"]);
    assert_eq!(failure(&events), FailureCode::VaultDamaged);
    assert_eq!(files(&restored), Vec::<std::path::PathBuf>::new());
}

#[test]
fn names_that_would_lead_elsewhere_are_refused() {
    let (place, path, snapshot) = with_a_point();
    for name in ["", ".", "..", "a/b", "a\\b", "a\"b", "a\nb", "é"] {
        let events = place.run("bad", Task::Backup(backup(vec![source(name, &path)])));
        assert_eq!(failure(&events), FailureCode::InvalidJob, "{name:?}");
        let mut task = backup(vec![source("os", &path)]);
        task.vm = name.to_owned();
        assert_eq!(
            failure(&place.run("bad", Task::Backup(task))),
            FailureCode::InvalidJob,
            "{name:?}"
        );
    }
    let twice = backup(vec![source("os", &path), source("os", &path)]);
    assert_eq!(
        failure(&place.run("bad", Task::Backup(twice))),
        FailureCode::InvalidJob
    );
    assert_eq!(
        failure(&place.run("bad", Task::Backup(backup(Vec::new())))),
        FailureCode::InvalidJob
    );
    assert_eq!(
        failure(&place.run("a,b", Task::Backup(backup(vec![source("os", &path)])))),
        FailureCode::InvalidJob
    );
    assert_still_there(&place, &snapshot, &path);
}

/// A file system of its own for a while.
pub(crate) struct Volume(std::path::PathBuf);

impl Volume {
    /// `None` where mounting is not allowed.
    pub(crate) fn mount(path: &Path, megabytes: u64) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(path)
            .output()
            .ok()?;
        mounted.status.success().then(|| Self(path.to_owned()))
    }
}

impl Volume {
    /// A file system that shares blocks, of 330 MiB in a file; `None` where none can be made.
    pub(crate) fn xfs(path: &Path, image: &Path) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        fs::File::create(image).unwrap().set_len(330 * MIB).unwrap();
        let made = Command::new("mkfs.xfs")
            .args(["-q", "-m", "reflink=1"])
            .arg(image)
            .output();
        let made = made.ok()?.status.success();
        let mounted = || {
            let mount = Command::new("mount")
                .args(["-o", "loop"])
                .arg(image)
                .arg(path)
                .output();
            mount.is_ok_and(|mount| mount.status.success())
        };
        (made && mounted()).then(|| Self(path.to_owned()))
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.0).output().unwrap();
    }
}

#[test]
fn a_full_vault_and_a_full_target_are_errors_that_cost_nothing() {
    let mut place = Place::new();
    let Some(_volume) = Volume::mount(&place.path("small"), 40) else {
        println!("SKIPPED: a small file system cannot be mounted here (needs root)");
        return;
    };
    place.vault = place.path("small/vault");
    place.key = repository::create(&place.vault, PASSPHRASE).unwrap();
    let path = place.path("os.img");
    disk(&path, 16 * MIB, &[(0, 1, 8 * MIB as usize)]);
    let (snapshot, ..) = saved(&place.back_up("j1", backup(vec![source("os", &path)])));

    let big = place.path("big.img");
    fs::write(&big, noise(5, 60 * MIB as usize)).unwrap();
    let events = place.run("j2", Task::Backup(backup(vec![source("os", &big)])));
    assert_eq!(failure(&events), FailureCode::NoSpace, "{events:?}");
    assert_still_there(&place, &snapshot, &path);

    // What the failed backup wrote is gone, so that a smaller one finds room.
    edit(&path, &[(0, 2, 8 * MIB as usize)]);
    saved(&place.back_up("j3", backup(vec![source("os", &path)])));
    place.assert_clean();

    let task = restore(&snapshot, &place.path("small/restored"), &["os"]);
    fs::write(place.path("small/filler"), noise(6, 19 * MIB as usize)).unwrap();
    let events = place.run("r1", Task::Restore(task));
    assert_eq!(failure(&events), FailureCode::NoSpace, "{events:?}");
    assert_eq!(
        files(&place.path("small/restored")),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn a_vault_that_may_not_be_written_is_an_error() {
    let (place, path, snapshot) = with_a_point();
    if rustix::process::geteuid().is_root() {
        println!("SKIPPED: nothing is forbidden to root");
        return;
    }
    let forbidden = place.vault.join("tmp");
    fs::set_permissions(&forbidden, fs::Permissions::from_mode(0o500)).unwrap();
    edit(&path, &[(0, 2, MIB as usize)]);
    let events = place.run("j2", Task::Backup(backup(vec![source("os", &path)])));
    assert_eq!(failure(&events), FailureCode::Io);
    fs::set_permissions(&forbidden, fs::Permissions::from_mode(0o700)).unwrap();
    edit(&path, &[(0, 1, MIB as usize)]);
    assert_still_there(&place, &snapshot, &path);
}
