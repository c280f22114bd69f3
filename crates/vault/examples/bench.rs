//! How fast a mover is beside stock restic: the same disk, the same machine, the same run.
//!
//! A disk of 4 GiB with 1.5 GiB used, half of that compressible, is backed up, 1 % of it changed, backed up again, and
//! restored: by restic and by us in turn, three times; the best of each counts. Before each step the disk is read once, so
//! that both find it in the page cache, and what is dirty is written out. Both write durably: restic syncs its packs as we
//! do; it does not sync what it restores, so that is done within its time. Restic derives its key from the passphrase in
//! each run, as it always does; a mover is given the key, as it always is.
//!
//! Figures go to standard output, one a line; what is going on goes to standard error.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use kluis_vault::{
    BackupTask, DiskFormat, DiskSource, DiskTarget, Event, Extent, JobFile, MasterKey, RestoreTask,
    Task, mover, repository,
};

const MIB: u64 = 1 << 20;
const DISK: u64 = 4096 * MIB;
const PASSPHRASE: &str = "bench";
const ROUNDS: usize = 3;

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, job] = &arguments[..]
        && role == "mover"
    {
        let code = mover::main(Path::new(job));
        eprintln!("{}", peak_memory()?);
        return Ok(code);
    }
    let restic = Command::new("restic")
        .arg("version")
        .output()
        .context("stock restic is needed (apt-get install restic)")?;
    eprint!("against {}", String::from_utf8_lossy(&restic.stdout));
    let place = tempfile::Builder::new().prefix("kluis-bench").tempdir()?;
    let disk = place.path().join("source/disk.raw");
    make_disk(&disk)?;
    let mut best = Best::default();
    for round in 1..=ROUNDS {
        let figures = measure(&place.path().join(round.to_string()), &disk, round as u64)?;
        eprintln!(
            "round {round} of {ROUNDS}: restic {:?}\n              ours {:?}",
            figures[0], figures[1]
        );
        best.keep(&figures);
    }
    best.print();
    Ok(ExitCode::SUCCESS)
}

/// What one tool needed, or the least of several runs.
#[derive(Debug, Clone, Copy)]
struct Figures {
    first: Duration,
    second: Duration,
    restore: Duration,
    /// Bytes of the vault after the first backup.
    size: u64,
    /// The most memory that any of its processes had, in bytes; 0 where it was not looked at.
    memory: u64,
}

#[derive(Default)]
struct Best {
    restic: Option<Figures>,
    kluis: Option<Figures>,
}

impl Best {
    fn keep(&mut self, [restic, kluis]: &[Figures; 2]) {
        for (best, new) in [(&mut self.restic, restic), (&mut self.kluis, kluis)] {
            let old = best.unwrap_or(*new);
            *best = Some(Figures {
                first: old.first.min(new.first),
                second: old.second.min(new.second),
                restore: old.restore.min(new.restore),
                size: old.size.max(new.size),
                memory: old.memory.max(new.memory),
            });
        }
    }

    fn print(&self) {
        let (Some(restic), Some(kluis)) = (&self.restic, &self.kluis) else {
            return;
        };
        let seconds =
            |name: &str, time: Duration| println!("bench {name} {:.2} s", time.as_secs_f64());
        seconds("vault-first-backup", kluis.first);
        seconds("restic-first-backup", restic.first);
        seconds("vault-changed-backup", kluis.second);
        seconds("restic-changed-backup", restic.second);
        seconds("vault-restore", kluis.restore);
        seconds("restic-restore", restic.restore);
        let ratio = |ours: Duration, theirs: Duration| ours.as_secs_f64() / theirs.as_secs_f64();
        goal(
            "vault-first-backup-ratio",
            ratio(kluis.first, restic.first),
            "x",
            0.75,
        );
        goal(
            "vault-changed-backup-ratio",
            ratio(kluis.second, restic.second),
            "x",
            0.15,
        );
        goal(
            "vault-restore-ratio",
            ratio(kluis.restore, restic.restore),
            "x",
            0.9,
        );
        goal(
            "vault-peak-memory",
            kluis.memory as f64 / MIB as f64,
            "MiB",
            256.0,
        );
        goal(
            "vault-size-ratio",
            kluis.size as f64 / restic.size as f64,
            "x",
            1.0,
        );
    }
}

fn goal(name: &str, value: f64, unit: &str, goal: f64) {
    let verdict = if value <= goal { "ok" } else { "short" };
    println!("bench {name} {value:.3} {unit} goal <= {goal} {verdict}");
}

