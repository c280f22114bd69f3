//! Vaults with immutability: nothing loses a recovery point before its time, be that locked or not.

use http::Method;
use serde_json::{Value, json};

use super::world::{ITEM, VAULT, WEB_1, World, protection};

const DENIED: &str = "400 UserErrorOperationDeniedOnImmutableItem";

pub(super) fn set(world: &mut World, state: &str) -> u16 {
    let body =
        json!({"properties": {"securitySettings": {"immutabilitySettings": {"state": state}}}});
    world.request(Method::PATCH, VAULT, Some(&body)).status
}

/// A machine with a point under a policy of 30 days, in a vault with this immutability.
fn with_a_point(state: &str) -> World {
    let mut world = World::new();
    assert_eq!(world.daily_policy("month", "20:00", "UTC", 30).status, 200);
    assert_eq!(world.daily_policy("week", "20:00", "UTC", 7).status, 200);
    assert_eq!(
        world.daily_policy("quarter", "20:00", "UTC", 90).status,
        200
    );
    world.protect_with("month");
    world.backup_now();
    world.settle();
    assert_eq!(set(&mut world, "Unlocked"), 202);
    assert_eq!(set(&mut world, state), 202);
    world
}

fn week() -> Value {
    let time = "2026-01-01T20:00:00Z";
    json!({"properties": {
        "backupManagementType": "AzureIaasVM",
        "schedulePolicy": {"schedulePolicyType": "SimpleSchedulePolicy", "scheduleRunFrequency": "Daily", "scheduleRunTimes": [time]},
        "retentionPolicy": {"retentionPolicyType": "LongTermRetentionPolicy", "dailySchedule": {
            "retentionTimes": [time], "retentionDuration": {"count": 7, "durationType": "Days"}}},
        "timeZone": "UTC",
    }})
}

#[test]
fn data_are_not_deleted_before_their_time() {
    for state in ["Unlocked", "Locked"] {
        let mut world = with_a_point(state);
        let said = world.refused(Method::DELETE, ITEM, None);
        assert!(said.starts_with(DENIED), "{state}: {said}");
        assert_eq!(world.points().len(), 1);
        assert_eq!(world.item()["protectionState"], "Protected");
    }
    let mut world = with_a_point("Disabled");
    world.accept(Method::DELETE, ITEM, None);
}

#[test]
fn an_item_without_data_has_none_to_lose() {
    let mut world = World::new();
    world.protect();
    assert_eq!(set(&mut world, "Unlocked"), 202);
    world.accept(Method::DELETE, ITEM, None);
}

#[test]
fn no_policy_keeps_points_for_a_shorter_time() {
    for state in ["Unlocked", "Locked"] {
        let mut world = with_a_point(state);
        let said = world.refused(Method::PUT, "backupPolicies/month", Some(&week()));
        assert!(said.starts_with(DENIED), "{state}: {said}");
        let said = world.refused(Method::PUT, ITEM, Some(&protection(WEB_1, "week")));
        assert!(said.starts_with(DENIED), "{state}: {said}");
        world.accept(Method::PUT, ITEM, Some(&protection(WEB_1, "quarter")));
        let longer = world.daily_policy("quarter", "21:00", "UTC", 120);
        assert_eq!(longer.status, 202, "longer it may, and at another time");
        let unused = world.daily_policy("month", "20:00", "UTC", 7);
        assert_eq!(unused.status, 200, "nothing is kept by that one any more");
    }
    let mut world = with_a_point("Disabled");
    assert_eq!(world.daily_policy("month", "20:00", "UTC", 7).status, 202);
}

#[test]
fn what_is_locked_stays_locked() {
    let mut world = with_a_point("Locked");
    for state in ["Disabled", "Unlocked"] {
        assert_eq!(set(&mut world, state), 400, "{state}");
    }
    assert_eq!(set(&mut world, "Locked"), 202);
}

#[test]
fn no_stop_and_no_undeletion_is_a_way_round() {
    for state in ["Unlocked", "Locked"] {
        let mut world = with_a_point(state);
        world.live(24 * 20);
        let before = world.points().len();
        world.accept(Method::PUT, ITEM, Some(&stopped()));
        // The policy that it had is used by nobody now, and may become a shorter one.
        assert_eq!(world.daily_policy("month", "20:00", "UTC", 7).status, 200);
        for policy in ["week", "month"] {
            let said = world.refused(Method::PUT, ITEM, Some(&protection(WEB_1, policy)));
            assert!(said.starts_with(DENIED), "{state}, {policy}: {said}");
        }
        assert_eq!(world.item()["protectionState"], "ProtectionStopped");
        world.accept(Method::PUT, ITEM, Some(&protection(WEB_1, "quarter")));
        world.live(24 * 9);
        assert_eq!(world.points().len(), before + 9, "{state}: none went");
    }
    let mut world = with_a_point("Disabled");
    world.live(24 * 20);
    world.accept(Method::DELETE, ITEM, None);
    assert_eq!(set(&mut world, "Locked"), 202);
    world.accept(Method::PUT, ITEM, Some(&undeleted()));
    let said = world.refused(Method::PUT, ITEM, Some(&protection(WEB_1, "week")));
    assert!(said.starts_with(DENIED), "{said}");
    world.accept(Method::PUT, ITEM, Some(&protection(WEB_1, "month")));
}

fn body(extra: &str, value: &Value) -> Value {
    let mut body = json!({"properties": {
        "protectedItemType": "Microsoft.Compute/virtualMachines", "sourceResourceId": WEB_1,
        "policyId": "", "protectionState": "ProtectionStopped",
    }});
    body["properties"][extra] = value.clone();
    body
}

fn stopped() -> Value {
    body("policyId", &json!(""))
}

fn undeleted() -> Value {
    body("isRehydrate", &json!(true))
}
