//! Who we are at the service.

use std::{fmt, sync::Arc};

pub use azure_core::credentials::Secret;
use azure_core::{
    cloud::{CloudConfiguration, CustomConfiguration},
    credentials::TokenCredential,
    http::HttpClient,
};
use azure_identity::{
    AzureCliCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};

use crate::{Failure, cloud::Cloud, failure, transport::client_options};

/// How to sign in. [`Secret`] does not show itself in `Debug`.
#[derive(Clone)]
pub enum Credential {
    /// A service principal with a client secret.
    ClientSecret { client_id: String, secret: Secret },
    /// The identity of the machine or the App Service; `client_id` picks one of several.
    ManagedIdentity { client_id: Option<String> },
    /// The Kubernetes service account, federated; `client_id` defaults to `AZURE_CLIENT_ID`.
    WorkloadIdentity { client_id: Option<String> },
    /// The person who is signed in with Azure's command line.
    AzureCli,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientSecret { .. } => "ClientSecret",
            Self::ManagedIdentity { .. } => "ManagedIdentity",
            Self::WorkloadIdentity { .. } => "WorkloadIdentity",
            Self::AzureCli => "AzureCli",
        })
    }
}

/// A source of tokens over this transport, at this cloud. Nothing is asked yet.
pub(crate) fn token_credential(
    credential: &Credential,
    tenant: Option<&str>,
    cloud: &Cloud,
    transport: &Arc<dyn HttpClient>,
) -> Result<Arc<dyn TokenCredential>, Failure> {
    let refused = |error: azure_core::Error| failure::misconfigured("the credential", &error);
    let mut custom = CustomConfiguration::default();
    custom.authority_host = cloud.authority.to_string();
    let mut options = client_options(transport);
    options.cloud = Some(Arc::new(CloudConfiguration::from(custom)));
    let tenant = tenant.or(cloud.tenant.as_deref());

    Ok(match credential {
        Credential::ClientSecret { client_id, secret } => {
            let tenant = tenant.ok_or_else(|| {
                failure::misconfigured("the credential", &"a client secret needs spec.tenantId")
            })?;
            ClientSecretCredential::new(
                tenant,
                client_id.clone(),
                secret.clone(),
                Some(ClientSecretCredentialOptions {
                    client_options: options,
                }),
            )
            .map_err(refused)?
        }
        Credential::ManagedIdentity { client_id } => {
            let managed = ManagedIdentityCredentialOptions {
                user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                client_options: options,
            };
            ManagedIdentityCredential::new(Some(managed)).map_err(refused)?
        }
        Credential::WorkloadIdentity { client_id } => {
            WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions {
                    client_options: options,
                },
                client_id: client_id.clone(),
                tenant_id: tenant.map(str::to_owned),
                token_file_path: None,
            }))
            .map_err(refused)?
        }
        Credential::AzureCli => AzureCliCredential::new(None).map_err(refused)?,
    })
}
