//! From a BackupService to a line to it: reads its credential, connects, and keeps the connection while neither
//! changes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use kluis_api::{BackupServiceSpec, CredentialType};
use kluis_client::{ArmClient, Credential, Endpoint, Failure, Secret};

use crate::{
    arm::{Limits, Line},
    clock::Clock,
    metrics::Metrics,
    objects::{Objects, ObjectsError},
};

/// Gives lines to services.
#[async_trait]
pub trait Services: Send + Sync {
    /// The line to this BackupService. The inner failure is about the service (unreachable, no credential), the outer
    /// about Kubernetes.
    async fn line(
        &self,
        name: &str,
        spec: &BackupServiceSpec,
    ) -> Result<Result<Arc<Line>, Failure>, ObjectsError>;
}

/// Lines over HTTPS.
pub struct HttpsServices {
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    lines: Mutex<HashMap<String, Connected>>,
}

struct Connected {
    spec: BackupServiceSpec,
    secret: Option<Secret>,
    line: Arc<Line>,
}

impl HttpsServices {
    pub fn new(objects: Arc<dyn Objects>, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self {
            objects,
            clock,
            metrics,
            lines: Mutex::default(),
        }
    }

    /// What is connected already, with the same spec and the same secret.
    fn known(
        &self,
        name: &str,
        spec: &BackupServiceSpec,
        secret: Option<&Secret>,
    ) -> Option<Arc<Line>> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lines.get(name)?;
        let same = known.spec == *spec
            && known.secret.as_ref().map(Secret::secret) == secret.map(Secret::secret);
        same.then(|| Arc::clone(&known.line))
    }
}

#[async_trait]
impl Services for HttpsServices {
    async fn line(
        &self,
        name: &str,
        spec: &BackupServiceSpec,
    ) -> Result<Result<Arc<Line>, Failure>, ObjectsError> {
        let secret = match &spec.credential.secret_ref {
            Some(at) => self.objects.secret(&at.name, &at.key).await?.found(),
            None => None,
        };
        if let Some(line) = self.known(name, spec, secret.as_ref()) {
            return Ok(Ok(line));
        }
        let credential = match credential(spec, secret.clone()) {
            Ok(credential) => credential,
            Err(failure) => return Ok(Err(failure)),
        };
        let endpoint = Endpoint {
            url: spec.endpoint.clone(),
            ca_bundle: spec.ca_bundle.clone(),
            tenant_id: Some(spec.tenant_id.clone()),
            credential,
        };
        let client = match ArmClient::connect(&endpoint).await {
            Ok(client) => client,
            Err(failure) => return Ok(Err(failure)),
        };
        let line = Arc::new(Line::new(
            Arc::new(client),
            Limits::of_endpoint(&spec.endpoint),
            Arc::clone(&self.clock),
            Arc::clone(&self.metrics),
        ));
        let connected = Connected {
            spec: spec.clone(),
            secret,
            line: Arc::clone(&line),
        };
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.insert(name.to_owned(), connected);
        Ok(Ok(line))
    }
}

fn credential(spec: &BackupServiceSpec, secret: Option<Secret>) -> Result<Credential, Failure> {
    let client_id = spec.credential.client_id.clone();
    Ok(match spec.credential.type_ {
        CredentialType::WorkloadIdentity => Credential::WorkloadIdentity { client_id },
        CredentialType::ManagedIdentity => Credential::ManagedIdentity { client_id },
        CredentialType::ClientSecret => {
            let named = spec.credential.secret_ref.as_ref();
            let named = named.map_or_else(String::new, |at| {
                format!(" {} with a key {}", at.name, at.key)
            });
            Credential::ClientSecret {
                client_id: client_id.unwrap_or_default(),
                secret: secret.ok_or_else(|| Failure::Misconfigured {
                    what: "spec.credential",
                    problem: format!("the operator's namespace has no Secret{named}"),
                })?,
            }
        }
    })
}
