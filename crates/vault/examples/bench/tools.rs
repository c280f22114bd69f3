//! The two that are measured: stock restic, and a mover as it is in use, a process of its own.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use kluis_vault::{
    BackupTask, DiskFormat, DiskSource, DiskTarget, Event, Extent, JobFile, MasterKey, RestoreTask,
    Task, repository,
};

pub(crate) const PASSPHRASE: &str = "bench";

pub(crate) struct Restic {
    pub(crate) place: PathBuf,
}

impl Restic {
    pub(crate) fn repository(&self) -> PathBuf {
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

    pub(crate) fn run(&self, arguments: &[&str]) -> Result<()> {
        succeed(self.command(&self.repository()).args(arguments))
    }

    pub(crate) fn back_up(&self, disk: &Path) -> Result<()> {
        succeed(self.command(&self.repository()).arg("backup").arg(disk))
    }

    pub(crate) fn restore(&self, disk: &Path, target: &Path) -> Result<()> {
        succeed(
            self.command(&self.repository())
                .args(["restore", "latest", "--target"])
                .arg(target),
        )?;
        Ok(File::open(target.join(disk.strip_prefix("/")?))?.sync_all()?)
    }

    /// Restic finds nothing wrong with a vault of ours.
    pub(crate) fn check(&self, vault: &Path) -> Result<()> {
        succeed(self.command(vault).args(["check", "--read-data"]))
    }
}

pub(crate) struct Kluis {
    place: PathBuf,
    pub(crate) vault: PathBuf,
    key: MasterKey,
}

impl Kluis {
    /// A mover's new vault below `place`.
    pub(crate) fn new(place: &Path) -> Result<Self> {
        fs::create_dir_all(place)?;
        let vault = place.join("vault");
        Ok(Self {
            place: place.to_owned(),
            key: repository::create(&vault, PASSPHRASE)?,
            vault,
        })
    }

    /// Returns the snapshot and the mover's peak memory in bytes.
    pub(crate) fn back_up(
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
            checkpoint: None,
            image: None,
            retire: None,
        };
        let task = BackupTask {
            vm: "bench".to_owned(),
            time: "2026-01-01T00:00:00Z".parse()?,
            tags: Vec::new(),
            description: String::new(),
            about: None,
            parent,
            sample: None,
            disks: vec![disk],
        };
        let (events, memory) = self.run(job, Task::Backup(task))?;
        let snapshot = events.into_iter().find_map(|event| match event {
            Event::Saved { snapshot, .. } => Some(snapshot),
            _ => None,
        });
        Ok((snapshot.context("nothing was saved")?, memory))
    }

    pub(crate) fn restore(&self, snapshot: &str, path: &Path) -> Result<u64> {
        let disks = vec![DiskTarget {
            size: None,
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

    pub(crate) fn key(&self) -> &MasterKey {
        &self.key
    }

    /// Runs a mover: a process of its own, as it is in use.
    pub(crate) fn run(&self, job: &str, task: Task) -> Result<(Vec<Event>, u64)> {
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
pub(crate) fn peak_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("no VmHWM")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let done = command
        .output()
        .with_context(|| format!("{command:?} did not start"))?;
    if !done.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
}
