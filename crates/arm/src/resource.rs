//! The envelope that Resource Manager puts around everything: a resource with its `properties`, and a page of a list.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Extra;

/// A resource, or the body of a request that writes one (then with nothing but its properties).
///
/// `properties` is the one field of the wire that is required: a body without it says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource<P> {
    /// The whole path, as [`crate::id`] writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The last part of the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The provider and the types along the path, such as `Microsoft.RecoveryServices/vaults/backupJobs`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The region; most resources inside a vault have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// A person's labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// Only vaults have one, and no call of this provider takes it back as a condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// What the resource is.
    pub properties: P,
    /// What else the wire carried, as it came.
    #[serde(flatten)]
    pub extra: Extra,
}

impl<P> Resource<P> {
    /// A resource as a service answers with it.
    pub fn new(
        id: &(impl ToString + ?Sized),
        name: impl Into<String>,
        kind: impl Into<String>,
        properties: P,
    ) -> Self {
        Self {
            id: Some(id.to_string()),
            name: Some(name.into()),
            kind: Some(kind.into()),
            ..Self::body(properties)
        }
    }

    /// The body of a request: properties alone.
    pub fn body(properties: P) -> Self {
        Self {
            id: None,
            name: None,
            kind: None,
            location: None,
            tags: None,
            etag: None,
            properties,
            extra: Extra::new(),
        }
    }
}

/// One page of a list. `next_link` is the whole address of the next page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The resources of this page.
    #[serde(default = "Vec::new")]
    pub value: Vec<T>,
    /// Absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_link: Option<String>,
    /// What else the wire carried, as it came.
    #[serde(flatten)]
    pub extra: Extra,
}

impl<T> Page<T> {
    /// A list that fits on one page.
    #[must_use]
    pub fn last(value: Vec<T>) -> Self {
        Self {
            value,
            next_link: None,
            extra: Extra::new(),
        }
    }
}
