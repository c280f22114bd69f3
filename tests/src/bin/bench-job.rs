//! The part of `make bench` that measures whole jobs of the service beside stock restic; `bench-job raw` and `bench-job qcow2` measure one
//! kind of disk.

use std::process::ExitCode;

use kluis_tests::bench::run_jobs;

fn main() -> ExitCode {
    match run_jobs(std::env::args().nth(1).as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("the bench of whole jobs failed: {why:#}");
            ExitCode::FAILURE
        }
    }
}
