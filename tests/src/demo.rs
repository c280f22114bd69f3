//! The demo: what a person does with Kluis, done and shown step by step.

mod aftermath;
mod stage;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

pub use aftermath::stop;

use crate::disk;
use crate::until::seconds;
use crate::world::{VM, World};
use aftermath::{Aftermath, home};
use stage::Stage;

/// The disks: more than the 256 MiB that make a backup worth watching, with
/// thousands of files.
const SIZES: crate::world::Sizes = crate::world::Sizes {
    os: 320,
    os_fill: 160,
    data: 64,
    data_fill: 24,
};

/// How long one step may take on a machine with other work to do.
const STEP: Duration = seconds(240);

/// What the person who runs the demo asked for.
#[derive(Debug)]
pub struct Wish {
    /// Leave everything running at the end.
    pub keep: bool,
    /// A cluster to use instead of one of our own.
    pub kubeconfig: Option<PathBuf>,
}

/// Runs the demo; an error is a demo that did not show what it should.
pub fn run(wish: &Wish) -> Result<()> {
    let mut stage = Stage::new();
    let aftermath = Aftermath::begin(wish)?;
    let shown = show(wish, &mut stage, &aftermath);
    match &shown {
        Ok(()) => stage.done(),
        Err(_) => stage.say("what it left behind, for looking into it:"),
    }
    aftermath.end(wish, shown.is_err())?;
    shown
}

fn show(wish: &Wish, stage: &mut Stage, aftermath: &Aftermath) -> Result<()> {
    let mut world = set_up(wish, stage, aftermath)?;
    aftermath.remember(&mut world);

    stage.step("Apply the service and examples/protect-a-vm");
    world.apply_service()?;
    stage.quote(&world.apply_examples()?);
    stage.during("waiting for all four to be Ready", || {
        world.until_protected(STEP)
    })?;
    tables(stage, &world)?;

    stage.step("Back up on demand: kubectl create -f examples/backup-now.yaml");
    backup(stage, &mut world)?;
    tables(stage, &world)?;

    stage.step("Change 1 % of the disk and back up again");
    let changed = disk::change(&world.estate.disks[0], (SIZES.os << 20) / 100)?;
    stage.say(&format!(
        "{} of new files written into the disk's own file system",
        mib(changed)
    ));
    backup(stage, &mut world)?;

    stage.step("A scheduled run: the service's clock moves on by a day");
    let before = world.points()?.len();
    let answer = stage.during("living through 24 hours", || world.service.advance("PT24H"))?;
    if answer.status != 200 || answer.body["failed"].as_u64().unwrap_or(0) > 0 {
        bail!(
            "moving the clock answered {}: {}",
            answer.status,
            answer.text
        );
    }
    stage.say(&format!(
        "it is now {}, and {} ran meanwhile",
        answer.body["now"].as_str().unwrap_or("?"),
        plural(&answer.body["ran"])
    ));
    let after = world.points()?.len();
    if after <= before {
        bail!(
            "no scheduled backup ran: there were {before} recovery points, and there are {after}"
        );
    }
    let seen = stage.during("waiting for the operator to see it", || {
        world.until_object(
            "the third recovery point in the status",
            "protectedvm",
            VM,
            STEP,
            |object| Ok(object["status"]["recoveryPoints"]["total"].as_u64() >= Some(after as u64)),
        )
    });
    seen?;
    tables(stage, &world)?;
    stage.say("(<invalid> is kubectl's word for a time in the future: it reads the machine's clock, not the service's)");
    points(stage, &world)?;

    stage.step("Restore the disks: kubectl create -f examples/restore.yaml");
    let bytes = stage.during("restoring, then comparing every byte", || {
        world.restore_and_compare(STEP)
    })?;
    stage.say(&format!(
        "{} compared byte by byte with the VM's disks: equal",
        mib(bytes)
    ));
    tables(stage, &world)?;

    stage.step("Read the vault with stock restic");
    let restic = world.restic();
    stage.during("restic check --read-data", || restic.check())?;
    stage.say(&format!(
        "no errors in {} snapshots, {} stored",
        restic.snapshots()?.len(),
        mib(restic.stored()?)
    ));
    aftermath.leave(wish, &world)
}