/// One round: both tools, step by step in turn.
fn measure(place: &Path, disk: &Path, round: u64) -> Result<[Figures; 2]> {
    fs::create_dir_all(place)?;
    let restic = Restic {
        place: place.to_owned(),
    };
    restic.run(&["init"])?;
    let vault = place.join("vault");
    let kluis = Kluis {
        place: place.to_owned(),
        key: repository::create(&vault, PASSPHRASE)?,
        vault,
    };

    settle(disk)?;
    let restic_first = time(|| restic.back_up(disk))?;
    settle(disk)?;
    let (kluis_first, (snapshot, mut memory)) = time_of(|| kluis.back_up("first", disk, None))?;
    let sizes = [size(&restic.repository())?, size(&kluis.vault)?];

    let changed = change(disk, round)?;
    settle(disk)?;
    let restic_second = time(|| restic.back_up(disk))?;
    settle(disk)?;
    let (kluis_second, (snapshot, second)) =
        time_of(|| kluis.back_up("second", disk, Some((snapshot, changed))))?;
    memory = memory.max(second);

    settle(disk)?;
    let restored = [place.join("by-restic"), place.join("by-kluis")];
    let restic_restore = time(|| restic.restore(disk, &restored[0]))?;
    settle(disk)?;
    let (kluis_restore, third) =
        time_of(|| kluis.restore(&snapshot, &restored[1].join("disk.raw")))?;
    memory = memory.max(third);

    for copy in [
        restored[0].join(disk.strip_prefix("/")?),
        restored[1].join("disk.raw"),
    ] {
        ensure!(same(disk, &copy)?, "{} is not the disk", copy.display());
    }
    restic.check(&kluis.vault)?;
    fs::remove_dir_all(place)?;
    Ok([
        Figures {
            first: restic_first,
            second: restic_second,
            restore: restic_restore,
            size: sizes[0],
            memory: 0,
        },
        Figures {
            first: kluis_first,
            second: kluis_second,
            restore: kluis_restore,
            size: sizes[1],
            memory,
        },
    ])
}

struct Restic {
    place: PathBuf,
}

impl Restic {
    fn repository(&self) -> PathBuf {
        self.place.join("restic")
    }

