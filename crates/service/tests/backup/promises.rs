//! In a locked vault no sequence of requests, drawn at random, brings a recovery point's end nearer: what was once told on the wire stays true.

use std::collections::BTreeMap;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::immutable::set;
use super::keeping::end;
use super::world::{ITEM, VAULT, WEB_1, World, protection};

const POLICIES: [&str; 4] = ["one", "two", "three", "four"];
const ZONES: [&str; 3] = ["UTC", "Tokyo Standard Time", "W. Europe Standard Time"];

#[derive(Debug, Clone)]
enum Act {
    Protect(bool, usize),
    Intend(bool, usize),
    Stop(bool),
    Suspend(bool),
    Delete(bool),
    Undelete(bool),
    BackupNow(bool, i64),
    Write(usize, Terms),
    DeletePolicy(usize),
    SoftDelete(bool, u32),
    Immutability(&'static str),
    DeleteVault(bool),
    Hours(i64),
    Gone(bool),
    Clean,
}

#[derive(Debug, Clone)]
struct Terms {
    weekly: bool,
    hour: u32,
    days: Option<u32>,
    weeks: Option<u32>,
    years: Option<u32>,
    zone: usize,
}

fn terms() -> impl Strategy<Value = Terms> {
    let tier = |least: u32, most: u32| prop::option::of(least..most);
    let rest = (any::<bool>(), 0..24_u32, 0..ZONES.len());
    (rest, tier(7, 40), tier(1, 20), tier(1, 3)).prop_map(
        |((weekly, hour, zone), days, weeks, years)| Terms {
            weekly,
            hour,
            days,
            weeks,
            years,
            zone,
        },
    )
}

fn act() -> impl Strategy<Value = Act> {
    let vm = any::<bool>;
    let policy = || 0..POLICIES.len();
    prop_oneof![
        6 => (vm(), policy()).prop_map(|(vm, policy)| Act::Protect(vm, policy)),
        1 => (vm(), policy()).prop_map(|(vm, policy)| Act::Intend(vm, policy)),
        3 => vm().prop_map(Act::Stop),
        1 => vm().prop_map(Act::Suspend),
        2 => vm().prop_map(Act::Delete),
        2 => vm().prop_map(Act::Undelete),
        3 => (vm(), 1..1_000_i64).prop_map(|(vm, hours)| Act::BackupNow(vm, hours)),
        5 => (policy(), terms()).prop_map(|(policy, terms)| Act::Write(policy, terms)),
        2 => policy().prop_map(Act::DeletePolicy),
        1 => (any::<bool>(), 14..180_u32).prop_map(|(on, days)| Act::SoftDelete(on, days)),
        1 => prop::sample::select(vec!["Disabled", "Unlocked", "Locked"]).prop_map(Act::Immutability),
        1 => any::<bool>().prop_map(Act::DeleteVault),
        8 => (1..100_i64).prop_map(Act::Hours),
        1 => (100..1_500_i64).prop_map(Act::Hours),
        1 => vm().prop_map(Act::Gone),
        1 => Just(Act::Clean),
    ]
}

fn name(vm: bool) -> &'static str {
    if vm { "web-1" } else { "web-2" }
}

fn item(vm: bool) -> String {
    ITEM.replace("web-1", name(vm))
}

