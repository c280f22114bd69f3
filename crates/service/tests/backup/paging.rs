//! Lists that grow and shrink while they are read: what is there all the time is told once.

use http::Method;
use serde_json::Value;

use super::world::{ITEM, World};

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

#[test]
fn a_token_that_was_never_given_is_refused() {
    let mut world = World::new();
    for token in ["x", "1", "1.", "1.2.x"] {
        let path = format!("backupJobs?$skiptoken={token}");
        let said = world.refused(Method::GET, &path, None);
        assert!(said.starts_with("400 InvalidQueryParameter"), "{said}");
    }
}
