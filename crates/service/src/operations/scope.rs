//! Where a client is sent to follow an operation.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::{Operation, Progress};
use crate::core::{Request, Response, VaultPath};

/// What is escaped in the URLs; beyond ASCII everything is. Semicolons stay, as Azure leaves them.
const NOT_IN_A_HEADER: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'%')
    .add(b'?')
    .add(b'#');

/// The place whose URLs an answer gives. The operation itself can be read from any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// `V/operationStatus` and `V/operationResults`: the vault itself.
    Vault,
    /// `…/locations/{l}/deletedVaults/{n}/operations` and `…/operationResults`.
    DeletedVault,
    /// `V/backupOperations` and `V/backupOperationResults`: deletions of items and containers.
    Backup,
    /// `V/backupFabrics/Azure/operationsStatus` and `…/operationResults`: discovery.
    Fabric,
    /// `…/protectionContainers/{c}/operationsStatus` and `…/operationResults`.
    Container(&'a str),
    /// `…/protectionContainers/{c}/protectedItems/{i}/operationsStatus` and `…/operationResults`.
    Item(&'a str, &'a str),
    /// `V/backupPolicies/{p}/operations` and `…/operationResults`.
    Policy(&'a str),
    /// `V/backupValidateOperationsStatuses` and `V/backupValidateOperationResults`.
    Validation,
    /// `V/backupJobs/operationResults` alone: exporting jobs has no status document.
    Export,
    /// `V/backupJobs/{j}/operationsStatus` and `…/operationResults`: cancelling a job.
    Job(&'a str),
}

impl Scope<'_> {
    /// The path of the status document, below the vault, without the operation's name; `None` where there is none.
    fn status(&self) -> Option<String> {
        Some(match self {
            Scope::Vault => "operationStatus".to_owned(),
            Scope::DeletedVault => "operations".to_owned(),
            Scope::Backup => "backupOperations".to_owned(),
            Scope::Policy(policy) => format!("backupPolicies/{policy}/operations"),
            Scope::Validation => "backupValidateOperationsStatuses".to_owned(),
            Scope::Export => return None,
            Scope::Fabric | Scope::Container(_) | Scope::Item(..) | Scope::Job(_) => {
                format!("{}/operationsStatus", self.resource())
            }
        })
    }

    /// The path of the result, below the vault, without the operation's name.
    fn result(&self) -> String {
        match self {
            Scope::Vault | Scope::DeletedVault => "operationResults".to_owned(),
            Scope::Backup => "backupOperationResults".to_owned(),
            Scope::Validation => "backupValidateOperationResults".to_owned(),
            _ => format!("{}/operationResults", self.resource()),
        }
    }

    fn resource(&self) -> String {
        match self {
            Scope::Vault | Scope::DeletedVault | Scope::Backup | Scope::Validation => String::new(),
            Scope::Export => "backupJobs".to_owned(),
            Scope::Fabric => "backupFabrics/Azure".to_owned(),
            Scope::Container(container) => {
                format!("backupFabrics/Azure/protectionContainers/{container}")
            }
            Scope::Item(container, item) => {
                format!(
                    "backupFabrics/Azure/protectionContainers/{container}/protectedItems/{item}"
                )
            }
            Scope::Policy(policy) => format!("backupPolicies/{policy}"),
            Scope::Job(job) => format!("backupJobs/{job}"),
        }
    }
}

impl Operation {
    /// 202 without a body: where to follow the operation.
    #[must_use]
    pub fn accepted(&self, request: &Request, vault: &VaultPath, scope: Scope<'_>) -> Response {
        self.follow(Response::empty(202), request, &vault.id, scope, true)
    }

    /// Adds the operation's URLs to a response.
    #[must_use]
    pub fn follow(
        &self,
        response: Response,
        request: &Request,
        vault_id: &str,
        scope: Scope<'_>,
        with_location: bool,
    ) -> Response {
        let response = self.links(response, request, vault_id, scope, with_location);
        if self.progress == Progress::InProgress {
            response.with("Retry-After", "1")
        } else {
            response
        }
    }

    /// Adds both URLs of an operation on a vault to the answer of a poll.
    pub(super) fn again(&self, response: Response, request: &Request, vault_id: &str) -> Response {
        self.links(response, request, vault_id, Scope::Vault, true)
    }

    fn links(
        &self,
        response: Response,
        request: &Request,
        vault_id: &str,
        scope: Scope<'_>,
        with_location: bool,
    ) -> Response {
        let url = |path: &str| {
            let path = format!("{vault_id}/{path}/{}", self.id);
            let path = utf8_percent_encode(&path, NOT_IN_A_HEADER);
            format!(
                "{}{path}?api-version={}",
                request.origin,
                request.api_version()
            )
        };
        let mut response = response;
        if let Some(status) = scope.status() {
            response = response.with("Azure-AsyncOperation", url(&status));
        }
        if with_location {
            response = response.with("Location", url(&scope.result()));
        }
        response
    }
}