fn policy(terms: &Terms) -> Value {
    let time = format!("2026-01-01T{:02}:00:00Z", terms.hour);
    let mut retention = json!({"retentionPolicyType": "LongTermRetentionPolicy"});
    let tier = |count: u32, kind: &str| json!({"retentionTimes": [time], "retentionDuration": {"count": count, "durationType": kind}});
    // A policy keeps something: a daily one its days, a weekly one its weeks.
    if !terms.weekly {
        retention["dailySchedule"] = tier(terms.days.unwrap_or(7), "Days");
    }
    if let Some(weeks) = terms.weeks.or(terms.weekly.then_some(1)) {
        retention["weeklySchedule"] = tier(weeks, "Weeks");
        retention["weeklySchedule"]["daysOfTheWeek"] = json!(["Sunday"]);
    }
    if let Some(years) = terms.years {
        retention["yearlySchedule"] = tier(years, "Years");
        retention["yearlySchedule"]["retentionScheduleFormatType"] = json!("Weekly");
        retention["yearlySchedule"]["monthsOfYear"] = json!(["March"]);
        retention["yearlySchedule"]["retentionScheduleWeekly"] =
            json!({"daysOfTheWeek": ["Sunday"], "weeksOfTheMonth": ["First", "Second"]});
    }
    let mut schedule = json!({"schedulePolicyType": "SimpleSchedulePolicy", "scheduleRunFrequency": "Daily", "scheduleRunTimes": [time]});
    let mut body = json!({"backupManagementType": "AzureIaasVM", "timeZone": ZONES[terms.zone], "retentionPolicy": retention});
    if terms.weekly {
        schedule["scheduleRunFrequency"] = json!("Weekly");
        schedule["scheduleRunDays"] = json!(["Sunday"]);
        body["instantRpRetentionRangeInDays"] = json!(5);
    }
    body["schedulePolicy"] = schedule;
    json!({"properties": body})
}

/// What has been told of the points in a vault that is locked.
struct Told {
    world: World,
    /// By the machine and the point's name: until when it was promised to be there.
    promised: BTreeMap<(bool, String), Timestamp>,
    accepted: usize,
}

impl Told {
    fn new() -> Self {
        let mut world = World::new();
        for (number, name) in POLICIES.iter().enumerate() {
            let days = Some(7 * (u32::try_from(number).unwrap() + 1));
            let terms = Terms {
                weekly: false,
                hour: 20,
                days,
                weeks: None,
                years: None,
                zone: 0,
            };
            let path = format!("backupPolicies/{name}");
            let made = world.request(Method::PUT, &path, Some(&policy(&terms)));
            assert_eq!(made.status, 200, "{:?}", made.body);
        }
        for state in ["Unlocked", "Locked"] {
            assert_eq!(set(&mut world, state), 202);
        }
        let mut told = Self {
            world,
            promised: BTreeMap::new(),
            accepted: 0,
        };
        for vm in [true, false] {
            told.step(&Act::Protect(vm, 2));
        }
        told.step(&Act::Hours(24 * 10));
        told
    }

