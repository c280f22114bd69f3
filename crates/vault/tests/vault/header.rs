//! What opens a vault is lost, damaged or another's: each is told apart, and healed from the copy that is left.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use kluis_vault::{Header, VaultError, repository};

use crate::support::{MIB, PASSPHRASE, Place, backup, disk, saved, source};

fn key_file(root: &Path) -> PathBuf {
    let mut keys = fs::read_dir(root.join("keys")).unwrap();
    keys.next().unwrap().unwrap().path()
}

/// Flips one bit in the middle of a file.
fn rot(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// A vault with a point in it, and its header as a service holds it.
fn opened() -> (Place, Header) {
    let place = Place::new();
    let path = place.path("os.img");
    disk(&path, MIB, &[(0, 1, 1000)]);
    saved(&place.back_up("j1", backup(vec![source("os", &path)])));
    let header = Header::open(&place.vault, PASSPHRASE).unwrap();
    (place, header)
}

type Harm = (&'static str, fn(&Path));

/// What happens to one place, where `keys/` and `config` are.
const HARM: [Harm; 7] = [
    ("the key file is lost", |root| {
        fs::remove_file(key_file(root)).unwrap();
    }),
    ("the key file is cut off", |root| {
        fs::File::options()
            .write(true)
            .open(key_file(root))
            .unwrap()
            .set_len(40)
            .unwrap();
    }),
    ("the key file is empty", |root| {
        fs::write(key_file(root), "").unwrap();
    }),
    ("a bit of the key file flips", |root| rot(&key_file(root))),
    ("all keys are lost", |root| {
        fs::remove_dir_all(root.join("keys")).unwrap();
    }),
    ("the config is lost", |root| {
        fs::remove_file(root.join("config")).unwrap();
    }),
    (
        "a bit of the config flips",
        |root| rot(&root.join("config")),
    ),
];

#[test]
fn either_copy_opens_the_vault_and_heals_the_other() {
    for (what, harm) in HARM {
        for below in ["", "copies"] {
            let (place, _) = opened();
            harm(&place.vault.join(below));
            let mut header = Header::open(&place.vault, PASSPHRASE)
                .unwrap_or_else(|error| panic!("{what} in '{below}': {error}"));
            let written = header.keep(&place.vault).unwrap();
            assert_eq!(written.len(), 1, "{what} in '{below}': {written:?}");
            assert_eq!(header.keep(&place.vault).unwrap(), Vec::<PathBuf>::new());
            // Stock restic, which knows nothing of copies, opens it again.
            place.assert_clean();
        }
    }
}

#[test]
fn what_is_lost_everywhere_is_written_again_from_memory() {
    for (what, harm) in HARM {
        let (place, mut header) = opened();
        harm(&place.vault);
        harm(&place.vault.join("copies"));
        header
            .keep(&place.vault)
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        place.assert_clean();
        repository::open(&place.vault, PASSPHRASE).unwrap();
    }
}

#[test]
fn what_is_wrong_is_told_apart() {
    let told = |harm: &dyn Fn(&Path)| {
        let (place, _) = opened();
        harm(&place.vault);
        harm(&place.vault.join("copies"));
        Header::open(&place.vault, PASSPHRASE).unwrap_err()
    };
    let harm = |at: usize| move |root: &Path| HARM[at].1(root);
    for damaged in 1..4 {
        let error = told(&harm(damaged));
        assert!(matches!(error, VaultError::KeyDamaged(_)), "{error}");
        assert!(error.recommendation().contains("not what is wrong"));
    }
    for lost in [0, 4] {
        assert!(matches!(told(&harm(lost)), VaultError::KeyMissing(_)));
    }
    assert!(matches!(told(&harm(5)), VaultError::ConfigMissing(_)));
    assert!(matches!(told(&harm(6)), VaultError::ConfigDamaged(_)));

    let (place, _) = opened();
    assert!(matches!(
        Header::open(&place.vault, "another"),
        Err(VaultError::WrongPassphrase(_))
    ));
    // Another vault's config, as of a folder that was copied over this one.
    let other = place.path("other");
    repository::create(&other, PASSPHRASE).unwrap();
    for below in ["config", "copies/config"] {
        fs::copy(other.join("config"), place.vault.join(below)).unwrap();
    }
    let error = Header::open(&place.vault, PASSPHRASE).unwrap_err();
    assert!(matches!(error, VaultError::ConfigDamaged(_)), "{error}");
    for none in ["nothing", "empty", "file"] {
        let path = place.path(none);
        match none {
            "empty" => fs::create_dir(&path).unwrap(),
            "file" => fs::write(&path, "no folder").unwrap(),
            _ => {}
        }
        let error = Header::open(&path, PASSPHRASE).unwrap_err();
        assert!(matches!(error, VaultError::NotAVault(_)), "{none}: {error}");
    }
}

#[test]
fn a_key_file_that_asks_for_all_memory_is_not_believed() {
    let (place, _) = opened();
    for root in [place.vault.clone(), place.vault.join("copies")] {
        let path = key_file(&root);
        let text = fs::read_to_string(&path).unwrap();
        let mut key: serde_json::Value = serde_json::from_str(&text).unwrap();
        key["N"] = (1_u32 << 31).into();
        fs::write(&path, key.to_string()).unwrap();
    }
    let error = Header::open(&place.vault, PASSPHRASE).unwrap_err();
    assert!(matches!(error, VaultError::KeyDamaged(_)), "{error}");
}

#[test]
fn a_vault_of_before_gets_its_copies_and_they_are_private() {
    let (place, _) = opened();
    fs::remove_dir_all(place.vault.join("copies")).unwrap();
    let mut header = Header::open(&place.vault, PASSPHRASE).unwrap();
    assert_eq!(header.keep(&place.vault).unwrap().len(), 2);
    for path in [
        place.vault.join("copies/config"),
        key_file(&place.vault.join("copies")),
    ] {
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
    fs::remove_dir_all(&place.vault).unwrap();
    assert!(
        matches!(header.keep(&place.vault), Err(VaultError::NotAVault(_))),
        "no vault is made where none is"
    );
}

#[test]
fn a_survey_finds_what_nobody_knows_and_what_is_gone() {
    let place = Place::new();
    let path = place.path("os.img");
    disk(&path, 2 * MIB, &[(0, 1, 1000)]);
    let mut task = backup(vec![source("os", &path)]);
    task.about = Some(serde_json::json!({ "kept": "until" }));
    let (first, ..) = saved(&place.back_up("j1", task.clone()));
    let (second, ..) = saved(&place.back_up("j2", task));
    let known = [first.clone(), "00".repeat(32)].into();
    let survey = kluis_vault::survey(&place.vault, &place.key, &known).unwrap();
    assert_eq!(
        survey.present,
        [first, second.clone()].into_iter().collect()
    );
    assert_eq!(survey.unknown.len(), 1);
    let unknown = &survey.unknown[0];
    assert_eq!(unknown.snapshot.saved.snapshot, second);
    assert_eq!(unknown.snapshot.tag("job"), Some("j2"));
    assert_eq!(unknown.snapshot.about.as_ref().unwrap()["kept"], "until");
    assert_eq!(
        (unknown.vm.as_str(), &unknown.disks),
        ("web-1", &vec![("os".to_owned(), 2 * MIB)])
    );
    // What is not whole is no point.
    let pack = fs::read_dir(place.vault.join("data")).unwrap().flatten();
    let packs = pack.flat_map(|folder| fs::read_dir(folder.path()).unwrap().flatten());
    packs.for_each(|pack| fs::write(pack.path(), "").unwrap());
    let survey = kluis_vault::survey(&place.vault, &place.key, &Default::default()).unwrap();
    assert_eq!((survey.unknown.len(), survey.unusable.len()), (0, 2));
}
