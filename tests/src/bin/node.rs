//! A real one-node Kubernetes. `node test` installs Kluis on it by its chart and
//! tries all of it in pods; `node up` runs one until Enter, to look around.

use std::env;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use kluis_tests::binary::kluis;
use kluis_tests::node::{self, Node};
use kluis_tests::pods;

/// A machine that cannot run a node is no failure where this says so.
const LENIENT: &str = "KLUIS_NODE_OPTIONAL";

fn main() -> ExitCode {
    let wish: fn() -> Result<()> = match env::args().nth(1).as_deref() {
        Some("test") => test,
        Some("up") => up,
        _ => {
            eprintln!("usage: node test|up");
            return ExitCode::from(2);
        }
    };
    let missing = node::missing();
    if !missing.is_empty() {
        eprintln!("==================================================================");
        eprintln!("NOT TRIED: Kluis in pods, because a node cannot run here:");
        for what in missing {
            eprintln!("  - {what}");
        }
        eprintln!("==================================================================");
        return match env::var_os(LENIENT) {
            Some(_) => ExitCode::SUCCESS,
            None => ExitCode::FAILURE,
        };
    }
    match wish() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("node: {why:#}");
            ExitCode::FAILURE
        }
    }
}

fn test() -> Result<()> {
    pods::run(&kluis()?)
}

fn up() -> Result<()> {
    let begun = Instant::now();
    let node = Node::start()?;
    let took = begun.elapsed().as_secs_f32();
    eprintln!("Ready after {took:.1} s; Enter ends it");
    println!(
        "export KUBECONFIG={}",
        node.kubectl().kubeconfig().display()
    );
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(())
}
