//! The item's states against the service's core: by any sequence of manifests, somebody else's calls and days that pass, with the
//! operator dying on the way, it comes to what is declared or says what is in the way, and no recovery point goes unasked.
//!
//! A case is made from a seed. One that fails is made smaller by leaving out what it fails without; then its seed and what is left of it
//! are printed. Every other case lives in a vault with immutability, where backups can be suspended and no data deleted.

use std::fmt;

use crate::simulation::{Dice, Order, Simulation, manifest};
use futures::executor::block_on;
use jiff::SignedDuration;
use kluis_client::Method;
use kluis_operator::{Key, Kind};
use serde_json::{Value, json};

const CASES: u64 = 24;
const LONGEST: u64 = 7;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Move {
    Declare,
    /// The object is deleted, with this deletionPolicy.
    Withdraw(&'static str),
    Policy(&'static str),
    Suspend(bool),
    Disks(u64),
    Days(u64),
    /// The operator dies after so many more steps.
    Crash(u64),
    /// Somebody else's calls.
    Stops,
    Suspends,
    Deletes,
    Protects,
    ChoosesDisks,
    BacksUp,
}

fn throw(dice: &mut Dice) -> Move {
    let wishes = ["RetainData", "DeleteData", "Suspend", "Orphan"];
    let policies = ["daily", "DefaultPolicy", "EnhancedPolicy"];
    let pick = |from: &[&'static str], by: u64| {
        let index = usize::try_from(by).unwrap_or(0) % from.len();
        from.get(index).copied().unwrap_or("daily")
    };
    match dice.below(15) {
        0 | 1 => Move::Declare,
        2 | 3 => Move::Withdraw(pick(&wishes, dice.below(4))),
        4 => Move::Policy(pick(&policies, dice.below(3))),
        5 => Move::Suspend(dice.below(2) == 0),
        6 => Move::Disks(dice.below(4)),
        7 => Move::Days(1 + dice.below(3)),
        8 => Move::Crash(1 + dice.below(4)),
        9 => Move::Stops,
        10 => Move::Deletes,
        11 => Move::Protects,
        12 => Move::ChoosesDisks,
        13 => Move::Suspends,
        _ => Move::BacksUp,
    }
}

#[test]
fn it_comes_to_what_is_declared() {
    for seed in 0..CASES {
        let mut dice = Dice(seed);
        let count = 1 + dice.below(LONGEST);
        let mut moves: Vec<Move> = (0..count).map(|_| throw(&mut dice)).collect();
        let is_immutable = seed % 2 == 1;
        let Err(mut why) = lived(is_immutable, &moves) else {
            continue;
        };
        let mut index = 0;
        while index < moves.len() {
            let mut fewer = moves.clone();
            fewer.remove(index);
            match lived(is_immutable, &fewer) {
                Err(still) => (moves, why) = (fewer, still),
                Ok(()) => index += 1,
            }
        }
        panic!("seed {seed}, immutable: {is_immutable}, after {moves:?}: {why}");
    }
}

/// From a machine that is protected and has a recovery point, through all of it.
fn lived(is_immutable: bool, moves: &[Move]) -> Result<(), Failure> {
    let mut story = Story::begin(is_immutable)?;
    for next in moves {
        story.go(*next)?;
    }
    Ok(())
}

struct Failure(String);

struct Story {
    world: Simulation,
    /// The object, as a person wrote it last; None when it was deleted.
    declared: Option<Value>,
    item: Key,
    points: usize,
    is_immutable: bool,
}

impl Story {
    fn begin(is_immutable: bool) -> Result<Self, Failure> {
        let world = Simulation::new(Order::Plain, None);
        for kind in [Kind::BackupService, Kind::Vault, Kind::BackupPolicy] {
            let mut object = manifest(kind);
            if kind == Kind::Vault && is_immutable {
                object["spec"]["immutability"] = "Unlocked".into();
            }
            world.objects.apply(kind, &object);
        }
        let declared = manifest(Kind::ProtectedVM);
        let item = world.objects.apply(Kind::ProtectedVM, &declared);
        let mut story = Self {
            world,
            declared: Some(declared),
            item,
            points: 0,
            is_immutable,
        };
        story.settle()?;
        story.live(1);
        story.settle()?;
        Ok(story)
    }

    fn go(&mut self, next: Move) -> Result<(), Failure> {
        self.world.tell(&format!("{next:?}"));
        let mut may_lose = false;
        let mut ends = None;
        match next {
            Move::Declare if self.declared.is_none() => {
                let declared = manifest(Kind::ProtectedVM);
                self.world.objects.apply(Kind::ProtectedVM, &declared);
                self.declared = Some(declared);
            }
            Move::Withdraw(wish) if self.declared.is_some() => {
                self.edit(|spec| spec["deletionPolicy"] = wish.into());
                self.world.objects.delete_by_hand(&self.item.clone());
                self.declared = None;
                may_lose = wish == "DeleteData";
                ends = Some((wish, self.state()));
            }
            Move::Policy("daily") => {
                self.edit(|spec| spec["policyRef"] = json!({ "name": "daily" }));
            }
            Move::Policy(name) => {
                self.edit(|spec| spec["policyRef"] = json!({ "azureName": name }));
            }
            Move::Suspend(suspend) => self.edit(|spec| spec["suspend"] = suspend.into()),
            Move::Disks(which) => self.edit(|spec| {
                spec["disks"] = match which {
                    0 => Value::Null,
                    1 => json!({ "exclude": [0] }),
                    2 => json!({ "include": [0] }),
                    _ => json!({ "osDiskOnly": true }),
                };
            }),
            Move::Days(days) => self.live(days),
            Move::Crash(steps) => self.world.die_after(steps),
            Move::Stops => {
                self.put(&json!({ "protectionState": "ProtectionStopped", "policyId": "" }));
            }
            Move::Suspends => {
                let present = self.world.azure.item().unwrap_or_default()["policyId"].clone();
                self.put(&json!({ "protectionState": "BackupsSuspended", "policyId": present }));
            }
            Move::Deletes => {
                self.world.azure.ask(Method::Delete, &item_path(), None);
                may_lose = self.declared.is_none();
            }
            Move::Protects => {
                let policy = self.world.azure.path_of("backupPolicies/DefaultPolicy");
                self.put(&json!({ "policyId": policy }));
            }
            Move::ChoosesDisks => {
                let policy = self.world.azure.path_of("backupPolicies/DefaultPolicy");
                self.put(&json!({ "policyId": policy, "extendedProperties": {
                    "diskExclusionProperties": { "diskLunList": [0], "isInclusionList": false } } }));
            }
            Move::BacksUp => {
                let body = json!({ "properties": { "objectType": "IaasVMBackupRequest" } });
                self.world
                    .azure
                    .ask(Method::Post, &format!("{}/backup", item_path()), Some(body));
            }
            Move::Declare | Move::Withdraw(_) => {}
        }
        self.settle()?;
        if let Some((wish, found)) = ends {
            self.has_ended(wish, &found)?;
        }
        self.check(may_lose)
    }

    fn edit(&mut self, edit: impl FnOnce(&mut Value)) {
        if let Some(declared) = &mut self.declared {
            edit(&mut declared["spec"]);
            self.world.objects.apply(Kind::ProtectedVM, declared);
        }
    }

    /// A call on the item, past the operator.
    fn put(&self, properties: &Value) {
        let mut properties = properties.clone();
        properties["protectedItemType"] = "Microsoft.Compute/virtualMachines".into();
        properties["sourceResourceId"] = self.world.azure.machine().into();
        let body = json!({ "properties": properties });
        self.world.azure.ask(Method::Put, &item_path(), Some(body));
    }

    /// Days, a few hours at a time, in which the service does what is due and the operator nothing.
    fn live(&mut self, days: u64) {
        for _ in 0..days * 4 {
            self.world.azure.advance(SignedDuration::from_hours(6));
            while self.world.azure.pending() > 0 {
                self.world.azure.happen(0);
            }
        }
    }

    fn settle(&mut self) -> Result<(), Failure> {
        let log = block_on(self.world.try_settle());
        log.map_err(|()| self.failed("it does not come to rest"))
    }

    fn failed(&self, why: &str) -> Failure {
        Failure(format!("{why}\n{}", self.world.log()))
    }

    /// The item's state in the vault.
    fn state(&self) -> String {
        let Some(item) = self.world.azure.item() else {
            return "absent".to_owned();
        };
        if item["isScheduledForDeferredDelete"] == true {
            return "softly deleted".to_owned();
        }
        item["protectionState"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    fn has_ended(&mut self, wish: &str, found: &str) -> Result<(), Failure> {
        let mut wish = wish;
        if let Some(object) = self.world.objects.peek(&self.item) {
            self.takes_the_way_out(wish, object)?;
            wish = "Orphan";
        }
        let state = self.state();
        let is_gone = state == "absent" || state == "softly deleted";
        let is_as_wished = match wish {
            "RetainData" => is_gone || state == "ProtectionStopped",
            "DeleteData" => is_gone,
            "Suspend" => is_gone || state == "ProtectionStopped" || state == "BackupsSuspended",
            _ => state == found,
        };
        if is_as_wished {
            return Ok(());
        }
        Err(self.failed(&format!("{wish} left it {state}, and it was {found}")))
    }

    /// What immutability stands in the way of, or its absence: the object says so, and names a way out that is one.
    fn takes_the_way_out(&mut self, wish: &str, mut object: Value) -> Result<(), Failure> {
        let in_the_way = match (wish, self.is_immutable) {
            ("Suspend", false) => "VaultNotImmutable",
            ("DeleteData", true) => "VaultImmutable",
            _ => return Err(self.failed("the object does not go")),
        };
        let ready = &object["status"]["conditions"][0];
        let told = ready["message"].as_str().unwrap_or_default();
        if ready["reason"] != in_the_way || !told.ends_with("set spec.deletionPolicy: Orphan.") {
            return Err(self.failed("it does not say what keeps it, or not the way out"));
        }
        object["spec"]["deletionPolicy"] = "Orphan".into();
        self.world.objects.apply(Kind::ProtectedVM, &object);
        self.settle()?;
        match self.world.objects.peek(&self.item) {
            Some(_) => Err(self.failed("the way out is none")),
            None => Ok(()),
        }
    }

    fn check(&mut self, may_lose: bool) -> Result<(), Failure> {
        let points = self.world.azure.points();
        if points < self.points && !may_lose {
            let lost = format!(
                "{} recovery points were there, and {points} are",
                self.points
            );
            return Err(self.failed(&lost));
        }
        self.points = points;
        let Some(declared) = &self.declared else {
            return Ok(());
        };
        let object = self.world.objects.peek(&self.item).unwrap_or_default();
        let conditions = object["status"]["conditions"].as_array().cloned();
        let conditions = conditions.unwrap_or_default();
        let is = |kind: &str| {
            let mut of_kind = conditions.iter().filter(|one| one["type"] == kind);
            of_kind.any(|one| one["status"] == "True")
        };
        let reason = conditions.first().map(|one| one["reason"].clone());
        if is("Stalled") {
            let known = ["ApprovalRequired", "TierDowngrade"];
            let is_known = reason.is_some_and(|reason| known.iter().any(|known| reason == *known));
            return if is_known {
                Ok(())
            } else {
                Err(self.failed("it is stalled by what should not stall it"))
            };
        }
        if !is("Ready") {
            return Err(self.failed("it is neither Ready nor Stalled"));
        }
        if self.is_as_declared(&declared["spec"]) {
            return Ok(());
        }
        let item = self.world.azure.item().unwrap_or_default();
        Err(self.failed(&format!("it is Ready, and the vault has {item}")))
    }

    fn is_as_declared(&self, spec: &Value) -> bool {
        let state = self.state();
        if spec["suspend"] == true {
            return state == "ProtectionStopped" || state == "absent";
        }
        let item = self.world.azure.item().unwrap_or_default();
        let policy = &spec["policyRef"];
        let named = policy["azureName"].as_str().or(policy["name"].as_str());
        let by = item["policyId"].as_str().unwrap_or_default();
        let chosen = &item["extendedProperties"]["diskExclusionProperties"];
        let disks = &spec["disks"];
        let (luns, only_these) = if disks["exclude"].is_array() {
            (disks["exclude"].clone(), false)
        } else if disks["include"].is_array() {
            (disks["include"].clone(), true)
        } else {
            (json!([]), disks["osDiskOnly"] == true)
        };
        let same_disks = if chosen.is_null() {
            luns == json!([]) && !only_these
        } else {
            chosen["diskLunList"] == luns && chosen["isInclusionList"] == only_these
        };
        (state == "Protected" || state == "IRPending")
            && named.is_some_and(|named| by.ends_with(&format!("/{named}")))
            && same_disks
    }
}

fn item_path() -> String {
    let machine = "iaasvmcontainerv2;shop-rg;web-1";
    format!(
        "backupFabrics/Azure/protectionContainers/IaasVMContainer;{machine}/protectedItems/VM;{machine}"
    )
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
