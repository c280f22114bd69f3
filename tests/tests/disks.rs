//! The disks that the other suites back up are real: they hold a file system
//! that a checker accepts, and a change is seen where it was made and nowhere else.

use kluis_tests::disk;
use kluis_tests::place::scratch;
use kluis_tests::process::run;
use std::process::Command;

#[test]
fn a_made_disk_is_a_file_system_with_thousands_of_files() {
    let dir = scratch("disk").unwrap();
    let path = dir.path().join("disk.raw");
    let filled = disk::make(&path, 128, 60 << 20).unwrap();
    assert!(filled.files >= 1000, "{filled:?}");

    let aside = dir.path().join("aside.raw");
    disk::copy(&path, &aside).unwrap();
    assert_eq!(disk::same(&path, &aside).unwrap(), 128 << 20);
    assert_eq!(disk::change(&path, 2 << 20).unwrap(), 2 << 20);
    assert!(disk::same(&path, &aside).is_err());
    assert_ne!(disk::digest(&path).unwrap(), disk::digest(&aside).unwrap());

    let system = format!("{}?offset=1048576", path.display());
    run(Command::new("/usr/sbin/e2fsck").args(["-fn", &system])).unwrap();
}
