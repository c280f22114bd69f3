//! Kluis as people run it: by the chart, in pods, on a real node. One run, from
//! `helm install` to `helm uninstall`, each step with a verdict of its own.

mod install;
mod installed;
mod release;
mod rights;
mod takeover;
mod waiting;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::go::say;
use crate::image;
use crate::node::Node;
use crate::place::scratch;
use installed::Installed;

/// Runs it all with this binary in the image; an error is what did not hold.
pub fn run(binary: &Path) -> Result<()> {
    let clock = Instant::now();
    let mut steps = Steps { begun: clock };
    let packing = scratch("image")?;
    let packed = steps.take("the image is packed", || {
        image::pack(binary, packing.path())
    })?;
    let node = steps.take("a node is Ready", Node::start)?;
    steps.take("containerd takes the image", || {
        node.import(&packed.archive)
    })?;
    let kluis = Installed::new(node, packed.name);
    let shown = all(&mut steps, &kluis);
    shown.map_err(|why| why.context(kluis.story()))?;
    say(&format!(
        "all of it held, in {} s",
        clock.elapsed().as_secs()
    ));
    Ok(())
}

fn all(steps: &mut Steps, kluis: &Installed) -> Result<()> {
    steps.take("helm lint --strict, whatever is set", || {
        install::lint(kluis)
    })?;
    steps.take("helm install --wait, under restricted pod security", || {
        install::install(kluis)
    })?;
    steps.take("kluis connection leads the operator to the service", || {
        install::connect(kluis)
    })?;
    steps.take("examples/protect-a-vm becomes Ready", || {
        install::protect(kluis)
    })?;
    let job = steps.take(
        "the leader is killed in the middle of a backup; another takes over",
        || takeover::during_a_backup(kluis),
    )?;
    steps.take("one writer at a time, no work twice", || {
        takeover::nothing_twice(kluis, &job)
    })?;
    steps.take("the disks come back byte for byte", || {
        install::restore(kluis)
    })?;
    steps.take(
        "helm install --wait waits for a chart of custom resources",
        || waiting::until_current(kluis),
    )?;
    steps.take(
        "helm install --wait fails where one of them cannot be",
        || waiting::never_current(kluis),
    )?;
    steps.take("what ended and is old goes", || install::outlived(kluis))?;
    steps.take("helm upgrade --wait", || release::upgrade(kluis))?;
    steps.take(
        "an upgrade to an image that is not there fails; helm rollback --wait",
        || release::rollback(kluis),
    )?;
    steps.take("a namespace is deleted at once", || {
        release::namespace(kluis)
    })?;
    steps.take(
        "the operator did what the chart allows, and all of it",
        || rights::compare(kluis),
    )?;
    steps.take(
        "helm uninstall keeps definitions, objects and vaults",
        || release::uninstall(kluis),
    )?;
    steps.take("another install finds them", || release::again(kluis))
}

/// Says what was done and how long it took.
struct Steps {
    begun: Instant,
}

impl Steps {
    fn take<T>(&mut self, what: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        let began = Instant::now();
        let done = step();
        let took = began.elapsed().as_secs_f32();
        let total = self.begun.elapsed().as_secs_f32();
        let verdict = if done.is_ok() { "ok  " } else { "FAIL" };
        say(&format!("{verdict} {took:5.1} s of {total:5.1} s  {what}"));
        done.with_context(|| what.to_owned())
    }
}
