//! The operator against its clock: from `kubectl apply` to all Ready, and what it costs when nothing happens.
//!
//! The time to Ready is told as a multiple of what the apply itself took, while the operator was at work beside it on
//! the same machine: a figure that a slower machine does not change. All Ready is first seen on the operator's own
//! metrics, which costs nobody anything, and then read from every object.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::json;

use super::figure::Figure;
use super::fleet::Fleet;
use crate::cluster::Cluster;
use crate::kubectl::Kubectl;
use crate::operator::{self, Operator};
use crate::place::scratch;
use crate::process::{free_port, patience};
use crate::scrape::{Scrape, peak_memory, processor_time};
use crate::service::{self, Service};
use crate::until::{Look, until};
use crate::world::{condition_of, told};

/// What to measure.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    pub fleet: Fleet,
    /// For how long the operator is watched at rest. An hour's figure is this window's, multiplied.
    pub rest: Duration,
    /// How long all of them may take to become Ready.
    pub limit: Duration,
}

const READ: &[&str] = &["operation=\"GET "];
const CALLS: &str = "kluis_arm_calls_total";

/// Measures, and prints one line a figure.
///
/// # Errors
/// When a part does not start, an object is refused, or not all become Ready.
pub fn run(wish: Wish) -> Result<()> {
    let Fleet { machines, .. } = wish.fleet;
    let dir = scratch("bench-operator")?;
    let inventory = wish.fleet.lay_out(dir.path())?;
    let service = Service::start(service::Setup {
        virtual_clock: false,
        ..service::Setup::new(dir.path(), &inventory)
    })?;
    let cluster = Cluster::start()?;
    let kubectl = cluster.kubectl();
    for name in [operator::NAMESPACE, Fleet::NAMESPACE] {
        kubectl.run(["create", "namespace", name])?;
    }
    let port = free_port()?;
    let setup = operator::Setup {
        metrics_port: port,
        ..operator::Setup::new(cluster.kubeconfig(), dir.path())
    };
    let mut operator = acting(&setup)?;

    // Nothing is due for half a day: no backup runs into what is measured.
    let noon = Timestamp::now()
        .checked_add(12.hours())?
        .to_zoned(TimeZone::UTC);
    let manifests = wish.fleet.manifests(&service, noon.hour()).to_string();
    let begun = Instant::now();
    kubectl.feed(&["apply", "-f", "-"], &manifests)?;
    let applied = begun.elapsed();
    until_ready(&mut operator, port, wish)?;
    let ready = begun.elapsed();
    all_ready(&kubectl.within(Fleet::NAMESPACE), machines)?;
    let busy = Scrape::of(port)?;
    let mut in_cluster = 0.0;
    for id in cluster.ids() {
        in_cluster += processor_time(id)?;
    }
    eprintln!(
        "{machines} machines: applied in {:.1} s, Ready after {:.1} s; processor time: operator {:.1} s, service {:.1} s, \
         cluster {:.1} s",
        applied.as_secs_f64(),
        ready.as_secs_f64(),
        processor_time(operator.id())?,
        processor_time(service.id())?,
        in_cluster,
    );
    for family in [CALLS, "kluis_kubernetes_requests_total"] {
        for line in busy.family(family) {
            eprintln!("  {line}");
        }
    }
    Figure {
        name: format!("operator-{machines}-ready"),
        value: ready.as_secs_f64() / applied.as_secs_f64(),
        unit: "x",
        goal: Some(2.0),
    }
    .tell();
    at_rest(&mut operator, port, cluster.api(), wish)?;
    let at_first = peak_memory(operator.id())?;
    let before = versions(cluster.api())?;
    operator.daemon().stop()?;
    drop(operator);
    let begun = Instant::now();
    let mut operator = acting(&setup)?;
    until_ready(&mut operator, port, wish)?;
    Figure {
        name: wish.name("restart-to-rest"),
        value: begun.elapsed().as_secs_f64(),
        unit: "s",
        goal: None,
    }
    .tell();
    Figure {
        name: wish.name("writes-after-restart"),
        value: changed(&before, &versions(cluster.api())?),
        unit: "writes",
        goal: Some(0.0),
    }
    .tell();
    let is_large = machines > USUAL;
    Figure {
        name: wish.name("memory"),
        value: at_first.max(peak_memory(operator.id())?),
        unit: "MiB",
        goal: Some(if is_large { 150.0 } else { 100.0 }),
    }
    .tell();
    Figure {
        name: wish.name("service-memory"),
        value: peak_memory(service.id())?,
        unit: "MiB",
        goal: is_large.then_some(300.0),
    }
    .tell();
    Ok(())
}

/// How many machines there are where nobody asks for another number: their figures' names do not say it.
const USUAL: usize = 1000;

