//! The operator's part of `make bench`: 1,000 ProtectedVMs over 10 vaults.
//!
//! `MACHINES`, `VAULTS` and `REST_SECONDS` make it smaller, for a look in between.

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use kluis_tests::bench::{Fleet, Wish, run};

fn main() -> ExitCode {
    let wish = || -> Result<Wish, String> {
        Ok(Wish {
            fleet: Fleet {
                machines: number("MACHINES", 1_000)?,
                vaults: number("VAULTS", 10)?,
            },
            rest: Duration::from_secs(number("REST_SECONDS", 300)?),
            limit: Duration::from_secs(900),
        })
    };
    let done = wish().and_then(|wish| run(wish).map_err(|why| format!("{why:#}")));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("the operator's bench failed: {why}");
            ExitCode::FAILURE
        }
    }
}

fn number<T: std::str::FromStr>(name: &str, otherwise: T) -> Result<T, String> {
    match env::var(name) {
        Err(_) => Ok(otherwise),
        Ok(text) => text
            .parse()
            .map_err(|_| format!("{name} must be a number; it is {text:?}")),
    }
}
