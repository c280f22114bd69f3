//! Stock restic, the second and independent reader of every vault a test writes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::process::run;

/// Reads every byte of every vault below a folder of resource groups that holds a snapshot.
///
/// # Errors
/// What restic found wrong, with the vault.
pub fn check_all(vaults: &Path, passphrase: &Path) -> Result<()> {
    for group in folders(vaults)? {
        for vault in folders(&group)? {
            let is_used = fs::read_dir(vault.join("snapshots"))
                .is_ok_and(|mut entries| entries.next().is_some());
            if is_used {
                Restic::new(&vault, passphrase)
                    .check()
                    .with_context(|| format!("checking {}", vault.display()))?;
            }
        }
    }
    Ok(())
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // A service that made no vault, and a file system that was its alone.
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(why).with_context(|| format!("listing {}", folder.display())),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths: io::Result<Vec<PathBuf>> = paths.collect();
    Ok(paths?.into_iter().filter(|path| path.is_dir()).collect())
}

/// One vault, read by restic alone.
#[derive(Debug, Clone)]
pub struct Restic {
    repository: PathBuf,
    passphrase: PathBuf,
}

impl Restic {
    pub fn new(repository: &Path, passphrase: &Path) -> Self {
        Self {
            repository: repository.to_path_buf(),
            passphrase: passphrase.to_path_buf(),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("restic");
        command
            .env("RESTIC_PASSWORD_FILE", &self.passphrase)
            .arg("-r")
            .arg(&self.repository);
        // A live vault is only read: no lock file, no cache beside it.
        command.args(["--no-lock", "--no-cache", "--quiet"]);
        command
    }

    /// Reads all data and verifies every hash.
    ///
    /// # Errors
    /// What restic found wrong.
    pub fn check(&self) -> Result<()> {
        run(self.command().args(["check", "--read-data"])).map(drop)
    }

    /// The snapshots, oldest first.
    pub fn snapshots(&self) -> Result<Vec<Value>> {
        let text = run(self.command().args(["snapshots", "--json"]))?;
        let mut rows: Vec<Value> =
            serde_json::from_str(&text).context("reading restic's list of snapshots")?;
        rows.sort_by_key(|row| row["time"].as_str().map(str::to_owned));
        Ok(rows)
    }

    /// The SHA-256 of a file in a snapshot.
    pub fn digest(&self, snapshot: &str, path: &str) -> Result<String> {
        let mut child = self
            .command()
            .args(["dump", snapshot, path])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut hash = Sha256::new();
        if let Some(mut out) = child.stdout.take() {
            io::copy(&mut out, &mut Sink(&mut hash)).context("reading what restic dumps")?;
        }
        let status = child.wait()?;
        if !status.success() {
            bail!("restic dump {snapshot} {path}: {status}");
        }
        Ok(hex::encode(hash.finalize()))
    }

    /// The bytes that the vault's files take.
    pub fn stored(&self) -> Result<u64> {
        let mut total = 0;
        let mut dirs = vec![self.repository.clone()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(&dir).with_context(|| format!("reading {}", dir.display()))? {
                let entry = entry?;
                let found = entry.metadata()?;
                if found.is_dir() {
                    dirs.push(entry.path());
                } else {
                    total += found.len();
                }
            }
        }
        Ok(total)
    }
}

struct Sink<'a>(&'a mut Sha256);

impl io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
