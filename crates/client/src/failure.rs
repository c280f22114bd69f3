//! What can go wrong between us and the service, classified once, here.
//!
//! A person reads these in an object's condition, so each names the endpoint or the operation and the way out. The
//! cause below is kept as the source and is never part of the text.

use std::{error::Error as StdError, sync::Arc};

use azure_core::error::ErrorKind;
use jiff::{SignedDuration, Timestamp};
use kluis_arm::error::{Class, ErrorBody, classify};

/// A message from outside is kept to this many characters: it ends up in status and in events.
const MAX_MESSAGE: usize = 1024;

/// Why there is no answer to work with.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// No connection, or one that broke off.
    #[error("{endpoint} cannot be reached: check the endpoint, and the network in between")]
    Unreachable {
        endpoint: String,
        #[source]
        source: Arc<azure_core::Error>,
    },
    /// The endpoint's host has no address.
    #[error(
        "the name of {endpoint} does not resolve: check the endpoint's spelling and the cluster's DNS"
    )]
    Unresolved {
        endpoint: String,
        #[source]
        source: Arc<azure_core::Error>,
    },
    /// TLS failed: most often an endpoint with a CA of its own.
    #[error(
        "the certificate of {endpoint} is not trusted: put its CA in spec.caBundle, and check the endpoint's host name"
    )]
    Untrusted {
        endpoint: String,
        #[source]
        source: Arc<azure_core::Error>,
    },
    /// The identity provider, or the service itself (401), does not know us.
    #[error("{authority} does not accept the credential: {message}")]
    Credential { authority: String, message: String },
    /// What was configured cannot be used at all.
    #[error("{what} cannot be used: {problem}")]
    Misconfigured { what: &'static str, problem: String },
    /// The service answered with an ARM error.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The service answered, but not as ARM does.
    #[error("{operation} was answered with what ARM would not say: {problem}")]
    Unreadable { operation: String, problem: String },
    /// A link in an answer leads away from the endpoint.
    #[error("{endpoint} answered with a link to another place, which is not followed: {link}")]
    StrayLink { endpoint: String, link: String },
}

/// An ARM error: `{"error": {"code", "message"}}`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation} was refused with {code} ({status}): {message}")]
pub struct Refusal {
    /// The verb and the path.
    pub operation: String,
    pub status: u16,
    pub code: String,
    pub message: String,
    pub class: Class,
    pub retry_after: Option<SignedDuration>,
    pub date: Option<Timestamp>,
}

impl Failure {
    /// Whether the same call may succeed later (`RetryAfter`), once a person or another object acts (`Blocked`), or
    /// never as it stands (`Terminal`).
    pub fn class(&self) -> Class {
        match self {
            Self::Unreachable { .. } | Self::Unresolved { .. } | Self::Unreadable { .. } => {
                Class::RetryAfter
            }
            Self::Untrusted { .. }
            | Self::Credential { .. }
            | Self::Misconfigured { .. }
            | Self::StrayLink { .. } => Class::Blocked,
            Self::Refused(refusal) => refusal.class,
        }
    }

    /// ARM's code, or ours for what never got as far: a CamelCase word, of a small set of our own or ARM's.
    pub fn code(&self) -> &str {
        match self {
            Self::Unreachable { .. } => "EndpointUnreachable",
            Self::Unresolved { .. } => "EndpointNotResolved",
            Self::Untrusted { .. } => "EndpointNotTrusted",
            Self::Credential { .. } => "CredentialRefused",
            Self::Misconfigured { .. } => "Misconfigured",
            Self::Refused(refusal) => &refusal.code,
            Self::Unreadable { .. } => "UnreadableAnswer",
            Self::StrayLink { .. } => "StrayLink",
        }
    }

    /// How long the service asked to be left alone.
    pub fn retry_after(&self) -> Option<SignedDuration> {
        match self {
            Self::Refused(refusal) => refusal.retry_after,
            _ => None,
        }
    }

    /// The HTTP status, where there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            _ => None,
        }
    }

    /// Whether the service said that there is no such thing.
    pub fn is_absent(&self) -> bool {
        self.status() == Some(404)
    }

    /// An answer of 300 or more. What is no ARM error goes by its status.
    pub(crate) fn refused(
        operation: String,
        status: u16,
        body: &[u8],
        retry_after: Option<SignedDuration>,
        date: Option<Timestamp>,
    ) -> Self {
        let said = ErrorBody::read(body).error;
        let code = if said.code.is_empty() {
            format!("Http{status}")
        } else {
            said.code
        };
        let message = bounded(&said.message);
        Self::Refused(Box::new(Refusal {
            class: classify(&code, status),
            operation,
            status,
            code,
            message,
            retry_after,
            date,
        }))
    }

    /// What azure_core gives instead of an answer. `authority` is where tokens come from: when the chain of causes
    /// holds an answer, it is that of the authority, because answers of ARM itself never come as errors here.
    pub(crate) fn from_azure(error: azure_core::Error, endpoint: &str, authority: &str) -> Self {
        let credential = *error.kind() == ErrorKind::Credential;
        if let Some((status, message)) = authority_answer(&error) {
            return match status {
                429 | 500.. => Self::Unreachable {
                    endpoint: authority.to_owned(),
                    source: Arc::new(error),
                },
                _ => Self::Credential {
                    authority: authority.to_owned(),
                    message: bounded(&message),
                },
            };
        }
        let endpoint = if credential { authority } else { endpoint }.to_owned();
        let (trouble, source) = (transport_trouble(&error), Arc::new(error));
        match trouble {
            Some(Trouble::Tls) => Self::Untrusted { endpoint, source },
            Some(Trouble::Name) => Self::Unresolved { endpoint, source },
            Some(Trouble::Other) => Self::Unreachable { endpoint, source },
            None if credential => Self::Credential {
                authority: endpoint,
                message: bounded(&source.to_string()),
            },
            None => Self::Unreachable { endpoint, source },
        }
    }
}