    fn step(&mut self, act: &Act) {
        let world = &mut self.world;
        let whole = |vm: bool, extra: Value| {
            let mut body = json!({"properties": {
                "protectedItemType": "Microsoft.Compute/virtualMachines", "policyId": "",
                "sourceResourceId": WEB_1.replace("web-1", name(vm)),
            }});
            if let (Some(body), Some(extra)) =
                (body["properties"].as_object_mut(), extra.as_object())
            {
                body.extend(extra.clone());
            }
            body
        };
        let put = |vm: bool, body: Value| (Method::PUT, item(vm), Some(body));
        let (method, path, body) = match act {
            Act::Protect(vm, which) => {
                let machine = WEB_1.replace("web-1", name(*vm));
                put(*vm, protection(&machine, POLICIES[*which]))
            }
            Act::Intend(vm, which) => {
                let intent = format!(
                    "backupFabrics/Azure/backupProtectionIntent/vm;iaasvmcontainerv2;shop-rg;{}",
                    name(*vm)
                );
                let body = json!({"properties": {
                    "protectionIntentItemType": "AzureResourceItem",
                    "sourceResourceId": WEB_1.replace("web-1", name(*vm)),
                    "policyId": format!("{VAULT}/backupPolicies/{}", POLICIES[*which]),
                }});
                (Method::PUT, intent, Some(body))
            }
            Act::Stop(vm) => put(
                *vm,
                whole(*vm, json!({"protectionState": "ProtectionStopped"})),
            ),
            Act::Suspend(vm) => put(
                *vm,
                whole(*vm, json!({"protectionState": "BackupsSuspended"})),
            ),
            Act::Undelete(vm) => put(
                *vm,
                whole(
                    *vm,
                    json!({"protectionState": "ProtectionStopped", "isRehydrate": true}),
                ),
            ),
            Act::Delete(vm) => (Method::DELETE, item(*vm), None),
            Act::BackupNow(vm, hours) => {
                let until = world.now + SignedDuration::from_hours(*hours);
                let body = json!({"properties": {"objectType": "IaasVMBackupRequest",
                    "recoveryPointExpiryTimeInUTC": until.to_string()}});
                (Method::POST, format!("{}/backup", item(*vm)), Some(body))
            }
            Act::Write(which, terms) => (
                Method::PUT,
                format!("backupPolicies/{}", POLICIES[*which]),
                Some(policy(terms)),
            ),
            Act::DeletePolicy(which) => (
                Method::DELETE,
                format!("backupPolicies/{}", POLICIES[*which]),
                None,
            ),
            Act::SoftDelete(on, days) => {
                let state = if *on { "Enabled" } else { "Disabled" };
                let body = json!({"properties": {"softDeleteFeatureState": state, "softDeleteRetentionPeriodInDays": days}});
                (
                    Method::PATCH,
                    "backupconfig/vaultconfig".to_owned(),
                    Some(body),
                )
            }
            Act::Immutability(state) => {
                let body = json!({"properties": {"securitySettings": {"immutabilitySettings": {"state": state}}}});
                (Method::PATCH, VAULT.to_owned(), Some(body))
            }
            Act::DeleteVault(soft) => {
                let version = if *soft { "?api-version=2026-07-01" } else { "" };
                (Method::DELETE, format!("{VAULT}{version}"), None)
            }
            Act::Hours(hours) => {
                world.live(*hours);
                return self.look();
            }
            Act::Gone(vm) => {
                world.inventory_without(name(*vm));
                return self.look();
            }
            Act::Clean => {
                world.tick();
                world.settle();
                return self.look();
            }
        };
        let answer = world.request(method, &path, body.as_ref());
        assert!(answer.status < 500, "{act:?}: {:?}", answer.body);
        self.accepted += usize::from(answer.status < 300);
        world.settle();
        self.look();
        // What a request lets go of goes with the next cleanup.
        self.world.tick();
        self.world.settle();
        self.look();
    }

    /// Compares what is told now with all that was told before.
    fn look(&mut self) {
        let mut there = BTreeMap::new();
        for vm in [true, false] {
            let page =
                self.world
                    .request(Method::GET, &format!("{}/recoveryPoints", item(vm)), None);
            let points = page.body.and_then(|page| page["value"].as_array().cloned());
            for point in points.unwrap_or_default() {
                let name = point["name"].as_str().unwrap().to_owned();
                let properties = &point["properties"];
                let tiers = properties["recoveryPointTierDetails"].to_string();
                let said = &properties["recoveryPointProperties"];
                let rule = said["ruleName"].as_str().unwrap_or_default().to_owned();
                let until = end(&point);
                if tiers.contains("HardenedRP") {
                    there.insert((vm, name), (rule, until));
                }
            }
        }
        let now = self.world.now;
        for (point, promised) in &self.promised {
            let Some((rule, until)) = there.get(point) else {
                assert!(
                    *promised <= now,
                    "{point:?} is gone at {now}, promised until {promised}"
                );
                continue;
            };
            let is_kept = matches!(rule.as_str(), "Stopped" | "Newest" | "NewestOfLostSource");
            assert!(
                *promised <= now || is_kept || until.is_some_and(|until| until >= *promised),
                "{point:?} ends at {until:?} ({rule}), promised until {promised}"
            );
        }
        for (point, (rule, until)) in there {
            let Some(until) = until.filter(|_| rule != "Expired") else {
                continue;
            };
            let promised = self.promised.entry(point).or_insert(until);
            *promised = (*promised).max(until);
        }
    }
}

#[test]
fn in_a_locked_vault_no_sequence_of_requests_brings_an_end_nearer() {
    let cases = std::env::var("KLUIS_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    let config = Config {
        cases: cases.unwrap_or(6),
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let law = |acts: Vec<Act>| {
        let mut told = Told::new();
        assert!(
            told.promised.len() >= 18 && told.accepted == 2,
            "there is something to lose"
        );
        acts.iter().for_each(|act| told.step(act));
        Ok(())
    };
    runner
        .run(&prop::collection::vec(act(), 1..40), law)
        .unwrap();
}
