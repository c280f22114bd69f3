//! How long recovery points are kept.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calendar::{DayOfMonth, Month, WeekOfMonth, Weekday};

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
#[x_kube(validation = Rule::new("has(self.on) != has(self.__true__)").message("retention.weekly needs on: the days whose recovery points are kept"))]
pub struct WeeklyRetention {
    /// For how many weeks: 1 to 5163 for virtual machines and databases in them; file shares 200 at most, disks 52.
    pub keep: u32,
    /// The recovery points of which days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    pub on: Option<Vec<Weekday>>,
    /// The same as `on`: what kubectl makes of the word where it stands without quotes.
    #[serde(rename = "true", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    pub on_unquoted: Option<Vec<Weekday>>,
}

/// A recovery point a month, by weekday (`weeks` and `on`) or by date (`days`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.days) ? (!has(self.weeks) && !has(self.on) && !has(self.__true__)) : (has(self.weeks) && has(self.on) != has(self.__true__))").message("retention.monthly goes either by weeks and on, or by days"))]
pub struct MonthlyRetention {
    /// For how many months: 1 to 1188 for virtual machines and databases in them; file shares 120 at most, disks 12.
    pub keep: u32,
    /// In which weeks of the month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 5))]
    pub weeks: Option<Vec<WeekOfMonth>>,
    /// On which days of those weeks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    pub on: Option<Vec<Weekday>>,
    /// The same as `on`: what kubectl makes of the word where it stands without quotes.
    #[serde(rename = "true", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    pub on_unquoted: Option<Vec<Weekday>>,
    /// On which days of the month: 1 to 28, or Last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 29))]
    pub days: Option<Vec<DayOfMonth>>,
}

/// A recovery point a year, in some months, by weekday (`weeks` and `on`) or by date (`days`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.days) ? (!has(self.weeks) && !has(self.on) && !has(self.__true__)) : (has(self.weeks) && has(self.on) != has(self.__true__))").message("retention.yearly goes either by weeks and on, or by days"))]
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
    /// On which days of those weeks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    pub on: Option<Vec<Weekday>>,
    /// The same as `on`: what kubectl makes of the word where it stands without quotes.
    #[serde(rename = "true", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    pub on_unquoted: Option<Vec<Weekday>>,
    /// On which days of the month: 1 to 28, or Last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 29))]
    pub days: Option<Vec<DayOfMonth>>,
}

impl WeeklyRetention {
    /// The days, whichever way they were written.
    #[must_use]
    pub fn days(&self) -> &[Weekday] {
        self.on
            .as_ref()
            .or(self.on_unquoted.as_ref())
            .map_or(&[], Vec::as_slice)
    }
}

impl MonthlyRetention {
    /// The weekdays, whichever way they were written; None when it goes by date.
    #[must_use]
    pub fn weekdays(&self) -> Option<&[Weekday]> {
        self.on.as_deref().or(self.on_unquoted.as_deref())
    }
}

impl YearlyRetention {
    /// The weekdays, whichever way they were written; None when it goes by date.
    #[must_use]
    pub fn weekdays(&self) -> Option<&[Weekday]> {
        self.on.as_deref().or(self.on_unquoted.as_deref())
    }
}
