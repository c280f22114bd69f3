//! Many machines: whose turn it is, and what costs nothing however many there are.

use http::Method;
use kluis_service::inventory::VirtualMachine;
use kluis_service::store::Row;
use kluis_vault::Task;
use serde::{Deserialize, Serialize};

use super::world::{ITEM, WEB_1, World, at, backup_request, protection};

fn with_machines(count: usize) -> World {
    let mut world = World::new();
    let group = &mut world.inventory.resource_groups[0];
    let one = group.virtual_machines[0].clone();
    group.virtual_machines = (0..count)
        .map(|number| VirtualMachine {
            name: name(number),
            ..one.clone()
        })
        .collect();
    world
}

fn name(number: usize) -> String {
    format!("vm-{number:04}")
}

fn item(number: usize) -> String {
    ITEM.replace("web-1", &name(number))
}

fn protect(world: &mut World, number: usize, policy: &str) {
    let body = protection(&WEB_1.replace("web-1", &name(number)), policy);
    world.accept(Method::PUT, &item(number), Some(&body));
}

/// The machine that a job is of, and which of its movers runs.
fn running(world: &mut World) -> Vec<(String, String, bool)> {
    let movers: Vec<_> = world
        .movers
        .iter()
        .map(|(job, file)| (job.clone(), matches!(file.task, Task::Snapshot(_))))
        .collect();
    movers
        .into_iter()
        .map(|(job, snapshot)| {
            let vm = world.job(&job)["entityFriendlyName"]
                .as_str()
                .unwrap()
                .to_owned();
            (job, vm, snapshot)
        })
        .collect()
}

/// The machines whose jobs wait, in the order of their places, which are 1, 2, 3 and so on.
fn queue(world: &mut World) -> Vec<String> {
    let page = world.get("backupJobs?$filter=operation eq 'Backup'");
    let mut waiting = std::collections::BTreeMap::new();
    for job in page["value"].as_array().unwrap() {
        let job = &job["properties"];
        if let Some(place) = job["extendedInfo"]["propertyBag"]["Queue Place"].as_str() {
            let vm = job["entityFriendlyName"].as_str().unwrap().to_owned();
            let before = waiting.insert(place.parse::<usize>().unwrap(), vm);
            assert_eq!(before, None, "place {place} is given twice");
        }
    }
    assert!(waiting.keys().copied().eq(1..=waiting.len()), "{waiting:?}");
    waiting.into_values().collect()
}

/// Whether the names are in order, but for those at the end, which have had their first turn and are in order as well.
fn is_turned(names: &[String]) -> bool {
    let falls = names.windows(2).filter(|pair| pair[0] >= pair[1]).count();
    falls == 0 || falls == 1 && names.last() < names.first()
}

