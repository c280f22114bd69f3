//! 2 GiB of files, in and out, beside stock restic; and one file out of a disk of 4 GiB that is in a vault.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::FileExt,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use kluis_vault::{BackupFolderTask, Event, FolderTask, RestoreFolderTask, Task, files::Explorer};

use crate::{
    disks::MIB,
    figures::{goal, time, time_of},
    tools::{Kluis, Restic, succeed},
};

const ROUNDS: usize = 3;

/// What the folder has: files of these sizes, as many of each as make its share of the 2 GiB.
const SIZES: [(u64, u64); 4] = [
    (4 << 10, 64 * MIB),
    (64 << 10, 320 * MIB),
    (MIB, 640 * MIB),
    (128 * MIB, 1024 * MIB),
];

#[derive(Debug, Clone, Copy)]
struct Needed {
    first: Duration,
    restore: Duration,
    memory: u64,
}

/// Measures and prints.
pub(crate) fn run(place: &Path) -> Result<()> {
    let folder = place.join("folder");
    make_folder(&folder)?;
    let mut best: [Option<Needed>; 2] = [None; 2];
    for round in 1..=ROUNDS {
        let figures = measure(&place.join(format!("files-{round}")), &folder)?;
        eprintln!("round {round} of {ROUNDS}: restic, ours: {figures:?}");
        for (best, new) in best.iter_mut().zip(figures) {
            let old = best.unwrap_or(new);
            *best = Some(Needed {
                first: old.first.min(new.first),
                restore: old.restore.min(new.restore),
                memory: old.memory.max(new.memory),
            });
        }
    }
    if let [Some(restic), Some(kluis)] = best {
        let ratio = |name: &str, ours: Duration, theirs: Duration, most: f64| {
            println!("bench {name} {:.2} s", ours.as_secs_f64());
            println!("bench {name}-restic {:.2} s", theirs.as_secs_f64());
            let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
            goal(&format!("{name}-ratio"), ratio, "x", most);
        };
        ratio("files-first", kluis.first, restic.first, 0.75);
        ratio("files-restore", kluis.restore, restic.restore, 0.7);
        let memory = kluis.memory as f64 / MIB as f64;
        goal("files-memory", memory, "MiB", 256.0);
    }
    fs::remove_dir_all(folder)?;
    one_file(place)
}

fn measure(place: &Path, folder: &Path) -> Result<[Needed; 2]> {
    fs::create_dir_all(place)?;
    let restic = Restic {
        place: place.to_owned(),
    };
    restic.run(&["init"])?;
    let kluis = Kluis::new(place)?;
    let shown = folder.to_str().context("a path that is text")?;

    settle(folder)?;
    let restic_first = time(|| restic.run(&["backup", shown]))?;
    settle(folder)?;
    let (kluis_first, (events, memory)) = time_of(|| {
        let task = BackupFolderTask {
            name: "folder".to_owned(),
            time: "2026-01-01T00:00:00Z".parse()?,
            tags: Vec::new(),
            description: String::new(),
            parent: None,
            path: folder.to_owned(),
        };
        kluis.run("files-first", Task::Folder(FolderTask::Backup(task)))
    })?;
    let snapshot = events.into_iter().find_map(|event| match event {
        Event::Saved { snapshot, .. } => Some(snapshot),
        _ => None,
    });

    let (theirs, ours) = (place.join("by-restic"), place.join("by-kluis"));
    settle(folder)?;
    // Restic does not sync what it restores: that is done within its time.
    let restic_restore = time(|| {
        let target = theirs.to_str().context("a path that is text")?;
        restic.run(&["restore", "latest", "--target", target])?;
        sync()
    })?;
    settle(folder)?;
    let task = RestoreFolderTask {
        snapshot: snapshot.context("nothing was saved")?,
        name: "folder".to_owned(),
        to: ours.clone(),
    };
    let (kluis_restore, (_, more)) =
        time_of(|| kluis.run("files-restore", Task::Folder(FolderTask::Restore(task))))?;
    for copy in [theirs.join(folder.strip_prefix("/")?), ours] {
        let same = Command::new("diff")
            .arg("-rq")
            .args([folder, &copy])
            .output()?;
        ensure!(
            same.status.success(),
            "{} is not the folder",
            copy.display()
        );
    }
    restic.check(&kluis.vault)?;
    empty(place)?;
    Ok([
        Needed {
            first: restic_first,
            restore: restic_restore,
            memory: 0,
        },
        Needed {
            first: kluis_first,
            restore: kluis_restore,
            memory: memory.max(more),
        },
    ])
}

