//! The scripts of a machine's owner, run before and after its snapshot.
//!
//! They are other people's programs that run as the service does: in an empty environment, within a time, in a process group
//! that is killed when they are done or take too long; a file that others may write to is not run at all.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    time::Duration,
};

use crate::{
    child::{self, Ended},
    error::VaultError,
    event::{Event, ScriptOutcome, Which},
    job::Scripts,
};

/// The longest that a script may be given.
const LONGEST: u32 = 24 * 60 * 60;

/// A script that is to be run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Script<'a> {
    which: Which,
    path: &'a Path,
    timeout: Duration,
}

/// Refuses scripts that could not be run as they are written.
pub(super) fn check(scripts: Option<&Scripts>) -> Result<(), VaultError> {
    let Some(scripts) = scripts else {
        return Ok(());
    };
    let paths = [&scripts.pre, &scripts.post];
    let absolute = paths.into_iter().flatten().all(|path| path.is_absolute());
    if absolute && (1..=LONGEST).contains(&scripts.timeout_seconds) {
        return Ok(());
    }
    Err(VaultError::InvalidJob(format!(
        "scripts need absolute paths and a time of 1 to {LONGEST} seconds"
    )))
}

impl<'a> Script<'a> {
    pub(super) fn pre(scripts: Option<&'a Scripts>) -> Option<Self> {
        Self::of(scripts, Which::Pre)
    }

    pub(super) fn post(scripts: Option<&'a Scripts>) -> Option<Self> {
        Self::of(scripts, Which::Post)
    }

    fn of(scripts: Option<&'a Scripts>, which: Which) -> Option<Self> {
        let scripts = scripts?;
        let path = match which {
            Which::Pre => scripts.pre.as_deref(),
            Which::Post => scripts.post.as_deref(),
        };
        Some(Self {
            which,
            path: path?,
            timeout: Duration::from_secs(u64::from(scripts.timeout_seconds)),
        })
    }

    /// Runs it and tells of it.
    pub(super) fn run(self, emit: &mut dyn FnMut(Event)) -> ScriptOutcome {
        let (outcome, output) = self.outcome();
        emit(Event::Script {
            which: self.which,
            outcome: outcome.clone(),
            output,
        });
        outcome
    }

    /// Runs it: how it ended, and the last of what it said.
    pub(super) fn outcome(self) -> (ScriptOutcome, String) {
        if let Err(why) = may_run(self.path) {
            return (ScriptOutcome::NotStarted { why }, String::new());
        }
        let ran = child::run(child::leashed(self.path), self.timeout, child::LAST_WORDS);
        match ran {
            Ok(Ended { status, output }) => {
                let outcome = match status {
                    None => ScriptOutcome::TimedOut,
                    Some(status) if status.success() => ScriptOutcome::Succeeded,
                    Some(status) => ScriptOutcome::Failed {
                        code: status.code(),
                    },
                };
                (outcome, output)
            }
            Err(error) => {
                let why = error.to_string();
                (ScriptOutcome::NotStarted { why }, String::new())
            }
        }
    }
}

fn may_run(path: &Path) -> Result<(), String> {
    let file = fs::metadata(path).map_err(|error| error.to_string())?;
    let mode = file.permissions().mode();
    let own = rustix::process::geteuid().as_raw();
    if !file.is_file() || mode & 0o111 == 0 {
        return Err("it is not a program".to_owned());
    }
    if mode & 0o022 != 0 || (file.uid() != 0 && file.uid() != own) {
        return Err("others than its owner and root may write to it".to_owned());
    }
    Ok(())
}
