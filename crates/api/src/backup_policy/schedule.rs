//! When backups are made.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calendar::Weekday;
use super::spelling;

/// A time of day, `HH:MM`, in the policy's zone.
pub type At = String;

/// When backups are made: exactly one of the three.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.daily), has(self.weekly), has(self.hourly)].filter(x, x).size() == 1").message("schedule has exactly one of daily, weekly and hourly; months and years belong to retention, no machine is backed up by the month (rule 6)"))]
pub struct Schedule {
    /// Once a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily: Option<DailySchedule>,
    /// Once on each of some days of the week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly: Option<WeeklySchedule>,
    /// Several times a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hourly: Option<HourlySchedule>,
    /// What happens when the clock changes. `Ignore` is Azure's way: times stay at the zone's standard offset, so that in summer the clock
    /// on the wall shows an hour more. `Follow` is ours: the operator edits the policy in its vaults at every change, so that the clock on
    /// the wall shows the same time all year; times are then 01:00 or later.
    #[serde(default)]
    pub daylight_saving: DaylightSaving,
}

/// What happens when the clock changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DaylightSaving {
    /// Nothing: backups stay 24 hours apart.
    #[default]
    Ignore,
    /// The policy is edited, so that the clock on the wall shows the same time.
    Follow,
}

/// Once a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DailySchedule {
    /// At what time, `HH:MM` in the policy's zone: on the hour or the half hour, but for PostgreSQL, disks and files.
    #[schemars(length(max = 5), regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub at: At,
}

/// Once on each of some days of the week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(spelling::IS_THERE).message("schedule.weekly needs days: the days on which backups are made"),
    validation = Rule::new(spelling::DAYS_AND_ON).message(spelling::REMOVE_ON),
    validation = Rule::new(spelling::DAYS_AND_TRUE).message(spelling::REMOVE_TRUE),
    validation = Rule::new(spelling::ON_AND_TRUE).message(spelling::REMOVE_TRUE_OF_ON)
)]
pub struct WeeklySchedule {
    /// On which days.
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
    /// At what time, `HH:MM` in the policy's zone: on the hour or the half hour, but for PostgreSQL, disks and files.
    #[schemars(length(max = 5), regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub at: At,
}

impl WeeklySchedule {
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

/// Several times a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HourlySchedule {
    /// How far apart: `4h`, `6h`, `8h`, `12h` or `24h` for virtual machines; file shares have no `24h`, disks `1h` and `2h` besides, files
    /// `8h`, `12h` and `24h`.
    #[schemars(length(max = 4), regex(pattern = r"^[0-9]{1,3}h$"))]
    pub every: String,
    /// When the first one of a day is made, `HH:MM` in the policy's zone.
    #[schemars(length(max = 5), regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub from: At,
    /// For how long after the first one: `4h` to `24h`. Disks have no such window: left out, backups are made round the clock.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4), regex(pattern = r"^[0-9]{1,3}h$"))]
    pub for_: Option<String>,
}
