//! The audit trail: who did what, on what, from where, and with what answer. A JSON object a line, in a file and as the log
//! target `audit`.
//!
//! Every attempt to sign in, every request that may change something, and every reading of a recovery point's files is in it;
//! other reads when they are asked for. Never a secret: no body, no query, no header but the client's request id, and of
//! identities only those that there are.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use super::{ServiceError, owner};
use crate::core::{AuditGap, Nearer, Principal, Role};

/// How the trail is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// The file that lines are appended to; without one the log alone has them.
    pub file: Option<PathBuf>,
    /// Whether nothing is changed that the file would not tell of: while it can't be written, requests that may change
    /// something are refused, and so is a start. Otherwise such a time is told by log and metrics, and by the file's next line.
    pub required: bool,
    /// Whether all reads are in it.
    pub reads: bool,
}

/// One line.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    /// The machine's clock.
    pub(super) time: Timestamp,
    /// The service's, which schedules and recovery points follow.
    pub(super) service_time: Timestamp,
    pub(super) event: Event,
    /// The application id of who is known to have called.
    pub(super) identity: Option<String>,
    pub(super) role: Option<Role>,
    pub(super) address: IpAddr,
    pub(super) method: String,
    /// The resource, as the client wrote it, without the query.
    pub(super) path: String,
    /// In Azure's words: `Microsoft.RecoveryServices/vaults/backupPolicies/write`.
    pub(super) operation: String,
    /// The HTTP status; none where nothing was answered yet.
    pub(super) status: Option<u16>,
    /// The error's code.
    pub(super) code: Option<String>,
    pub(super) request_id: String,
    pub(super) client_request_id: Option<String>,
    /// Of a request that brought the ends of recovery points nearer: how many, and the one that loses most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ends_nearer: Option<Nearer>,
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Event {
    /// Somebody tried to sign in.
    SignIn,
    /// A request is about to be carried out; written where the trail is required.
    Begun,
    /// A request was answered.
    Request,
}

impl Line {
    /// The caller's part of it.
    pub(super) fn by(&mut self, principal: &Principal) {
        self.identity = Some(principal.client_id.clone());
        self.role = Some(principal.role);
    }
}

/// The open trail.
#[derive(Debug)]
pub(super) struct Trail {
    setup: Audit,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    file: Option<File>,
    /// Lines that could not be written since the last that could.
    lost: u64,
    /// Since when nothing can be written, and why; none while it can.
    trouble: Option<(Timestamp, String)>,
    /// Whether the file may end within a line.
    torn: bool,
}

impl Trail {
    /// Opens the file.
    ///
    /// # Errors
    /// When it can't be opened and is required.
    pub(super) fn open(setup: Audit) -> Result<Self, ServiceError> {
        let mut state = State::default();
        if let Some(path) = &setup.file {
            match open(path) {
                Ok(file) => state.file = Some(file),
                Err(error) if setup.required => {
                    return Err(ServiceError::io("open the audit trail", path)(error));
                }
                Err(error) => state.fail(path, &error),
            }
        }
        let state = Mutex::new(state);
        Ok(Self { setup, state })
    }

    /// Whether a read goes into the trail.
    pub(super) fn has_reads(&self) -> bool {
        self.setup.reads
    }

    /// Whether nothing may be done that the trail does not tell of.
    pub(super) fn is_required(&self) -> bool {
        self.setup.required && self.setup.file.is_some()
    }

    /// Whether the last line could be written; `None` where there is no file.
    pub(super) fn is_writable(&self) -> Option<bool> {
        self.setup.file.as_ref()?;
        Some(self.state().trouble.is_none())
    }

    /// What the file does not have, while it can't be written.
    pub(super) fn gap(&self) -> Option<AuditGap> {
        let (since, why) = self.state().trouble.clone()?;
        let required = self.is_required();
        Some(AuditGap {
            since,
            why,
            required,
        })
    }

