//! The one binary. It reads the command line, sets up what every role needs
//! (logging, the TLS provider), and hands over to the crate whose role it is:
//! nothing is decided here.

mod answer;
mod args;
mod connection;
mod definitions;
mod logging;
mod manual;
mod output;
mod person;
mod plan;
mod roles;
mod simulate;
mod validate;

use std::process::ExitCode;

use crate::args::Command;

fn main() -> ExitCode {
    let args = manual::parse();
    // A mover writes its events on stdout and is single-purpose; it gets neither
    // a runtime nor the TLS provider, which keeps its memory small.
    if let Command::Mover { job_file } = &args.command {
        return kluis_vault::mover::main(job_file);
    }
    logging::start(args.log_format);
    match roles::run(args.command) {
        Ok(code) => code,
        Err(error) => {
            answer::tell(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
