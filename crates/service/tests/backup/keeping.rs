//! Until when each point is kept and why, the three endings of protection, and what a cleanup says of what it removed.

use expect_test::expect;
use http::Method;
use jiff::Timestamp;
use kluis_arm::time::WireTime;
use serde_json::{Value, json};

use super::world::{ITEM, VAULT, WEB_1, World, at, protection};

/// Until when a point is kept, as it is told: in UTC without saying so.
pub(super) fn end(point: &Value) -> Option<Timestamp> {
    let told = point["properties"]["recoveryPointProperties"]["expiryTime"].as_str()?;
    WireTime::from(told).moment().unwrap()
}

/// A line a point, the newest first: its time, until when it is kept, why.
pub(super) fn kept(world: &mut World) -> String {
    let page = world.get(&format!("{ITEM}/recoveryPoints"));
    let line = |point: &Value| {
        let properties = &point["properties"];
        let said = &properties["recoveryPointProperties"];
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        format!(
            "{} {} {}\n",
            text(&properties["recoveryPointTime"]),
            end(point).map_or("-".to_owned(), |end| end.to_string()),
            text(&said["ruleName"])
        )
    };
    page["value"].as_array().unwrap().iter().map(line).collect()
}

/// What the cleanups said, the oldest first: their facts and their task.
pub(super) fn cleanups(world: &mut World) -> String {
    let page = world.get("backupJobs?$filter=operation eq 'Cleanup'");
    let mut text = String::new();
    for job in page["value"].as_array().unwrap().iter().rev() {
        let job = world.job(job["name"].as_str().unwrap());
        let info = &job["extendedInfo"];
        text.push_str(&format!(
            "{} {}\n",
            job["startTime"].as_str().unwrap(),
            job["status"].as_str().unwrap()
        ));
        for (name, value) in info["propertyBag"].as_object().unwrap() {
            text.push_str(&format!("  {name}: {}\n", value.as_str().unwrap()));
        }
        let task = &info["tasksList"][0];
        text.push_str(&format!(
            "  {} {}: {}\n",
            task["taskId"].as_str().unwrap(),
            task["status"].as_str().unwrap(),
            task["taskExecutionDetails"].as_str().unwrap_or("-")
        ));
    }
    text
}

/// A policy that runs daily at 20:00 UTC, with what is put into its retention.
fn policy(world: &mut World, name: &str, schedule: &Value, retention: &Value) {
    let mut body = json!({"properties": {
        "backupManagementType": "AzureIaasVM",
        "schedulePolicy": {"schedulePolicyType": "SimpleSchedulePolicy", "scheduleRunFrequency": "Daily",
            "scheduleRunTimes": ["2026-01-01T20:00:00Z"]},
        "retentionPolicy": {"retentionPolicyType": "LongTermRetentionPolicy"},
        "timeZone": "UTC",
    }});
    let properties = &mut body["properties"];
    for (key, value) in schedule.as_object().unwrap() {
        properties["schedulePolicy"][key] = value.clone();
    }
    for (key, value) in retention.as_object().unwrap() {
        properties["retentionPolicy"][key] = value.clone();
        properties["retentionPolicy"][key]["retentionTimes"] = json!(["2026-01-01T20:00:00Z"]);
    }
    if properties["schedulePolicy"]["scheduleRunFrequency"] == "Weekly" {
        properties["instantRpRetentionRangeInDays"] = json!(5);
    }
    let answer = world.request(Method::PUT, &format!("backupPolicies/{name}"), Some(&body));
    assert!([200, 202].contains(&answer.status), "{:?}", answer.body);
}

fn daily(days: u32) -> Value {
    json!({"dailySchedule": {"retentionDuration": {"count": days, "durationType": "Days"}}})
}

fn weekly(weeks: u32) -> Value {
    json!({"weeklySchedule": {"daysOfTheWeek": ["Sunday"], "retentionDuration": {"count": weeks, "durationType": "Weeks"}}})
}

