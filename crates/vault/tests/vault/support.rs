//! A vault in a directory of its own, disks with content that can be made again, and stock restic to look at it.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use kluis_vault::{
    BackupTask, DiskFormat, DiskSource, DiskTarget, Event, Extent, FailureCode, ForgetTask,
    JobFile, MasterKey, RestoreTask, Task, mover, repository,
};
use tempfile::TempDir;

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const PASSPHRASE: &str = "a horse, a battery, a staple";

pub(crate) struct Place {
    pub(crate) directory: TempDir,
    pub(crate) vault: PathBuf,
    pub(crate) key: MasterKey,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let vault = directory.path().join("vaults/shop-rg/v1");
        let key = repository::create(&vault, PASSPHRASE).unwrap();
        Self {
            directory,
            vault,
            key,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn job(&self, job: &str, task: Task) -> JobFile {
        JobFile {
            job: job.to_owned(),
            vault: self.vault.clone(),
            task,
        }
    }

    pub(crate) fn run(&self, job: &str, task: Task) -> Vec<Event> {
        let mut events = Vec::new();
        let done = mover::run(&self.job(job, task), self.key.clone(), &mut |event| {
            events.push(event);
        });
        assert_eq!(
            done.is_ok(),
            events.last() == Some(&Event::Finished),
            "{events:?}"
        );
        assert!(events.iter().rev().skip(1).all(|event| !event.is_last()));
        events
    }

    /// Backs up and returns the events, which end well.
    pub(crate) fn back_up(&self, job: &str, task: BackupTask) -> Vec<Event> {
        let events = self.run(job, Task::Backup(task));
        assert_eq!(events.last(), Some(&Event::Finished), "{events:?}");
        events
    }

    /// Restores disks of the machine `web-1` and returns the directory that they are in.
    pub(crate) fn restore(
        &self,
        job: &str,
        snapshot: &str,
        disks: &[&str],
    ) -> (PathBuf, Vec<Event>) {
        let directory = self.path(&format!("restored-{job}"));
        let events = self.run(job, Task::Restore(restore(snapshot, &directory, disks)));
        (directory, events)
    }

    /// Forgets and gives the space back. A program that another test is just starting holds a copy of a lock of ours for a
    /// moment, as no mover's own process sees it: then once more.
    pub(crate) fn forget(&self, job: &str, snapshots: &[&str]) -> Vec<Event> {
        const PATIENCE: usize = 100;
        let runs = (0..PATIENCE).map(|_| self.forget_once(job, snapshots));
        let mut runs = runs.skip_while(|events| {
            let told = notes(events);
            told.iter()
                .any(|note| note.contains("Another job is using the vault"))
        });
        runs.next().expect("the vault stays in use")
    }

    /// The same, and gives no space back where somebody uses the vault.
    pub(crate) fn forget_once(&self, job: &str, snapshots: &[&str]) -> Vec<Event> {
        let task = ForgetTask {
            snapshots: snapshots.iter().map(|id| (*id).to_owned()).collect(),
            prune: true,
        };
        self.run(job, Task::Forget(task))
    }

    /// Stock restic finds nothing wrong with any byte of the vault.
    pub(crate) fn assert_clean(&self) {
        if let Some(checked) = self.restic(&["check", "--read-data"]) {
            assert!(
                checked.status.success(),
                "{}",
                String::from_utf8_lossy(&checked.stderr)
            );
        }
        let events = self.run("check", Task::Check);
        assert!(
            events
                .iter()
                .any(|event| matches!(event, Event::Checked { .. })),
            "{events:?}"
        );
    }

    /// Runs stock restic on the vault; `None` where there is none, which CI does not accept.
    pub(crate) fn restic(&self, arguments: &[&str]) -> Option<Output> {
        let password = self.path("passphrase");
        fs::write(&password, format!("{PASSPHRASE}\n")).unwrap();
        let ran = Command::new("restic")
            .args(["--no-cache", "-r"])
            .arg(&self.vault)
            .arg("--password-file")
            .arg(&password)
            .args(arguments)
            .output();
        match ran {
            Ok(output) => Some(output),
            Err(error) if std::env::var("CI").as_deref() == Ok("true") => {
                panic!(
                    "CI needs stock restic (apt-get install restic) to look at the vaults: {error}"
                )
            }
            Err(error) => {
                println!(
                    "SKIPPED: stock restic did not look at this vault, because it did not start: {error}"
                );
                None
            }
        }
    }
}

pub(crate) fn source(name: &str, path: &Path) -> DiskSource {
    DiskSource {
        name: name.to_owned(),
        path: path.to_owned(),
        lun: None,
        changed: None,
        bitmap: None,
        checkpoint: None,
        image: None,
        retire: None,
    }
}

pub(crate) fn backup(disks: Vec<DiskSource>) -> BackupTask {
    BackupTask {
        vm: "web-1".to_owned(),
        time: "2031-05-01T22:30:00Z".parse().unwrap(),
        tags: vec!["rp=20310501".to_owned()],
        description: String::new(),
        about: None,
        parent: None,
        sample: None,
        disks,
    }
}

pub(crate) fn restore(snapshot: &str, directory: &Path, disks: &[&str]) -> RestoreTask {
    let disks = disks.iter().map(|name| DiskTarget {
        name: (*name).to_owned(),
        path: directory.join(format!("{name}.raw")),
        format: DiskFormat::Raw,
        instant: None,
        size: None,
    });
    RestoreTask {
        snapshot: snapshot.to_owned(),
        vm: "web-1".to_owned(),
        disks: disks.collect(),
        documents: Vec::new(),
    }
}

/// `snapshot, logical, read, stored`.
pub(crate) fn saved(events: &[Event]) -> (String, u64, u64, u64) {
    let found = events.iter().find_map(|event| match event {
        Event::Saved {
            snapshot,
            logical,
            read,
            stored,
        } => Some((snapshot.clone(), *logical, *read, *stored)),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("nothing was saved: {events:?}"))
}

pub(crate) fn failure(events: &[Event]) -> FailureCode {
    match events.last() {
        Some(Event::Failed {
            code,
            message,
            recommendation,
        }) => {
            assert!(!message.is_empty() && !recommendation.is_empty());
            *code
        }
        _ => panic!("it did not fail: {events:?}"),
    }
}

pub(crate) fn notes(events: &[Event]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| {
            if let Event::Note { message } = event {
                Some(message.as_str())
            } else {
                None
            }
        })
        .collect()
}

/// Bytes that look random and are the same for the same seed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words
        .take(length.div_ceil(8))
        .flatten()
        .take(length)
        .collect()
}

