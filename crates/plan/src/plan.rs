//! What follows from a world: steps, a report, and when to look again.

use std::fmt;

use jiff::SignedDuration;

use crate::failure::ArmFailure;
use crate::report::Report;
use crate::step::Step;

/// What to do, what to say, and when to look again.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// In this order. The first that is not done ends the reconcile: the rest would stand on what is not there.
    pub steps: Vec<Step>,
    /// The status to write once the steps are taken, completed by [`Plan::report_after`].
    pub report: Report,
    pub next: Next,
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// When something that is watched changes; nothing else can help.
    Await,
    /// At once, when the status is written.
    Soon,
    /// After this long, or when something that is watched changes.
    After(SignedDuration),
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// The service took it and works on it: its status is to be had there.
    Accepted {
        status_url: String,
        retry_after: Option<SignedDuration>,
    },
    /// Not taken: what the plan was made from no longer holds.
    Stale { what: String },
    /// Not done.
    Failed(ArmFailure),
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Await => f.write_str("await a change"),
            Self::Soon => f.write_str("at once"),
            Self::After(delay) => write!(f, "after {delay:#}"),
        }
    }
}
