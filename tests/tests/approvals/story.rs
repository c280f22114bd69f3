//! A story that is lived through: what is declared, what somebody agreed to, and what each point was promised.

use std::collections::{BTreeMap, BTreeSet};

use futures::executor::block_on;
use jiff::Timestamp;
use kluis_operator::{Key, Kind};
use serde_json::{Value, json};

use super::terms::{CLOCKS, DAY, Tags, Terms, run_of};
use super::{MACHINES, Move, POLICIES};
use crate::simulation::{Azure, Order, Simulation, manifest};

const INVENTORY: &str = "
resourceGroups:
  shop-rg:
    location: westeurope
    virtualMachines:
      web-1: { os: Linux, disks: [{ path: web-1-os.raw }] }
      web-2: { os: Linux, disks: [{ path: web-2-os.raw }] }
      db-1: { os: Linux, disks: [{ path: db-1-os.raw }] }
    storageAccounts: { stagingweu: {} }
";

pub(super) struct Story {
    world: Simulation,
    zone: &'static str,
    /// Hours ahead of UTC.
    ahead: i8,
    wanted: [Terms; 2],
    /// Of each machine: its policy, and whether it is to be stopped.
    declared: [(usize, bool); MACHINES.len()],
    /// By the name of the object whose spec has it.
    consents: BTreeMap<&'static str, Consent>,
    /// What is in force for each machine, as of the last look.
    in_force: BTreeMap<&'static str, InForce>,
    points: BTreeMap<(&'static str, String), Promise>,
    approved: usize,
}

/// A policy's name, and what it says.
type InForce = (&'static str, Terms);

/// What somebody agreed to: this policy in place of that one, for these machines.
#[derive(Clone, Debug)]
struct Consent {
    digest: String,
    from: BTreeMap<&'static str, InForce>,
    to: Option<InForce>,
}

#[derive(Debug)]
struct Promise {
    due: Timestamp,
    tags: Tags,
    until: Timestamp,
}

impl Story {
    pub(super) fn new(seed: u64) -> Self {
        let (zone, ahead) = CLOCKS[usize::try_from(seed).unwrap_or_default() % CLOCKS.len()];
        let mut story = Self {
            world: Simulation::with(Azure::of(INVENTORY), Order::Shuffled(seed), None),
            zone,
            ahead,
            wanted: [Terms::FIRST; 2],
            declared: [(0, false), (0, false), (1, false)],
            consents: BTreeMap::new(),
            in_force: BTreeMap::new(),
            points: BTreeMap::new(),
            approved: 0,
        };
        for kind in [Kind::BackupService, Kind::Vault] {
            story.world.objects.apply(kind, &manifest(kind));
        }
        story.declare();
        block_on(story.world.settle());
        story
    }

    /// How many points were promised less by a change that somebody had approved.
    pub(super) fn approved(&self) -> usize {
        self.approved
    }

    pub(super) fn go(&mut self, next: Move) -> Result<(), String> {
        self.world.tell(&format!("{next:?}"));
        match next {
            Move::Edit(policy, terms) => self.wanted[policy] = terms.normal(),
            Move::Tweak(policy, terms, what) => {
                self.wanted[policy] = self.wanted[policy].tweaked(terms, what).normal();
            }
            Move::TakeBack(policy) => {
                if let Some(terms) = self.in_vault(POLICIES[policy]) {
                    self.wanted[policy] = terms;
                }
            }
            Move::Reassign(machine, policy) => self.declared[machine].0 = policy,
            Move::Suspend(machine, stopped) => self.declared[machine].1 = stopped,
            Move::ApprovePolicy(policy) => {
                let name = POLICIES[policy];
                let of_it = |(_, in_force): &(&_, &InForce)| in_force.0 == name;
                let from = self.in_force.iter().filter(of_it);
                let from = from
                    .map(|(machine, in_force)| (*machine, *in_force))
                    .collect();
                let asked = self.object(Kind::BackupPolicy, name)["status"]["vaults"][0].clone();
                self.approve(name, &asked, from, Some((name, self.wanted[policy])));
            }
            Move::ApproveItem(machine) => {
                let name = MACHINES[machine];
                let to = POLICIES[self.declared[machine].0];
                let to = self.in_vault(to).map(|terms| (to, terms));
                let from = self.in_force.get(name).map(|in_force| (name, *in_force));
                let asked = self.object(Kind::ProtectedVM, name)["status"].clone();
                self.approve(name, &asked, from.into_iter().collect(), to);
            }
            Move::Misapprove(policy) => self.misapprove(POLICIES[policy]),
            Move::Die(steps) => self.world.die_after(steps),
            Move::Days(days) => {
                for _ in 0..days {
                    block_on(self.world.live(DAY));
                    self.look()?;
                }
                return Ok(());
            }
        }
        self.declare();
        block_on(self.world.settle());
        self.look()
    }

    /// Applies the manifests as they are now.
    fn declare(&mut self) {
        for (name, terms) in POLICIES.iter().zip(self.wanted) {
            let mut policy = manifest(Kind::BackupPolicy);
            policy["metadata"]["name"] = json!(name);
            policy["spec"] = terms.spec(self.zone);
            self.consent(name, &mut policy);
            self.world.objects.apply(Kind::BackupPolicy, &policy);
        }
        for (name, (policy, stopped)) in MACHINES.iter().zip(self.declared) {
            let mut item = manifest(Kind::ProtectedVM);
            item["metadata"]["name"] = json!(name);
            item["spec"]["vm"]["name"] = json!(name);
            item["spec"]["policyRef"]["name"] = json!(POLICIES[policy]);
            item["spec"]["suspend"] = json!(stopped);
            self.consent(name, &mut item);
            self.world.objects.apply(Kind::ProtectedVM, &item);
        }
    }

    fn consent(&self, name: &str, object: &mut Value) {
        if let Some(consent) = self.consents.get(name) {
            object["spec"]["approvedLoss"] = json!(consent.digest);
        }
    }

    fn object(&self, kind: Kind, name: &str) -> Value {
        let key = Key::new(kind, "shop", name);
        self.world.objects.peek(&key).unwrap_or_default()
    }

    /// Writes the digest that is asked for into the object's spec.
    fn approve(
        &mut self,
        name: &'static str,
        asked: &Value,
        from: BTreeMap<&'static str, InForce>,
        to: Option<InForce>,
    ) {
        if let Some(digest) = asked["approval"]["digest"].as_str() {
            let digest = digest.to_owned();
            self.consents.insert(name, Consent { digest, from, to });
        }
    }

    /// The digest of one object in another's spec, or one that was never asked for.
    fn misapprove(&mut self, policy: &'static str) {
        let other = self.consents.values().next();
        let digest = other.map_or_else(|| "0".repeat(32), |consent| consent.digest.clone());
        for name in MACHINES.into_iter().chain([policy]) {
            self.consents.entry(name).or_insert_with(|| Consent {
                digest: digest.clone(),
                from: BTreeMap::new(),
                to: None,
            });
        }
    }

    /// What the vault's policy of that name says.
    fn in_vault(&self, name: &str) -> Option<Terms> {
        let policy = self.world.azure.get(&format!("backupPolicies/{name}"))?;
        Terms::of_wire(&policy).map(Terms::normal)
    }

    /// Sees what is in force, what has become of the points, and whether each that went was let go.
    fn look(&mut self) -> Result<(), String> {
        for item in self.world.azure.items() {
            let named = |name: &str| item["friendlyName"] == *name;
            let Some(machine) = MACHINES.into_iter().find(|name| named(name)) else {
                return Err(format!("nobody declared {item}"));
            };
            let policy = item["policyId"].as_str().unwrap_or_default();
            let policy = POLICIES
                .into_iter()
                .find(|name| policy.ends_with(&format!("/{name}")));
            let now = policy.and_then(|name| Some((name, self.in_vault(name)?)));
            let is_stopped = item["protectionState"] == "ProtectionStopped";
            if let Some(now) = now.filter(|_| !is_stopped) {
                self.comes_into_force(machine, now);
            }
            self.count(machine)?;
        }
        Ok(())
    }

    fn comes_into_force(&mut self, machine: &'static str, now: InForce) {
        let before = self.in_force.insert(machine, now);
        if before == Some(now) {
            return;
        }
        let agreed = |consent: &Consent| {
            before.is_some()
                && consent.from.get(machine) == before.as_ref()
                && consent.to == Some(now)
        };
        let was_approved = self.consents.values().any(agreed);
        let its_points = self.points.iter_mut().filter(|((of, _), _)| *of == machine);
        for (_, promise) in its_points {
            let given = now.1.keep(promise.due, promise.tags, self.ahead);
            if was_approved && given < promise.until {
                self.approved += 1;
                promise.until = given;
            }
            promise.until = promise.until.max(given);
        }
    }

    /// Each point that is there has a promise, and each promise that still holds has its point.
    fn count(&mut self, machine: &'static str) -> Result<(), String> {
        let there = self.world.azure.recovery_points_of(machine);
        let Some((_, terms)) = self.in_force.get(machine).copied() else {
            return Ok(());
        };
        for (name, time) in &there {
            self.points
                .entry((machine, name.clone()))
                .or_insert_with(|| {
                    let due = run_of(*time, self.ahead);
                    let tags = terms.tags(due, self.ahead);
                    Promise {
                        due,
                        tags,
                        until: terms.keep(due, tags, self.ahead),
                    }
                });
        }
        let at = self.world.azure.now();
        let names: BTreeSet<&String> = there.iter().map(|(name, _)| name).collect();
        let gone = |(of, name): &(&str, String)| *of == machine && !names.contains(name);
        for (point, promise) in self.points.iter().filter(|(point, _)| gone(point)) {
            if promise.until > at {
                return Err(format!(
                    "{point:?} was promised until {} ({promise:?}) and is gone at {at}; {terms:?} is in force\n{}",
                    promise.until,
                    self.world.log()
                ));
            }
        }
        self.points.retain(|point, _| !gone(point));
        Ok(())
    }
}
