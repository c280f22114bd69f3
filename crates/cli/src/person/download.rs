//! Files and folders of a recovery point, brought here.
//!
//! A file is written under a hidden name and gets its own when all of it is there. Nothing that is here is overwritten, and
//! no name from the service leads out of the folder. Links are made as links; devices and the like are told of and left out.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use super::extension::{Browser, Entry};
use super::progress::Progress;

/// Folders within folders beyond this are no tree that a person made.
const DEEPEST: usize = 128;
/// Bytes that one request brings.
const PIECE: u64 = 8 << 20;

/// What came.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Brought {
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Devices, sockets and pipes, which are nothing without their machine.
    pub(super) left_out: u64,
}

/// Brings what is at the path into a folder, under its own name.
pub(super) async fn bring(
    browser: &Browser<'_>,
    volume: Option<&str>,
    path: &str,
    into: &Path,
) -> Result<Brought> {
    let mut errand = Errand {
        browser,
        volume,
        brought: Brought::default(),
    };
    let trimmed = path.trim_end_matches('/');
    let (parent, name) = trimmed.rsplit_once('/').unwrap_or(("", trimmed));
    if name.is_empty() {
        errand.below("/", into, 0).await?;
        return Ok(errand.brought);
    }
    let parent = if parent.is_empty() { "/" } else { parent };
    let entries = browser.entries(volume, parent).await?;
    let entry = entries
        .iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| anyhow!("there is no {path} in the recovery point"))?;
    errand.one(entry, into, 0).await?;
    Ok(errand.brought)
}

/// One path's way from a volume of a recovery point to here.
struct Errand<'a> {
    browser: &'a Browser<'a>,
    volume: Option<&'a str>,
    brought: Brought,
}

impl Errand<'_> {
    /// What a folder holds.
    async fn below(&mut self, path: &str, into: &Path, depth: usize) -> Result<()> {
        if depth > DEEPEST {
            bail!("{path} lies more than {DEEPEST} folders deep");
        }
        for entry in self.browser.entries(self.volume, path).await? {
            self.one(&entry, into, depth).await?;
        }
        Ok(())
    }

    async fn one(&mut self, entry: &Entry, into: &Path, depth: usize) -> Result<()> {
        let target = into.join(entry.safe_name()?);
        match entry.kind.as_str() {
            "directory" => {
                make_folder(&target)?;
                Box::pin(self.below(&entry.path, &target, depth + 1)).await?;
                set_mode(&target, entry.mode)
            }
            "symlink" => {
                let to = entry.target.as_deref().unwrap_or_default();
                symlink(to, &target)
                    .with_context(|| format!("making the link {}", target.display()))
            }
            "file" => {
                self.file(entry, &target).await?;
                self.brought.files += 1;
                self.brought.bytes += entry.size;
                Ok(())
            }
            // A folder that is brought without it would look whole.
            "unreadable" => bail!(
                "{} can't be read: its file system is damaged there; bring what is around it, or restore the disk",
                entry.path
            ),
            _ => {
                self.brought.left_out += 1;
                Ok(())
            }
        }
    }

    async fn file(&self, entry: &Entry, target: &Path) -> Result<()> {
        if fs::symlink_metadata(target).is_ok() {
            bail!("{} is there already; it stays as it is", target.display());
        }
        let hidden = Hidden::beside(target)?;
        let mut out = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&hidden.path)
            .with_context(|| format!("making {}", hidden.path.display()))?;
        let progress = Progress::of_bytes(&entry.name, entry.size);
        let request = self.browser.content(self.volume, &entry.path);
        let mut at = 0;
        while at < entry.size {
            let length = PIECE.min(entry.size - at);
            let piece = self.browser.arm.bytes(&request, at, length).await;
            let piece = piece.with_context(|| format!("reading {}", entry.path))?;
            if piece.len() as u64 != length {
                bail!(
                    "{} ended {} bytes too early",
                    entry.path,
                    entry.size - at - piece.len() as u64
                );
            }
            out.write_all(&piece)
                .with_context(|| format!("writing {}", target.display()))?;
            at += length;
            progress.bytes(at, entry.size);
        }
        progress.finish();
        finish(&out, entry, target, hidden)
    }
}

fn finish(out: &File, entry: &Entry, target: &Path, mut hidden: Hidden) -> Result<()> {
    let doing = || format!("finishing {}", target.display());
    if let Some(modified) = entry.modified.as_deref().and_then(|text| text.parse().ok()) {
        let time: jiff::Timestamp = modified;
        out.set_modified(time.into()).with_context(doing)?;
    }
    out.sync_all().with_context(doing)?;
    set_mode(&hidden.path, entry.mode)?;
    // A link refuses a name that was taken meanwhile, which a rename would not.
    fs::hard_link(&hidden.path, target).with_context(doing)?;
    hidden.remove();
    Ok(())
}

/// Permissions alone: a set-user-id bit that a backup brings along is not wanted on this machine.
fn set_mode(path: &Path, mode: Option<u32>) -> Result<()> {
    let Some(mode) = mode else {
        return Ok(());
    };
    fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o777))
        .with_context(|| format!("setting the permissions of {}", path.display()))
}

fn make_folder(path: &Path) -> Result<()> {
    let made = DirBuilder::new().mode(0o700).create(path);
    made.with_context(|| format!("making the folder {}", path.display()))
}

/// A file under a name that nobody looks for, removed unless it was given its own.
struct Hidden {
    path: PathBuf,
}

impl Hidden {
    fn beside(target: &Path) -> Result<Self> {
        let name = target
            .file_name()
            .ok_or_else(|| anyhow!("{} is no file's path", target.display()))?;
        let name = format!(".{}.kluis-partial", name.to_string_lossy());
        Ok(Self {
            path: target.with_file_name(name),
        })
    }

    fn remove(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        self.remove();
    }
}
