//! Cancelling: what waits ends at once, what runs when its mover is gone, what is done stays done.

use http::Method;
use kluis_vault::Event;
use serde_json::json;

use super::world::{ITEM, World, restore_request};

fn cancel(world: &mut World, job: &str) -> String {
    let response = world.request(Method::POST, &format!("backupJobs/{job}/cancel"), None);
    assert_eq!((response.status, &response.body), (202, &None));
    let url = response
        .header("Location")
        .unwrap()
        .replace("https://localhost", "");
    assert!(
        url.contains(&format!("/backupJobs/{job}/operationResults/")),
        "{url}"
    );
    url.split('?').next().unwrap().to_owned()
}

#[test]
fn a_running_backup_is_cancelled_once_its_mover_is_gone() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_now();
    world.hear(&job, Event::Started { pid: 7 });
    world.hear(&job, Event::Progress { done: 1, total: 10 });
    let url = cancel(&mut world, &job);
    assert!(world.killed.contains(&job));
    assert_eq!(world.job(&job)["status"], "Cancelling");
    assert_eq!(world.request(Method::GET, &url, None).status, 202);
    assert!(
        world
            .refused(
                Method::POST,
                &format!("{ITEM}/backup"),
                Some(&super::world::backup_request())
            )
            .starts_with("409")
    );
    world.exit(&job, None);
    let seen = world.job(&job);
    assert_eq!(seen["status"], "Cancelled");
    assert_eq!(seen["extendedInfo"]["tasksList"][0]["status"], "Cancelled");
    assert_eq!(world.request(Method::GET, &url, None).status, 204);
    assert_eq!(world.points(), Vec::<String>::new());
    world.backup_now();
}

#[test]
fn a_backup_whose_snapshots_are_taken_is_not_cancelled_any_more() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_now();
    world.evidence(&job);
    world.hear(&job, Event::Finished);
    for mover in ["that took the snapshots", "that transfers them"] {
        assert_eq!(world.job(&job)["actionsInfo"], json!(["Cancellable"]));
        let refused = world.refused(Method::POST, &format!("backupJobs/{job}/cancel"), None);
        assert!(
            refused.starts_with("400 UserErrorJobNotCancellable"),
            "the mover {mover}: {refused}"
        );
        if world.job(&job)["extendedInfo"]["tasksList"][1]["status"] == "NotStarted" {
            world.exit(&job, Some(0));
            world.hear(&job, Event::Started { pid: 8 });
        }
    }
    world.succeed(&job);
    assert_eq!(world.job(&job)["status"], "Completed");
}

#[test]
fn a_backup_whose_snapshots_were_taken_before_its_mover_was_ended_goes_on_to_the_vault() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_now();
    let url = cancel(&mut world, &job);
    world.evidence(&job);
    world.hear(&job, Event::Finished);
    world.exit(&job, None);
    assert_eq!(world.request(Method::GET, &url, None).status, 400);
    assert_eq!(world.job(&job)["status"], "InProgress");
    world.succeed(&job);
    assert_eq!(world.job(&job)["status"], "Completed");
    assert_eq!(world.points().len(), 1);
}

#[test]
fn a_job_that_waits_is_cancelled_at_once() {
    let mut world = World::new();
    world.max_jobs = 1;
    world.protect();
    let second = ITEM.replace("web-1", "web-2");
    let body = super::world::protection(
        &super::world::WEB_1.replace("web-1", "web-2"),
        "DefaultPolicy",
    );
    world.accept(Method::PUT, &second, Some(&body));
    world.backup_now();
    let waiting = world.accept(
        Method::POST,
        &format!("{second}/backup"),
        Some(&super::world::backup_request()),
    );
    cancel(&mut world, &waiting);
    assert_eq!(world.job(&waiting)["status"], "Cancelled");
    assert!(world.killed.is_empty());
    let again = world.refused(Method::POST, &format!("backupJobs/{waiting}/cancel"), None);
    assert!(
        again.starts_with("400 UserErrorJobNotCancellable"),
        "{again}"
    );
}

#[test]
fn a_cancel_that_is_sent_twice_is_one() {
    let mut world = World::new();
    world.protect();
    let job = world.backup_now();
    world.hear(&job, Event::Started { pid: 7 });
    let first = cancel(&mut world, &job);
    world.killed.clear();
    assert_eq!(cancel(&mut world, &job), first, "the same operation");
    assert!(world.killed.is_empty(), "ended once");
    world.exit(&job, None);
    assert_eq!(world.job(&job)["status"], "Cancelled");
    assert_eq!(world.request(Method::GET, &first, None).status, 204);
}

#[test]
fn a_restore_can_be_cancelled_until_it_is_done() {
    let mut world = World::new();
    world.protect();
    world.backup_now();
    world.settle();
    let path = format!("{ITEM}/recoveryPoints/{}/restore", world.newest_point());
    let job = world.accept(Method::POST, &path, Some(&restore_request("shop-restored")));
    world.hear(&job, Event::Started { pid: 7 });
    world.hear(
        &job,
        Event::Restored {
            disk: "web-1-os".to_owned(),
            bytes: 1,
            sha256: "5ha".to_owned(),
        },
    );
    cancel(&mut world, &job);
    world.exit(&job, None);
    assert_eq!(world.job(&job)["status"], "Cancelled");
}
