//! Nobody loses a backup by an edit: random sequences of edits, approvals that fit and approvals that don't, edits that are taken back,
//! moves between policies, deaths of the operator and days that pass. The operator's own reconciles run on the service's own core.
//!
//! What may go when is judged here by a rule of its own, made from the documents alone: a point is kept until the day that the policy in
//! force gave it, and a policy that gives it an earlier day counts only where somebody had approved exactly that change. A case that fails
//! prints its seed and the shortest story that still fails.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::simulation::{Dice, Order, Simulation, manifest};
use futures::executor::block_on;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kluis_operator::{Key, Kind};
use serde_json::{Value, json};

const CASES: u64 = 12;
const MOVES: usize = 12;
const DAY: SignedDuration = SignedDuration::from_hours(24);
const POLICIES: [&str; 2] = ["daily", "other"];

/// What a policy says, as far as it is varied: points of days, and Sunday's of weeks. Without days it runs on Sundays alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Terms {
    days: Option<u32>,
    weeks: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Edit(usize, Terms),
    /// The spec says again what is in force.
    TakeBack(usize),
    Reassign(usize),
    Suspend(bool),
    /// The digest that the policy's status asks for, written into its spec.
    ApprovePolicy(usize),
    ApproveItem,
    /// A digest of something else, or of earlier.
    Misapprove(usize),
    Days(u8),
    Die(u64),
}

fn moves(seed: u64) -> Vec<Move> {
    let mut dice = Dice(seed);
    let mut story = vec![Move::Days(9)];
    for _ in 0..MOVES {
        let policy = usize::try_from(dice.below(2)).unwrap();
        let small = u32::try_from(dice.below(14)).unwrap();
        let weeks = u32::try_from(dice.below(5)).unwrap();
        story.push(match dice.below(15) {
            0..=3 => Move::Edit(
                policy,
                Terms {
                    days: Some(7 + small),
                    weeks: (weeks > 0).then_some(weeks),
                },
            ),
            4 => Move::Edit(
                policy,
                Terms {
                    days: None,
                    weeks: Some(1 + weeks),
                },
            ),
            5 => Move::TakeBack(policy),
            6..=7 => Move::Reassign(policy),
            8 => Move::Suspend(small < 7),
            9..=10 => Move::ApprovePolicy(policy),
            11 => Move::ApproveItem,
            12 => Move::Misapprove(policy),
            13 => Move::Days(u8::try_from(1 + small).unwrap()),
            _ => Move::Die(1 + u64::from(weeks)),
        });
        story.push(Move::Days(u8::try_from(dice.below(5)).unwrap()));
    }
    story
}

#[test]
fn no_point_goes_before_the_day_that_an_approved_policy_gave_it() {
    let mut approved = 0;
    for seed in 0..CASES {
        let story = moves(seed);
        match told(seed, &story) {
            Ok(changes) => approved += changes,
            Err(_) => {
                let (story, why) = shortest(seed, story);
                panic!("seed {seed}: {why}\nby {story:#?}");
            }
        }
    }
    // A story in which nobody ever approves anything proves little.
    assert!(approved >= 5, "only {approved} losses were approved");
}

/// The story without every move that it fails without.
fn shortest(seed: u64, mut story: Vec<Move>) -> (Vec<Move>, String) {
    let mut at = 0;
    while at < story.len() {
        let mut without = story.clone();
        without.remove(at);
        match told(seed, &without) {
            Err(_) => story = without,
            Ok(_) => at += 1,
        }
    }
    let why = told(seed, &story).err().unwrap_or_default();
    (story, why)
}

/// Lives through a story: how many losses were approved and came to pass, or what was lost without.
fn told(seed: u64, story: &[Move]) -> Result<usize, String> {
    let mut told = Story::new(seed);
    for next in story {
        told.go(*next)?;
    }
    Ok(told.approved)
}

struct Story {
    world: Simulation,
    wanted: [Terms; 2],
    policy: usize,
    suspend: bool,
    approvals: BTreeMap<String, Consent>,
    /// What is in force for the item, as of the last look.
    in_force: Option<(String, Terms)>,
    points: BTreeMap<String, Promise>,
    approved: usize,
}

