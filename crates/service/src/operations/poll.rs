//! Reading an operation: its status document, and its result.

use kluis_arm::time::WireTime;
use serde_json::{Value, json};

use super::{Operation, Progress};
use crate::core::{Refusal, Request, Response, VaultKey};
use crate::store::Tx;

/// Answers a path that ends in an operation's name under any of the scopes; `None` when this is no such path.
///
/// `below` are the decoded segments after the vault's name. The vault need not exist any more.
pub fn poll(
    request: &Request,
    vault: &VaultKey,
    below: &[String],
    tx: &Tx<'_>,
) -> Option<Result<Response, Refusal>> {
    let [.., kind, id] = below else { return None };
    let kind = kind.to_lowercase();
    let scoped = below.len() > 2;
    let status = match (kind.as_str(), scoped) {
        ("operationstatus" | "backupoperations" | "backupvalidateoperationsstatuses", false)
        | ("operationsstatus" | "operations", true) => true,
        ("operationresults", _)
        | ("backupoperationresults" | "backupvalidateoperationresults", false) => false,
        _ => return None,
    };
    Some(read(request, vault, id, tx).map(|operation| {
        if !status {
            return operation.result(request);
        }
        let response = operation.status(request);
        // Only the vault's own operations say again, while they run, where they are followed.
        if kind == "operationstatus" && operation.progress == Progress::InProgress {
            let vault_id = request.path.rsplitn(3, '/').nth(2).unwrap_or_default();
            return operation.again(response, request, vault_id);
        }
        response
    }))
}

fn read(request: &Request, vault: &VaultKey, id: &str, tx: &Tx<'_>) -> Result<Operation, Refusal> {
    if request.method != http::Method::GET {
        return Err(Refusal::wrong_method(&request.method, &request.path));
    }
    tx.get::<Operation>(&id.to_lowercase())?.filter(|operation| operation.vault == *vault).ok_or_else(|| {
        Refusal::not_found(
            "OperationNotFound",
            format!("No operation '{id}' is known of vault '{vault}'; only the latest of each vault are remembered."),
        )
    })
}

impl Operation {
    fn status(&self, request: &Request) -> Response {
        let mut body = json!({
            "id": if request.path.to_lowercase().contains("/operationstatus/") { request.path.clone() } else { self.id.clone() },
            "name": self.id,
            "status": self.word(),
            "startTime": WireTime::from(self.start).to_string(),
            "endTime": self.end.map_or_else(WireTime::not_yet, WireTime::from).to_string(),
        });
        if let Some(job) = &self.job {
            body["properties"] =
                json!({ "objectType": "OperationStatusJobExtendedInfo", "jobId": job });
        }
        if let Some(validation) = self.validation() {
            body["properties"] = validation;
        }
        if let Some(error) = self.error() {
            body["error"] = error;
        }
        self.retry(Response::ok(body))
    }

    fn result(&self, request: &Request) -> Response {
        match &self.progress {
            Progress::InProgress => self.retry(Response::empty(202)).with(
                "Location",
                format!(
                    "{}{}?api-version={}",
                    request.origin,
                    request.path,
                    request.api_version()
                ),
            ),
            Progress::Succeeded { result: Some(body) } => Response::ok(body.clone()),
            Progress::Succeeded { result: None } | Progress::Cancelled => Response::empty(204),
            Progress::Failed { code, message } => Refusal::bad_request(code, message).response(),
        }
    }

    fn retry(&self, response: Response) -> Response {
        // Clients fall back to 30 s when there is no such header, and take 0 for none.
        if self.progress == Progress::InProgress {
            response.with("Retry-After", "1")
        } else {
            response
        }
    }

    fn word(&self) -> &'static str {
        match self.progress {
            Progress::InProgress => "InProgress",
            Progress::Succeeded { .. } => "Succeeded",
            Progress::Failed { .. } => "Failed",
            Progress::Cancelled => "Canceled",
        }
    }

    /// What a validation found, which its status says as well as its result.
    fn validation(&self) -> Option<Value> {
        let Progress::Succeeded {
            result: Some(result),
        } = &self.progress
        else {
            return None;
        };
        let response = result.get("validateOperationResponse")?;
        Some(json!({
            "objectType": "OperationStatusValidateOperationExtendedInfo",
            "validateOperationResponse": response,
        }))
    }

    fn error(&self) -> Option<Value> {
        match &self.progress {
            Progress::Failed { code, message } => Some(json!({ "code": code, "message": message })),
            Progress::InProgress | Progress::Succeeded { .. } | Progress::Cancelled => None,
        }
    }
}
