//! Laws that hold whatever happens: random requests, hours, movers that succeed, fail and die, and a service that is killed.
//!
//! Two machines in one vault, two policies that run at 20:00 UTC. After every step: one mover at most on an item but for a
//! restore beside a transfer, a removal alone in the vault, nothing waiting while nothing runs, no snapshot removed that the policy in force or an
//! expiry still keeps. In the end, every point has its snapshot and every snapshot its point.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use jiff::{SignedDuration, Timestamp};
use kluis_vault::{Event, FailureCode, Task};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::world::{ITEM, WEB_1, World, protection, snapshot};

#[derive(Debug, Clone)]
enum Act {
    Protect(bool, bool),
    Stop(bool),
    Delete(bool),
    Undelete(bool),
    BackupNow(bool, i64),
    Restore(bool),
    Cancel,
    EditPolicy(bool, u32),
    SoftDelete(bool),
    Hours(i64),
    Succeed(usize),
    Fail(usize),
    Die(usize),
    DieSaved(usize),
    KillService,
}

fn act() -> impl Strategy<Value = Act> {
    let any_vm = any::<bool>();
    prop_oneof![
        4 => (any_vm, any::<bool>()).prop_map(|(vm, policy)| Act::Protect(vm, policy)),
        1 => any_vm.prop_map(Act::Stop),
        1 => any_vm.prop_map(Act::Delete),
        1 => any_vm.prop_map(Act::Undelete),
        4 => (any_vm, 1..400_i64).prop_map(|(vm, hours)| Act::BackupNow(vm, hours)),
        2 => any_vm.prop_map(Act::Restore),
        2 => Just(Act::Cancel),
        2 => (any::<bool>(), 7..20_u32).prop_map(|(policy, days)| Act::EditPolicy(policy, days)),
        1 => any::<bool>().prop_map(Act::SoftDelete),
        6 => (1..60_i64).prop_map(Act::Hours),
        2 => (100..900_i64).prop_map(Act::Hours),
        10 => (0..4_usize).prop_map(Act::Succeed),
        2 => (0..4_usize).prop_map(Act::Fail),
        2 => (0..4_usize).prop_map(Act::Die),
        2 => (0..4_usize).prop_map(Act::DieSaved),
        2 => Just(Act::KillService),
    ]
}

/// What a test knows by itself of what has to be kept.
struct Ledger {
    world: World,
    /// Days that each policy keeps points.
    days: BTreeMap<&'static str, u32>,
    /// When on-demand backups expire, by job.
    expiry: BTreeMap<String, Timestamp>,
    /// The removals that had begun, and the snapshots that were theirs to remove.
    begun: BTreeSet<String>,
    condemned: BTreeSet<String>,
    groups: usize,
    /// The machines that had a point.
    had: BTreeSet<&'static str>,
}

fn name(vm: bool) -> &'static str {
    if vm { "web-1" } else { "web-2" }
}

fn policy(which: bool) -> &'static str {
    if which { "one" } else { "two" }
}

fn item(vm: bool) -> String {
    ITEM.replace("web-1", name(vm))
}

fn body(vm: bool, extra: &Value) -> Value {
    let mut body = json!({"properties": {
        "protectedItemType": "Microsoft.Compute/virtualMachines",
        "sourceResourceId": WEB_1.replace("web-1", name(vm)),
        "policyId": "",
        "protectionState": "ProtectionStopped",
    }});
    if let (Some(properties), Some(extra)) = (body["properties"].as_object_mut(), extra.as_object())
    {
        properties.extend(extra.clone());
    }
    body
}

impl Ledger {
    fn new() -> Self {
        let mut world = World::new();
        let days = BTreeMap::from([("one", 7), ("two", 14)]);
        for (name, days) in &days {
            world.daily_policy(name, "20:00", "UTC", *days);
        }
        Self {
            world,
            days,
            expiry: BTreeMap::new(),
            begun: BTreeSet::new(),
            condemned: BTreeSet::new(),
            groups: 0,
            had: BTreeSet::new(),
        }
    }