/// What somebody agreed to: this policy in place of that one.
#[derive(Clone, Debug, PartialEq)]
struct Consent {
    digest: String,
    from: (String, Terms),
    to: (String, Terms),
}

#[derive(Debug)]
struct Promise {
    due: Timestamp,
    of_sunday: bool,
    until: Timestamp,
}

impl Story {
    fn new(seed: u64) -> Self {
        let first = Terms {
            days: Some(30),
            weeks: None,
        };
        let mut story = Self {
            world: Simulation::new(Order::Shuffled(seed), None),
            wanted: [first; 2],
            policy: 0,
            suspend: false,
            approvals: BTreeMap::new(),
            in_force: None,
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

    /// Applies the manifests as they are now.
    fn declare(&mut self) {
        for (name, terms) in POLICIES.iter().zip(self.wanted) {
            let mut policy = manifest(Kind::BackupPolicy);
            policy["metadata"]["name"] = json!(name);
            policy["spec"] = terms.spec();
            if let Some(consent) = self.approvals.get(*name) {
                policy["spec"]["approvedLoss"] = json!(consent.digest);
            }
            self.world.objects.apply(Kind::BackupPolicy, &policy);
        }
        let mut item = manifest(Kind::ProtectedVM);
        item["spec"]["policyRef"]["name"] = json!(POLICIES[self.policy]);
        item["spec"]["suspend"] = json!(self.suspend);
        if let Some(consent) = self.approvals.get("item") {
            item["spec"]["approvedLoss"] = json!(consent.digest);
        }
        self.world.objects.apply(Kind::ProtectedVM, &item);
    }

    fn go(&mut self, next: Move) -> Result<(), String> {
        let _ = writeln!(self.world.story(), "\n# {next:?}");
        match next {
            Move::Edit(policy, terms) => self.wanted[policy] = terms,
            Move::TakeBack(policy) => {
                if let Some(terms) = self.in_vault(POLICIES[policy]) {
                    self.wanted[policy] = terms;
                }
            }
            Move::Reassign(policy) => self.policy = policy,
            Move::Suspend(suspend) => self.suspend = suspend,
            Move::ApprovePolicy(policy) => {
                self.approve_policy(POLICIES[policy], self.wanted[policy]);
            }
            Move::ApproveItem => self.approve_item(),
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

    fn object(&self, kind: Kind, name: &str) -> Value {
        let key = Key::new(kind, "shop", name);
        self.world.objects.peek(&key).unwrap_or_default()
    }

    fn approve_policy(&mut self, name: &str, wanted: Terms) {
        let asked =
            self.object(Kind::BackupPolicy, name)["status"]["vaults"][0]["approval"].clone();
        let (Some(digest), Some(from)) = (asked["digest"].as_str(), self.in_vault(name)) else {
            return;
        };
        let consent = Consent {
            digest: digest.to_owned(),
            from: (name.to_owned(), from),
            to: (name.to_owned(), wanted),
        };
        self.approvals.insert(name.to_owned(), consent);
    }

    fn approve_item(&mut self) {
        let asked = self.object(Kind::ProtectedVM, "web-1")["status"]["approval"].clone();
        let to = POLICIES[self.policy];
        let (Some(digest), Some(terms)) = (asked["digest"].as_str(), self.in_vault(to)) else {
            return;
        };
        let Some(from) = self.in_force.clone() else {
            return;
        };
        let consent = Consent {
            digest: digest.to_owned(),
            from,
            to: (to.to_owned(), terms),
        };
        self.approvals.insert("item".to_owned(), consent);
    }

    /// The digest of one object in another's spec, and one that was never asked for.
    fn misapprove(&mut self, name: &str) {
        let other = self.approvals.values().next().cloned();
        let nowhere = (
            String::new(),
            Terms {
                days: None,
                weeks: None,
            },
        );
        let digest = other.map_or_else(|| "0".repeat(32), |consent| consent.digest);
        for place in [name, "item"] {
            let consent = Consent {
                digest: digest.clone(),
                from: nowhere.clone(),
                to: nowhere.clone(),
            };
            self.approvals.entry(place.to_owned()).or_insert(consent);
        }
    }

    /// What the vault's policy of that name says.
    fn in_vault(&self, name: &str) -> Option<Terms> {
        let policy = self.world.azure.get(&format!("backupPolicies/{name}"))?;
        let retention = &policy["properties"]["retentionPolicy"];
        let count = |tier: &str| {
            let count = retention[tier]["retentionDuration"]["count"].as_u64()?;
            u32::try_from(count).ok()
        };
        Some(Terms {
            days: count("dailySchedule"),
            weeks: count("weeklySchedule"),
        })
    }

    /// Sees what has become of the points, and whether each that went was let go.
    fn look(&mut self) -> Result<(), String> {
        let item = self.world.azure.item().unwrap_or_default();
        let named = item["policyId"].as_str().unwrap_or_default();
        let name = named.rsplit('/').next().unwrap_or_default().to_owned();
        let stopped = item["protectionState"] == "ProtectionStopped";
        let now_in_force = self.in_vault(&name).map(|terms| (name, terms));
        if let Some(now) = now_in_force.filter(|_| !stopped)
            && self.in_force.as_ref() != Some(&now)
        {
            let was_approved = self
                .approvals
                .values()
                .any(|consent| Some(&consent.from) == self.in_force.as_ref() && consent.to == now);
            for promise in self.points.values_mut() {
                let given = now.1.keep(promise.due, promise.of_sunday);
                if was_approved && given < promise.until {
                    self.approved += 1;
                    promise.until = given;
                }
                promise.until = promise.until.max(given);
            }
            self.in_force = Some(now);
        }
        let at = self.world.azure.now();
        let there = self.world.azure.recovery_points();
        for (name, time) in &there {
            let Some((_, terms)) = &self.in_force else {
                continue;
            };
            self.points.entry(name.clone()).or_insert_with(|| {
                let due = run_of(*time);
                let of_sunday = terms.weeks.is_some() && is_sunday(due);
                Promise {
                    due,
                    of_sunday,
                    until: terms.keep(due, of_sunday),
                }
            });
        }
        for (name, promise) in &self.points {
            let is_there = there.iter().any(|(there, _)| there == name);
            if !is_there && promise.until > at {
                return Err(format!(
                    "{name} of {} was promised until {} and is gone at {at}; {:?} is in force\n{}",
                    promise.due,
                    promise.until,
                    self.in_force,
                    self.world.log()
                ));
            }
        }
        self.points
            .retain(|name, _| there.iter().any(|(there, _)| there == name));
        Ok(())
    }
}

impl Terms {
    fn spec(self) -> Value {
        let schedule = match self.days {
            Some(_) => json!({ "daily": { "at": "22:30" } }),
            None => json!({ "weekly": { "on": ["Sunday"], "at": "22:30" } }),
        };
        let mut retention = json!({});
        if let Some(keep) = self.days {
            retention["daily"] = json!({ "keep": keep });
        }
        if let Some(keep) = self.weeks {
            retention["weekly"] = json!({ "keep": keep, "on": ["Sunday"] });
        }
        json!({ "workload": "VirtualMachine", "timeZone": "UTC", "schedule": schedule, "retention": retention })
    }

    /// Until when it keeps a point; one that it doesn't keep at all may go at once.
    fn keep(self, due: Timestamp, of_sunday: bool) -> Timestamp {
        let days = self.days.map(|days| due + DAY * days.cast_signed());
        let weeks = self.weeks.filter(|_| of_sunday);
        let weeks = weeks.map(|weeks| due + DAY * (7 * weeks.cast_signed()));
        days.max(weeks).unwrap_or(Timestamp::MIN)
    }
}

/// The run that a point is of: the last 22:30 before it.
fn run_of(time: Timestamp) -> Timestamp {
    let at = SignedDuration::from_mins(22 * 60 + 30);
    let day = (time - at).to_zoned(TimeZone::UTC).date();
    day.to_zoned(TimeZone::UTC).unwrap().timestamp() + at
}

fn is_sunday(due: Timestamp) -> bool {
    due.to_zoned(TimeZone::UTC).weekday() == Weekday::Sunday
}
