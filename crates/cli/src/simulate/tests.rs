//! What `kluis simulate` says of a handful of policies, to the letter, and that its pictures in the guide are of today.

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect, expect_file};
use jiff::civil::{Date, date};

use super::outcome::Outcome;
use super::{document, outcome, page, picture, table, words};
use crate::args::{Look, SimulateArgs};

/// A policy of the guide's pictures.
fn policy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/pictures")
        .join(name)
}

fn args(file: &str, from: Date, years: u16, on: Option<Date>) -> SimulateArgs {
    SimulateArgs {
        filename: vec![policy(file)],
        policy: None,
        from,
        years,
        on,
        size: None,
        change: None,
        output: Look::Table,
    }
}

fn ten_years(file: &str) -> SimulateArgs {
    args(file, date(2026, 1, 1), 10, None)
}

fn printed(args: &SimulateArgs) -> String {
    let mut out = Vec::new();
    table::print(&outcome(args).unwrap(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The summary and the tiers, without the points.
fn told(args: &SimulateArgs, expected: &Expect) {
    let whole = printed(args);
    let points = whole.find("RECOVERY POINT ").unwrap_or(whole.len());
    expected.assert_eq(whole[..points].trim_end());
}

#[test]
fn a_small_policy_is_told_point_by_point() {
    let on = date(2026, 3, 31);
    expect![[r#"
        short on 2026-03-31: 10 recovery points
        daily at 22:30, Europe/Amsterdam
        From 2026-01-01 on 90 made and 80 gone again; never more than 10 at once, on 2026-01-25 first.
        Azure adjusts nothing when the clocks change: runs stay 24 hours apart. By the clock on the wall a day's first run is at 22:30 while the zone is at UTC+01:00 and 23:30 while the zone is at UTC+02:00.

        TIER     KEEPS     POINTS   OLDEST                    NEWEST
        weekly   4 weeks   4        2026-03-08 22:30 +01:00   2026-03-29 23:30 +02:00
        daily    7 days    7        2026-03-25 22:30 +01:00   2026-03-31 23:30 +02:00

        RECOVERY POINT            KIND   GOES                      KEPT BY
        2026-03-08 22:30 +01:00   full   2026-04-05 23:30 +02:00   weekly
        2026-03-15 22:30 +01:00   full   2026-04-12 23:30 +02:00   weekly
        2026-03-22 22:30 +01:00   full   2026-04-19 23:30 +02:00   weekly
        2026-03-25 22:30 +01:00   full   2026-04-01 23:30 +02:00   daily
        2026-03-26 22:30 +01:00   full   2026-04-02 23:30 +02:00   daily
        2026-03-27 22:30 +01:00   full   2026-04-03 23:30 +02:00   daily
        2026-03-28 22:30 +01:00   full   2026-04-04 23:30 +02:00   daily
        2026-03-29 23:30 +02:00   full   2026-04-26 23:30 +02:00   weekly
        2026-03-30 23:30 +02:00   full   2026-04-06 23:30 +02:00   daily
        2026-03-31 23:30 +02:00   full   2026-04-07 23:30 +02:00   daily
    "#]].assert_eq(&printed(&args("short.yaml", date(2026, 1, 1), 1, Some(on))));
}

#[test]
fn ten_years_of_grandfathers() {
    told(
        &ten_years("daily-gfs.yaml"),
        &expect![[r#"
            daily-gfs on 2035-12-31: 100 recovery points
            daily at 22:30, Europe/Amsterdam
            From 2026-01-01 on 3,652 made and 3,552 gone again; never more than 101 at once, on 2035-01-30 first.
            Azure adjusts nothing when the clocks change: runs stay 24 hours apart. By the clock on the wall a day's first run is at 22:30 while the zone is at UTC+01:00 and 23:30 while the zone is at UTC+02:00.

            TIER      KEEPS       POINTS   OLDEST                    NEWEST
            yearly    10 years    10       2026-01-04 22:30 +01:00   2035-01-07 22:30 +01:00
            monthly   60 months   60       2031-01-05 22:30 +01:00   2035-12-02 22:30 +01:00
            weekly    12 weeks    12       2035-10-14 23:30 +02:00   2035-12-30 22:30 +01:00
            daily     30 days     30       2035-12-02 22:30 +01:00   2035-12-31 22:30 +01:00"#]],
    );
}

#[test]
fn ten_years_of_every_four_hours() {
    let args = SimulateArgs {
        size: "100GiB".parse().ok(),
        change: "2%".parse().ok(),
        ..ten_years("hourly.yaml")
    };
    told(
        &args,
        &expect![[r#"
        hourly on 2035-12-31: 234 recovery points
        every 4 hours from 00:00 for 24 hours, UTC
        From 2026-01-01 on 21,912 made and 21,678 gone again; never more than 235 at once, on 2028-03-30 first.
        About 1.23 TiB for an item of 100.00 GiB that changes by 2% a day (the oldest point holds everything, each later one the blocks that changed since the point before it that is still there; no compression); as copies it would be 22.85 TiB.

        TIER      KEEPS       POINTS   OLDEST                    NEWEST
        monthly   24 months   48       2034-01-01 00:00 +00:00   2035-12-31 00:00 +00:00
        weekly    12 weeks    12       2035-10-14 00:00 +00:00   2035-12-30 00:00 +00:00
        daily     30 days     180      2035-12-02 00:00 +00:00   2035-12-31 20:00 +00:00"#]],
    );
}

/// Ten years of a policy that is nowhere but here.
fn of_spec(name: &str, zone: &str, spec: &str) -> anyhow::Result<Outcome> {
    let text = format!(
        "apiVersion: kluis.dev/v1alpha1\nkind: BackupPolicy\nmetadata: {{ namespace: shop, name: {name} }}\nspec:\n  timeZone: {zone}\n{spec}"
    );
    let file = std::env::temp_dir().join(format!("kluis-{name}-{}.yaml", std::process::id()));
    std::fs::write(&file, text).unwrap();
    let found = outcome(&SimulateArgs {
        filename: vec![file.clone()],
        ..ten_years("short.yaml")
    });
    std::fs::remove_file(&file).unwrap();
    found
}

/// The remarks on a policy that is nowhere but here.
fn remarks(name: &str, spec: &str) -> Vec<String> {
    of_spec(name, "UTC", spec).unwrap().remarks()
}

/// A daily one that follows the clocks and keeps everything.
fn followed(at: &str) -> String {
    format!(
        "  workload: VirtualMachine\n  schedule: {{ daily: {{ at: \"{at}\" }}, daylightSaving: Follow }}\n  retention: {{ daily: {{ keep: 9999 }} }}\n"
    )
}

/// One night a year has no 02:30, and no other day is like that night.
#[test]
fn what_is_remarked_of_a_day_s_first_run_holds_for_every_day() {
    let outcome = of_spec("follows", "Europe/Berlin", &followed("02:30")).unwrap();
    let at = |wall: &str| {
        let shown = outcome
            .points
            .iter()
            .map(|made| words::moment(made.due, &outcome.policy.strategy.zone));
        shown.filter(|shown| shown.contains(wall)).count()
    };
    assert_eq!((at(" 02:30 "), at(" 03:30 ")), (3_642, 10));
    expect![[r#"
        [
            "The policy follows the clock on the wall (daylightSaving: Follow): it is edited at each change, and a day's first run is at 02:30. On 10 days, 2026-03-29 the first of them, it is at 03:30.",
        ]
    "#]]
    .assert_debug_eq(&outcome.remarks());
    let calm = of_spec("calm", "Europe/Berlin", &followed("22:30")).unwrap();
    expect![[r#"
        [
            "The policy follows the clock on the wall (daylightSaving: Follow): it is edited at each change, and a day's first run stays at 22:30.",
        ]
    "#]]
    .assert_debug_eq(&calm.remarks());
}

#[test]
fn more_points_than_an_item_can_have_are_told_from_the_day_on_which_they_are() {
    let spec = "  workload: VirtualMachine\n  tier: Enhanced\n  schedule: { hourly: { every: 4h, from: \"00:00\", for: 24h } }\n  retention: { daily: { keep: 9999 } }\n";
    let outcome = of_spec("crowded", "UTC", spec).unwrap();
    // Six a day from 2026-01-01 on: the 10,000th is made on the 1,667th day.
    assert_eq!(outcome.beyond, Some(date(2030, 7, 25)));
    let remarks = outcome.remarks().join(" ");
    assert!(remarks.contains("from 2030-07-25 on"), "{remarks}");
}

#[test]
fn what_validate_refuses_is_not_simulated_and_refused_in_the_same_words() {
    for (name, zone, spec, words) in [
        (
            "strays",
            "Europe/Berlin",
            followed("00:30"),
            "in summer an hour earlier would be the day before",
        ),
        (
            "nowhere",
            "Europe/Atlantis",
            followed("22:30"),
            "spec.timeZone",
        ),
    ] {
        let refused = of_spec(name, zone, &spec).unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
        assert!(refused.contains("`kluis validate` shows"), "{refused}");
    }
}

#[test]
fn every_workload_is_measured_by_its_own_number_of_points() {
    let weeks = "weekly: { keep: 52, on: [Sunday] }";
    let disk = format!(
        "  workload: Disk\n  schedule: {{ hourly: {{ every: 4h, from: \"08:00\" }} }}\n  retention: {{ daily: {{ keep: 75 }}, {weeks} }}\n"
    );
    let share = "  workload: FileShare\n  schedule: { daily: { at: \"22:30\" } }\n  retention: { daily: { keep: 150 }, weekly: { keep: 200, on: [Sunday] } }\n";
    let beyond = |spec: &str, name: &str| {
        let found = remarks(name, spec);
        found
            .into_iter()
            .find(|remark| remark.starts_with("An item can have"))
    };
    let of_disk = beyond(&disk, "disk").unwrap();
    assert!(
        of_disk.starts_with("An item can have 450 recovery points (rule 18)"),
        "{of_disk}"
    );
    let of_share = beyond(share, "share").unwrap();
    assert!(
        of_share.starts_with("An item can have 200 recovery points (rule 17)"),
        "{of_share}"
    );
    let vaulted = format!("{share}  instantRestore: {{ keepDays: 7 }}\n");
    assert_eq!(beyond(&vaulted, "vaulted"), None);
}

#[test]
fn a_database_with_its_logs() {
    let args = SimulateArgs {
        size: "100GiB".parse().ok(),
        change: "2%".parse().ok(),
        ..ten_years("sql.yaml")
    };
    told(
        &args,
        &expect![[r#"
            sql on 2035-12-31: 76 recovery points
            Sunday at 22:00; differential Wednesday at 22:00; logs every 15 minutes, Europe/Amsterdam
            From 2026-01-01 on 1,043 made and 967 gone again; never more than 77 at once, on 2032-01-28 first.
            Beside them 1,448 logs of 350,216 that were made.
            About 7.08 TiB for an item of 100.00 GiB that changes by 2% a day (a full is the size, a differential what changed since its full, an incremental since the backup before it, a log all that was written; no compression); as copies it would be 7.42 TiB.
            Azure adjusts nothing when the clocks change: runs stay as far apart as they are. By the clock on the wall a day's first run is at 22:00 while the zone is at UTC+01:00 and 23:00 while the zone is at UTC+02:00.
            Between its oldest and its newest log a database can be restored to any second.

            TIER           KEEPS       POINTS   OLDEST                    NEWEST
            yearly         7 years     7        2029-01-07 22:00 +01:00   2035-01-07 22:00 +01:00
            monthly        60 months   60       2031-01-05 22:00 +01:00   2035-12-02 22:00 +01:00
            weekly         12 weeks    12       2035-10-14 23:00 +02:00   2035-12-30 22:00 +01:00
            differential   30 days     4        2035-12-05 22:00 +01:00   2035-12-26 22:00 +01:00
            log            15 days     1,448    2035-12-16 22:00 +01:00   2035-12-31 23:45 +01:00"#]],
    );
}

#[test]
fn summer_is_an_hour_later_unless_the_policy_follows() {
    let summer = Some(date(2026, 7, 15));
    let line = |file: &str| {
        let told = printed(&args(file, date(2026, 7, 10), 1, summer));
        let newest = told.lines().last().unwrap_or_default();
        newest.split("  ").next().unwrap_or_default().to_owned()
    };
    assert_eq!(line("daily-gfs.yaml"), "2026-07-15 23:30 +02:00");
    assert_eq!(line("follow.yaml"), "2026-07-15 22:30 +02:00");
}

#[test]
fn what_programs_read() {
    let on = date(2026, 1, 9);
    let outcome = outcome(&args("short.yaml", date(2026, 1, 1), 1, Some(on))).unwrap();
    let json = serde_json::to_string_pretty(&document::of(&outcome)).unwrap();
    expect![[r#"
        {
          "schema": "kluis.dev/simulation/v1",
          "policy": "short",
          "workload": "VirtualMachine",
          "schedule": "daily at 22:30",
          "timeZone": "Europe/Amsterdam",
          "daylightSaving": "Ignore",
          "from": "2026-01-01",
          "on": "2026-01-09",
          "made": 9,
          "existing": 7,
          "mostAtOnce": 7,
          "mostFirstOn": "2026-01-07",
          "tiers": [
            {
              "name": "weekly",
              "keeps": "4 weeks",
              "points": 1,
              "oldest": "2026-01-04T22:30:00+01:00",
              "newest": "2026-01-04T22:30:00+01:00"
            },
            {
              "name": "daily",
              "keeps": "7 days",
              "points": 7,
              "oldest": "2026-01-03T22:30:00+01:00",
              "newest": "2026-01-09T22:30:00+01:00"
            }
          ],
          "remarks": [],
          "points": [
            {
              "due": "2026-01-03T22:30:00+01:00",
              "kind": "full",
              "until": "2026-01-10T22:30:00+01:00",
              "keptBy": "daily"
            },
            {
              "due": "2026-01-04T22:30:00+01:00",
              "kind": "full",
              "until": "2026-02-01T22:30:00+01:00",
              "keptBy": "weekly"
            },
            {
              "due": "2026-01-05T22:30:00+01:00",
              "kind": "full",
              "until": "2026-01-12T22:30:00+01:00",
              "keptBy": "daily"
            },
            {
              "due": "2026-01-06T22:30:00+01:00",
              "kind": "full",
              "until": "2026-01-13T22:30:00+01:00",
              "keptBy": "daily"
            },
            {
              "due": "2026-01-07T22:30:00+01:00",
              "kind": "full",
              "until": "2026-01-14T22:30:00+01:00",
              "keptBy": "daily"
            },
            {
              "due": "2026-01-08T22:30:00+01:00",
              "kind": "full",
              "until": "2026-01-15T22:30:00+01:00",
              "keptBy": "daily"
            },
            {
              "due": "2026-01-09T22:30:00+01:00",
              "kind": "full",
              "until": "2026-01-16T22:30:00+01:00",
              "keptBy": "daily"
            }
          ]
        }"#]]
    .assert_eq(&json);

    let sql = super::outcome(&ten_years("sql.yaml")).unwrap();
    let sql = serde_json::to_value(document::of(&sql)).unwrap();
    assert_eq!(sql["workload"], "SQLServer");
}

/// The guide's pictures. `UPDATE_EXPECT=1` draws them anew.
#[test]
fn the_pictures_of_the_guide_are_of_today() {
    for name in ["daily-gfs", "hourly", "sql"] {
        let outcome = outcome(&ten_years(&format!("{name}.yaml"))).unwrap();
        let file = policy(&format!("{name}.svg"));
        expect_file![file].assert_eq(&picture::of(&outcome));
    }
}

#[test]
fn a_page_needs_nothing_from_elsewhere_and_runs_nothing() {
    let outcome = outcome(&ten_years("daily-gfs.yaml")).unwrap();
    let page = page::of(&outcome);
    for foreign in ["<script", "href=", "src=", "url(", "@import"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert_eq!(page.matches("<svg").count(), 1);
    assert_eq!(
        page.matches("<tr>").count(),
        2 + outcome.rows.len() + outcome.points.len()
    );
    for (open, close) in [("<table>", "</table>"), ("<g", "</g>"), ("<path", "/>")] {
        assert!(page.contains(open) && page.contains(close));
    }
}

#[test]
fn a_picture_of_ninety_nine_years_is_one_that_can_be_sent() {
    let outcome = outcome(&args("hourly.yaml", date(2026, 1, 1), 99, None)).unwrap();
    assert!(outcome.made > 200_000, "{}", outcome.made);
    let picture = picture::of(&outcome);
    assert!(picture.len() < 400_000, "{} bytes", picture.len());
}

#[test]
fn every_hour_for_ten_years_is_every_hour_for_ten_years() {
    let outcome = outcome(&ten_years("disk.yaml")).unwrap();
    // 3,652 days from 2026 to 2035; two weeks of them stay.
    assert_eq!(outcome.made, 3_652 * 24);
    assert_eq!(outcome.points.len(), 14 * 24);
    assert_eq!(outcome.most.0, 14 * 24);
}

#[test]
fn half_of_a_disk_that_changed_is_half_a_disk_more() {
    let second_day = Some(date(2026, 1, 2));
    let args = SimulateArgs {
        size: "100GiB".parse().ok(),
        change: "50%".parse().ok(),
        ..args("short.yaml", date(2026, 1, 1), 1, second_day)
    };
    let storage = outcome(&args).unwrap().storage.unwrap();
    assert_eq!(storage.bytes, 150 << 30);
    assert_eq!(storage.as_copies, 200 << 30);
}

#[test]
fn a_day_outside_of_what_is_simulated_is_an_error_that_says_so() {
    let args = args("short.yaml", date(2026, 1, 1), 1, Some(date(2027, 1, 1)));
    let error = outcome(&args).unwrap_err().to_string();
    expect![
        "--on 2027-01-01 is not simulated: that goes from 2026-01-01 to 2026-12-31 (--years 1)"
    ]
    .assert_eq(&error);
}

#[test]
fn which_policy_is_asked_where_there_are_several() {
    let folder = SimulateArgs {
        filename: vec![policy("")],
        ..ten_years("short.yaml")
    };
    let error = outcome(&folder).unwrap_err().to_string();
    assert!(error.contains("choose one with --policy"), "{error}");
    let one = SimulateArgs {
        policy: Some("short".to_owned()),
        ..folder
    };
    assert_eq!(outcome(&one).unwrap().policy.name, "short");
}