/// A file of 1 MiB out of an ext4 with 3 GiB in it, on a disk of 4 GiB: from a vault that nobody has open to its last byte.
fn one_file(place: &Path) -> Result<()> {
    let root = place.join("root");
    fs::create_dir_all(root.join("var/data"))?;
    fs::create_dir_all(root.join("etc"))?;
    let mut noise = Noise(7);
    let wanted = noise.bytes(MIB);
    fs::write(root.join("etc/wanted"), &wanted)?;
    for number in 0..24 {
        let file = File::create(root.join(format!("var/data/{number}")))?;
        for at in 0..128 {
            file.write_all_at(&noise.bytes(MIB), at * MIB)?;
        }
    }
    let disk = place.join("ext4.raw");
    File::create(&disk)?.set_len(4096 * MIB)?;
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH")?);
    succeed(
        Command::new("mke2fs")
            .env("PATH", path)
            .args(["-q", "-F", "-t", "ext4", "-d"])
            .args([&root, &disk]),
    )?;
    fs::remove_dir_all(&root)?;
    let kluis = Kluis::new(&place.join("one-file"))?;
    let (snapshot, _) = kluis.back_up("disk", &disk, None)?;
    fs::remove_file(&disk)?;
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let explorer = Explorer::open(&kluis.vault, kluis.key(), &snapshot, "bench")?;
        let mut read = Vec::new();
        explorer.read(None, "/etc/wanted", 0, u64::MAX, &mut read)?;
        best = best.min(start.elapsed());
        ensure!(read == wanted, "the file is not the file");
    }
    goal(
        "file-out-of-4gib",
        best.as_secs_f64() * 1_000.0,
        "ms",
        100.0,
    );
    Ok(())
}

/// Half of the bytes compressible, in directories of at most 256 files.
fn make_folder(folder: &Path) -> Result<()> {
    let mut noise = Noise(3);
    for (size, share) in SIZES {
        for number in 0..share / size {
            let directory = folder.join(format!("{size}/{}", number / 256));
            fs::create_dir_all(&directory)?;
            let mut file = File::create(directory.join(number.to_string()))?;
            let mut left = size;
            let mut piece = number;
            while left > 0 {
                let length = left.min(MIB);
                let bytes = if piece % 2 == 0 {
                    noise.bytes(length)
                } else {
                    noise.text(length)
                };
                file.write_all(&bytes)?;
                left -= length;
                piece += 1;
            }
        }
    }
    Ok(())
}

/// Gives back what a round's files hold, and leaves the files. Ext4 does not use a deleted file's inode again for some
/// minutes, and looks at each of them whenever a file is made: after a round of deletions both sides spend more time on
/// that than on anything else.
fn empty(place: &Path) -> Result<()> {
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            empty(&entry.path())?;
        } else if entry.file_type()?.is_file() {
            OpenOptions::new()
                .write(true)
                .truncate(true)
                .open(entry.path())?;
        }
    }
    Ok(())
}

/// Brings the folder into the page cache and writes out what is dirty.
fn settle(folder: &Path) -> Result<()> {
    warm(folder)?;
    sync()
}

fn warm(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            warm(&path)?;
        } else {
            std::io::copy(&mut File::open(path)?, &mut std::io::sink())?;
        }
    }
    Ok(())
}

fn sync() -> Result<()> {
    succeed(&mut Command::new("sync"))
}

/// A generator without surprises: xorshift.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, length: u64) -> Vec<u8> {
        let words = (0..length.div_ceil(8)).flat_map(|_| self.next().to_le_bytes());
        words.take(length as usize).collect()
    }

    /// Lines such as a log has.
    fn text(&mut self, length: u64) -> Vec<u8> {
        let mut text = Vec::with_capacity(length as usize + 64);
        while (text.len() as u64) < length {
            let random = self.next();
            let (id, code) = (random >> 44, [200, 301, 404, 500][(random % 4) as usize]);
            text.extend(format!("GET /orders/{id} {code} accepted by user {}\n", id % 97).bytes());
        }
        text.truncate(length as usize);
        text
    }
}