    fn step(&mut self, act: &Act) {
        let world = &mut self.world;
        match act {
            Act::Protect(vm, which) => {
                let vm_id = WEB_1.replace("web-1", name(*vm));
                world.request(
                    Method::PUT,
                    &item(*vm),
                    Some(&protection(&vm_id, policy(*which))),
                );
            }
            Act::Stop(vm) => {
                drop(world.request(Method::PUT, &item(*vm), Some(&body(*vm, &json!({})))));
            }
            Act::Undelete(vm) => {
                drop(world.request(
                    Method::PUT,
                    &item(*vm),
                    Some(&body(*vm, &json!({"isRehydrate": true}))),
                ));
            }
            Act::Delete(vm) => drop(world.request(Method::DELETE, &item(*vm), None)),
            Act::BackupNow(vm, hours) => {
                let until = world.now + SignedDuration::from_hours(*hours);
                let wanted = json!({"properties": {"objectType": "IaasVMBackupRequest",
                    "recoveryPointExpiryTimeInUTC": until.to_string()}});
                let response = world.request(
                    Method::POST,
                    &format!("{}/backup", item(*vm)),
                    Some(&wanted),
                );
                if response.status == 202 {
                    let url = response
                        .header("Azure-AsyncOperation")
                        .unwrap()
                        .replace("https://localhost", "");
                    let status = world.get(url.split('?').next().unwrap());
                    self.expiry.insert(
                        status["properties"]["jobId"].as_str().unwrap().to_owned(),
                        until,
                    );
                }
            }
            Act::Restore(vm) => self.restore(*vm),
            Act::Cancel => {
                let running = self.world.get("backupJobs?$filter=status eq 'InProgress'");
                if let Some(job) = running["value"][0]["name"].as_str() {
                    self.world
                        .request(Method::POST, &format!("backupJobs/{job}/cancel"), None);
                }
            }
            Act::EditPolicy(which, days) => {
                world.daily_policy(policy(*which), "20:00", "UTC", *days);
                self.days.insert(policy(*which), *days);
            }
            Act::SoftDelete(on) => {
                let state = if *on { "Enabled" } else { "Disabled" };
                let wanted = json!({"properties": {"softDeleteFeatureState": state}});
                world.request(Method::PATCH, "backupconfig/vaultconfig", Some(&wanted));
            }
            Act::Hours(hours) => {
                world.now += SignedDuration::from_hours(*hours);
                world.tick();
            }
            Act::Succeed(which) => self.with_mover(*which, World::succeed_once),
            Act::Fail(which) => {
                self.with_mover(*which, |world, job| world.fail(job, FailureCode::Io));
            }
            Act::Die(which) => self.with_mover(*which, |world, job| world.exit(job, None)),
            Act::DieSaved(which) => self.with_mover(*which, |world, job| {
                let is_backup = matches!(world.movers[job].task, Task::Backup(_));
                world.work(job);
                if is_backup {
                    // What the shell finds in the vault when a backup's mover is gone without a word.
                    let saved = Event::Saved {
                        snapshot: snapshot(job),
                        logical: 1,
                        read: 1,
                        stored: 1,
                    };
                    world.hear(job, saved);
                }
                world.exit(job, None);
            }),
            Act::KillService => world.restart(),
        }
    }

    fn with_mover(&mut self, which: usize, then: impl FnOnce(&mut World, &str)) {
        let movers: Vec<String> = self.world.movers.keys().cloned().collect();
        if let Some(job) = movers.get(which % movers.len().max(1)) {
            then(&mut self.world, job);
        }
    }

    /// Each into a resource group of its own, as nothing is written over.
    fn restore(&mut self, vm: bool) {
        let points = self
            .world
            .request(Method::GET, &format!("{}/recoveryPoints", item(vm)), None);
        let Some(point) = points
            .body
            .as_ref()
            .and_then(|page| page["value"][0]["name"].as_str())
        else {
            return;
        };
        self.groups += 1;
        let mut group = self.world.inventory.resource_groups[1].clone();
        group.name = format!("group-{}", self.groups);
        let mut wanted = super::world::restore_request(&group.name);
        self.world.inventory.resource_groups.push(group);
        wanted["properties"]["sourceResourceId"] = json!(WEB_1.replace("web-1", name(vm)));
        self.world.request(
            Method::POST,
            &format!("{}/recoveryPoints/{point}/restore", item(vm)),
            Some(&wanted),
        );
    }

    fn hold(&mut self) {
        let mut items = BTreeSet::new();
        let removals = self
            .world
            .movers
            .values()
            .filter(|file| matches!(file.task, Task::Forget(_)))
            .count();
        let snapshots = self
            .world
            .movers
            .values()
            .filter(|file| matches!(file.task, Task::Snapshot(_)))
            .count();
        assert!(
            removals == 0 || self.world.movers.len() - snapshots == 1,
            "a removal of snapshots runs beside something that uses the vault"
        );
        assert!(self.world.movers.len() <= self.world.max_jobs);
        for file in self.world.movers.values() {
            // A restore may run beside a transfer, and nothing else beside anything.
            let (vm, restores) = match &file.task {
                Task::Backup(task) => (&task.vm, false),
                Task::Restore(task) => (&task.vm, true),
                Task::RestoreFiles(task) => (&task.vm, true),
                Task::Snapshot(_)
                | Task::Folder(_)
                | Task::Forget(_)
                | Task::Check
                | Task::Scrub(_) => continue,
            };
            assert!(
                items.insert((vm.clone(), restores)),
                "two movers are at work on {vm}"
            );
        }
        if self.world.movers.is_empty() {
            assert!(!self.world.busy(), "a job waits although nothing runs");
        }
        let removals: Vec<(String, Vec<String>)> = self
            .world
            .movers
            .iter()
            .filter_map(|(job, file)| match &file.task {
                Task::Forget(task) => Some((job.clone(), task.snapshots.clone())),
                _ => None,
            })
            .filter(|(job, _)| !self.begun.contains(job))
            .collect();
        for (job, snapshots) in removals {
            let fresh = snapshots
                .iter()
                .filter(|snapshot| !self.condemned.contains(*snapshot))
                .cloned();
            let fresh: Vec<String> = fresh.collect();
            let of: Vec<bool> = fresh
                .iter()
                .filter_map(|snapshot| self.may_go(snapshot.trim_start_matches("snapshot-of-")))
                .collect();
            for vm in [true, false] {
                let going = of.iter().filter(|which| **which == vm).count();
                assert!(
                    going == 0 || going < self.points(vm).len(),
                    "{} loses its newest point",
                    name(vm)
                );
            }
            self.condemned.extend(snapshots);
            self.begun.insert(job);
        }
    }

