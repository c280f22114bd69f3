//! Which requests bring the ends of recovery points nearer, as the audit trail is told.

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::world::{ITEM, WEB_1, World, at, protection};

/// What a request tells, of points that it does not refuse to end earlier: how many, and how the first of them changes.
fn told(
    world: &mut World,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Option<(usize, Option<Timestamp>, Option<Timestamp>)> {
    let answer = world.request(method, path, body);
    assert!(answer.status < 300, "{:?}", answer.body);
    let nearer = answer.nearer?;
    Some((nearer.points, nearer.before, nearer.after))
}

fn policy(days: u32) -> Value {
    let time = "2026-01-01T20:00:00Z";
    json!({"properties": {
        "backupManagementType": "AzureIaasVM",
        "schedulePolicy": {"schedulePolicyType": "SimpleSchedulePolicy", "scheduleRunFrequency": "Daily", "scheduleRunTimes": [time]},
        "retentionPolicy": {"retentionPolicyType": "LongTermRetentionPolicy", "dailySchedule": {
            "retentionTimes": [time], "retentionDuration": {"count": days, "durationType": "Days"}}},
        "timeZone": "UTC",
    }})
}

#[test]
fn an_edit_of_a_policy_tells_whose_points_end_earlier_and_one_that_keeps_more_tells_nothing() {
    let mut world = World::new();
    let path = "backupPolicies/daily";
    let put = |world: &mut World, days| told(world, Method::PUT, path, Some(&policy(days)));
    assert_eq!(put(&mut world, 30), None);
    world.protect_with("daily");
    world.live(24 * 3);
    assert_eq!(put(&mut world, 60), None);
    assert_eq!(put(&mut world, 60), None, "nothing changed");
    let (first, then) = ("2026-03-02T20:00:00Z", "2026-03-12T20:00:00Z");
    let before = at(first) + jiff::SignedDuration::from_hours(60 * 24);
    assert_eq!(put(&mut world, 10), Some((3, Some(before), Some(at(then)))));
}

#[test]
fn another_policy_and_a_deletion_tell_it_and_a_stop_does_not() {
    let mut world = World::new();
    for (name, days) in [("long", 30), ("short", 7)] {
        let path = format!("backupPolicies/{name}");
        world.request(Method::PUT, &path, Some(&policy(days)));
    }
    world.protect_with("long");
    world.live(24 * 2);
    let put = |world: &mut World, body: &Value| told(world, Method::PUT, ITEM, Some(body));
    let stop = json!({"properties": {
        "protectedItemType": "Microsoft.Compute/virtualMachines",
        "sourceResourceId": WEB_1,
        "protectionState": "ProtectionStopped",
    }});
    assert_eq!(put(&mut world, &stop), None, "all are kept");
    assert_eq!(
        put(&mut world, &protection(WEB_1, "long")),
        None,
        "as was promised"
    );
    let nearer = put(&mut world, &protection(WEB_1, "short")).unwrap();
    assert_eq!((nearer.0, nearer.2), (2, Some(at("2026-03-09T20:00:00Z"))));
    put(&mut world, &protection(WEB_1, "long"));
    // Fourteen days of a soft delete are fewer than thirty of a policy.
    let nearer = told(&mut world, Method::DELETE, ITEM, None).unwrap();
    assert_eq!((nearer.0, nearer.2), (2, Some(at("2026-03-18T09:00:00Z"))));
}

#[test]
fn data_that_are_deleted_at_once_end_at_once() {
    let mut world = World::new();
    let off = json!({ "properties": { "softDeleteFeatureState": "Disabled" } });
    world.request(Method::PUT, "backupconfig/vaultconfig", Some(&off));
    world.protect();
    world.backup_now();
    world.settle();
    let now = world.now;
    let nearer = told(&mut world, Method::DELETE, ITEM, None).unwrap();
    assert_eq!((nearer.0, nearer.2), (1, Some(now)));
}
