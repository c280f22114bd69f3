//! A plan for programs. The names are used from outside and stay as they are; fields may be added.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// What applying the manifests would change.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    /// `kluis.dev/plan/v1`.
    pub(super) schema: &'static str,
    /// Whether anything would: an object, or something that the operator does. None where that is not known: nothing that could be
    /// read would, and not all could be.
    pub(super) would_change: Option<bool>,
    pub(super) created: usize,
    pub(super) changed: usize,
    pub(super) unchanged: usize,
    /// Objects of other kinds, which were not looked at.
    pub(super) others: usize,
    /// Recovery points that would go, and those that would go sooner, of all edits together; None where not all could be read.
    pub(super) deleted: Option<u64>,
    pub(super) shortened: Option<u64>,
    /// Whether an edit would wait for somebody to approve what it costs; None where that is not known.
    pub(super) approval_needed: Option<bool>,
    /// The manifests' objects in their order, and policies that they make to be written into another vault.
    pub(super) objects: Vec<Object>,
}

impl Document {
    /// Whether all was read that it tells of.
    pub(super) fn is_whole(&self) -> bool {
        self.objects.iter().all(|object| object.unread.is_none())
    }
}

/// One object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object {
    pub(super) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    /// Where its manifest is; absent for one that has none here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<u64>,
    pub(super) change: Change,
    pub(super) fields: Vec<Field>,
    /// What could not be read of the service. Steps, losses and the approval that they need are then not all there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unread: Option<String>,
    /// What the operator would do next.
    pub(super) steps: Vec<Step>,
    /// What somebody changed in Azure of what is declared, and the operator would put back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) drift: Vec<String>,
    /// What its status would say where it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) waits: Option<Waits>,
    /// Changes of what keeps recovery points, vault by vault.
    pub(super) edits: Vec<Edit>,
    /// What these cost, vault by vault.
    pub(super) losses: Vec<Loss>,
    /// What `spec.approvedLoss` has to say for the edits to be sent; absent where nothing waits for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) approved_loss: Option<String>,
}

/// What becomes of an object itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Change {
    Created,
    Changed,
    Unchanged,
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Field {
    /// `spec.retention.daily.keep`.
    pub(super) field: String,
    /// As the cluster has it; null where it has none.
    pub(super) from: Value,
    pub(super) to: Value,
}

/// A step of the operator.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    /// In words.
    pub(super) does: String,
    /// The call; absent for what is done in the cluster.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) call: Option<Call>,
}

#[derive(Debug, Serialize)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Value>,
}

/// A condition that is not as it should be.
#[derive(Debug, Serialize)]
pub(super) struct Waits {
    pub(super) reason: String,
    pub(super) message: String,
    /// Whether only a person can help.
    pub(super) stalled: bool,
}

/// A change of what keeps recovery points.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Edit {
    pub(super) vault: String,
    pub(super) items: Vec<String>,
    /// In Azure's terms.
    pub(super) differences: Vec<Pair>,
    /// What it promises, before and after.
    pub(super) promises: Vec<Promise>,
}

/// Two values of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Pair {
    pub(super) field: String,
    pub(super) from: String,
    pub(super) to: String,
}

/// A promise that would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Promise {
    /// `longestGap` (the longest time between two backups), `longestKept` (how long the longest-kept point lives), or a
    /// tier's name (how long it keeps).
    pub(super) promise: String,
    /// Absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<String>,
    /// Whether it is less than before.
    pub(super) worse: bool,
}

/// What an edit costs in one vault.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Loss {
    pub(super) vault: String,
    /// What an approval names.
    pub(super) digest: String,
    pub(super) approval: Approval,
    pub(super) deleted: u64,
    pub(super) shortened: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) oldest: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) newest: Option<Timestamp>,
    /// Those that lose any.
    pub(super) items: Vec<ItemLoss>,
    /// Items whose recovery points cannot be counted: all of them are taken to be at stake.
    pub(super) uncounted: u32,
}

/// Whether somebody agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Approval {
    /// Nobody did: the edit is not sent.
    Needed,
    /// `spec.approvedLoss` names it.
    Given,
    /// `spec.changeControl: Allow` asks nobody.
    NotAsked,
}

/// What one item would lose.
#[derive(Debug, Serialize)]
pub(super) struct ItemLoss {
    pub(super) item: String,
    pub(super) deleted: u32,
    pub(super) shortened: u32,
    /// When the first and the last of these points were made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) oldest: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) newest: Option<Timestamp>,
}
