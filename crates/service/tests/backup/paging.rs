//! Lists that grow and shrink while they are read: what is there all the time is told once.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use super::world::{ITEM, WEB_1, World, protection};

/// The names on a page, and the path of the next.
fn page(world: &mut World, path: &str) -> (Vec<String>, Option<String>) {
    let page = world.get(path);
    let name = |entry: &Value| entry["name"].as_str().unwrap().to_owned();
    let names = page["value"].as_array().unwrap().iter().map(name).collect();
    let next = page["nextLink"].as_str().map(|link| {
        let query = link.split_once('?').unwrap().1;
        let query = query.replace("%2D", "-");
        format!("{}?{query}", path.split('?').next().unwrap())
    });
    (names, next)
}

fn names(world: &mut World, path: &str) -> Vec<String> {
    let (names, next) = page(world, path);
    assert_eq!(next, None);
    names
}

#[test]
fn a_list_goes_on_where_its_page_ended_although_newer_entries_came() {
    let mut world = World::new();
    world.daily_policy("daily", "20:00", "UTC", 30);
    world.protect_with("daily");
    world.live(24 * 5);
    for path in ["backupJobs".to_owned(), format!("{ITEM}/recoveryPoints")] {
        let all = names(&mut world, &path);
        assert!(all.len() >= 5, "{all:?}");
        let (first, next) = page(&mut world, &format!("{path}?$top=2"));
        world.live(24);
        let (second, next) = page(&mut world, &next.unwrap());
        assert_eq!([first, second].concat(), all[..4]);
        let (third, _) = page(&mut world, &next.unwrap());
        assert_eq!(third[0], all[4]);
    }
}

#[test]
fn a_list_goes_on_where_its_page_ended_although_that_entry_went() {
    let mut world = World::new();
    world.daily_policy("week", "20:00", "UTC", 7);
    world.protect_with("week");
    world.live(24 * 10);
    let path = format!("{ITEM}/recoveryPoints");
    let all = names(&mut world, &path);
    assert_eq!(all.len(), 7);
    let (first, next) = page(&mut world, &format!("{path}?$top=5"));
    assert_eq!(first, all[..5]);
    world.live(24 * 4);
    let (rest, none) = page(&mut world, &next.unwrap());
    assert_eq!((rest, none), (Vec::new(), None), "the last two expired");
}

const OF_MACHINES: &str = "$filter=backupManagementType eq 'AzureIaasVM'";

/// A vault that keeps nothing of what is deleted, with four protected machines and one more.
fn with_four_items() -> (World, Vec<String>) {
    let mut world = World::new();
    let off = json!({ "properties": { "softDeleteFeatureState": "Disabled" } });
    let config = world.request(Method::PUT, "backupconfig/vaultconfig", Some(&off));
    assert_eq!(config.status, 200, "{:?}", config.body);
    let machines = &mut world.inventory.resource_groups[0].virtual_machines;
    let one = machines[0].clone();
    machines.clear();
    // Their order by name is not that in which they are protected.
    let named = ["web-4", "Web-10", "web-1", "web-2", "web-9"];
    machines.extend(named.map(|name| {
        let mut machine = one.clone();
        machine.name = name.to_owned();
        machine
    }));
    let items: Vec<String> = named[..4]
        .iter()
        .map(|name| ITEM.replace("web-1", name))
        .collect();
    for (item, name) in items.iter().zip(named) {
        let body = protection(&WEB_1.replace("web-1", name), "DefaultPolicy");
        world.accept(Method::PUT, item, Some(&body));
    }
    (world, items)
}

fn item_named(items: &[String], name: &str) -> String {
    let short = name.to_lowercase();
    let is_it = |item: &&String| item.to_lowercase().ends_with(&short);
    items.iter().find(is_it).unwrap().clone()
}

/// What a client takes for gone that is not on any page.
#[test]
fn an_item_that_goes_between_two_pages_hides_none_that_stays() {
    for list in ["backupProtectedItems", "backupProtectionContainers"] {
        let (mut world, items) = with_four_items();
        let all = names(&mut world, &format!("{list}?{OF_MACHINES}"));
        assert_eq!(all.len(), 4, "{all:?}");
        let (first, next) = page(&mut world, &format!("{list}?$top=2&{OF_MACHINES}"));
        assert_eq!(first, all[..2]);
        let gone = item_named(&items, first[0].rsplit(';').next().unwrap());
        world.accept(Method::DELETE, &gone, None);
        world.live(1);
        let (second, next) = page(&mut world, &next.unwrap());
        assert_eq!((second, next), (all[2..].to_vec(), None), "{list}");
    }
}

#[test]
fn an_item_that_comes_between_two_pages_tells_none_twice() {
    let (mut world, _) = with_four_items();
    let list = format!("backupProtectedItems?$top=2&{OF_MACHINES}");
    let (first, next) = page(&mut world, &list);
    let last = ITEM.replace("web-1", "web-9");
    let body = protection(&WEB_1.replace("web-1", "web-9"), "DefaultPolicy");
    world.accept(Method::PUT, &last, Some(&body));
    let (second, next) = page(&mut world, &next.unwrap());
    let (third, none) = page(&mut world, &next.unwrap());
    let told = [first, second, third].concat();
    assert_eq!((told.len(), none), (5, None), "{told:?}");
    let once: BTreeSet<_> = told.iter().collect();
    assert_eq!(once.len(), 5, "{told:?}");
}

#[test]
fn a_policy_that_goes_between_two_pages_hides_none_that_stays() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        world.daily_policy(name, "20:00", "UTC", 7);
    }
    let all = names(&mut world, "backupPolicies");
    let (first, next) = page(&mut world, "backupPolicies?$top=2");
    assert_eq!(first, all[..2]);
    let gone = world.request(
        Method::DELETE,
        &format!("backupPolicies/{}", first[0]),
        None,
    );
    assert!(gone.status < 300, "{:?}", gone.body);
    let (second, _) = page(&mut world, &next.unwrap());
    assert_eq!(second[0], all[2]);
}

#[test]
fn a_token_that_was_never_given_is_refused() {
    let mut world = World::new();
    let items = format!("backupProtectedItems?{OF_MACHINES}&");
    for list in ["backupJobs?", &items, "backupPolicies?"] {
        for token in ["x", "1", "1.", "1.2.x", "200", "aGVsbG8", "%FF", "____"] {
            let path = format!("{list}$skiptoken={token}");
            let said = world.refused(Method::GET, &path, None);
            assert!(said.starts_with("400 InvalidQueryParameter"), "{said}");
        }
    }
    let said = world.refused(Method::GET, "backupPolicies?$top=many", None);
    assert_eq!(
        said,
        "400 InvalidQueryParameter: '$top' must be a number; it is 'many'."
    );
}
