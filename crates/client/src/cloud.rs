//! Which cloud an endpoint belongs to: where tokens come from and for whom they are asked.

use azure_core::http::Url;
use serde_json::Value;

use crate::{Failure, failure};

/// The identity provider and the audience that belong to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cloud {
    /// Base URL of the identity provider; https always.
    pub(crate) authority: Url,
    /// What a token is asked for: `https://management.azure.com/.default`.
    pub(crate) scope: String,
    /// The tenant that the endpoint itself names, when it is one and not "common".
    pub(crate) tenant: Option<String>,
}

/// Public Azure is known; every other endpoint tells by itself.
pub(crate) fn public(endpoint: &Url) -> Result<Option<Cloud>, Failure> {
    if endpoint.host_str() != Some("management.azure.com") {
        return Ok(None);
    }
    Ok(Some(Cloud {
        authority: parsed("https://login.microsoftonline.com")?,
        scope: "https://management.azure.com/.default".to_owned(),
        tenant: None,
    }))
}

/// Reads the answer of `GET /metadata/endpoints`: one object, or a list of clouds of which the one with this
/// resource manager counts.
pub(crate) fn from_metadata(endpoint: &Url, body: &Value) -> Result<Cloud, Failure> {
    let unreadable = |problem: &str| Failure::Unreadable {
        operation: format!("GET {endpoint}metadata/endpoints"),
        problem: problem.to_owned(),
    };
    let cloud = match body {
        Value::Array(clouds) => clouds
            .iter()
            .find(|cloud| {
                cloud["resourceManager"]
                    .as_str()
                    .and_then(|url| Url::parse(url).ok())
                    .is_some_and(|url| url.origin() == endpoint.origin())
            })
            .ok_or_else(|| unreadable("none of its clouds has this endpoint"))?,
        one => one,
    };
    let authentication = &cloud["authentication"];
    let login = authentication["loginEndpoint"]
        .as_str()
        .and_then(|url| Url::parse(url).ok())
        .ok_or_else(|| unreadable("it has no authentication.loginEndpoint that is a URL"))?;
    if login.scheme() != "https" {
        return Err(unreadable("its authentication.loginEndpoint is not https"));
    }
    let audience = authentication["audiences"][0]
        .as_str()
        .ok_or_else(|| unreadable("it has no authentication.audiences"))?;
    Ok(Cloud {
        authority: login,
        scope: format!("{}/.default", audience.trim_end_matches('/')),
        tenant: authentication["tenant"]
            .as_str()
            .filter(|tenant| !matches!(*tenant, "" | "common" | "organizations" | "adfs"))
            .map(str::to_owned),
    })
}

fn parsed(url: &str) -> Result<Url, Failure> {
    Url::parse(url).map_err(|error| failure::misconfigured("the identity provider", &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn endpoint() -> Url {
        Url::parse("https://127.0.0.1:8443").unwrap()
    }

    #[test]
    fn one_object_is_read() {
        let body = json!({"name": "Kluis", "resourceManager": "https://127.0.0.1:8443/",
            "authentication": {"loginEndpoint": "https://127.0.0.1:8443/", "audiences": ["https://127.0.0.1:8443/"], "tenant": "t-1"}});
        let cloud = from_metadata(&endpoint(), &body).unwrap();
        assert_eq!(cloud.scope, "https://127.0.0.1:8443/.default");
        assert_eq!(cloud.tenant.as_deref(), Some("t-1"));
        let list = json!([{"resourceManager": "https://other.example/"}, body]);
        assert_eq!(from_metadata(&endpoint(), &list).unwrap(), cloud);
    }

    #[test]
    fn a_secret_is_never_sent_in_the_clear() {
        let body =
            json!({"authentication": {"loginEndpoint": "http://127.0.0.1/", "audiences": ["a"]}});
        assert!(from_metadata(&endpoint(), &body).is_err());
    }

    #[test]
    fn public_azure_needs_no_asking() {
        let azure = Url::parse("https://management.azure.com").unwrap();
        assert!(public(&azure).unwrap().is_some());
        assert!(public(&endpoint()).unwrap().is_none());
        let lookalike = Url::parse("https://management.azure.com.example").unwrap();
        assert!(public(&lookalike).unwrap().is_none());
    }
}
