//! What `kluis validate` says of manifests together, which no API server asks: objectives that a schedule cannot meet, zones that
//! are none, policies of another workload, and more recovery points than there may be.

use std::fs;
use std::process::{Command, Output};

use kluis_tests::binary::kluis;
use kluis_tests::place::scratch;

const DAILY: &str = r#"apiVersion: kluis.dev/v1alpha1
kind: BackupPolicy
metadata: { namespace: shop, name: daily }
spec:
  workload: VirtualMachine
  timeZone: Europe/Amsterdam
  schedule:
    daily: { at: "22:30" }
  retention:
    daily: { keep: 30 }
"#;

const MACHINE: &str = r#"apiVersion: kluis.dev/v1alpha1
kind: ProtectedVM
metadata: { namespace: shop, name: web-1 }
spec:
  vaultRef: { name: shop-weu }
  policyRef:
    name: daily
  vm: { resourceGroup: shop-rg, name: web-1 }
  objectives:
    rpo: 24h
"#;

/// What is said of a policy and a machine in two files, with the name of their folder left out.
fn said(policy: &str, machine: &str) -> (Option<i32>, String) {
    let dir = scratch("outlook").unwrap();
    fs::write(dir.path().join("policy.yaml"), policy).unwrap();
    fs::write(dir.path().join("vm.yaml"), machine).unwrap();
    let output: Output = Command::new(kluis().unwrap())
        .args(["validate", "-f"])
        .arg(dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let folder = format!("{}/", dir.path().display());
    (output.status.code(), text.replace(&folder, ""))
}

#[test]
fn a_schedule_that_cannot_meet_its_objective_is_a_warning() {
    let (code, text) = said(DAILY, MACHINE);
    assert_eq!(code, Some(0));
    assert_eq!(
        text,
        "vm.yaml:10:5: warning: ProtectedVM shop/web-1: spec.objectives.rpo: the policy daily leaves up to 24h between two backups, so \
         that an objective of 24h is broken although every backup succeeds: ask for more than that, or back up more often\n\
         2 objects in 2 files: 1 warning\n"
    );
}

#[test]
fn an_objective_with_an_hour_to_spare_is_met() {
    let (code, text) = said(DAILY, &MACHINE.replace("24h", "25h"));
    assert_eq!(
        (code, text.as_str()),
        (Some(0), "2 objects in 2 files: nothing wrong\n")
    );
}

#[test]
fn a_policy_that_follows_the_clock_has_a_day_of_25_hours() {
    let follows = DAILY.replace("daily: { at", "daylightSaving: Follow\n    daily: { at");
    let (_, text) = said(&follows, &MACHINE.replace("24h", "25h"));
    assert!(
        text.contains("leaves up to 25h between two backups"),
        "{text}"
    );
}

#[test]
fn the_night_counts_for_an_hourly_schedule() {
    let hourly = DAILY
        .replace(
            "daily: { at: \"22:30\" }",
            "hourly: { every: 4h, from: \"08:00\", for: 12h }",
        )
        .replace(
            "workload: VirtualMachine",
            "workload: VirtualMachine\n  tier: Enhanced",
        );
    let (code, text) = said(&hourly, &MACHINE.replace("24h", "6h"));
    assert_eq!(code, Some(0));
    assert!(
        text.contains("leaves up to 12h between two backups"),
        "{text}"
    );
}

#[test]
fn a_zone_that_is_none_is_an_error() {
    let (code, text) = said(&DAILY.replace("Amsterdam", "Utopia"), MACHINE);
    assert_eq!(code, Some(1));
    assert!(
        text.starts_with("policy.yaml:6:3: BackupPolicy shop/daily: spec.timeZone: "),
        "{text}"
    );
    assert!(text.contains("Europe/Utopia"), "{text}");
}

#[test]
fn a_policy_for_another_workload_is_an_error() {
    let (code, text) = said(&DAILY.replace("VirtualMachine", "SQLServer"), MACHINE);
    assert_eq!(code, Some(1));
    assert_eq!(
        text,
        "vm.yaml:7:5: ProtectedVM shop/web-1: spec.policyRef.name: the policy is for SQLServer (policy.yaml): a machine needs one for \
         VirtualMachine\n2 objects in 2 files: 1 error\n"
    );
}

#[test]
fn a_policy_of_another_namespace_is_not_the_one_that_is_named() {
    let elsewhere = DAILY
        .replace("namespace: shop", "namespace: bank")
        .replace("VirtualMachine", "SQLServer");
    let (code, text) = said(&elsewhere, MACHINE);
    assert_eq!(
        (code, text.as_str()),
        (Some(0), "2 objects in 2 files: nothing wrong\n")
    );
}

#[test]
fn a_run_that_would_leave_its_day_cannot_follow_the_clock() {
    let stray = DAILY
        .replace(
            "daily: { at: \"22:30\" }",
            "daylightSaving: Follow\n    hourly: { every: 8h, from: \"08:00\", for: 16h }",
        )
        .replace(
            "workload: VirtualMachine",
            "workload: VirtualMachine\n  tier: Enhanced",
        );
    let (code, text) = said(&stray, &MACHINE.replace("24h", "25h"));
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("spec.schedule: it cannot follow the clock of Europe/Amsterdam"),
        "{text}"
    );
    assert!(text.contains("(rule 44)"), "{text}");
}

#[test]
fn a_backup_that_nothing_keeps_is_a_warning() {
    let weekly = DAILY
        .replace(
            "daily: { at: \"22:30\" }",
            "weekly: { on: [Wednesday, Sunday], at: \"22:30\" }",
        )
        .replace("daily: { keep: 30 }", "weekly: { keep: 12, on: [Sunday] }");
    let (code, text) = said(&weekly, &MACHINE.replace("24h", "120h"));
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.starts_with("policy.yaml:9:3: warning: BackupPolicy shop/daily: spec.retention: nothing keeps the backup of Wednesday, "),
        "{text}"
    );
}

#[test]
fn more_points_than_an_item_may_have_are_a_warning() {
    let share = DAILY.replace("VirtualMachine", "FileShare").replace(
        "daily: { keep: 30 }",
        "daily: { keep: 150 }\n    weekly: { keep: 200, on: [Sunday] }",
    );
    let (code, text) = said(&share, &MACHINE.replace("name: daily", "name: another"));
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.starts_with(
            "policy.yaml:9:3: warning: BackupPolicy shop/daily: spec.retention: it comes to "
        ),
        "{text}"
    );
    assert!(
        text.contains("Azure has 200 at most") && text.contains("(rule 17)"),
        "{text}"
    );
}