impl Wish {
    fn name(&self, figure: &str) -> String {
        match self.fleet.machines {
            USUAL => format!("operator-{figure}"),
            machines => format!("operator-{machines}-{figure}"),
        }
    }
}

/// An operator that acts.
fn acting(setup: &operator::Setup) -> Result<Operator> {
    let mut operator = Operator::start(setup)?;
    operator.daemon().ready(patience(), || {
        Ok(match Scrape::of(setup.metrics_port) {
            Ok(scrape) if scrape.sum("kluis_leader", &[]) == 1.0 => Look::Done(()),
            Ok(_) => Look::NotYet("it does not act yet".to_owned()),
            Err(why) => Look::NotYet(format!("{why:#}")),
        })
    })?;
    Ok(operator)
}

/// Until the operator has looked at every machine and found it Ready.
fn until_ready(operator: &mut Operator, port: u16, wish: Wish) -> Result<()> {
    let machines = wish.fleet.machines;
    until("all to be Ready", wish.limit, || {
        operator.daemon().check()?;
        let labels = ["kind=\"ProtectedVM\"", "ready=\"True\""];
        let ready = Scrape::of(port)?.sum("kluis_objects", &labels);
        Ok(if ready >= whole(machines) {
            Look::Done(())
        } else {
            Look::NotYet(format!("{ready} of {machines}"))
        })
    })
    .map_err(|why| why.context(operator.daemon().tail()))
}

/// Watches the operator while nothing happens. The last writes are given time to be over first.
fn at_rest(
    operator: &mut Operator,
    port: u16,
    api: &crate::https::Https,
    wish: Wish,
) -> Result<()> {
    let window = wish.rest;
    const CALM: Duration = Duration::from_secs(10);
    let writes = |scrape: &Scrape| scrape.sum(CALLS, &[]) - scrape.sum(CALLS, READ);
    let mut last = (writes(&Scrape::of(port)?), Instant::now());
    until("the last writes to be over", patience(), || {
        let now = writes(&Scrape::of(port)?);
        if now > last.0 {
            last = (now, Instant::now());
        }
        Ok(if last.1.elapsed() >= CALM {
            Look::Done(())
        } else {
            Look::NotYet(format!("{now} writes"))
        })
    })?;
    let (before, objects) = (Scrape::of(port)?, versions(api)?);
    // What is measured is a stretch of time.
    thread::sleep(window);
    operator.daemon().check()?;
    let (after, objects_after) = (Scrape::of(port)?, versions(api)?);
    let an_hour = 3600.0 / window.as_secs_f64();
    let reads = after.sum(CALLS, READ) - before.sum(CALLS, READ);
    let written = (writes(&after) - writes(&before)) + changed(&objects, &objects_after);
    eprintln!(
        "at rest for {} s: {reads} reads, {written} writes to ARM or of an object; an hour is that times {an_hour}",
        window.as_secs()
    );
    for line in after.family(CALLS) {
        eprintln!("  {line}");
    }
    Figure {
        name: wish.name("arm-reads-at-rest"),
        value: reads * an_hour,
        unit: "reads/h",
        goal: None,
    }
    .tell();
    Figure {
        name: wish.name("writes-at-rest"),
        value: written * an_hour,
        unit: "writes/h",
        goal: Some(0.0),
    }
    .tell();
    Ok(())
}

/// Every object of ours with its version: an operator that writes where nothing changed shows here.
fn versions(api: &crate::https::Https) -> Result<BTreeSet<String>> {
    let mut versions = BTreeSet::new();
    for kind in ["backupservices", "vaults", "backuppolicies", "protectedvms"] {
        let answer = api.get(&format!("/apis/kluis.dev/v1alpha1/{kind}"))?;
        if answer.status != 200 {
            bail!("listing {kind} answered {}", answer.status);
        }
        let items = answer.body["items"].as_array().into_iter().flatten();
        versions.extend(items.map(|item| {
            let metadata = &item["metadata"];
            json!([kind, metadata["name"], metadata["resourceVersion"]]).to_string()
        }));
    }
    Ok(versions)
}

fn changed(before: &BTreeSet<String>, after: &BTreeSet<String>) -> f64 {
    whole(after.difference(before).count())
}

/// Reads every object: as many as there should be, each Ready as it is declared now.
fn all_ready(kubectl: &Kubectl, machines: usize) -> Result<()> {
    let found = kubectl.list("protectedvms")?;
    if found.len() != machines {
        bail!(
            "there are {} ProtectedVMs instead of {machines}",
            found.len()
        );
    }
    for object in &found {
        let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
        let ready = condition_of(object, "Ready").is_some_and(|ready| ready["status"] == "True");
        if !(current && ready) {
            bail!(
                "{} is not Ready: {}",
                object["metadata"]["name"],
                told(object)
            );
        }
    }
    Ok(())
}

fn whole(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