    fn command(&self, repository: &Path) -> Command {
        let mut command = Command::new("restic");
        command
            .env("RESTIC_PASSWORD", PASSPHRASE)
            .arg("--quiet")
            .arg("-r")
            .arg(repository);
        command.arg("--cache-dir").arg(self.place.join("cache"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        succeed(self.command(&self.repository()).args(arguments))
    }

    fn back_up(&self, disk: &Path) -> Result<()> {
        succeed(self.command(&self.repository()).arg("backup").arg(disk))
    }

    fn restore(&self, disk: &Path, target: &Path) -> Result<()> {
        succeed(
            self.command(&self.repository())
                .args(["restore", "latest", "--target"])
                .arg(target),
        )?;
        Ok(File::open(target.join(disk.strip_prefix("/")?))?.sync_all()?)
    }

    /// Restic finds nothing wrong with a vault of ours.
    fn check(&self, vault: &Path) -> Result<()> {
        succeed(self.command(vault).args(["check", "--read-data"]))
    }
}

struct Kluis {
    place: PathBuf,
    vault: PathBuf,
    key: MasterKey,
}

impl Kluis {
    /// Returns the snapshot and the mover's peak memory in bytes.
    fn back_up(
        &self,
        job: &str,
        disk: &Path,
        parent: Option<(String, Vec<Extent>)>,
    ) -> Result<(String, u64)> {
        let (parent, changed) = parent.unzip();
        let disk = DiskSource {
            name: "disk".to_owned(),
            path: disk.to_owned(),
            lun: None,
            changed,
            bitmap: None,
            retire: None,
        };
        let task = BackupTask {
            vm: "bench".to_owned(),
            time: "2026-01-01T00:00:00Z".parse()?,
            tags: Vec::new(),
            description: String::new(),
            parent,
            disks: vec![disk],
        };
        let (events, memory) = self.run(job, Task::Backup(task))?;
        let snapshot = events.into_iter().find_map(|event| match event {
            Event::Saved { snapshot, .. } => Some(snapshot),
            _ => None,
        });
        Ok((snapshot.context("nothing was saved")?, memory))
    }

    fn restore(&self, snapshot: &str, path: &Path) -> Result<u64> {
        let disks = vec![DiskTarget {
            name: "disk".to_owned(),
            path: path.to_owned(),
            format: DiskFormat::Raw,
            instant: None,
        }];
        let task = RestoreTask {
            snapshot: snapshot.to_owned(),
            vm: "bench".to_owned(),
            disks,
            documents: Vec::new(),
        };
        Ok(self.run("restore", Task::Restore(task))?.1)
    }

    /// Runs a mover: a process of its own, as it is in use.
    fn run(&self, job: &str, task: Task) -> Result<(Vec<Event>, u64)> {
        let path = self.place.join(format!("{job}.json"));
        let file = JobFile {
            job: job.to_owned(),
            vault: self.vault.clone(),
            task,
        };
        fs::write(&path, serde_json::to_vec(&file)?)?;
        let mut mover = Command::new(std::env::current_exe()?)
            .arg("mover")
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        mover
            .stdin
            .take()
            .context("no pipe")?
            .write_all(self.key.to_json()?.as_bytes())?;
        let done = mover.wait_with_output()?;
        let said = String::from_utf8(done.stdout)?;
        ensure!(done.status.success(), "a mover failed: {said}");
        let events = said
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<Vec<_>, _>>()?;
        Ok((events, String::from_utf8(done.stderr)?.trim().parse()?))
    }
}

/// The most memory that this process had at any time, in bytes.
fn peak_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("no VmHWM")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

/// Used in 24 runs of 64 MiB with holes between, every second MiB compressible.
fn make_disk(path: &Path) -> Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let file = File::create(path)?;
    file.set_len(DISK)?;
    let mut noise = Noise(1);
    for run in 0..24 {
        for number in 0..64 {
            let block = if number % 2 == 0 {
                noise.bytes(MIB)
            } else {
                noise.text(MIB)
            };
            file.write_all_at(&block, (run * 170 + number) * MIB)?;
        }
    }
    Ok(())
}

/// Writes 41 MiB anew in 20 runs, none at a chunk's boundary, and says where.
fn change(path: &Path, round: u64) -> Result<Vec<Extent>> {
    let file = File::options().write(true).open(path)?;
    let mut noise = Noise(round + 1);
    let runs = (0..20).map(|run| {
        let extent = Extent {
            offset: (run * 170 + 20) * MIB + run * 40_960,
            length: 41 * MIB / 20 / 4096 * 4096,
        };
        let block = if run % 2 == 0 {
            noise.bytes(extent.length)
        } else {
            noise.text(extent.length)
        };
        file.write_all_at(&block, extent.offset)?;
        Ok(extent)
    });
    runs.collect()
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
        (0..length / 8)
            .flat_map(|_| self.next().to_le_bytes())
            .collect()
    }

    /// Lines such as a log has.
    fn text(&mut self, length: u64) -> Vec<u8> {
        const WORDS: [&str; 16] = [
            "GET", "POST", "/index", "/orders/", "accepted", "refused", "user", "session",
            "timeout", "200", "404", "500", "from", "10.0.", "bytes", "in",
        ];
        let mut text = Vec::with_capacity(length as usize + 64);
        while (text.len() as u64) < length {
            let random = self.next();
            let word = |shift: u32| WORDS[(random >> shift) as usize % 16];
            let _ = writeln!(
                text,
                "{} {} {} {} {} {:x}",
                word(0),
                word(4),
                word(8),
                word(12),
                word(16),
                random >> 40
            );
        }
        text.truncate(length as usize);
        text
    }
}

/// Brings the disk into the page cache and writes out what is dirty.
fn settle(disk: &Path) -> Result<()> {
    io::copy(&mut File::open(disk)?, &mut io::sink())?;
    succeed(&mut Command::new("sync"))
}

fn time(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    time_of(work).map(|(time, ())| time)
}

fn time_of<T>(work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    let start = Instant::now();
    let done = work()?;
    Ok((start.elapsed(), done))
}

fn succeed(command: &mut Command) -> Result<()> {
    let done = command
        .output()
        .with_context(|| format!("{command:?} did not start"))?;
    if !done.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
}

fn same(a: &Path, b: &Path) -> Result<bool> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    let (mut left, mut right) = (vec![0; MIB as usize], vec![0; MIB as usize]);
    loop {
        let length = a.read(&mut left)?;
        if length == 0 {
            return Ok(b.read(&mut right)? == 0);
        }
        b.read_exact(&mut right[..length])?;
        if left[..length] != right[..length] {
            return Ok(false);
        }
    }
}

/// Bytes of all files below a directory.
fn size(directory: &Path) -> Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        size += if metadata.is_dir() {
            self::size(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(size)
}
