//! The limits of every workload on its wire, from the one table: its least and its most are taken, one beyond either is
//! refused; and the rules between fields.

use jiff::civil::{Weekday, time};
use kluis_arm::policy::{Archive, LimitBroken, RenderError, Terms, render};
use kluis_arm::{dataprotection, policy};
use kluis_policy::limits::{CHOICES, Case, LIMITS, POINTS};
use kluis_policy::{
    Between, Daily, Frequency, Month, MonthDays, Monthly, Retention, Week, Weekly, Workload, Yearly,
};

use crate::databases::weekly_fulls;

fn check(terms: &Terms) -> Result<(), LimitBroken> {
    match terms.workload {
        Workload::Disk | Workload::PostgreSql => {
            dataprotection::check_limits(&dataprotection::render(terms).unwrap())
        }
        _ => policy::check_limits(&render(terms).unwrap()),
    }
}

/// A good policy of a workload, in which every tier is as long as it may be, so that each can be varied by itself.
fn good(workload: Workload, is_weekly: bool) -> Terms {
    let most = |field: &str| {
        let found = LIMITS
            .iter()
            .find(|limit| limit.workload == workload && limit.field == field);
        found.unwrap().most
    };
    let at = time(22, 0, 0, 0);
    let on = vec![Weekday::Sunday];
    let days = || MonthDays::Weekdays {
        weeks: vec![Week::First],
        on: vec![Weekday::Sunday],
    };
    let yearly = Yearly {
        keep: most("retention.yearly.keep"),
        months: vec![Month::January],
        on: days(),
    };
    let retention = Retention {
        daily: (!is_weekly).then_some(Daily { keep: 30 }),
        weekly: Some(Weekly {
            keep: if is_weekly { 30 } else { 5 },
            on: on.clone(),
        }),
        monthly: Some(Monthly {
            keep: 12,
            on: days(),
        }),
        yearly: Some(yearly),
    };
    let frequency = if is_weekly {
        Frequency::Weekly { on, at }
    } else {
        Frequency::Daily { at }
    };
    let terms = Terms::new(workload, frequency, "Europe/Amsterdam", retention);
    match (workload, is_weekly) {
        (Workload::VirtualMachine, _) => Terms {
            instant_restore_days: Some(if is_weekly { 5 } else { 2 }),
            ..terms
        },
        (Workload::SqlServer | Workload::SapHana, true) => Terms {
            retention: terms.retention,
            archive: None,
            ..weekly_fulls(workload)
        },
        _ => terms,
    }
}

/// The policy with the field at a number; none where the field belongs to another kind of policy, or where a Backup vault's
/// rules cannot say so short a tier.
fn with(workload: Workload, case: Case, field: &str, number: u32) -> Option<Terms> {
    let mut terms = good(workload, false);
    match field {
        "retention.daily.keep" => {
            terms.retention = Retention {
                daily: Some(Daily { keep: number }),
                ..Retention::default()
            };
            if workload == Workload::VirtualMachine {
                terms.instant_restore_days = Some(1);
            }
        }
        "retention.weekly.keep" => {
            let daily = terms.retention.daily.as_mut()?;
            daily.keep = daily.keep.min(7);
            terms.retention.weekly.as_mut()?.keep = number;
        }
        "retention.monthly.keep" => {
            terms.retention.daily.as_mut()?.keep = 7;
            terms.retention.monthly.as_mut()?.keep = number;
        }
        "retention.yearly.keep" => terms.retention.yearly.as_mut()?.keep = number,
        "instantRestore.keepDays" => {
            match case {
                Case::StandardWeekly => terms = good(workload, true),
                Case::Enhanced => terms.generation = policy::Generation::Enhanced,
                Case::Always | Case::InVault | Case::StandardDaily => {}
            }
            if let Some(daily) = &mut terms.retention.daily {
                daily.keep = 60;
            }
            terms.instant_restore_days = Some(number);
        }
        "schedule.hourly.for" => {
            if workload == Workload::VirtualMachine {
                terms.generation = policy::Generation::Enhanced;
            }
            terms.retention.daily.as_mut()?.keep = 10;
            terms.frequency = Frequency::Hourly {
                every: 12,
                from: time(8, 0, 0, 0),
                window: number.try_into().ok()?,
            };
        }
        "archive.after" => {
            terms.archive = Some(match workload {
                Workload::VirtualMachine => Archive::After { months: number },
                _ => Archive::AfterDays { days: number },
            });
        }
        "differential.keep" | "incremental.keep" | "log.every" | "log.keep" => {
            terms = good(workload, true);
            let between = terms.differential.take()?;
            let between = Between {
                keep_days: number,
                ..between
            };
            let log = terms.log.as_mut()?;
            match field {
                "differential.keep" => terms.differential = Some(between),
                "incremental.keep" => terms.incremental = Some(between),
                "log.every" => log.every_minutes = number.try_into().ok()?,
                _ => log.keep_days = number,
            }
        }
        other => panic!("{other} is in the table, and nobody tries it"),
    }
    Some(terms)
}

