//! `make demo`: a virtual machine declared in YAML, backed up and restored byte
//! for byte, on a real Kubernetes API server.
//!
//! `KEEP=1` leaves everything running, `demo stop` ends that. A cluster given by
//! `KUBECONFIG` is used instead of one of our own.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use kluis_tests::demo;

fn main() -> ExitCode {
    let done = match env::args().nth(1).as_deref() {
        None => demo::run(&demo::Wish {
            keep: env::var("KEEP").is_ok_and(|value| !value.is_empty() && value != "0"),
            kubeconfig: env::var_os("KUBECONFIG")
                .filter(|value| !value.is_empty())
                .map(PathBuf::from),
        }),
        Some("stop") => demo::stop(),
        Some(other) => {
            eprintln!("demo: unknown argument {other:?}; usage: demo [stop]");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("\nthe demo failed: {why:#}");
            ExitCode::FAILURE
        }
    }
}
