//! How a path is read and written, whatever it names.

use std::fmt;
use std::vec::IntoIter;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::name::{Name, NameError};

/// Why a text is not the id it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Another thing's path, or no path.
    #[error("{given:?} is not the id of a {kind}: {expected} should stand where {found:?} does")]
    Unexpected {
        /// What it should have named.
        kind: &'static str,
        /// The whole text.
        given: String,
        /// The part that should stand there.
        expected: &'static str,
        /// The part that does; empty at the end.
        found: String,
    },
    /// A name in it is none.
    #[error("{given:?} is not the id of a {kind}: {reason}")]
    Name {
        /// What it should have named.
        kind: &'static str,
        /// The whole text.
        given: String,
        /// What is wrong with the name.
        reason: NameError,
    },
    /// Percent-encoding that is no UTF-8.
    #[error("{0:?} is not UTF-8 once its percent-encoding is undone")]
    Encoding(String),
}

/// The parts of a path, decoded, without the empty ones that a leading or trailing `/` leaves.
///
/// # Errors
/// When the percent-encoding does not decode to UTF-8.
pub fn segments(path: &str) -> Result<Vec<String>, IdError> {
    path.trim_matches('/')
        .split('/')
        .map(|part| {
            let decoded = percent_decode_str(part)
                .decode_utf8()
                .map_err(|_| IdError::Encoding(path.to_owned()))?;
            Ok(decoded.into_owned())
        })
        .collect()
}

/// What a request line takes unescaped; `;` is escaped as Microsoft's clients do.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// An id as it goes into a request line.
#[must_use]
pub fn encode(id: &impl fmt::Display) -> String {
    utf8_percent_encode(&id.to_string(), ESCAPED).to_string()
}

/// A path being read from its front.
pub(super) struct Walk<'a> {
    kind: &'static str,
    given: &'a str,
    rest: IntoIter<String>,
}

impl<'a> Walk<'a> {
    pub(super) fn start(kind: &'static str, given: &'a str) -> Result<Self, IdError> {
        Ok(Self {
            kind,
            given,
            rest: segments(given)?.into_iter(),
        })
    }

    pub(super) fn keyword(&mut self, expected: &'static str) -> Result<(), IdError> {
        let found = self.rest.next().unwrap_or_default();
        if found.eq_ignore_ascii_case(expected) {
            Ok(())
        } else {
            Err(self.unexpected(expected, found))
        }
    }

    pub(super) fn name(&mut self, after: &'static str) -> Result<Name, IdError> {
        self.keyword(after)?;
        let text = self.rest.next().unwrap_or_default();
        Name::new(text).map_err(|reason| IdError::Name {
            kind: self.kind,
            given: self.given.to_owned(),
            reason,
        })
    }

    pub(super) fn end(mut self) -> Result<(), IdError> {
        match self.rest.next() {
            None => Ok(()),
            Some(found) => Err(self.unexpected("the end", found)),
        }
    }

    fn unexpected(&self, expected: &'static str, found: String) -> IdError {
        IdError::Unexpected {
            kind: self.kind,
            given: self.given.to_owned(),
            expected,
            found,
        }
    }
}

/// Gives an id that can `take` itself from a walk and display itself its `FromStr` and its JSON, a string.
macro_rules! readable {
    ($( $id:ident = $kind:literal, )*) => {$(
        impl std::str::FromStr for $id {
            type Err = $crate::id::IdError;

            fn from_str(text: &str) -> Result<Self, $crate::id::IdError> {
                let mut walk = $crate::id::path::Walk::start($kind, text)?;
                let id = Self::take(&mut walk)?;
                walk.end()?;
                Ok(id)
            }
        }

        impl serde::Serialize for $id {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $id {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

pub(super) use readable;