#[test]
fn the_tables_numbers_are_the_wires_limits() {
    for workload in Workload::ALL {
        assert_eq!(check(&good(workload, false)), Ok(()), "{workload:?}");
    }
    let mut tried = 0;
    for limit in LIMITS.iter().filter(|limit| limit.field != POINTS) {
        let mut numbers = vec![
            (limit.least, true),
            (limit.most, true),
            (limit.most + 1, false),
        ];
        if limit.least > 0 {
            numbers.push((limit.least - 1, false));
        }
        for (number, is_taken) in numbers {
            let of = (limit.workload, limit.case, limit.field);
            let terms = with(limit.workload, limit.case, limit.field, number).unwrap();
            let found = match check(&terms) {
                // How many points a disk or a share may have is reached before its days are.
                Err(broken) if is_taken && broken.message.contains("recovery points;") => continue,
                found => found,
            };
            assert_eq!(found.is_ok(), is_taken, "{of:?} at {number}: {found:?}");
            tried += 1;
        }
    }
    assert!(tried > 150, "{tried}");
}

#[test]
fn the_tables_choices_are_the_wires() {
    for choice in CHOICES {
        for every in 0..=25u32 {
            if choice.workload == Workload::Disk && every == 24 {
                // By its rules that is once a day, and taken as such.
                continue;
            }
            let mut terms = good(choice.workload, false);
            if choice.workload == Workload::VirtualMachine {
                terms.generation = policy::Generation::Enhanced;
            }
            terms.retention.daily = Some(Daily { keep: 7 });
            terms.frequency = Frequency::Hourly {
                every: every.try_into().unwrap(),
                from: time(8, 0, 0, 0),
                window: 24,
            };
            let found = check(&terms);
            assert_eq!(
                found.is_ok(),
                choice.holds(every),
                "{:?} every {every} hours: {found:?}",
                choice.workload
            );
        }
    }
}

fn refusal(terms: &Terms) -> String {
    check(terms).map_or_else(|broken| broken.to_string(), |()| "taken".to_owned())
}

#[test]
fn chains_follow_their_fulls() {
    let sql = || weekly_fulls(Workload::SqlServer);
    let changed = |change: fn(&mut Terms)| {
        let mut terms = sql();
        change(&mut terms);
        refusal(&terms)
    };
    assert_eq!(refusal(&sql()), "taken");
    assert_eq!(
        changed(|t| t.differential.as_mut().unwrap().on = vec![Weekday::Monday, Weekday::Sunday]),
        "subProtectionPolicy[Differential].schedulePolicy.scheduleRunDays: it never runs on the day of a full"
    );
    assert_eq!(
        changed(|t| {
            let at = time(22, 0, 0, 0);
            t.frequency = Frequency::Daily { at };
            t.retention.daily = Some(Daily { keep: 400 });
        }),
        "subProtectionPolicy[Differential].schedulePolicy: a daily full leaves no day for it"
    );
    assert_eq!(
        changed(|t| {
            t.archive = None;
            t.retention.weekly.as_mut().unwrap().keep = 4;
        }),
        "subProtectionPolicy[Differential].retentionPolicy.retentionDuration: it is kept no longer than the full that it builds on: 28 days"
    );
    assert_eq!(
        changed(|t| t.incremental = t.differential.take()),
        "subProtectionPolicy[Incremental]: incremental backups are for SAP HANA alone"
    );
    let mut hana = weekly_fulls(Workload::SapHana);
    hana.incremental = hana.differential.clone();
    assert_eq!(
        refusal(&hana),
        "subProtectionPolicy[Incremental]: a policy has differential or incremental backups, not both"
    );
    hana.differential = None;
    assert_eq!(refusal(&hana), "taken");
}

