//! Disks with real file systems and partition tables on them, made by the tools that everybody makes them with.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::support::{MIB, Place, backup, saved, source};

/// Runs a tool, which must succeed, with `input` on its standard input; returns what it says.
pub(crate) fn run(tool: &str, arguments: &[&str], input: &str) -> String {
    let path = format!(
        "{}:/usr/sbin:/sbin",
        std::env::var("PATH").unwrap_or_default()
    );
    let mut child = Command::new(tool)
        .args(arguments)
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{tool} did not start (.ci/tools installs it): {error}"));
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(
        done.status.success(),
        "{tool}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout).unwrap()
}

/// An ext4 (or `kind`) of `size` bytes with what is in `content`.
pub(crate) fn ext(kind: &str, path: &Path, size: u64, content: &Path) {
    File::create(path).unwrap().set_len(size).unwrap();
    let (path, content) = (path.to_str().unwrap(), content.to_str().unwrap());
    run(
        "mke2fs",
        &["-q", "-F", "-t", kind, "-L", "system", "-d", content, path],
        "",
    );
}

/// A FAT of `width` bits with what is in `content`, by mtools.
pub(crate) fn fat(width: &str, path: &Path, size: u64, content: &Path) {
    File::create(path).unwrap().set_len(size).unwrap();
    let image = path.to_str().unwrap();
    run("mkfs.vfat", &["-F", width, "-n", "EFI", image], "");
    for entry in fs::read_dir(content).unwrap() {
        let entry = entry.unwrap().path();
        run(
            "mcopy",
            &["-s", "-m", "-i", image, entry.to_str().unwrap(), "::"],
            "",
        );
    }
}

/// A disk with a partition table as sfdisk makes it, and volumes copied to where the partitions begin.
pub(crate) fn partitioned(path: &Path, size: u64, script: &str, volumes: &[(u64, &Path)]) {
    let disk = File::create(path).unwrap();
    disk.set_len(size).unwrap();
    run("sfdisk", &["-q", path.to_str().unwrap()], script);
    let disk = File::options().write(true).open(path).unwrap();
    for (offset, volume) in volumes {
        for (at, chunk) in (0..)
            .step_by(MIB as usize)
            .zip(fs::read(volume).unwrap().chunks(MIB as usize))
        {
            if chunk.iter().any(|byte| *byte != 0) {
                disk.write_all_at(chunk, offset + at).unwrap();
            }
        }
    }
}

/// Backs up the disks of `web-1` and returns the snapshot.
pub(crate) fn back_up(place: &Place, disks: &[(&str, &PathBuf)]) -> String {
    let disks = disks.iter().map(|(name, path)| source(name, path));
    let job = format!("back-up-{}", disks.len());
    saved(&place.back_up(&job, backup(disks.collect()))).0
}