enum Trouble {
    Tls,
    Name,
    Other,
}

/// An error and the causes below it. Bounded, because nothing promises that a chain ends.
fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let below = |error: &&'a (dyn StdError + 'static)| (*error).source();
    std::iter::successors(Some(error), below).take(32)
}

/// The status and the text of an answer that sits somewhere below a credential's error.
fn authority_answer(error: &azure_core::Error) -> Option<(u16, String)> {
    chain(error)
        .filter_map(|cause| cause.downcast_ref::<azure_core::Error>())
        .find_map(|cause| match cause.kind() {
            ErrorKind::HttpResponse { status, .. } => Some((u16::from(*status), cause.to_string())),
            _ => None,
        })
}

/// Which part of connecting failed.
fn transport_trouble(error: &azure_core::Error) -> Option<Trouble> {
    let mut transport = false;
    for cause in chain(error) {
        if let Some(azure) = cause.downcast_ref::<azure_core::Error>() {
            transport |= matches!(azure.kind(), ErrorKind::Connection | ErrorKind::Io)
                && azure
                    .get_ref()
                    .is_some_and(<dyn StdError + Send + Sync>::is::<reqwest::Error>);
        }
        if is_tls(cause) {
            return Some(Trouble::Tls);
        }
        // hyper-util keeps its connector's error type private: its text is all there is to go by.
        if cause.to_string().starts_with("dns error") {
            return Some(Trouble::Name);
        }
    }
    transport.then_some(Trouble::Other)
}

/// rustls' errors travel inside an `io::Error` or two, whose `source` skips what they hold.
fn is_tls(cause: &(dyn StdError + 'static)) -> bool {
    let inside = |error: &std::io::Error| error.get_ref().is_some_and(|inner| is_tls(inner));
    cause.is::<rustls::Error>() || cause.downcast_ref().is_some_and(inside)
}

/// What was configured, and why it cannot be used.
pub(crate) fn misconfigured(what: &'static str, problem: &dyn std::fmt::Display) -> Failure {
    Failure::Misconfigured {
        what,
        problem: bounded(&problem.to_string()),
    }
}

fn bounded(message: &str) -> String {
    message.chars().take(MAX_MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> Failure {
        Failure::refused("GET /x".to_owned(), status, body.as_bytes(), None, None)
    }

    #[test]
    fn an_arm_error_keeps_its_code_and_its_words() {
        let failure = refused(
            409,
            r#"{"error":{"code":"BMSUserErrorObjectLocked","message":"Another operation is in progress","target":null}}"#,
        );
        assert_eq!(failure.code(), "BMSUserErrorObjectLocked");
        assert_eq!(
            failure.to_string(),
            "GET /x was refused with BMSUserErrorObjectLocked (409): Another operation is in progress"
        );
        assert_eq!(failure.class(), Class::RetryAfter);
    }

    #[test]
    fn an_error_that_is_not_arms_keeps_its_status() {
        let failure = refused(502, "<html>bad gateway</html>");
        assert_eq!(failure.code(), "Http502");
        assert_eq!(failure.class(), Class::RetryAfter);
    }

    #[test]
    fn absence_is_told_by_the_status() {
        assert!(
            refused(
                404,
                r#"{"error":{"code":"ResourceNotFound","message":"x"}}"#
            )
            .is_absent()
        );
        assert!(
            !refused(
                403,
                r#"{"error":{"code":"AuthorizationFailed","message":"x"}}"#
            )
            .is_absent()
        );
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_found_however_deep_it_lies() {
        use azure_core::Error;
        use std::io::{Error as IoError, ErrorKind as IoKind};
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let deep = IoError::other(IoError::new(IoKind::InvalidData, tls));
        let failure = Failure::from_azure(
            Error::new(ErrorKind::Connection, deep),
            "https://e/",
            "https://a/",
        );
        assert_eq!(failure.code(), "EndpointNotTrusted");
        assert!(
            failure
                .to_string()
                .starts_with("the certificate of https://e/")
        );
    }

    #[test]
    fn what_a_message_says_is_bounded() {
        let long = "x".repeat(100_000);
        let failure = refused(
            400,
            &format!(r#"{{"error":{{"code":"C","message":"{long}"}}}}"#),
        );
        assert!(failure.to_string().len() < 2000);
    }
}
