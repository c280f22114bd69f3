//! How consistent a recovery point will be: what a machine's state, its agent, its scripts and its policy allow.
//!
//! Windows that runs is asked through its agent (VSS); Linux is consistent for its file systems, and for its applications
//! only where scripts say so; nobody can be asked in a machine that is off.

use kluis_vault::{ScriptOutcome, Scripts, Which};

use super::failure;
use super::rows::{Consistency, Fault};
use crate::inventory::{Os, Power, VirtualMachine};

/// What the snapshots of a machine are to be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Planned {
    /// What they are if all goes well.
    pub(super) consistency: Consistency,
    /// What is run for it.
    pub(super) scripts: Option<Scripts>,
    /// Why they are less than a machine of its kind is due.
    pub(super) shortfall: Option<Fault>,
}

impl Planned {
    fn plain(consistency: Consistency) -> Self {
        Self {
            consistency,
            scripts: None,
            shortfall: None,
        }
    }
}

/// What a machine's snapshots are to be. `crash_only`: the policy wants no more than that.
pub(super) fn planned(vm: &VirtualMachine, crash_only: bool) -> Planned {
    if crash_only || vm.power == Power::Stopped {
        return Planned::plain(Consistency::Crash);
    }
    let shortfall = |to| Some(failure::no_agent(&vm.name, to));
    match (vm.os, vm.agent) {
        (Os::Windows, true) => Planned::plain(Consistency::Application),
        (Os::Windows, false) => Planned {
            shortfall: shortfall("file-system consistent"),
            ..Planned::plain(Consistency::FileSystem)
        },
        (Os::Linux, false) => Planned {
            shortfall: shortfall("crash consistent"),
            ..Planned::plain(Consistency::Crash)
        },
        (Os::Linux, true) => match scripts(vm) {
            None => Planned::plain(Consistency::FileSystem),
            scripts => Planned {
                scripts,
                ..Planned::plain(Consistency::Application)
            },
        },
    }
}

/// The machine's scripts, when it has any to run.
fn scripts(vm: &VirtualMachine) -> Option<Scripts> {
    let scripts = vm.scripts.as_ref()?;
    (scripts.pre.is_some() || scripts.post.is_some()).then(|| Scripts {
        pre: scripts.pre.clone(),
        post: scripts.post.clone(),
        timeout_seconds: scripts.timeout_seconds,
    })
}

/// The scripts that have to succeed before anybody may call a point application consistent.
pub(super) fn awaited(scripts: Option<&Scripts>) -> Vec<Which> {
    let Some(scripts) = scripts else {
        return Vec::new();
    };
    [
        (Which::Pre, scripts.pre.is_some()),
        (Which::Post, scripts.post.is_some()),
    ]
    .into_iter()
    .filter(|(_, configured)| *configured)
    .map(|(which, _)| which)
    .collect()
}

/// What the snapshots are, once they are taken: application consistent only when every script succeeded, and nothing that
/// anybody in the machine had written down when a disk was `touched`, written to while it was copied. There is no word for
/// less than crash consistent.
pub(super) fn reached(planned: Consistency, awaited: &[Which], touched: bool) -> Consistency {
    match planned {
        _ if touched => Consistency::Crash,
        Consistency::Application if !awaited.is_empty() => Consistency::FileSystem,
        reached => reached,
    }
}

/// A script's name for people.
pub(super) fn script_name(which: Which) -> &'static str {
    match which {
        Which::Pre => "pre-script",
        Which::Post => "post-script",
    }
}

/// A script's end for people.
pub(super) fn script_end(outcome: &ScriptOutcome) -> String {
    match outcome {
        ScriptOutcome::Succeeded => "succeeded".to_owned(),
        ScriptOutcome::Failed { code: Some(code) } => format!("failed with exit code {code}"),
        ScriptOutcome::Failed { code: None } => "was ended by a signal".to_owned(),
        ScriptOutcome::TimedOut => "did not end in time and was stopped".to_owned(),
        ScriptOutcome::NotStarted { why } => format!("could not be started: {why}"),
    }
}

/// The words of a consistency.
pub(super) fn words(consistency: Consistency) -> &'static str {
    match consistency {
        Consistency::Application => "application consistent",
        Consistency::FileSystem => "file-system consistent",
        Consistency::Crash => "crash consistent",
    }
}
