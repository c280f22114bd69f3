//! When recovery points move to Azure's archive tier.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Recovery points that are kept long and read seldom move to a cheaper tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Archive {
    /// After how long: `3mo` and more for virtual machines, whose monthly and yearly points move, or `Recommended`: those of which Azure
    /// says that it saves money. `45d` and more for the fulls of databases. Six months of retention have to be left.
    #[schemars(length(max = 11), regex(pattern = r"^(Recommended|[0-9]{1,5}(d|mo))$"))]
    pub after: String,
}
