//! The command line as it describes itself: completions, the manual page, and its name as kubectl's plugin.
//!
//! Installed as `kubectl-kluis` anywhere on the path (a link to `kluis` is enough), it is `kubectl kluis`, and says so in its
//! own help.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use clap::{CommandFactory, FromArgMatches};
use clap_complete::Shell;

use crate::args::Args;

/// What kubectl looks for.
const PLUGIN: &str = "kubectl-kluis";

/// Reads the command line, or ends the process with what is wrong with it: with 1, since 2 is `kluis plan`'s word for
/// changes.
pub(crate) fn parse() -> Args {
    let read = command()
        .try_get_matches()
        .and_then(|matches| Args::from_arg_matches(&matches));
    read.unwrap_or_else(|told| {
        // Help and the version are told the same way, and are no error.
        let is_error = told.use_stderr();
        // There is nowhere left to say that it could not be said.
        let _ = told.print();
        std::process::exit(i32::from(is_error))
    })
}

/// A shell's completions.
pub(crate) fn completions(shell: Shell, out: &mut impl Write) -> Result<()> {
    let mut command = command();
    let name = command.get_bin_name().unwrap_or("kluis").replace(' ', "-");
    // Written as a whole: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    out.write_all(&script).context("writing to standard output")
}

/// The manual page, all commands in one.
pub(crate) fn page(out: &mut impl Write) -> Result<()> {
    let mut command = Args::command();
    command.build();
    let doing = "writing the manual page";
    clap_mangen::Man::new(command.clone())
        .render(out)
        .context(doing)?;
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        let page = clap_mangen::Man::new(below.clone());
        page.render_synopsis_section(out).context(doing)?;
        page.render_description_section(out).context(doing)?;
        page.render_options_section(out).context(doing)?;
    }
    Ok(())
}

fn command() -> clap::Command {
    let called = std::env::args_os().next();
    let is_plugin = called
        .as_deref()
        .and_then(|path| Path::new(path).file_name())
        .is_some_and(|name| name == PLUGIN);
    if is_plugin {
        Args::command().bin_name("kubectl kluis")
    } else {
        Args::command()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_contradict_nothing() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_manual_has_every_command() {
        let mut out = Vec::new();
        page(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for command in ["validate", "points", "restore", "simulate", "plan"] {
            assert!(text.contains(command), "{command}");
        }
    }
}
