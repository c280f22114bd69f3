//! Whether a policy in force has to be written.
//!
//! Azure takes fifty edits of policies in a day and a vault; a write without a difference is one of them. Policies are
//! compared by what they mean: what the service adds (counts, names of resource groups), the dates before times, the
//! order of days and a zone's several names make no difference.

use std::fmt;

use super::parse::{ParseError, parse};
use super::said::said;
use super::{ProtectionPolicy, Terms};

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What differs, such as `retention.daily`; of a policy in force that cannot be read, the path on the wire.
    pub field: String,
    /// What is in force.
    pub have: String,
    /// What is wanted.
    pub want: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} → {}", self.field, self.have, self.want)
    }
}

/// What would change if `wanted` were written over `in_force`; empty when nothing would.
///
/// A policy in force that cannot be put in the field's terms differs in the field that defies it.
///
/// # Errors
/// When `wanted` cannot be put in the field's terms: then there is nothing to compare with.
pub fn differences(
    in_force: &ProtectionPolicy,
    wanted: &ProtectionPolicy,
) -> Result<Vec<Difference>, ParseError> {
    let wanted = parse(wanted)?;
    Ok(compared(parse(in_force), &wanted))
}

/// As [`differences`], of policies that were read already.
pub(crate) fn compared(in_force: Result<Terms, ParseError>, wanted: &Terms) -> Vec<Difference> {
    match in_force {
        Ok(have) => between(&have, wanted),
        Err(ParseError { field, found, .. }) => vec![Difference {
            field,
            have: found,
            want: "as declared".to_owned(),
        }],
    }
}

/// What would change if `wanted` took the place of `have`; empty when they mean the same.
#[must_use]
pub fn between(have: &Terms, wanted: &Terms) -> Vec<Difference> {
    let pairs = said(have).into_iter().zip(said(wanted));
    pairs
        .filter(|((_, have), (_, want))| have != want)
        .map(|((field, have), (_, want))| Difference {
            field: field.to_owned(),
            have,
            want,
        })
        .collect()
}
