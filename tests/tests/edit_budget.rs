//! A roll-out over more policies of one vault than Azure takes edits in a day: spread, and said so. The service's own core counts, too.

use std::fmt::Write as _;

use crate::simulation::{Azure, Order, Simulation, manifest};
use futures::executor::block_on;
use jiff::{SignedDuration, Timestamp};
use kluis_client::Method;
use kluis_operator::{Key, Kind};
use serde_json::{Value, json};

const POLICIES: usize = 60;
/// What Azure takes in 24 hours, and what of it is ours.
const MOST: usize = 50;
const OURS: usize = 45;
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A vault with sixty machines, each protected by a policy of its own.
fn world() -> Simulation {
    let mut inventory =
        "resourceGroups:\n  shop-rg:\n    location: westeurope\n    virtualMachines:\n".to_owned();
    for vm in 0..POLICIES {
        let _ = writeln!(
            inventory,
            "      vm-{vm}: {{ os: Linux, disks: [{{ path: vm-{vm}.raw }}] }}"
        );
    }
    let mut world = Simulation::with(Azure::of(&inventory), Order::Plain, None);
    for kind in [Kind::BackupService, Kind::Vault] {
        world.objects.apply(kind, &manifest(kind));
    }
    keep(&mut world, 30);
    for vm in 0..POLICIES {
        let mut item = manifest(Kind::ProtectedVM);
        item["metadata"]["name"] = json!(format!("vm-{vm}"));
        item["spec"]["vm"]["name"] = json!(format!("vm-{vm}"));
        item["spec"]["policyRef"]["name"] = json!(name(vm));
        world.objects.apply(Kind::ProtectedVM, &item);
    }
    block_on(world.settle());
    world
}

fn name(policy: usize) -> String {
    format!("daily-{policy:02}")
}

/// All policies are to keep points for so many days.
fn keep(world: &mut Simulation, days: u32) {
    for policy in 0..POLICIES {
        let mut declared = manifest(Kind::BackupPolicy);
        declared["metadata"]["name"] = json!(name(policy));
        declared["spec"]["retention"]["daily"]["keep"] = json!(days);
        world.objects.apply(Kind::BackupPolicy, &declared);
    }
}

fn ready(world: &Simulation, policy: usize) -> (bool, String) {
    let key = Key::new(Kind::BackupPolicy, "shop", name(policy));
    let object = world.objects.peek(&key).unwrap();
    let said = object["status"]["conditions"][0].clone();
    let message = said["message"].as_str().unwrap().to_owned();
    (said["status"] == "True", message)
}

/// How many policies keep points for so many days in the vault.
fn in_force(world: &Simulation, days: u32) -> usize {
    let keeps = |policy: &usize| {
        let policy = world
            .azure
            .get(&format!("backupPolicies/{}", name(*policy)));
        let policy = policy.unwrap_or(Value::Null);
        policy["properties"]["retentionPolicy"]["dailySchedule"]["retentionDuration"]["count"]
            == json!(days)
    };
    (0..POLICIES).filter(keeps).count()
}

/// The most edits that were taken within 24 hours.
fn busiest_day(edits: &[Timestamp]) -> usize {
    let within = |first: &Timestamp| {
        let day = *first + HOUR * 24;
        edits
            .iter()
            .filter(|edit| *edit >= first && **edit < day)
            .count()
    };
    edits.iter().map(within).max().unwrap_or_default()
}

#[test]
fn sixty_policies_are_rolled_out_in_two_days() {
    let mut world = world();
    let made = world.azure.policies_written().len();
    assert_eq!(made, POLICIES, "making a policy is no edit");

    keep(&mut world, 60);
    block_on(world.settle());
    assert_eq!(in_force(&world, 60), OURS, "{}", world.log());
    let waiting: Vec<String> = (0..POLICIES)
        .map(|policy| ready(&world, policy))
        .filter(|(is_ready, _)| !is_ready)
        .map(|(_, message)| message)
        .collect();
    assert_eq!(waiting.len(), POLICIES - OURS);
    let when = "Spread over time: Azure takes 50 edits of policies a vault in 24 hours (rule 38), and 45 of the vault shop-weu's are made. This one is sent from 2026-03-03";
    assert!(
        waiting.iter().all(|message| message.starts_with(when)),
        "{waiting:?}"
    );

    for _ in 0..25 {
        block_on(world.live(HOUR));
    }
    block_on(world.settle());
    assert_eq!(in_force(&world, 60), POLICIES);
    assert!((0..POLICIES).all(|policy| ready(&world, policy).0));
    let written = &world.azure.policies_written()[made..];
    assert_eq!(
        written.iter().filter(|(_, status)| *status >= 300).count(),
        0
    );
    let edits: Vec<Timestamp> = written.iter().map(|(at, _)| *at).collect();
    assert_eq!(edits.len(), POLICIES, "each was written once");
    assert!(busiest_day(&edits) <= MOST);
}

/// What others have edited stands in no status of ours: the service says so, and is obeyed.
#[test]
fn edits_of_others_count_too() {
    let mut world = world();
    let path = format!("backupPolicies/{}", name(0));
    for days in 100..110 {
        let mut body = world.azure.get(&path).unwrap();
        body["properties"]["retentionPolicy"]["dailySchedule"]["retentionDuration"]["count"] =
            json!(days);
        assert!(world.azure.ask(Method::Put, &path, Some(body)) < 300);
    }
    let before = world.azure.policies_written().len();
    keep(&mut world, 120);
    // Everybody is looked at in each round here, whatever it was told to wait for: it does not come to rest.
    for _ in 0..6 {
        block_on(world.live(SignedDuration::from_secs(1)));
    }
    let written = world.azure.policies_written()[before..].to_vec();
    let refused = written.iter().filter(|(_, status)| *status == 429).count();
    assert_eq!(written.len() - refused, MOST - 10, "{}", world.log());
    assert!(refused > 0);

    for _ in 0..26 {
        block_on(world.live(HOUR));
    }
    block_on(world.settle());
    assert_eq!(in_force(&world, 120), POLICIES);
    let written = &world.azure.policies_written()[before - 10..];
    let taken = written.iter().filter(|(_, status)| *status < 300);
    let edits: Vec<Timestamp> = taken.map(|(at, _)| *at).collect();
    assert!(busiest_day(&edits) <= MOST);
}
