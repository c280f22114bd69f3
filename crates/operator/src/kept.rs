//! An object as it is remembered.
//!
//! Of most kinds there are a few, each looked at all the time: those are kept as they are. Of some there are thousands, each
//! looked at now and then: those are kept as their text, which is a small part of what it takes up once it is read.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::key::Kind;

/// An object, for whoever wants to read it.
#[derive(Debug, Clone)]
pub struct Kept(Form);

#[derive(Debug, Clone)]
enum Form {
    Whole(Arc<Value>),
    Text(Arc<str>),
}

impl Kept {
    /// In the form that fits how many there are of its kind.
    pub(crate) fn of(kind: Kind, object: &Arc<Value>) -> Self {
        Self(match kind {
            Kind::BackupService | Kind::Vault | Kind::BackupPolicy => {
                Form::Whole(Arc::clone(object))
            }
            Kind::ProtectedVM | Kind::BackupJob | Kind::Restore => {
                Form::Text(object.to_string().into())
            }
        })
    }

    /// The object, undecoded.
    pub fn object(&self) -> Arc<Value> {
        match &self.0 {
            Form::Whole(object) => Arc::clone(object),
            // It was written by us: it reads.
            Form::Text(text) => Arc::new(serde_json::from_str(text).unwrap_or_default()),
        }
    }

    /// The object as a type of ours.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match &self.0 {
            Form::Whole(object) => T::deserialize(&**object),
            Form::Text(text) => serde_json::from_str(text),
        }
    }
}

impl From<Arc<Value>> for Kept {
    fn from(object: Arc<Value>) -> Self {
        Self(Form::Whole(object))
    }
}

/// Told apart by 64 bits: thousands of things are remembered, and a chance of one in a billion billion is no reason to
/// remember them whole.
pub(crate) fn digest(thing: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    thing.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KINDS;
    use serde_json::json;

    #[test]
    fn what_is_kept_is_what_was() {
        let object = Arc::new(json!({ "spec": { "z": 1, "a": ["ü\n", null, 1.5] } }));
        for kind in KINDS {
            let kept = Kept::of(kind, &object);
            assert_eq!(kept.object().to_string(), object.to_string(), "{kind}");
            assert_eq!(kept.decode::<Value>().unwrap(), *object);
        }
    }
}
