//! As much of a row as a question about many of them needs: the rest is passed over when it is read, which is most of the cost.

use jiff::Timestamp;
use kluis_policy::State;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize, Serializer};

use super::{Kind, Origin, Stage, item};
use crate::store::Row;

/// A recovery point, at a glance.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PointGlance {
    item: String,
    pub(super) name: String,
    pub(super) time: Timestamp,
    pub(super) origin: Origin,
    pub(super) hardened: Option<There>,
    #[serde(default)]
    pub(super) removing: bool,
    #[serde(default)]
    pub(super) lost: Option<Timestamp>,
}

/// Something that is there, whatever it says.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct There(IgnoredAny);

impl Serialize for There {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

impl Row for PointGlance {
    const TABLE: &'static str = "points";

    fn key(&self) -> String {
        super::Point::key_of(&self.item, &self.name)
    }

    fn vault(&self) -> String {
        String::new()
    }
}

/// A job that has ended, at a glance.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobGlance {
    id: String,
    pub(crate) kind: Kind,
    pub(crate) stage: Stage,
    work: WorkGlance,
}

#[derive(Debug, Serialize, Deserialize)]
struct WorkGlance {
    kind: String,
}

impl JobGlance {
    /// Whether it had anything to do besides having been recorded.
    pub(crate) fn had_work(&self) -> bool {
        self.work.kind != "nothing"
    }
}

impl Row for JobGlance {
    const TABLE: &'static str = "jobs";

    fn key(&self) -> String {
        self.id.clone()
    }

    fn vault(&self) -> String {
        String::new()
    }
}

/// A protected item, at a glance.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ItemGlance {
    vm: String,
    #[serde(with = "item::StateForm")]
    pub(crate) state: State,
    last_backup: Option<EndGlance>,
}

#[derive(Debug, Serialize, Deserialize)]
struct EndGlance {
    fault: Option<There>,
}

impl ItemGlance {
    /// Whether its latest backup that ended made a recovery point; `None` before any ended.
    pub(crate) fn last_backup_succeeded(&self) -> Option<bool> {
        self.last_backup.as_ref().map(|end| end.fault.is_none())
    }
}

impl Row for ItemGlance {
    const TABLE: &'static str = "items";

    fn key(&self) -> String {
        self.vm.clone()
    }

    fn vault(&self) -> String {
        String::new()
    }
}
