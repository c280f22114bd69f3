//! How a call to ARM can fail, classified once, where the answer came in.

use std::fmt;

use jiff::Timestamp;
use kluis_arm::error::{Class, classify};

/// A call that did not do what it was made for.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmFailure {
    /// What was being done: `reading the vault shop-weu`.
    pub doing: String,
    pub cause: Cause,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// No answer: name resolution, connection, TLS, a timeout. Whether the call was taken is not known.
    Unreachable { message: String },
    /// We are not who we say, or not allowed in: 401, or the token endpoint refused.
    WrongCredentials { message: String },
    /// The service wants to be left alone until then.
    Throttled { until: Timestamp },
    /// The service takes no more of this before then: a number is used up, which its message names.
    Spent { until: Timestamp, message: String },
    /// The service answered with an error.
    Refused {
        status: u16,
        code: String,
        message: String,
    },
    /// The service answered with something that is not what was asked for.
    Malformed { message: String },
}

impl ArmFailure {
    /// What a person or the next reconcile can make of it.
    pub fn class(&self) -> Class {
        match &self.cause {
            Cause::Unreachable { .. } | Cause::Throttled { .. } | Cause::Spent { .. } => {
                Class::RetryAfter
            }
            Cause::WrongCredentials { .. } | Cause::Malformed { .. } => Class::Blocked,
            Cause::Refused { status, code, .. } => classify(code, *status),
        }
    }

    /// Whether the service refused the request itself, as things are there: not who asks, nor how often.
    pub fn is_refusal(&self) -> bool {
        matches!(&self.cause, Cause::Refused { status, .. } if (400..500).contains(status) && ![401, 403, 429].contains(status))
    }

    /// Whether the service may have taken the call all the same. What it answered, it did not take.
    pub fn may_have_been_taken(&self) -> bool {
        match &self.cause {
            Cause::Unreachable { .. } | Cause::Malformed { .. } => true,
            Cause::Refused { status, .. } => *status >= 500,
            Cause::WrongCredentials { .. } | Cause::Throttled { .. } | Cause::Spent { .. } => false,
        }
    }
}

impl fmt::Display for ArmFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doing = &self.doing;
        match &self.cause {
            Cause::Unreachable { message } => write!(f, "{doing}: no answer ({message})"),
            Cause::WrongCredentials { message } => write!(f, "{doing}: not let in ({message})"),
            Cause::Throttled { until } => write!(f, "{doing}: told to wait until {until}"),
            Cause::Spent { until, message } => {
                write!(f, "{doing}: not before {until}: {message}")
            }
            Cause::Refused {
                status,
                code,
                message,
            } => write!(f, "{doing}: {status} {code}: {message}"),
            Cause::Malformed { message } => {
                write!(f, "{doing}: an answer that cannot be read ({message})")
            }
        }
    }
}