fn both(days: u32, weeks: u32) -> Value {
    let mut both = daily(days);
    both["weeklySchedule"] = weekly(weeks)["weeklySchedule"].clone();
    both
}

fn on_sundays() -> Value {
    json!({"scheduleRunFrequency": "Weekly", "scheduleRunDays": ["Sunday"]})
}

fn put_item(world: &mut World, state: &str, policy: &str) {
    let mut body = protection(WEB_1, policy);
    body["properties"]["protectionState"] = json!(state);
    if policy.is_empty() {
        body["properties"]["policyId"] = json!("");
    }
    world.accept(Method::PUT, ITEM, Some(&body));
}

#[test]
fn each_point_says_until_when_it_is_kept_and_why() {
    let mut world = World::new();
    policy(&mut world, "both", &json!({}), &both(7, 4));
    world.protect_with("both");
    let body = json!({"properties": {"objectType": "IaasVMBackupRequest", "recoveryPointExpiryTimeInUTC": "2026-05-01T00:00:00Z"}});
    world.accept(Method::POST, &format!("{ITEM}/backup"), Some(&body));
    world.settle();
    // From Monday 2 March 2026 to the Tuesday after.
    world.live(24 * 8);
    expect![[r#"
        2026-03-09T20:00:00Z 2026-03-16T20:00:00Z Daily
        2026-03-08T20:00:00Z 2026-04-05T20:00:00Z Weekly
        2026-03-07T20:00:00Z 2026-03-14T20:00:00Z Daily
        2026-03-06T20:00:00Z 2026-03-13T20:00:00Z Daily
        2026-03-05T20:00:00Z 2026-03-12T20:00:00Z Daily
        2026-03-04T20:00:00Z 2026-03-11T20:00:00Z Daily
        2026-03-03T20:00:00Z 2026-03-10T20:00:00Z Daily
        2026-03-02T09:00:00Z 2026-05-01T00:00:00Z OnDemand
    "#]]
    .assert_eq(&kept(&mut world));
}

#[test]
fn stopped_keeps_every_point_for_ever_and_no_edit_reaches_them() {
    let mut world = World::new();
    policy(&mut world, "week", &json!({}), &daily(7));
    world.protect_with("week");
    world.live(24 * 5);
    put_item(&mut world, "ProtectionStopped", "");
    world.live(24 * 400);
    assert_eq!(
        kept(&mut world),
        "2026-03-06T20:00:00Z - Stopped\n\
         2026-03-05T20:00:00Z - Stopped\n\
         2026-03-04T20:00:00Z - Stopped\n\
         2026-03-03T20:00:00Z - Stopped\n\
         2026-03-02T20:00:00Z - Stopped\n"
    );
    assert_eq!(cleanups(&mut world), "");
    // Taken up again, the policy counts again.
    put_item(&mut world, "Protected", "week");
    world.live(24);
    assert_eq!(world.points().len(), 1, "{}", kept(&mut world));
}

#[test]
fn what_was_asked_for_says_its_own_day_while_stopped_and_goes_by_it_afterwards() {
    let mut world = World::new();
    policy(&mut world, "week", &json!({}), &daily(7));
    world.protect_with("week");
    let body = json!({"properties": {"objectType": "IaasVMBackupRequest", "recoveryPointExpiryTimeInUTC": "2026-03-05T00:00:00Z"}});
    world.accept(Method::POST, &format!("{ITEM}/backup"), Some(&body));
    world.settle();
    world.live(24);
    put_item(&mut world, "ProtectionStopped", "");
    world.live(24 * 3);
    assert_eq!(
        kept(&mut world),
        "2026-03-02T20:00:00Z - Stopped\n\
         2026-03-02T09:00:00Z 2026-03-05T00:00:00Z OnDemand\n"
    );
    put_item(&mut world, "Protected", "week");
    world.tick();
    world.settle();
    assert_eq!(
        kept(&mut world),
        "2026-03-02T20:00:00Z 2026-03-09T20:00:00Z Daily\n"
    );
}

#[test]
fn without_its_source_points_expire_and_the_newest_stays_for_ever() {
    let mut world = World::new();
    policy(&mut world, "week", &json!({}), &daily(7));
    world.protect_with("week");
    world.live(24 * 5);
    world.inventory_without("web-1");
    world.live(24);
    assert_eq!(
        kept(&mut world),
        "2026-03-06T20:00:00Z - NewestOfLostSource\n\
         2026-03-05T20:00:00Z 2026-03-12T20:00:00Z Daily\n\
         2026-03-04T20:00:00Z 2026-03-11T20:00:00Z Daily\n\
         2026-03-03T20:00:00Z 2026-03-10T20:00:00Z Daily\n\
         2026-03-02T20:00:00Z 2026-03-09T20:00:00Z Daily\n"
    );
    world.live(24 * 400);
    assert_eq!(
        kept(&mut world),
        "2026-03-06T20:00:00Z - NewestOfLostSource\n"
    );
}

#[test]
fn suspended_points_expire_by_the_policy() {
    let mut world = World::new();
    policy(&mut world, "week", &json!({}), &daily(7));
    world.protect_with("week");
    world.live(24 * 5);
    let immutable = json!({"properties": {"securitySettings": {"immutabilitySettings": {"state": "Unlocked"}}}});
    assert_eq!(
        world.request(Method::PATCH, VAULT, Some(&immutable)).status,
        202
    );
    put_item(&mut world, "BackupsSuspended", "week");
    world.live(24 * 5);
    assert_eq!(
        kept(&mut world),
        "2026-03-06T20:00:00Z 2026-03-13T20:00:00Z Daily\n\
         2026-03-05T20:00:00Z 2026-03-12T20:00:00Z Daily\n"
    );
    world.live(24 * 400);
    // The last copy does not go by its age: this service's own rule on top.
    assert_eq!(kept(&mut world), "2026-03-06T20:00:00Z - Newest\n");
}

#[test]
fn a_soft_deleted_items_points_say_when_they_go() {
    let mut world = World::new();
    policy(&mut world, "week", &json!({}), &daily(7));
    world.protect_with("week");
    world.live(24 * 2);
    world.accept(Method::DELETE, ITEM, None);
    assert_eq!(
        kept(&mut world),
        "2026-03-03T20:00:00Z 2026-03-18T09:00:00Z SoftDeleted\n\
         2026-03-02T20:00:00Z 2026-03-18T09:00:00Z SoftDeleted\n"
    );
    world.live(24 * 15);
    expect![[r#"
        2026-03-18T09:00:00Z Completed
          Items: shop-rg/web-1: 2, 2026-03-02T20:00:00Z to 2026-03-03T20:00:00Z (2 of a soft-deleted item whose time is over)
          Newest Recovery Point: 3/3/2026 8:00:00 PM
          Number of Recovery Points: 2
          Oldest Recovery Point: 3/2/2026 8:00:00 PM
          Reasons: 2 of a soft-deleted item whose time is over
          Remove recovery points Completed: 2 recovery points were removed, of 2026-03-02T20:00:00Z to 2026-03-03T20:00:00Z: 2 of a soft-deleted item whose time is over. By item: shop-rg/web-1: 2, 2026-03-02T20:00:00Z to 2026-03-03T20:00:00Z (2 of a soft-deleted item whose time is over).
    "#]]
    .assert_eq(&cleanups(&mut world));
}

#[test]
fn a_cleanup_says_what_it_removed_and_why() {
    let mut world = World::new();
    policy(&mut world, "month", &json!({}), &both(10, 3));
    world.protect_with("month");
    let body = json!({"properties": {"objectType": "IaasVMBackupRequest", "recoveryPointExpiryTimeInUTC": "2026-03-12T12:00:00Z"}});
    world.accept(Method::POST, &format!("{ITEM}/backup"), Some(&body));
    world.settle();
    world.live(24 * 12);
    assert!(
        world.jobs().lines().all(|line| !line.contains("Cleanup")),
        "only for those who ask"
    );
    // Sunday 8 March is 6 days old now, those of Thursday and before are past the new seven days.
    policy(&mut world, "month", &json!({}), &both(7, 3));
    world.tick();
    world.settle();
    expect![[r#"
        2026-03-13T00:00:00Z Completed
          Items: shop-rg/web-1: 2, 2026-03-02T09:00:00Z to 2026-03-02T20:00:00Z (1 past their daily retention, 1 past the day that they were asked for until)
          Newest Recovery Point: 3/2/2026 8:00:00 PM
          Number of Recovery Points: 2
          Oldest Recovery Point: 3/2/2026 9:00:00 AM
          Reasons: 1 past their daily retention, 1 past the day that they were asked for until
          Remove recovery points Completed: 2 recovery points were removed, of 2026-03-02T09:00:00Z to 2026-03-02T20:00:00Z: 1 past their daily retention, 1 past the day that they were asked for until. By item: shop-rg/web-1: 2, 2026-03-02T09:00:00Z to 2026-03-02T20:00:00Z (1 past their daily retention, 1 past the day that they were asked for until).
        2026-03-14T00:00:00Z Completed
          Items: shop-rg/web-1: 1, 2026-03-03T20:00:00Z (1 past their daily retention)
          Newest Recovery Point: 3/3/2026 8:00:00 PM
          Number of Recovery Points: 1
          Oldest Recovery Point: 3/3/2026 8:00:00 PM
          Reasons: 1 past their daily retention
          Remove recovery points Completed: 1 recovery point was removed, of 2026-03-03T20:00:00Z: 1 past their daily retention. By item: shop-rg/web-1: 1, 2026-03-03T20:00:00Z (1 past their daily retention).
        2026-03-14T09:00:00Z Completed
          Items: shop-rg/web-1: 3, 2026-03-04T20:00:00Z to 2026-03-06T20:00:00Z (3 no longer kept by the policy, which was changed)
          Newest Recovery Point: 3/6/2026 8:00:00 PM
          Number of Recovery Points: 3
          Oldest Recovery Point: 3/4/2026 8:00:00 PM
          Reasons: 3 no longer kept by the policy, which was changed
          Remove recovery points Completed: 3 recovery points were removed, of 2026-03-04T20:00:00Z to 2026-03-06T20:00:00Z: 3 no longer kept by the policy, which was changed. By item: shop-rg/web-1: 3, 2026-03-04T20:00:00Z to 2026-03-06T20:00:00Z (3 no longer kept by the policy, which was changed).
    "#]].assert_eq(&cleanups(&mut world));
}

#[test]
fn shortened_what_is_too_old_goes_lengthened_what_is_there_stays_longer() {
    let mut world = World::new();
    policy(&mut world, "mine", &json!({}), &daily(10));
    world.protect_with("mine");
    world.live(24 * 12);
    assert_eq!(world.points().len(), 10);
    policy(&mut world, "mine", &json!({}), &daily(20));
    world.live(24 * 5);
    assert_eq!(world.points().len(), 15, "none went");
    policy(&mut world, "mine", &json!({}), &daily(7));
    world.tick();
    world.settle();
    assert_eq!(world.points().len(), 7, "at the next cleanup");
}

#[test]
fn from_daily_to_weekly_the_daily_points_go_and_those_of_sundays_stay() {
    let mut world = World::new();
    policy(&mut world, "mine", &json!({}), &both(30, 12));
    world.protect_with("mine");
    world.live(24 * 20);
    policy(&mut world, "mine", &on_sundays(), &weekly(12));
    world.tick();
    world.settle();
    // The newest, of a Saturday, waits for the first of the new schedule.
    assert_eq!(
        kept(&mut world),
        "2026-03-21T20:00:00Z - Newest\n\
         2026-03-15T20:00:00Z 2026-06-07T20:00:00Z Weekly\n\
         2026-03-08T20:00:00Z 2026-05-31T20:00:00Z Weekly\n"
    );
    world.live(48);
    assert_eq!(
        world.points(),
        [
            "2026-03-22T20:00:00Z",
            "2026-03-15T20:00:00Z",
            "2026-03-08T20:00:00Z"
        ]
    );
}

#[test]
fn from_weekly_to_daily_the_points_of_weeks_stay_for_the_days_of_the_policy_in_force() {
    let mut world = World::new();
    policy(&mut world, "mine", &on_sundays(), &weekly(12));
    world.protect_with("mine");
    world.live(24 * 7 * 6);
    assert_eq!(world.points().len(), 6);
    policy(&mut world, "mine", &json!({}), &daily(30));
    world.tick();
    world.settle();
    // 13 April, nine in the morning: thirty days before is 14 March.
    assert_eq!(
        kept(&mut world),
        "2026-04-12T20:00:00Z 2026-05-12T20:00:00Z Daily\n\
         2026-04-05T20:00:00Z 2026-05-05T20:00:00Z Daily\n\
         2026-03-29T20:00:00Z 2026-04-28T20:00:00Z Daily\n\
         2026-03-22T20:00:00Z 2026-04-21T20:00:00Z Daily\n\
         2026-03-15T20:00:00Z 2026-04-14T20:00:00Z Daily\n"
    );
}

#[test]
fn other_days_with_the_same_retention_reach_new_points_alone() {
    let mut world = World::new();
    policy(&mut world, "mine", &json!({}), &both(7, 12));
    world.protect_with("mine");
    world.live(24 * 20);
    let mondays = json!({"daysOfTheWeek": ["Monday"], "retentionDuration": {"count": 12, "durationType": "Weeks"}});
    let mut retention = daily(7);
    retention["weeklySchedule"] = mondays;
    policy(&mut world, "mine", &json!({}), &retention);
    world.live(24 * 14);
    let weekly: Vec<String> = kept(&mut world)
        .lines()
        .filter(|line| line.ends_with("Weekly"))
        .map(|line| line[..10].to_owned())
        .collect();
    assert_eq!(
        weekly,
        ["2026-03-30", "2026-03-23", "2026-03-15", "2026-03-08"]
    );
}

#[test]
fn many_items_are_named_up_to_a_number_and_counted_beyond() {
    let mut world = World::new();
    world.max_jobs = 40;
    policy(&mut world, "week", &json!({}), &daily(7));
    let like = world.inventory.resource_groups[0].virtual_machines[0].clone();
    for number in 0..30 {
        let name = format!("m-{number:02}");
        let mut vm = like.clone();
        vm.name.clone_from(&name);
        world.inventory.resource_groups[0].virtual_machines.push(vm);
        let (item, id) = (ITEM.replace("web-1", &name), WEB_1.replace("web-1", &name));
        world.accept(Method::PUT, &item, Some(&protection(&id, "week")));
    }
    world.live(24 * 8);
    let found = cleanups(&mut world);
    assert!(found.contains("Number of Recovery Points: 30\n"), "{found}");
    assert!(
        found.contains("shop-rg/m-19: 1,") && !found.contains("m-20"),
        "{found}"
    );
    assert!(found.contains("; 10 of other items"), "{found}");
}

#[test]
fn a_removal_that_fails_says_nothing_that_did_not_happen() {
    let mut world = World::new();
    policy(&mut world, "week", &json!({}), &daily(7));
    world.protect_with("week");
    world.live(24 * 7 + 12);
    world.now = at("2026-03-10T00:00:00Z");
    world.tick();
    let removal = world.movers.keys().next().cloned().unwrap();
    world.fail(&removal, kluis_vault::FailureCode::NoSpace);
    let found = cleanups(&mut world);
    assert!(
        found.contains("Failed") && !found.contains("Reasons"),
        "{found}"
    );
    world.live(24);
    let found = cleanups(&mut world);
    assert!(
        found.contains("1 left by a removal that was begun before"),
        "{found}"
    );
}
