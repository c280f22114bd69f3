//! What runs between the full backups of a database: differentials, incrementals and logs.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calendar::Weekday;
use super::schedule::At;
use super::spelling;

/// Differential or incremental backups: on some days of the week, never on a full's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(spelling::IS_THERE).message("differential and incremental need days: the days on which they are made"),
    validation = Rule::new(spelling::DAYS_AND_ON).message(spelling::REMOVE_ON),
    validation = Rule::new(spelling::DAYS_AND_TRUE).message(spelling::REMOVE_TRUE),
    validation = Rule::new(spelling::ON_AND_TRUE).message(spelling::REMOVE_TRUE_OF_ON)
)]
pub struct Between {
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
    /// At what time, `HH:MM` in the policy's zone, on the hour or the half hour.
    #[schemars(length(max = 5), regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub at: At,
    /// For how many days: at most 180, and no longer than the full is kept.
    pub keep: u32,
}

impl Between {
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

/// Backups of the transaction log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogBackups {
    /// How far apart, from midnight on: `15m` to `24h`.
    #[schemars(length(max = 5), regex(pattern = r"^[0-9]{1,4}(m|h)$"))]
    pub every: String,
    /// For how many days: 7 to 35.
    pub keep: u32,
}