    /// Writes a line to the log and to the file; `false` when the file doesn't have it.
    pub(super) fn tell(&self, line: &Line) -> bool {
        let text = serde_json::to_string(line).unwrap_or_default();
        tracing::info!(target: "audit", "{text}");
        let Some(path) = &self.setup.file else {
            return true;
        };
        let mut state = self.state();
        match state.append(path, &text) {
            Ok(()) => true,
            Err(error) => {
                state.fail(path, &error);
                state.lost = state.lost.saturating_add(1);
                // Opened anew next time: the disk or the folder may have been exchanged.
                state.file = None;
                false
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn append(&mut self, path: &Path, text: &str) -> io::Result<()> {
        // Whoever rotates it moves it away; where nothing of its name is left, or something else, it is made anew.
        let file = match self.file.take().filter(|file| is_still(file, path)) {
            Some(file) => file,
            None => open(path)?,
        };
        let file = self.file.insert(file);
        let mut lines = String::new();
        if self.torn {
            lines.push('\n');
        }
        if self.lost > 0 {
            let (now, lost) = (Timestamp::now(), self.lost);
            lines.push_str(&format!(
                "{{\"time\":\"{now}\",\"event\":\"Lost\",\"lines\":{lost}}}\n"
            ));
        }
        lines.push_str(text);
        lines.push('\n');
        self.torn = true;
        file.write_all(lines.as_bytes())?;
        (self.torn, self.lost, self.trouble) = (false, 0, None);
        Ok(())
    }

    /// Takes note that the file can't be written; the log is told once.
    fn fail(&mut self, path: &Path, error: &io::Error) {
        let since = match &self.trouble {
            Some((since, _)) => *since,
            None => {
                complain(path, error);
                Timestamp::now()
            }
        };
        self.trouble = Some((since, error.to_string()));
    }
}

/// Opens the file to append to it, made for its owner alone; others are kept from one that is there. What is no file is refused without waiting for it.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other(
            "it is no file; the log has the same lines",
        ));
    }
    owner::trail(&file, path)?;
    Ok(file)
}

fn is_still(file: &File, path: &Path) -> bool {
    let same = |there: std::fs::Metadata| {
        let here = file.metadata().ok()?;
        Some(here.dev() == there.dev() && here.ino() == there.ino())
    };
    std::fs::metadata(path).ok().and_then(same).unwrap_or(false)
}

fn complain(path: &Path, error: &io::Error) {
    tracing::error!(
        file = %path.display(), %error,
        "the audit trail can't be written: what is done now is told by the log alone, until it can"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(path: &str) -> Line {
        let time = Timestamp::UNIX_EPOCH;
        Line {
            time,
            service_time: time,
            event: Event::Request,
            identity: None,
            role: None,
            address: [10, 0, 0, 1].into(),
            method: "PUT".to_owned(),
            path: path.to_owned(),
            operation: String::new(),
            status: Some(200),
            code: None,
            request_id: String::new(),
            client_request_id: None,
            ends_nearer: None,
        }
    }

    fn trail(file: &Path, required: bool) -> Result<Trail, ServiceError> {
        let file = Some(file.to_owned());
        Trail::open(Audit {
            file,
            required,
            reads: false,
        })
    }

    /// The paths of the lines that a file has; the number of lost ones where it tells of some.
    fn told(file: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(file).unwrap();
        let lines = text.lines().filter(|line| !line.is_empty());
        lines
            .map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                match line["lines"].as_u64() {
                    Some(lost) => format!("lost {lost}"),
                    None => line["path"].as_str().unwrap().to_owned(),
                }
            })
            .collect()
    }

    #[test]
    fn a_trail_that_is_rotated_goes_on_in_a_file_of_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let (file, old) = (dir.path().join("audit"), dir.path().join("audit.1"));
        let trail = trail(&file, true).unwrap();
        assert!(trail.tell(&line("/a")));
        std::fs::rename(&file, &old).unwrap();
        assert!(trail.tell(&line("/b")));
        assert_eq!(
            (told(&old), told(&file)),
            (vec!["/a".to_owned()], vec!["/b".to_owned()])
        );
        // And where it is copied and cut: nothing is written beyond a hole.
        File::create(&file).unwrap();
        assert!(trail.tell(&line("/c")));
        assert_eq!(told(&file), ["/c"]);
        let mode = std::fs::metadata(&file).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_trail_that_could_not_be_written_says_how_much_it_does_not_say() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("gone");
        let file = folder.join("audit");
        assert!(trail(&file, true).is_err());
        let trail = trail(&file, false).unwrap();
        assert_eq!(trail.is_writable(), Some(false), "known at the start");
        assert!(!trail.tell(&line("/a")) && !trail.tell(&line("/b")));
        assert_eq!(trail.is_writable(), Some(false));
        let gap = trail.gap().unwrap();
        assert!(gap.why.contains("No such file"), "{gap:?}");
        std::fs::create_dir(&folder).unwrap();
        assert!(trail.tell(&line("/c")));
        assert_eq!(told(&file), ["lost 2", "/c"]);
        assert_eq!((trail.is_writable(), trail.gap()), (Some(true), None));
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        assert!(trail(dir.path(), true).is_err());
        assert!(trail(Path::new("/dev/full"), true).is_err());
        let fifo = dir.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        assert!(trail(&fifo, true).is_err());
    }
}