/// A disk of `size` bytes, all of it a hole but the pieces: (offset, seed, length).
pub(crate) fn disk(path: &Path, size: u64, pieces: &[(u64, u64, usize)]) {
    File::create(path).unwrap().set_len(size).unwrap();
    edit(path, pieces);
}

pub(crate) fn edit(path: &Path, pieces: &[(u64, u64, usize)]) {
    let file = File::options().write(true).open(path).unwrap();
    for (offset, seed, length) in pieces {
        file.write_all_at(&noise(*seed, *length), *offset).unwrap();
    }
}

pub(crate) fn extents(pieces: &[(u64, u64, usize)]) -> Vec<Extent> {
    pieces
        .iter()
        .map(|(offset, _, length)| Extent {
            offset: *offset,
            length: *length as u64,
        })
        .collect()
}

/// Two files have the same bytes, and the second is a file of the first's size.
pub(crate) fn assert_same(a: &Path, b: &Path) {
    assert_eq!(
        fs::metadata(a).unwrap().len(),
        fs::metadata(b).unwrap().len()
    );
    let same = Command::new("cmp").arg(a).arg(b).output().unwrap();
    assert!(
        same.status.success(),
        "{}",
        String::from_utf8_lossy(&same.stdout)
    );
}

/// Bytes that a file takes on disk.
pub(crate) fn allocated(path: &Path) -> u64 {
    fs::metadata(path).unwrap().blocks() * 512
}

/// The SHA-256 over the SHA-256 sums of a file's MiBs, by other people's programs.
pub(crate) fn sum(path: &Path) -> String {
    let python = "import hashlib,sys\nf=open(sys.argv[1],'rb')\ns=hashlib.sha256()\nwhile b:=f.read(1<<20): s.update(hashlib.sha256(b).digest())\nprint(s.hexdigest())";
    let sum = Command::new("python3")
        .args(["-c", python])
        .arg(path)
        .output()
        .unwrap();
    String::from_utf8(sum.stdout).unwrap().trim().to_owned()
}

/// Files below a directory, by their paths.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
