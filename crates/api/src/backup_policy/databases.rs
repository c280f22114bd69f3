//! What runs between the full backups of a database: differentials, incrementals and logs.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calendar::Weekday;
use super::schedule::At;

/// Differential or incremental backups: on some days of the week, never on a full's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.on) != has(self.__true__)").message("differential and incremental need on: the days on which they are made"))]
pub struct Between {
    /// On which days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    pub on: Option<Vec<Weekday>>,
    /// The same as `on`: what kubectl makes of the word where it stands without quotes.
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
        self.on
            .as_ref()
            .or(self.on_unquoted.as_ref())
            .map_or(&[], Vec::as_slice)
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
