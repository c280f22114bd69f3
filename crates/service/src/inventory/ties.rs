//! What ties a machine to what it is, so that no restore makes another like it (rule 27): its disks come back, and a person makes
//! the machine of them.

use serde::{Deserialize, Serialize};

/// What ties a machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ties {
    /// The availability set that it is in.
    pub availability_set: Option<String>,
    /// The plan by which its Marketplace image was bought.
    pub plan: Option<Plan>,
    /// Whether Azure's diagnostics extension is in it.
    pub diagnostics: bool,
}

/// The plan of a Marketplace image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// Who sells it.
    pub publisher: String,
    /// What it is of.
    pub product: String,
    /// Its own name.
    pub name: String,
}
