//! What clients ask of a cloud before they know anything of it: its endpoints, and how to sign in.

use serde_json::{Value, json};

use crate::extension::BASE;

/// `GET /metadata/endpoints`: one object, as `az cloud register` reads it, with our extensions announced.
pub(super) fn endpoints(origin: &str, tenant: &str) -> Value {
    let host = origin.trim_start_matches("https://");
    json!({
        "name": "Kluis",
        "portal": origin,
        "authentication": {
            "loginEndpoint": origin, "audiences": [origin, format!("{origin}/")], "tenant": tenant, "identityProvider": "AAD",
        },
        "graphAudience": origin, "graph": origin, "media": origin, "batch": origin, "vmImageAliasDoc": origin,
        "activeDirectoryDataLake": origin, "sqlManagement": origin, "microsoftGraphResourceId": origin,
        "resourceManager": origin,
        "suffixes": { "storage": host, "keyVaultDns": host, "sqlServerHostname": host, "azureFrontDoorEndpointSuffix": host },
        "kluis": { "version": "v1", "release": env!("CARGO_PKG_VERSION"), "files": BASE, "health": BASE, "extensions": ["/_kluis/clock"] },
    })
}

/// The OpenID configuration of the one tenant.
pub(super) fn openid(origin: &str, tenant: &str) -> Value {
    json!({
        "issuer": format!("{origin}/{tenant}/v2.0"),
        "authorization_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["token"], "response_modes_supported": ["query"],
        "subject_types_supported": ["pairwise"], "id_token_signing_alg_values_supported": ["HS256"],
        "scopes_supported": ["openid"], "tenant_region_scope": null,
    })
}
