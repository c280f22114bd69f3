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
