//! The fewest days of some months, against every date of a century.

use jiff::ToSpan;
use jiff::civil::date;
use kluis_policy::calendar::fewest_days;

/// As far as limits of a Backup vault's policies go, to the day; beyond, never too many.
#[test]
fn some_months_have_so_many_days_at_the_least() {
    for months in 0..=240_u32 {
        // Around 2100, which is no leap year, and in ordinary years.
        let starts = [2023, 2024, 2092, 2094, 2096, 2097, 2099, 2100, 2101, 2103];
        let days = starts
            .into_iter()
            .flat_map(|year| date(year, 1, 1).series(1.day()).take(366))
            .map(|from| (from + i64::from(months).months() - from).get_days())
            .min();
        let fewest = i32::try_from(fewest_days(months)).unwrap();
        if months <= 120 {
            assert_eq!(Some(fewest), days, "{months} months");
        } else {
            assert!(Some(fewest) <= days, "{months} months");
        }
    }
}
