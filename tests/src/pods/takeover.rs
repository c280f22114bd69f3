//! The leader is killed in the middle of its work: another takes over in time,
//! only one of them ever writes, and what was under way is done once.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;

use super::installed::{Installed, SYSTEM, example};
use crate::audit::Request;
use crate::process::signal;
use crate::until::{Look, every, seconds};
use crate::world::{condition_of, told};

/// How long nobody may act after a leader died.
const TAKEOVER: Duration = seconds(20);

const PACE: Duration = Duration::from_millis(100);

/// Backups that may end before their leader can be killed: on a quick machine one takes a second.
const MOST_TRIES: usize = 5;

/// Kills the leader while a backup is under way; the name of the BackupJob, which succeeded.
pub(super) fn during_a_backup(kluis: &Installed) -> Result<String> {
    let leader = leader(kluis)?;
    let name = under_way(kluis)?;
    kill(&pod_of(&leader)?)?;
    let died = Instant::now();
    let next = every(PACE, "another to lead", TAKEOVER, || {
        let now = self::leader(kluis)?;
        Ok(if now == leader {
            Look::NotYet(format!("{now} holds the lease"))
        } else {
            Look::Done(now)
        })
    })?;
    crate::go::say(&format!(
        "       {next} took over from {leader} after {:.1} s",
        died.elapsed().as_secs_f32()
    ));
    kluis.until_succeeded(("backupjob", &name))?;
    Ok(name)
}

/// A BackupJob that was meant, and perhaps asked for, and has not ended.
fn under_way(kluis: &Installed) -> Result<String> {
    for _ in 0..MOST_TRIES {
        let name = kluis.create(&example("backup-now.yaml")?)?;
        let found = every(PACE, "a backup to be meant", seconds(60), || {
            let found = kluis.shop.get("backupjob", &name)?;
            let found = found.ok_or_else(|| anyhow!("there is no backupjob/{name}"))?;
            Ok(
                if found["status"]["operation"].is_object() || has_ended(&found) {
                    Look::Done(found)
                } else {
                    Look::NotYet(told(&found))
                },
            )
        })?;
        if !has_ended(&found) {
            return Ok(name);
        }
    }
    bail!("{MOST_TRIES} backups ended before their leader could be killed")
}

fn has_ended(job: &Value) -> bool {
    condition_of(job, "Succeeded").is_some_and(|it| it["status"] == "True")
}

/// Held against the API server's own record, and the service's.
pub(super) fn nothing_twice(kluis: &Installed, job: &str) -> Result<()> {
    one_writer_at_a_time(&kluis.requests()?)?;
    // Each backup leaves one recovery point; a second one would have left a second.
    let asked = kluis.shop.list("backupjobs")?.len();
    let listed = kluis.shop.get("protectedvm", "web-1")?;
    let points = listed.map(|vm| vm["status"]["recoveryPoints"]["total"].clone());
    ensure!(
        points == Some(Value::from(asked)),
        "{asked} backups were asked for ({job} the last), and there are {points:?} recovery points"
    );
    let vaults = kluis.volume()?.join("vaults/shop-rg/shop-weu/snapshots");
    let snapshots = fs::read_dir(&vaults)
        .with_context(|| format!("looking into {}", vaults.display()))?
        .count();
    ensure!(
        snapshots == asked,
        "{asked} backups left {snapshots} snapshots in the vault"
    );
    Ok(())
}

/// Every write to an object of ours came from the pod that held the lease then.
fn one_writer_at_a_time(requests: &[Request]) -> Result<()> {
    let mut holder: Option<&str> = None;
    let mut leaders = Vec::new();
    let mut writes = 0;
    for request in requests {
        let went_well = (200..300).contains(&request.code);
        if request.act.resource == "leases" && request.writes() && went_well {
            let named = request.body["spec"]["holderIdentity"].as_str();
            let takes = named.is_some_and(|holder| holder.starts_with(&request.pod));
            if takes && holder != Some(&request.pod) {
                leaders.push(request.pod.as_str());
                holder = Some(&request.pod);
            }
        } else if request.act.group == "kluis.dev" && request.writes() {
            ensure!(
                holder == Some(&request.pod),
                "{} wrote while {holder:?} held the lease: {}",
                request.pod,
                request.told()
            );
            writes += 1;
        }
    }
    ensure!(writes > 10, "only {writes} writes are on record");
    ensure!(leaders.len() >= 2, "only {leaders:?} ever led");
    Ok(())
}

/// Who holds the lease, as it calls itself: its pod's name and something unique.
fn leader(kluis: &Installed) -> Result<String> {
    let lease = kluis.system.get("lease", "kluis-operator")?;
    let holder = lease.and_then(|lease| {
        let holder = lease["spec"]["holderIdentity"].as_str();
        holder.map(str::to_owned)
    });
    holder.ok_or_else(|| anyhow!("nobody holds the lease of {SYSTEM}"))
}

fn pod_of(holder: &str) -> Result<String> {
    let pod = holder.rsplit_once('-').map(|(pod, _)| pod.to_owned());
    pod.ok_or_else(|| anyhow!("{holder} names no pod"))
}

/// kill -9 of the operator in a pod, from outside: it gets no word in.
fn kill(pod: &str) -> Result<()> {
    let wanted = format!("POD_NAME={pod}");
    for entry in fs::read_dir("/proc").context("reading /proc")?.flatten() {
        let environ = fs::read(entry.path().join("environ")).unwrap_or_default();
        let ours = environ
            .split(|byte| *byte == 0)
            .any(|variable| variable == wanted.as_bytes());
        let id = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        if let (true, Some(id)) = (ours, id) {
            return signal(id, Signal::KILL);
        }
    }
    bail!("no process has {wanted} in its environment")
}
