//! Any policy within the limits, of any workload, comes back from its wire as it went there; and the limits' own edges.

use jiff::civil::{Time, Weekday, time};
use kluis_arm::dataprotection;
use kluis_arm::policy::{
    Archive, Generation, LimitBroken, Terms, between, canonical, check_limits, parse, render,
};
use kluis_arm::zone;
use kluis_policy::limits::{self, Case};
use kluis_policy::{
    Between, Daily, DayOfMonth, Frequency, Log, Month, MonthDays, Monthly, Retention, Week, Weekly,
    Workload, Yearly,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const WEEKDAYS: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

fn is_of_backup_vault(terms: &Terms) -> bool {
    matches!(terms.workload, Workload::Disk | Workload::PostgreSql)
}

/// To the wire as text, and back; with what a service says to it.
fn through(terms: &Terms) -> (Terms, Result<(), LimitBroken>) {
    fn text<T: serde::Serialize + serde::de::DeserializeOwned>(policy: &T) -> T {
        serde_json::from_str(&serde_json::to_string(policy).unwrap()).unwrap()
    }
    if is_of_backup_vault(terms) {
        let policy = text(&dataprotection::render(terms).unwrap());
        let stored = dataprotection::as_stored(policy.clone());
        let found = dataprotection::differences(&stored, &policy).unwrap();
        assert_eq!(found, [], "what a service fills in is no difference");
        let back = dataprotection::parse(&stored).unwrap();
        (back, dataprotection::check_limits(&policy))
    } else {
        let policy = text(&render(terms).unwrap());
        let stored = kluis_arm::policy::as_stored(policy.clone());
        let found = kluis_arm::policy::differences(&stored, &policy).unwrap();
        assert_eq!(found, [], "what a service fills in is no difference");
        assert_eq!(check_limits(&stored), check_limits(&policy));
        (parse(&stored).unwrap(), check_limits(&policy))
    }
}

fn number(workload: Workload, case: Case, field: &'static str) -> impl Strategy<Value = u32> {
    let limit = limits::limit(workload, case, field);
    let (least, most) = limit.map_or((1, 1), |limit| (limit.least, limit.most));
    prop_oneof![Just(least), Just(most), least..=most]
}

fn at() -> impl Strategy<Value = Time> {
    (0i8..24, select(vec![0i8, 30])).prop_map(|(hour, minute)| time(hour, minute, 0, 0))
}

fn some_days() -> impl Strategy<Value = Vec<Weekday>> {
    subsequence(WEEKDAYS.to_vec(), 1..=7)
}

fn frequency(workload: Workload, generation: Generation) -> BoxedStrategy<Frequency> {
    let has = |kind| limits::has(workload, kind);
    let mut kinds = vec![at().prop_map(|at| Frequency::Daily { at }).boxed()];
    if has("schedule.weekly") {
        let weekly = (some_days(), at()).prop_map(|(on, at)| Frequency::Weekly { on, at });
        kinds.push(weekly.boxed());
    }
    let is_standard = workload == Workload::VirtualMachine && generation == Generation::Standard;
    if has("schedule.hourly") && !is_standard {
        let every = limits::choice(workload, "schedule.hourly.every")
            .unwrap()
            .among;
        let window = if has("schedule.hourly.for") {
            number(workload, Case::Always, "schedule.hourly.for").boxed()
        } else {
            Just(24).boxed()
        };
        let hourly =
            (select(every), at(), window).prop_map(|(every, from, window)| Frequency::Hourly {
                every: every.try_into().unwrap(),
                from,
                window: window.try_into().unwrap(),
            });
        kinds.push(hourly.boxed());
    }
    proptest::strategy::Union::new(kinds).boxed()
}

fn month_days(scheduled: &[Weekday], dates: bool) -> BoxedStrategy<MonthDays> {
    let weeks = vec![
        Week::First,
        Week::Second,
        Week::Third,
        Week::Fourth,
        Week::Last,
    ];
    // All five weeks on every scheduled day would be every backup, which a Backup vault's policy says in another way.
    let by_week = (
        subsequence(weeks, 1..=4),
        subsequence(scheduled.to_vec(), 1..=scheduled.len()),
    )
        .prop_map(|(weeks, on)| MonthDays::Weekdays { weeks, on });
    let day = prop_oneof![(1i8..=28).prop_map(DayOfMonth::Day), Just(DayOfMonth::Last)];
    let by_date = proptest::collection::btree_set(day, 1..4)
        .prop_map(|days| MonthDays::Dates(days.into_iter().collect()));
    if dates {
        prop_oneof![by_week, by_date].boxed()
    } else {
        by_week.boxed()
    }
}

fn retention(workload: Workload, frequency: &Frequency) -> BoxedStrategy<Retention> {
    let keep = move |field| number(workload, Case::Always, field);
    let weekly_days = match frequency {
        Frequency::Weekly { on, .. } => Some(on.clone()),
        _ => None,
    };
    let is_weekly = weekly_days.is_some();
    let scheduled = weekly_days.clone().unwrap_or_else(|| WEEKDAYS.to_vec());
    let daily = keep("retention.daily.keep").prop_map(|keep| Daily { keep });
    let daily = if is_weekly {
        Just(None).boxed()
    } else {
        daily.prop_map(Some).boxed()
    };
    // A weekly schedule's own tier; in a Backup vault it is every backup.
    let on = match (&weekly_days, workload) {
        (Some(on), Workload::PostgreSql) => Just(on.clone()).boxed(),
        _ => subsequence(scheduled.clone(), 1..=scheduled.len()).boxed(),
    };
    let weekly = (keep("retention.weekly.keep"), on).prop_map(|(keep, on)| Weekly { keep, on });
    let weekly = if is_weekly {
        weekly.prop_map(Some).boxed()
    } else {
        proptest::option::of(weekly).boxed()
    };
    let on = || month_days(&scheduled, !is_weekly);
    let monthly = (keep("retention.monthly.keep"), on());
    let monthly = monthly.prop_map(|(keep, on)| Monthly { keep, on });
    let months = subsequence(Month::ALL.to_vec(), 1..=12);
    let yearly = (keep("retention.yearly.keep"), months, on());
    let yearly = yearly.prop_map(|(keep, months, on)| Yearly { keep, months, on });
    (
        daily,
        weekly,
        proptest::option::of(monthly),
        proptest::option::of(yearly),
    )
        .prop_map(|(daily, weekly, monthly, yearly)| Retention {
            daily,
            weekly,
            monthly,
            yearly,
        })
        .boxed()
}

prop_compose! {
    /// What a database's policy has beside its fulls.
    fn beside(workload: Workload)(
        days in some_days(),
        at in at(),
        since_full in number(workload, Case::Always, "differential.keep"),
        kind in 0..3,
        log in proptest::option::of((
            number(workload, Case::Always, "log.every"),
            number(workload, Case::Always, "log.keep"),
        )),
        compression in any::<bool>(),
        archive in archive(workload),
    ) -> (i32, Between, Option<Log>, bool, Option<Archive>) {
        let between = Between { on: days, at, keep_days: since_full };
        let log = log.map(|(every, keep_days)| Log { every_minutes: every.try_into().unwrap(), keep_days });
        (kind, between, log, compression, archive)
    }
}

fn archive(workload: Workload) -> BoxedStrategy<Option<Archive>> {
    let after = number(workload, Case::Always, "archive.after");
    if workload == Workload::VirtualMachine {
        let after = after.prop_map(|months| Archive::After { months });
        let archive = prop_oneof![Just(Archive::Recommended), after];
        proptest::option::of(archive).boxed()
    } else {
        proptest::option::of(after.prop_map(|days| Archive::AfterDays { days })).boxed()
    }
}

fn terms() -> impl Strategy<Value = Terms> {
    let zone = select(vec![
        "UTC",
        "Europe/Amsterdam",
        "America/New_York",
        "Asia/Kolkata",
        "Pacific/Auckland",
        "Pacific/Apia",
        "America/St_Johns",
    ]);
    let generation = select(vec![Generation::Standard, Generation::Enhanced]);
    (select(Workload::ALL.to_vec()), generation, zone)
        .prop_flat_map(|(workload, generation, zone)| {
            let generation = if workload == Workload::VirtualMachine {
                generation
            } else {
                Generation::Standard
            };
            let frequency = frequency(workload, generation);
            (Just(workload), Just(generation), Just(zone), frequency)
        })
        .prop_flat_map(|(workload, generation, zone, frequency)| {
            let case = match (generation, &frequency) {
                (Generation::Enhanced, _) => Case::Enhanced,
                (_, Frequency::Weekly { .. }) => Case::StandardWeekly,
                _ => Case::StandardDaily,
            };
            let snapshots = number(workload, case, "instantRestore.keepDays");
            let snapshots = match workload {
                Workload::VirtualMachine => snapshots.prop_map(Some).boxed(),
                Workload::FileShare => proptest::option::of(snapshots).boxed(),
                _ => Just(None).boxed(),
            };
            let retention = retention(workload, &frequency);
            let terms = Terms {
                generation,
                ..Terms::new(workload, frequency, zone, Retention::default())
            };
            (Just(terms), retention, snapshots, beside(workload))
        })
        .prop_map(|(mut terms, retention, snapshots, beside)| {
            let (kind, between, log, compression, archive) = beside;
            terms.retention = retention;
            terms.instant_restore_days = snapshots;
            let is_hana = terms.workload == Workload::SapHana;
            if is_hana || terms.workload == Workload::SqlServer {
                match kind {
                    1 => terms.differential = Some(between),
                    2 if is_hana => terms.incremental = Some(between),
                    _ => {}
                }
                terms.log = log;
                terms.compression = compression;
                terms.archive = archive;
            } else if terms.workload == Workload::VirtualMachine {
                terms.archive = archive;
            }
            terms
        })
}

/// In a Backup vault a backup has one tag, so that its tiers can only be said where a longer tier keeps longer than every
/// backup is kept.
fn can_be_said(terms: &Terms) -> bool {
    if !is_of_backup_vault(terms) {
        return true;
    }
    let Retention {
        daily,
        weekly,
        monthly,
        yearly,
    } = &terms.retention;
    let default = match (daily, weekly) {
        (Some(daily), _) => daily.keep,
        (None, Some(weekly)) => weekly.keep * 7,
        (None, None) => return false,
    };
    let mut beside = vec![
        monthly.as_ref().map(|tier| tier.keep * 28),
        yearly.as_ref().map(|tier| tier.keep * 365),
    ];
    beside.push(
        weekly
            .as_ref()
            .filter(|_| daily.is_some())
            .map(|tier| tier.keep * 7),
    );
    beside.into_iter().flatten().all(|days| days >= default)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_terms_come_back_from_the_wire_as_they_went(terms in terms()) {
        prop_assume!(can_be_said(&terms));
        let (back, limits) = through(&terms);
        let went = terms.clone().through_the_wire().unwrap();
        prop_assert_eq!(between(&went, &back), vec![]);
        prop_assert_eq!(canonical(&went), canonical(&back));
        prop_assert_eq!(&back, &went);
        // The numbers are all within their limits, so that only rules between fields can be broken.
        if let Err(broken) = limits {
            let said = broken.to_string();
            let between_fields = [
                "snapshots cannot stay longer", "no monthly or yearly point", "no full has six months",
                "a daily full leaves no day", "it never runs on the day of a full",
                "kept no longer than the full", "recovery points;",
            ];
            prop_assert!(between_fields.iter().any(|rule| said.contains(rule)), "{}", said);
        }
    }

    #[test]
    fn canonical_texts_are_the_same_exactly_when_nothing_differs(one in terms(), other in terms()) {
        prop_assert_eq!(canonical(&one) == canonical(&other), between(&one, &other).is_empty());
        prop_assert_eq!(canonical(&one), canonical(&one.clone()));
        let city = zone::to_iana(zone::to_azure(&one.time_zone).unwrap()).unwrap();
        let renamed = Terms { time_zone: city.to_owned(), ..one.clone() };
        prop_assert_eq!(canonical(&one), canonical(&renamed));
    }

    #[test]
    fn every_policy_has_a_strategy(terms in terms()) {
        let strategy = terms.strategy().unwrap();
        prop_assert_eq!(strategy.workload, terms.workload);
        prop_assert_eq!(strategy.full, terms.frequency);
        prop_assert_eq!(strategy.retention, terms.retention);
        prop_assert_eq!(strategy.instant_days, terms.instant_restore_days);
    }
}
