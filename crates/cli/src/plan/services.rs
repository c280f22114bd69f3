//! Lines to services, for a person: with the client secret that the operator uses where there is one, and as whoever is
//! signed in with Azure's CLI where the operator has an identity of its own, which it has none to lend.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use kluis_api::{BackupServiceSpec, CredentialType};
use kluis_client::{ArmClient, Credential, Endpoint, Failure};
use kluis_operator::arm::{Limits, Line};
use kluis_operator::clock::SystemClock;
use kluis_operator::metrics::Metrics;
use kluis_operator::objects::{Objects, ObjectsError};
use kluis_operator::overlay::Overlay;
use kluis_operator::services::Services;
use tokio::sync::Mutex;

/// Each service is connected to once.
pub(super) struct PersonServices {
    objects: Arc<Overlay>,
    lines: Mutex<HashMap<String, Result<Arc<Line>, Failure>>>,
}

impl PersonServices {
    pub(super) fn new(objects: Arc<Overlay>) -> Self {
        Self {
            objects,
            lines: Mutex::default(),
        }
    }

    async fn connect(
        &self,
        spec: &BackupServiceSpec,
    ) -> Result<Result<Arc<Line>, Failure>, ObjectsError> {
        let asked = &spec.credential;
        let credential = match (asked.type_, &asked.secret_ref) {
            (CredentialType::ClientSecret, Some(at)) => {
                let secret = self.objects.secret(&at.name, &at.key).await?.found();
                let Some(secret) = secret else {
                    return Ok(Err(Failure::Misconfigured {
                        what: "spec.credential",
                        problem: format!(
                            "the operator's namespace has no Secret {} with a key {}",
                            at.name, at.key
                        ),
                    }));
                };
                Credential::ClientSecret {
                    client_id: asked.client_id.clone().unwrap_or_default(),
                    secret,
                }
            }
            _ => Credential::AzureCli,
        };
        let endpoint = Endpoint {
            url: spec.endpoint.clone(),
            ca_bundle: spec.ca_bundle.clone(),
            tenant_id: Some(spec.tenant_id.clone()),
            credential,
        };
        let client = ArmClient::connect(&endpoint).await;
        Ok(client.map(|client| {
            Arc::new(Line::new(
                Arc::new(client),
                Limits::of_endpoint(&spec.endpoint),
                Arc::new(SystemClock),
                Arc::new(Metrics::default()),
                Arc::new(|_| {}),
            ))
        }))
    }
}

#[async_trait]
impl Services for PersonServices {
    async fn line(
        &self,
        name: &str,
        spec: &BackupServiceSpec,
    ) -> Result<Result<Arc<Line>, Failure>, ObjectsError> {
        let mut lines = self.lines.lock().await;
        if let Some(line) = lines.get(name) {
            return Ok(line.clone());
        }
        let line = self.connect(spec).await?;
        lines.insert(name.to_owned(), line.clone());
        Ok(line)
    }
}
