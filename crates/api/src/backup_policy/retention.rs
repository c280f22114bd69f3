//! How long recovery points are kept.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calendar::{DayOfMonth, DayOfTier, Month, WeekOfMonth, Weekday};
use super::spelling;

/// How long recovery points are kept: at least one of the four.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.daily) || has(self.weekly) || has(self.monthly) || has(self.yearly)").message("retention says nothing: set daily, weekly, monthly or yearly"))]
pub struct Retention {
    /// Every day's recovery point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily: Option<DailyRetention>,
    /// A recovery point a week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly: Option<WeeklyRetention>,
    /// A recovery point a month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly: Option<MonthlyRetention>,
    /// A recovery point a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yearly: Option<YearlyRetention>,
}

/// Every day's recovery point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DailyRetention {
    /// For how many days: 7 to 9999 for virtual machines and databases in them; file shares 200 at most, disks 365.
    pub keep: u32,
}

/// A recovery point a week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(spelling::IS_THERE).message("retention.weekly needs days: the days whose recovery points are kept"),
    validation = Rule::new(spelling::DAYS_AND_ON).message(spelling::REMOVE_ON),
    validation = Rule::new(spelling::DAYS_AND_TRUE).message(spelling::REMOVE_TRUE),
    validation = Rule::new(spelling::ON_AND_TRUE).message(spelling::REMOVE_TRUE_OF_ON)
)]
pub struct WeeklyRetention {
    /// For how many weeks: 1 to 5163 for virtual machines and databases in them; file shares 200 at most, disks 52.
    pub keep: u32,
    /// The recovery points of which days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    pub days: Option<Vec<Weekday>>,
    /// The same as `days`, which was called so before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    pub on: Option<Vec<Weekday>>,
    /// The same as `days`: what kubectl makes of `on` where it stands without quotes.
    #[serde(rename = "true", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    pub on_unquoted: Option<Vec<Weekday>>,
}

/// A recovery point a month, by weekday (`weeks` and `days`) or by date (`days` alone).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(spelling::BY_WEEK_OR_BY_DATE).message("retention.monthly goes either by weeks and days of the week (weeks: [First], days: [Sunday]), or by days of the month (days: [1, Last])"),
    validation = Rule::new(spelling::DAYS_AND_ON).message(spelling::REMOVE_ON),
    validation = Rule::new(spelling::DAYS_AND_TRUE).message(spelling::REMOVE_TRUE),
    validation = Rule::new(spelling::ON_AND_TRUE).message(spelling::REMOVE_TRUE_OF_ON)
)]
pub struct MonthlyRetention {
    /// For how many months: 1 to 1188 for virtual machines and databases in them; file shares 120 at most, disks 12.
    pub keep: u32,
    /// In which weeks of the month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 5))]
    pub weeks: Option<Vec<WeekOfMonth>>,
    /// On which days of those weeks (`[Sunday]`), or, without `weeks`, of the month (1 to 28, or Last).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 29))]
    pub days: Option<Vec<DayOfTier>>,
    /// The same as `days` beside `weeks`, which was called so before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    pub on: Option<Vec<Weekday>>,
    /// The same as `days` beside `weeks`: what kubectl makes of `on` where it stands without quotes.
    #[serde(rename = "true", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    pub on_unquoted: Option<Vec<Weekday>>,
}

/// A recovery point a year, in some months, by weekday (`weeks` and `days`) or by date (`days` alone).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(spelling::BY_WEEK_OR_BY_DATE).message("retention.yearly goes either by weeks and days of the week (weeks: [First], days: [Sunday]), or by days of the month (days: [1, Last])"),
    validation = Rule::new(spelling::DAYS_AND_ON).message(spelling::REMOVE_ON),
    validation = Rule::new(spelling::DAYS_AND_TRUE).message(spelling::REMOVE_TRUE),
    validation = Rule::new(spelling::ON_AND_TRUE).message(spelling::REMOVE_TRUE_OF_ON)
)]
pub struct YearlyRetention {
    /// For how many years: 1 to 99 for virtual machines and databases in them; PostgreSQL and file shares 10 at most, disks 1.
    pub keep: u32,
    /// In which months.
    #[schemars(length(min = 1, max = 12))]
    pub months: Vec<Month>,
    /// In which weeks of the month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 5))]
    pub weeks: Option<Vec<WeekOfMonth>>,
    /// On which days of those weeks (`[Sunday]`), or, without `weeks`, of the month (1 to 28, or Last).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 29))]
    pub days: Option<Vec<DayOfTier>>,
    /// The same as `days` beside `weeks`, which was called so before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    pub on: Option<Vec<Weekday>>,
    /// The same as `days` beside `weeks`: what kubectl makes of `on` where it stands without quotes.
    #[serde(rename = "true", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    pub on_unquoted: Option<Vec<Weekday>>,
}

impl WeeklyRetention {
    /// The days, whichever way they were written.
    #[must_use]
    pub fn days(&self) -> &[Weekday] {
        spelling::weekdays(
            self.days.as_ref(),
            self.on.as_ref(),
            self.on_unquoted.as_ref(),
        )
    }
}

impl MonthlyRetention {
    /// The days of its weeks, whichever way they were written; None when it goes by date.
    #[must_use]
    pub fn weekdays(&self) -> Option<Vec<Weekday>> {
        self.weeks.as_ref()?;
        spelling::of_weeks(
            self.days.as_deref(),
            self.on.as_deref(),
            self.on_unquoted.as_deref(),
        )
    }

    /// The days of the month; None when it goes by weeks.
    #[must_use]
    pub fn dates(&self) -> Option<Vec<DayOfMonth>> {
        match self.weeks {
            Some(_) => None,
            None => spelling::of_months(self.days.as_deref()),
        }
    }
}

impl YearlyRetention {
    /// The days of its weeks, whichever way they were written; None when it goes by date.
    #[must_use]
    pub fn weekdays(&self) -> Option<Vec<Weekday>> {
        self.weeks.as_ref()?;
        spelling::of_weeks(
            self.days.as_deref(),
            self.on.as_deref(),
            self.on_unquoted.as_deref(),
        )
    }

    /// The days of the month; None when it goes by weeks.
    #[must_use]
    pub fn dates(&self) -> Option<Vec<DayOfMonth>> {
        match self.weeks {
            Some(_) => None,
            None => spelling::of_months(self.days.as_deref()),
        }
    }
}