fn set_up(wish: &Wish, stage: &mut Stage, aftermath: &Aftermath) -> Result<World> {
    use crate::cluster::{self, Cluster};
    use crate::kubectl::Kubectl;
    use crate::service::{Service, Setup};
    use crate::world::Estate;

    let home = home();
    stage.step("Make a machine's disks");
    let estate = stage.during("partition table, ext4, files", || {
        Estate::lay_out(&home, SIZES)
    })?;
    stage.say(&format!(
        "{} MiB and {} MiB, with {} files of this machine in them",
        SIZES.os, SIZES.data, estate.files
    ));

    stage.step("Start an API server, the backup service and the operator");
    let binary = crate::controlplane::binary()?;
    let kubectl = if let Some(given) = &wish.kubeconfig {
        stage.say(&format!("using the cluster of {}", given.display()));
        let kubectl = Kubectl::new(&binary, given);
        cluster::apply_crds(&kubectl)?;
        kubectl
    } else {
        let cluster = stage.during("starting Kubernetes", || {
            Cluster::start_in(&home.join("cluster"), aftermath.life())
        })?;
        let kubectl = cluster.kubectl().clone();
        aftermath.hold(cluster);
        kubectl
    };
    let mut setup = Setup::new(&home, &estate.inventory);
    setup.life = aftermath.life();
    let service = stage.during("starting kluis service", || Service::start(setup))?;
    stage.say(&format!(
        "kluis service answers at {}",
        service.credentials().endpoint
    ));
    let mut world = World::new(&home, &kubectl, service, estate)?;
    world.operator_setup().life = aftermath.life();
    world.start_operator(None)?;
    Ok(world)
}

/// One backup on demand, and what it moved. A job that says it is done is
/// believed when there is a recovery point more.
fn backup(stage: &mut Stage, world: &mut World) -> Result<()> {
    let points = world.points()?.len();
    let before = world.restic().stored().unwrap_or(0);
    let job = stage.during("backing up", || world.back_up(STEP))?;
    let now = world.points()?.len();
    if now != points + 1 {
        bail!(
            "the backup is said to be done, but there were {points} recovery points and there are {now}"
        );
    }
    stage.during("waiting for the VM's object to tell it", || {
        world.until_object(
            "the new recovery point in the status",
            "protectedvm",
            VM,
            STEP,
            |object| Ok(object["status"]["recoveryPoints"]["total"].as_u64() >= Some(now as u64)),
        )
    })?;
    let after = world.restic().stored()?;
    let logical = (SIZES.os + SIZES.data) << 20;
    let name = job["metadata"]["name"].as_str().unwrap_or_default();
    stage.say(&format!(
        "{name}: {} of disks, the vault grew by {}",
        mib(logical),
        mib(after.saturating_sub(before))
    ));
    stage.quote(&world.kubectl.run(["get", "backupjobs"])?);
    Ok(())
}

fn tables(stage: &Stage, world: &World) -> Result<()> {
    for kinds in [
        "backupservices",
        "vaults",
        "backuppolicies",
        "protectedvms",
        "backupjobs",
        "restores",
    ] {
        let table = world.kubectl.run(["get", kinds, "--ignore-not-found"])?;
        if !table.trim().is_empty() {
            stage.quote(&format!("$ kubectl get {kinds}\n{table}"));
        }
    }
    Ok(())
}

fn points(stage: &Stage, world: &World) -> Result<()> {
    for point in world.points()? {
        let part = |name: &str| {
            point["properties"][name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        stage.quote(&format!(
            "{}  {}  {}",
            part("recoveryPointTime"),
            part("recoveryPointType"),
            point["name"].as_str().unwrap_or_default()
        ));
    }
    Ok(())
}

fn mib(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20)
}

fn plural(ran: &Value) -> String {
    let count = ran
        .as_u64()
        .or_else(|| ran.as_array().map(|jobs| jobs.len() as u64))
        .unwrap_or(0);
    if count == 1 {
        "1 job".to_owned()
    } else {
        format!("{count} jobs")
    }
}
