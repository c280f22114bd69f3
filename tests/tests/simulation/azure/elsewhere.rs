//! Calls on the vault by somebody else, past the operator; and the item as the vault lists it.

use jiff::Timestamp;
use kluis_client::{ArmRequest, Method};
use kluis_service::core::Response;
use serde_json::{Value, json};

use super::{Azure, ENDPOINT, SUBSCRIPTION};

const LISTS: [&str; 3] = [
    "/backupProtectedItems",
    "/backupPolicies",
    "/backupProtectableItems",
];

/// Leaves out of an answer what slips through between its pages.
pub(super) fn let_slip(request: &ArmRequest, answer: &mut Response) {
    let is_list = LISTS.iter().any(|list| request.path.ends_with(list));
    let is_by_name = request
        .query
        .iter()
        .any(|(_, value)| value.contains("friendlyName"));
    let is_second = request.query.iter().any(|(name, _)| name == "$skiptoken");
    if is_list && !is_by_name && (is_second || answer.status == 200) {
        let mut body = json!({ "value": [] });
        if !is_second {
            body["nextLink"] = format!("{ENDPOINT}{}?$skiptoken=second", request.path).into();
        }
        *answer = Response::ok(body);
    }
}

impl Azure {
    /// From now on the lists of the vault's items, policies and discoveries come in two pages, and nothing is on either: what a
    /// service that pages by a count may come to while others' entries go. What is asked for by its id or name is told.
    pub(crate) fn let_lists_slip(&self) {
        self.inner().slips = true;
    }

    /// Lets the n-th write from the beginning, counted from 1, be sent twice.
    pub(crate) fn send_twice(&self, nth: usize) {
        self.inner().twice = Some(nth);
    }

    /// How many writes there were.
    pub(crate) fn writes(&self) -> usize {
        self.inner().writes
    }

    /// Calls on something in the vault, and says which status came back.
    pub(crate) fn ask(&self, method: Method, path: &str, body: Option<Value>) -> u16 {
        let mut request = ArmRequest::new(method, self.path_of(path), "2024-04-01");
        request.body = body;
        self.inner().answer(&request).status
    }

    /// Deletes the vault as clients of today do, softly; and says which status came back.
    pub(crate) fn delete_vault(&self) -> u16 {
        let request = ArmRequest::new(Method::Delete, self.path_of(""), "2026-07-01");
        self.inner().answer(&request).status
    }

    /// The ids that the softly deleted vaults had.
    pub(crate) fn deleted_vaults(&self) -> Vec<String> {
        let path = format!(
            "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.RecoveryServices/locations/westeurope/deletedVaults"
        );
        let answer = self.inner().answer(&ArmRequest::get(path, "2026-07-01"));
        let listed = answer.body.unwrap_or_default();
        let entries = listed["value"].as_array().into_iter().flatten();
        let ids = entries.map(|entry| entry["properties"]["vaultId"].as_str());
        ids.flatten().map(str::to_owned).collect()
    }

    /// Every write of a policy so far: when, and the status that came back.
    pub(crate) fn policies_written(&self) -> Vec<(Timestamp, u16)> {
        self.inner().policies_written.clone()
    }

    /// Something in the vault; None when it isn't there.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        let request = ArmRequest::get(self.path_of(path), "2024-04-01");
        let answer = self.inner().answer(&request);
        answer.body.filter(|_| answer.status == 200)
    }

    /// The machine's recovery points: their names, and when they were made.
    pub(crate) fn recovery_points(&self) -> Vec<(String, Timestamp)> {
        self.recovery_points_of("web-1")
    }

    /// The same of another machine.
    pub(crate) fn recovery_points_of(&self, name: &str) -> Vec<(String, Timestamp)> {
        let machine = format!("iaasvmcontainerv2;shop-rg;{name}");
        let listed = self.list(&format!(
            "backupFabrics/Azure/protectionContainers/IaasVMContainer;{machine}/protectedItems/VM;{machine}/recoveryPoints"
        ));
        let point = |point: &Value| {
            let time = point["properties"]["recoveryPointTime"].as_str()?;
            Some((point["name"].as_str()?.to_owned(), time.parse().ok()?))
        };
        listed.iter().filter_map(point).collect()
    }

    /// The whole path of something in the vault; of the vault itself for nothing.
    pub(crate) fn path_of(&self, path: &str) -> String {
        let vault = format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu"
        );
        if path.is_empty() {
            vault
        } else {
            format!("{vault}/{path}")
        }
    }

    /// The machine's id.
    pub(crate) fn machine(&self) -> String {
        format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/shop-rg/providers/Microsoft.Compute/virtualMachines/web-1"
        )
    }

    /// The one item's properties, softly deleted or not; None when there is none.
    pub(crate) fn item(&self) -> Option<Value> {
        self.items().into_iter().next()
    }

    /// Every item's properties, softly deleted or not.
    pub(crate) fn items(&self) -> Vec<Value> {
        let items = self.list("backupProtectedItems?backupManagementType eq 'AzureIaasVM'");
        let properties = |item: Value| item["properties"].clone();
        items.into_iter().map(properties).collect()
    }
}