    /// Whether the point that this job made is one that nobody keeps, computed here by other means. The machine, when the
    /// item is to stay.
    fn may_go(&mut self, made_by: &str) -> Option<bool> {
        let job = self.world.job(made_by);
        let vm = job["entityFriendlyName"].as_str().unwrap() == "web-1";
        let response = self.world.request(Method::GET, &item(vm), None);
        let seen = response.body.unwrap()["properties"].clone();
        let deleted = seen["protectionState"] == "ProtectionStopped" && self.deletes(vm);
        if deleted {
            return None;
        }
        let policy = seen["policyName"].as_str().unwrap();
        assert!(!policy.is_empty(), "a stopped item loses a point");
        let until = self.expiry.get(made_by).copied().unwrap_or_else(|| {
            let began: Timestamp = job["startTime"].as_str().unwrap().parse().unwrap();
            let since = began.as_second().rem_euclid(86_400) - 20 * 3600;
            let due = began - SignedDuration::from_secs(since.rem_euclid(86_400));
            due + SignedDuration::from_hours(24 * i64::from(self.days[policy]))
        });
        assert!(
            until <= self.world.now,
            "the point of job {made_by} is kept until {until} and removed at {}",
            self.world.now
        );
        Some(vm)
    }

    fn points(&mut self, vm: bool) -> Vec<Value> {
        let page = self
            .world
            .request(Method::GET, &format!("{}/recoveryPoints", item(vm)), None);
        page.body
            .and_then(|page| page["value"].as_array().cloned())
            .unwrap_or_default()
    }

    /// How many points there are in this place.
    fn count(&mut self, tier: &str) -> usize {
        let points = [self.points(true), self.points(false)].concat();
        let is_there = |point: &&Value| {
            let tiers = point["properties"]["recoveryPointTierDetails"].as_array();
            tiers.unwrap().iter().any(|known| known["type"] == tier)
        };
        points.iter().filter(is_there).count()
    }

    /// An item that had a point has one, whatever failed, until a person's deletion reaches it.
    fn has_a_copy(&mut self) {
        for vm in [true, false] {
            let seen = self.world.request(Method::GET, &item(vm), None);
            if seen.status != 200 {
                self.had.remove(name(vm));
                continue;
            }
            let has = !self.points(vm).is_empty();
            assert!(
                has || !self.had.contains(name(vm)) || self.deletes(vm),
                "{} has lost its last copy",
                name(vm)
            );
            if has {
                self.had.insert(name(vm));
            }
        }
    }

    /// Whether the item's data are to go: a person deleted them, and their time is over or there is none.
    fn deletes(&mut self, vm: bool) -> bool {
        let seen = self.world.get(&item(vm))["properties"].clone();
        let over = seen["deferredDeleteTimeRemaining"] == "00:00:00";
        let jobs = self
            .world
            .get("backupJobs?$filter=operation eq 'DeleteBackupData' and status eq 'InProgress'");
        let asked = jobs["value"]
            .as_array()
            .unwrap()
            .iter()
            .any(|job| job["properties"]["entityFriendlyName"] == name(vm));
        over || asked
    }

    /// Everything ends; what is seen and what is there are one.
    fn end(&mut self) {
        self.world.settle();
        // A removal that failed is done by the next day's.
        self.world.live(48);
        assert!(!self.world.busy());
        let hardened = self.count("HardenedRP");
        let snapshots: usize = self.world.snapshots.values().map(BTreeMap::len).sum();
        assert_eq!(
            hardened, snapshots,
            "points in the vault and the vault's snapshots are one and the same"
        );
        assert_eq!(
            self.count("InstantRP"),
            self.world.folders.len(),
            "points beside their machine and folders of snapshot files are one and the same"
        );
    }
}

#[test]
fn whatever_happens_points_are_kept_jobs_end_and_nobody_writes_beside_another() {
    let config = Config {
        cases: 100,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    runner
        .run(&prop::collection::vec(act(), 1..60), |acts| {
            let mut ledger = Ledger::new();
            for act in &acts {
                ledger.step(act);
                ledger.hold();
                ledger.has_a_copy();
            }
            ledger.end();
            Ok(())
        })
        .unwrap();
}