/// The machine of each mover that ever began, in the order in which they did.
fn began(world: &mut World) -> Vec<String> {
    let started = world.started.clone();
    let jobs = started
        .iter()
        .filter_map(|word| word.split(' ').next_back());
    let jobs: Vec<String> = jobs.map(str::to_owned).collect();
    jobs.iter()
        .map(|job| {
            let vm = world.job(job)["entityFriendlyName"].clone();
            vm.as_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn who_asks_first_is_served_first_and_a_restore_goes_before_transfers() {
    let mut world = with_machines(6);
    world.max_jobs = 1;
    for number in 0..6 {
        protect(&mut world, number, "DefaultPolicy");
    }
    // All in the same second, and not in the order of their names.
    for number in [4, 1, 5, 0, 3, 2] {
        let backup = format!("{}/backup", item(number));
        world.accept(Method::POST, &backup, Some(&backup_request()));
    }
    let asked = [1, 5, 0, 3, 2].map(name);
    assert_eq!(queue(&mut world), asked);
    for _ in 0..6 {
        let (job, ..) = running(&mut world).remove(0);
        world.succeed_once(&job);
    }
    // The snapshots are taken, and the first transfer runs: somebody wants one of the points.
    assert_eq!(queue(&mut world), asked);
    let points = format!("{}/recoveryPoints", item(2));
    let point = world.get(&points)["value"][0]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut body = super::world::restore_request("shop-restored");
    body["properties"]["sourceResourceId"] = serde_json::json!(WEB_1.replace("web-1", &name(2)));
    let restore = world.accept(
        Method::POST,
        &format!("{points}/{point}/restore"),
        Some(&body),
    );
    let place = &world.job(&restore)["extendedInfo"]["propertyBag"]["Queue Place"];
    assert_eq!(place, "1", "before the transfers, which nobody waits for");
    while let Some((job, ..)) = running(&mut world).into_iter().next() {
        world.succeed_once(&job);
    }
    let order = [4, 1, 5, 0, 3, 2].map(name);
    let mut expected = [order.clone(), order].concat();
    expected.insert(7, name(2));
    assert_eq!(began(&mut world), expected);
}

#[test]
fn sixteen_machines_due_at_the_same_minute_all_have_their_snapshots_before_any_transfer() {
    let mut world = with_machines(16);
    for number in 0..16 {
        protect(&mut world, number, "DefaultPolicy");
    }
    world.now = at("2026-03-02T20:00:00Z");
    world.tick();
    let all: Vec<String> = (0..16).map(name).collect();
    assert_eq!(queue(&mut world), all[2..], "two run, fourteen wait");

    let (mut snapshots, mut transfers) = (Vec::new(), Vec::new());
    while let Some((job, vm, snapshot)) = running(&mut world).into_iter().next() {
        let waiting = queue(&mut world);
        assert!(waiting.len() <= 14, "{waiting:?}");
        assert!(is_turned(&waiting), "nobody is passed: {waiting:?}");
        assert!(world.movers.len() <= world.max_jobs);
        if snapshot {
            &mut snapshots
        } else {
            &mut transfers
        }
        .push(vm);
        world.now += jiff::SignedDuration::from_mins(1);
        world.succeed_once(&job);
    }
    assert_eq!(
        (&snapshots, &transfers),
        (&all, &all),
        "first come, first served"
    );
    assert_eq!(began(&mut world), [all.clone(), all].concat());
    let early = world.started.iter().take(16);
    assert!(
        early.clone().all(|word| word.starts_with("snapshot")),
        "no transfer begins while a snapshot waits: {:?}",
        early.collect::<Vec<_>>()
    );
    let page = world.get("backupJobs?$filter=operation eq 'Backup'");
    for job in page["value"].as_array().unwrap() {
        let job = world.job(job["name"].as_str().unwrap());
        assert_eq!(job["status"], "Completed");
        assert_eq!(
            job["extendedInfo"]["propertyBag"]["Queue Place"],
            serde_json::json!(null)
        );
    }
}

#[test]
fn the_oldest_due_goes_first_in_each_phase() {
    let mut world = with_machines(3);
    world.max_jobs = 1;
    world.daily_policy("early", "19:00", "UTC", 30);
    protect(&mut world, 0, "DefaultPolicy");
    protect(&mut world, 1, "early");
    protect(&mut world, 2, "DefaultPolicy");
    let long = world.accept(
        Method::POST,
        &format!("{}/backup", item(2)),
        Some(&backup_request()),
    );
    world.succeed_once(&long);
    // While its transfer runs, both policies become due, and are noticed at once.
    world.now = at("2026-03-02T20:30:00Z");
    world.tick();
    world.succeed_once(&long);
    let order: Vec<String> = std::iter::from_fn(|| {
        let (job, vm, snapshot) = running(&mut world).into_iter().next()?;
        world.succeed_once(&job);
        Some(format!(
            "{vm} {}",
            if snapshot { "snapshot" } else { "transfer" }
        ))
    })
    .collect();
    assert_eq!(
        order,
        [
            "vm-0001 snapshot",
            "vm-0000 snapshot",
            "vm-0002 snapshot",
            "vm-0001 transfer",
            "vm-0000 transfer",
            "vm-0002 transfer"
        ]
    );
}

/// A document that is no item, although it lies among them: whoever reads all items trips over it.
#[derive(Serialize, Deserialize)]
struct Tripwire;

impl Row for Tripwire {
    const TABLE: &'static str = "items";

    fn key(&self) -> String {
        "~".to_owned()
    }

    fn vault(&self) -> String {
        "another/vault".to_owned()
    }
}

#[test]
fn neither_a_tick_nor_a_request_reads_every_item_there_is() {
    let mut world = World::new();
    world.protect();
    world.tick();
    world.put(&Tripwire);
    world.tick();
    assert_eq!(world.next_due(), Some(at("2026-03-02T20:00:00Z")));
    world.protect();
    let second = ITEM.replace("web-1", "web-2");
    let body = protection(&WEB_1.replace("web-1", "web-2"), "DefaultPolicy");
    world.accept(Method::PUT, &second, Some(&body));
    world.backup_now();
    world.settle();
    world.get("backupProtectedItems");
    world.get("backupPolicies/DefaultPolicy");
    world.live(24 * 3);
    assert!(!world.busy());
}

/// What it costs, for people to look at: `cargo test … two_thousand -- --nocapture`. The assertions are far from any machine's
/// speed; what they are for is a cost that grows with the square.
#[test]
fn two_thousand_machines_are_no_trouble() {
    let mut world = with_machines(2_000);
    for vault in ["shop-b", "shop-c"] {
        world.make_vault(vault);
    }
    let begun = std::time::Instant::now();
    for number in 0..2_000 {
        let vault = ["shop-weu", "shop-b", "shop-c"][number / 900];
        let path = format!(
            "{}/{}",
            super::world::VAULT.replace("shop-weu", vault),
            item(number)
        );
        let mut body = protection(&WEB_1.replace("web-1", &name(number)), "DefaultPolicy");
        body["properties"]["policyId"] = serde_json::json!(format!(
            "{}/backupPolicies/DefaultPolicy",
            super::world::VAULT.replace("shop-weu", vault)
        ));
        let response = world.request(Method::PUT, &path, Some(&body));
        assert_eq!(response.status, 202, "{:?}", response.body);
    }
    let put = begun.elapsed() / 2_000;
    world.tick();
    let timed = |work: &mut dyn FnMut()| {
        let begun = std::time::Instant::now();
        work();
        begun.elapsed()
    };
    let tick = timed(&mut || world.tick());
    let next = timed(&mut || {
        world.next_due();
    });
    let page = timed(&mut || drop(world.get("backupProtectedItems")));
    let one = timed(&mut || drop(world.get(&item(17))));
    println!(
        "put {put:?}, tick {tick:?}, next_due {next:?}, page of 900 items {page:?}, one item {one:?}"
    );
    let limit = std::time::Duration::from_secs(1);
    assert!(put < limit && tick < limit && next < limit && one < limit);
}
