//! From a BackupService to a line to it: reads its credential, connects, and keeps the connection while neither
//! changes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use kluis_api::{BackupServiceSpec, CredentialType};
use kluis_client::{ArmClient, Credential, Endpoint, Failure, Secret};

use crate::{
    arm::{Limits, Line, News},
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
    tell: Tell,
    lines: Mutex<HashMap<String, Connected>>,
    /// One connects at a time: at a start a thousand objects want the same line.
    connecting: tokio::sync::Mutex<()>,
}

/// Whom to tell what a line to a service, by its name, has noticed.
pub type Tell = Arc<dyn Fn(&str, News) + Send + Sync>;

/// How long a service that could not be connected to is left alone.
const AGAIN: SignedDuration = SignedDuration::from_secs(2);

/// What came of connecting, with what it was tried with.
struct Connected {
    spec: BackupServiceSpec,
    secret: Option<Secret>,
    line: Result<Arc<Line>, Failure>,
    at: Timestamp,
}

impl HttpsServices {
    pub fn new(
        objects: Arc<dyn Objects>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        tell: Tell,
    ) -> Self {
        Self {
            objects,
            clock,
            metrics,
            tell,
            lines: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
        }
    }

    /// What came of connecting with the same spec and the same secret, if that is not too long ago to count.
    fn known(
        &self,
        name: &str,
        spec: &BackupServiceSpec,
        secret: Option<&Secret>,
    ) -> Option<Result<Arc<Line>, Failure>> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lines.get(name)?;
        let same = known.spec == *spec
            && known.secret.as_ref().map(Secret::secret) == secret.map(Secret::secret);
        let counts = known.line.is_ok() || self.clock.now().duration_since(known.at) < AGAIN;
        (same && counts).then(|| known.line.clone())
    }

    async fn connect(
        &self,
        name: &str,
        spec: &BackupServiceSpec,
        secret: Option<Secret>,
    ) -> Result<Arc<Line>, Failure> {
        let endpoint = Endpoint {
            url: spec.endpoint.clone(),
            ca_bundle: spec.ca_bundle.clone(),
            tenant_id: Some(spec.tenant_id.clone()),
            credential: credential(spec, secret)?,
        };
        let client = ArmClient::connect(&endpoint).await?;
        let (tell, name) = (Arc::clone(&self.tell), name.to_owned());
        Ok(Arc::new(Line::new(
            Arc::new(client),
            Limits::of_endpoint(&spec.endpoint),
            Arc::clone(&self.clock),
            Arc::clone(&self.metrics),
            Arc::new(move |news| tell(&name, news)),
        )))
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
        if let Some(known) = self.known(name, spec, secret.as_ref()) {
            return Ok(known);
        }
        let _one = self.connecting.lock().await;
        if let Some(known) = self.known(name, spec, secret.as_ref()) {
            return Ok(known);
        }
        let line = self.connect(name, spec, secret.clone()).await;
        let connected = Connected {
            spec: spec.clone(),
            secret,
            line: line.clone(),
            at: self.clock.now(),
        };
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.insert(name.to_owned(), connected);
        Ok(line)
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
