//! How consistent a recovery point is: what was done for it, and what is therefore so.
//!
//! A copy of a disk in use is as after a power failure, unless somebody had the machine write down what it held: its owner's
//! scripts, which say so by succeeding. A machine that is off and whose disks nobody has open has nothing left to write down.
//! No agent of ours is in a machine, so that nothing else counts. Where the service stands in for Azure
//! (`consistency: AsAzure` in the inventory), what Azure's table says is assumed instead: Windows that runs was asked through
//! its agent (VSS); Linux is consistent for its file systems, and for its applications where scripts say so; a machine that
//! is off is crash consistent.

use kluis_vault::{ScriptOutcome, Scripts, Which};

use super::failure;
use super::rows::{Consistency, Fault, MadeBy};
use crate::inventory::{Os, Power, Told, VirtualMachine};

/// What the snapshots of a machine are to be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Planned {
    /// What they are if all goes well.
    pub(super) consistency: Consistency,
    /// What makes them so.
    pub(super) made_by: MadeBy,
    /// What is run for it.
    pub(super) scripts: Option<Scripts>,
    /// Why they are less than a machine of its kind is due.
    pub(super) shortfall: Option<Fault>,
}

impl Planned {
    fn plain(consistency: Consistency, made_by: MadeBy) -> Self {
        Self {
            consistency,
            made_by,
            scripts: None,
            shortfall: None,
        }
    }
}

/// What a machine's snapshots are to be. `crash_only`: the policy wants no more than that.
pub(super) fn planned(vm: &VirtualMachine, crash_only: bool, told: Told) -> Planned {
    match (told, vm.power) {
        _ if crash_only => Planned::plain(Consistency::Crash, MadeBy::Nothing),
        (Told::AsDone, Power::Stopped) => Planned::plain(Consistency::FileSystem, MadeBy::Off),
        (Told::AsDone, Power::Running) => as_done(vm),
        (Told::AsAzure, Power::Stopped) => Planned::plain(Consistency::Crash, MadeBy::Assumed),
        (Told::AsAzure, Power::Running) => as_azure(vm),
    }
}

fn as_done(vm: &VirtualMachine) -> Planned {
    let plain = Planned::plain(Consistency::Crash, MadeBy::Nothing);
    match (vm.os, vm.agent, scripts(vm)) {
        (_, false, _) => Planned {
            shortfall: Some(failure::no_agent(&vm.name, "crash consistent")),
            ..plain
        },
        // Only the script before the snapshots can have held anything up.
        (Os::Linux, true, Some(scripts)) if scripts.pre.is_some() => Planned {
            scripts: Some(scripts),
            ..Planned::plain(Consistency::Application, MadeBy::Scripts)
        },
        (Os::Linux, true, scripts) => Planned { scripts, ..plain },
        (Os::Windows, true, _) => plain,
    }
}

fn as_azure(vm: &VirtualMachine) -> Planned {
    let plain = |consistency| Planned::plain(consistency, MadeBy::Assumed);
    let shortfall = |to| Some(failure::no_agent(&vm.name, to));
    match (vm.os, vm.agent) {
        (Os::Windows, true) => plain(Consistency::Application),
        (Os::Windows, false) => Planned {
            shortfall: shortfall("file-system consistent"),
            ..plain(Consistency::FileSystem)
        },
        (Os::Linux, false) => Planned {
            shortfall: shortfall("crash consistent"),
            ..plain(Consistency::Crash)
        },
        (Os::Linux, true) => match scripts(vm) {
            None => plain(Consistency::FileSystem),
            scripts => Planned {
                scripts,
                ..plain(Consistency::Application)
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

/// What the snapshots are, once they are taken, and by what: application consistent only when every script succeeded, and
/// nothing that anybody in the machine had written down when a disk was `written` to, or could be, while it was copied.
/// There is no word for less than crash consistent.
pub(super) fn reached(
    (planned, made_by): (Consistency, MadeBy),
    awaited: &[Which],
    written: bool,
) -> (Consistency, MadeBy) {
    let crash = (Consistency::Crash, MadeBy::Nothing);
    match planned {
        _ if written => crash,
        Consistency::Application if awaited.is_empty() => (planned, made_by),
        // What the script before the snapshots did not do nobody did, but where it is assumed.
        Consistency::Application if made_by == MadeBy::Scripts && awaited.contains(&Which::Pre) => {
            crash
        }
        Consistency::Application => (Consistency::FileSystem, made_by),
        Consistency::FileSystem | Consistency::Crash => (planned, made_by),
    }
}

/// What a job says of it.
pub(super) fn sentence(consistency: Consistency, made_by: MadeBy) -> String {
    let by = match made_by {
        MadeBy::Nothing => return words(consistency).to_owned(),
        MadeBy::Scripts => "scripts",
        MadeBy::Off => "off",
        MadeBy::Assumed => "assumed",
    };
    format!("{}, by: {by}", words(consistency))
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
