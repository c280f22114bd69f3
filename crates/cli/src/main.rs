//! The one binary. It reads the command line, sets up what every role needs
//! (logging, the TLS provider), and hands over to the crate whose role it is:
//! nothing is decided here.

mod args;
mod connection;
mod logging;
mod roles;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

fn main() -> ExitCode {
    let args = Args::parse();
    // A mover writes its events on stdout and is single-purpose; it gets neither
    // a runtime nor the TLS provider, which keeps its memory small.
    if let Command::Mover { job_file } = &args.command {
        return kluis_vault::mover::main(job_file);
    }
    logging::start(args.log_format);
    match roles::run(args.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kluis: {error:#}");
            ExitCode::FAILURE
        }
    }
}
