//! The part of `make bench` that measures whole jobs of the service beside stock restic.

use std::process::ExitCode;

use kluis_tests::bench::run_jobs;

fn main() -> ExitCode {
    match run_jobs() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("the bench of whole jobs failed: {why:#}");
            ExitCode::FAILURE
        }
    }
}
