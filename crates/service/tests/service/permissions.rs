//! Whose the service's files are, and who else may touch them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use kluis_service::{Config, start};

use crate::shell::config;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_others_could_use_is_the_services_alone_after_a_start() {
    let dir = tempfile::tempdir().unwrap();
    start(config(dir.path())).unwrap().shutdown().unwrap();
    let data = dir.path().join("data");
    let secrets = [
        "passphrase",
        "credentials.json",
        "ca.key",
        "token.key",
        "state.db",
        "lock",
    ];
    set(&data, 0o777);
    for name in secrets {
        set(&data.join(name), 0o666);
    }
    start(config(dir.path())).unwrap().shutdown().unwrap();
    assert_eq!(mode(&data), 0o700);
    for name in secrets {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
    // Behind a link it is the same.
    let real = dir.path().join("real");
    fs::rename(data.join("token.key"), &real).unwrap();
    set(&real, 0o644);
    symlink(&real, data.join("token.key")).unwrap();
    start(config(dir.path())).unwrap().shutdown().unwrap();
    assert_eq!(mode(&real), 0o600);
}

#[test]
fn what_every_user_can_replace_is_refused_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let above = dir.path().join("above");
    fs::create_dir(&above).unwrap();
    set(&above, 0o777);
    let error = start(Config {
        data_dir: above.join("data"),
        ..config(dir.path())
    });
    let error = kluis_service::store::chain(&error.unwrap_err());
    assert!(error.contains("chmod o-w"), "{error}");
    assert!(error.contains(above.to_str().unwrap()), "{error}");
    // As /tmp is: what is in it is its owner's.
    set(&above, 0o1777);
    let inside = Config {
        data_dir: above.join("data"),
        ..config(dir.path())
    };
    start(inside).unwrap().shutdown().unwrap();
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    start(config(dir.path())).unwrap().shutdown().unwrap();
    let data = dir.path().join("data");
    for name in ["", "passphrase", "credentials.json", "state.db"] {
        let path = data.join(name);
        // Only root can give files away; who is not has no such files to be tried with.
        if chown(&path, Some(12345), None).is_err() {
            return;
        }
        let error = kluis_service::store::chain(&start(config(dir.path())).unwrap_err());
        assert!(error.contains("the user 12345"), "'{name}': {error}");
        assert!(error.contains("chown"), "'{name}': {error}");
        chown(&path, Some(0), None).unwrap();
    }
    let own = dir.path().join("own-passphrase");
    fs::write(&own, "a horse, a battery").unwrap();
    chown(&own, Some(12345), None).unwrap();
    let given = Config {
        passphrase_file: Some(own.clone()),
        data_dir: dir.path().join("other"),
        ..config(dir.path())
    };
    let error = kluis_service::store::chain(&start(given).unwrap_err());
    assert!(error.contains("the user 12345"), "{error}");
}

/// It says who is Owner, and which files are read as disks.
#[test]
fn an_inventory_that_others_can_write_is_refused_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let inventory = config(dir.path()).inventory;
    for mode in [0o666, 0o646, 0o777] {
        set(&inventory, mode);
        let error = kluis_service::store::chain(&start(config(dir.path())).unwrap_err());
        assert!(error.contains(inventory.to_str().unwrap()), "{error}");
        assert!(error.contains("chmod go-w"), "{mode:o}: {error}");
        assert_eq!(
            self::mode(&inventory),
            mode,
            "it is a person's, and stays as it is"
        );
    }
    for mode in [0o644, 0o640, 0o600, 0o400, 0o555] {
        set(&inventory, mode);
        let other = tempfile::tempdir().unwrap();
        let given = Config {
            inventory: inventory.clone(),
            ..config(other.path())
        };
        start(given).unwrap().shutdown().unwrap();
    }
    set(&inventory, 0o644);
    // Only root can give files away.
    if chown(&inventory, Some(12345), None).is_err() {
        return;
    }
    // Whoever started the service named it.
    start(config(dir.path())).unwrap().shutdown().unwrap();
    // Of a group of the owner's own others are not; of any other they may be.
    for (owner, group, taken) in [(0, 0, true), (12345, 12345, true), (0, 12345, false)] {
        chown(&inventory, Some(owner), Some(group)).unwrap();
        set(&inventory, 0o664);
        match start(config(dir.path())) {
            Ok(running) => {
                assert!(taken, "{owner}:{group}");
                running.shutdown().unwrap();
            }
            Err(error) => {
                let error = kluis_service::store::chain(&error);
                assert!(
                    !taken && error.contains("chmod go-w"),
                    "{owner}:{group}: {error}"
                );
            }
        }
    }
}

/// As a ConfigMap or a Secret is mounted: a link to a link, and folders that everyone can write to on the way.
#[test]
fn an_inventory_behind_links_is_looked_at_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mounted = dir.path().join("mounted");
    fs::create_dir_all(mounted.join("..2026_12_01")).unwrap();
    set(&mounted, 0o1777);
    let text = fs::read(config(dir.path()).inventory).unwrap();
    let real = mounted.join("..2026_12_01/inventory.yaml");
    fs::write(&real, text).unwrap();
    symlink("..2026_12_01", mounted.join("..data")).unwrap();
    symlink("..data/inventory.yaml", mounted.join("inventory.yaml")).unwrap();
    let given = || Config {
        inventory: mounted.join("inventory.yaml"),
        ..config(dir.path())
    };
    start(given()).unwrap().shutdown().unwrap();
    set(&real, 0o666);
    let error = kluis_service::store::chain(&start(given()).unwrap_err());
    assert!(error.contains("chmod go-w"), "{error}");
}

#[test]
fn an_inventory_that_is_no_file_is_refused_without_waiting_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let base = config(dir.path());
    fs::remove_file(&base.inventory).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &base.inventory,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || told.send(start(base).map(drop).unwrap_err()));
    let patience = std::time::Duration::from_secs(60);
    let error = heard
        .recv_timeout(patience)
        .expect("it does not wait for a writer");
    let error = kluis_service::store::chain(&error);
    assert!(error.contains("no file"), "{error}");
}