#[test]
fn what_moves_to_the_archive_has_six_months_left() {
    let mut vm = good(Workload::VirtualMachine, false);
    vm.retention.yearly = None;
    for (months, keep, is_taken) in [(3, 9, true), (3, 8, false), (6, 12, true), (7, 12, false)] {
        vm.archive = Some(Archive::After { months });
        vm.retention.monthly.as_mut().unwrap().keep = keep;
        assert_eq!(check(&vm).is_ok(), is_taken, "{months} of {keep} months");
    }
    vm.archive = Some(Archive::AfterDays { days: 90 });
    assert!(refusal(&vm).contains("some Months"), "{}", refusal(&vm));
    let mut sql = weekly_fulls(Workload::SqlServer);
    sql.archive = Some(Archive::Recommended);
    assert!(refusal(&sql).contains("some Days"), "{}", refusal(&sql));
    sql.archive = Some(Archive::AfterDays { days: 45 });
    for (weeks, is_taken) in [(33, true), (32, false)] {
        sql.differential = None;
        sql.retention.weekly.as_mut().unwrap().keep = weeks;
        assert_eq!(check(&sql).is_ok(), is_taken, "{weeks} weeks");
    }
}

#[test]
fn snapshots_of_disks_and_shares_are_counted() {
    let disk = |every, keep| {
        let frequency = Frequency::Hourly {
            every,
            from: time(0, 0, 0, 0),
            window: 24,
        };
        let retention = Retention {
            daily: Some(Daily { keep }),
            ..Retention::default()
        };
        refusal(&Terms::new(Workload::Disk, frequency, "UTC", retention))
    };
    assert_eq!(disk(1, 18), "taken");
    assert_eq!(
        disk(1, 19),
        "policyRules[Default].lifecycles: 24 backups a day that are kept for 19 days are 456 recovery points; disks can have 450"
    );
    assert_eq!(disk(4, 75), "taken");
    assert_ne!(disk(4, 76), "taken");
    let mut share = good(Workload::FileShare, false);
    share.frequency = Frequency::Hourly {
        every: 4,
        from: time(8, 0, 0, 0),
        window: 12,
    };
    share.retention.daily = Some(Daily { keep: 51 });
    assert!(
        refusal(&share).contains("204 recovery points"),
        "{}",
        refusal(&share)
    );
    share.instant_restore_days = Some(5);
    assert_eq!(refusal(&share), "taken", "in the vault, snapshots are few");
}

#[test]
fn what_has_no_place_is_no_silent_loss() {
    let mut disk = good(Workload::Disk, false);
    disk.compression = true;
    assert!(matches!(
        dataprotection::render(&disk),
        Err(RenderError::NoPlace { .. })
    ));
    assert!(matches!(
        render(&good(Workload::Disk, false)),
        Err(RenderError::Vault(..))
    ));
    assert!(matches!(
        dataprotection::render(&good(Workload::FileShare, false)),
        Err(RenderError::Vault(..))
    ));
    let mut vm = good(Workload::VirtualMachine, false);
    vm.log = weekly_fulls(Workload::SqlServer).log;
    assert!(matches!(render(&vm), Err(RenderError::NoPlace { .. })));
    let mut postgres = good(Workload::PostgreSql, false);
    postgres.retention.daily = None;
    assert!(
        dataprotection::render(&postgres).is_err(),
        "no tier keeps the backups of a Monday"
    );
}
