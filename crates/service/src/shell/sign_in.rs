//! Signing in: client credentials over TLS, a secret or another issuer's token, and the managed identity endpoint on the
//! loopback.

use std::sync::Arc;

use serde_json::{Value, json};

use super::clock::Clock;
use super::identity::Identities;
use super::token::{LIFETIME, Tokens};
use crate::core::{Principal, Query};

/// Everything that signing in takes.
pub(super) struct SignIn {
    pub(super) identities: Identities,
    pub(super) tokens: Tokens,
    pub(super) tenant: String,
    /// Tokens are given and taken by its time of the real world.
    pub(super) clock: Arc<Clock>,
}

/// What an attempt to sign in is answered.
pub(super) struct Told {
    pub(super) status: u16,
    pub(super) body: Value,
    /// As whom, if there is such an identity, whether or not it was one who may.
    pub(super) identity: Option<Principal>,
}

impl Told {
    /// The number of what was wrong, in Entra's words, or its kind.
    pub(super) fn code(&self) -> Option<String> {
        let number = self.body["error_codes"][0].as_u64();
        let kind = || self.body["error"].as_str().map(str::to_owned);
        number.map(|number| format!("AADSTS{number}")).or_else(kind)
    }
}

/// A status and a body.
type Answer = (u16, Value);

/// How an assertion is called by RFC 7523.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl SignIn {
    /// `POST /{tenant}/oauth2/v2.0/token` with a form as its body.
    pub(super) fn token(&self, tenant: &str, form: &str, origin: &str) -> Told {
        let form = Query::parse(form);
        let identity = form.get("client_id");
        let (status, body) = self.grant(tenant, &form, origin);
        Told {
            status,
            body,
            identity: identity.and_then(|id| self.identities.principal(id)),
        }
    }

    fn grant(&self, tenant: &str, form: &Query, origin: &str) -> Answer {
        let given = |name| form.get(name).filter(|value| !value.is_empty());
        // RFC 6749, 3.2 and 2.3: each parameter once, and one way to sign in.
        let names: Vec<&str> = form.pairs().map(|(name, _)| name).collect();
        let twice = names.iter().enumerate().find(|(at, name)| {
            names[..*at]
                .iter()
                .any(|other| other.eq_ignore_ascii_case(name))
        });
        if let Some((_, name)) = twice {
            let message = format!("AADSTS90014: The body has '{name}' twice.");
            return refused(400, "invalid_request", &message);
        }
        if given("client_secret").is_some() && given("client_assertion").is_some() {
            let message = "AADSTS90023: The body has 'client_secret' and 'client_assertion'; one of them signs in.";
            return refused(400, "invalid_request", message);
        }
        if given("client_assertion").is_some() && given("client_assertion_type") != Some(JWT_BEARER)
        {
            let message = format!("AADSTS90023: 'client_assertion_type' must be '{JWT_BEARER}'.");
            return refused(400, "invalid_request", &message);
        }
        if !tenant.eq_ignore_ascii_case(&self.tenant) {
            let message = format!(
                "AADSTS90002: Tenant '{tenant}' not found; this service has '{}'.",
                self.tenant
            );
            return refused(400, "invalid_request", &message);
        }
        if given("grant_type") != Some("client_credentials") {
            return refused(
                400,
                "unsupported_grant_type",
                "AADSTS70003: This service knows the grant 'client_credentials' alone.",
            );
        }
        if let (Some(client), Some(assertion)) = (given("client_id"), given("client_assertion")) {
            return match self
                .identities
                .federated(client, assertion, self.clock.real())
            {
                Ok(principal) => self.granted(&principal, origin),
                Err((number, why)) => {
                    refused(401, "invalid_client", &format!("AADSTS{number}: {why}"))
                }
            };
        }
        let (Some(client), Some(secret)) = (given("client_id"), given("client_secret")) else {
            return refused(
                401,
                "invalid_client",
                "AADSTS7000218: The body needs 'client_id', and 'client_secret' or 'client_assertion'.",
            );
        };
        match self.identities.sign_in(client, secret) {
            Some(principal) => self.granted(&principal, origin),
            None => refused(
                401,
                "invalid_client",
                "AADSTS7000215: The client id or its secret is wrong; they are in the service's credentials.json, or in the \
                 inventory's identities.",
            ),
        }
    }

    /// `GET /msi/token`, as App Service serves it.
    pub(super) fn managed(&self, header: Option<&str>, query: &Query, origin: &str) -> Told {
        let identity = header.and_then(|header| self.identities.managed(header));
        let (status, body) = match &identity {
            Some(principal) => self.lend(principal, query, origin),
            None => {
                let message = "X-IDENTITY-HEADER is missing or is not the one in the service's credentials.json.";
                (401, json!({ "statusCode": 401, "message": message }))
            }
        };
        Told {
            status,
            body,
            identity,
        }
    }

    fn lend(&self, principal: &Principal, query: &Query, origin: &str) -> Answer {
        let resource = query.get("resource").unwrap_or(origin);
        match self
            .tokens
            .give(principal, &self.issuer(origin), self.clock.real())
        {
            Some((token, expires)) => (
                200,
                json!({
                    "access_token": token, "expires_on": expires.to_string(), "resource": resource, "token_type": "Bearer",
                    "client_id": principal.client_id,
                }),
            ),
            None => (
                500,
                json!({ "statusCode": 500, "message": "No token could be made; is this machine's clock right?" }),
            ),
        }
    }

    fn granted(&self, principal: &Principal, origin: &str) -> Answer {
        match self
            .tokens
            .give(principal, &self.issuer(origin), self.clock.real())
        {
            Some((token, _)) => (
                200,
                json!({
                    "token_type": "Bearer", "expires_in": LIFETIME, "ext_expires_in": LIFETIME, "access_token": token,
                }),
            ),
            None => refused(
                500,
                "server_error",
                "No token could be made; is this machine's clock right?",
            ),
        }
    }

    fn issuer(&self, origin: &str) -> String {
        format!("{origin}/{}/v2.0", self.tenant)
    }

    /// Who sent this `Authorization` header.
    ///
    /// # Errors
    /// ARM's code and a sentence.
    pub(super) fn caller(
        &self,
        authorization: Option<&str>,
    ) -> Result<Principal, (&'static str, String)> {
        let (scheme, token) = authorization
            .and_then(|text| text.split_once(' '))
            .unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            let message = "Authentication failed. The 'Authorization' header is missing or is no bearer token.";
            return Err((
                kluis_arm::error::code::AUTHENTICATION_FAILED,
                message.to_owned(),
            ));
        }
        let client = self.tokens.read(token.trim(), self.clock.real())?;
        self.identities.principal(&client).ok_or_else(|| {
            (
                "InvalidAuthenticationToken",
                format!("The identity '{client}' is no longer one of this service's."),
            )
        })
    }
}

fn refused(status: u16, error: &str, description: &str) -> Answer {
    // Clients print the number apart from the sentence that it stands in front of.
    let digits = description
        .trim_start_matches("AADSTS")
        .split(':')
        .next()
        .unwrap_or_default();
    let codes: Vec<u32> = digits.parse().into_iter().collect();
    (
        status,
        json!({ "error": error, "error_description": description, "error_codes": codes }),
    )
}
