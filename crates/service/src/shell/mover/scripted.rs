//! A mover that does what a test says.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use kluis_vault::{JobFile, MasterKey};

use super::{Kill, Mover, Tell};
use crate::core::What;

type Script = dyn FnMut(&JobFile) -> Vec<What> + Send;

/// Tells what its script answers for a job, at once; a script that doesn't end in [`What::Exited`] leaves the job running.
pub struct Scripted(Mutex<Box<Script>>);

impl Scripted {
    /// A mover with this script.
    pub fn new(script: impl FnMut(&JobFile) -> Vec<What> + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(script)))
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

impl Mover for Scripted {
    fn start(&self, file: &JobFile, _key: &MasterKey, mut tell: Tell) -> Result<Kill, String> {
        let told = (self.0.lock().unwrap_or_else(PoisonError::into_inner))(file);
        let ends = told.iter().any(|what| matches!(what, What::Exited { .. }));
        told.into_iter().for_each(&mut tell);
        let mut tell = (!ends).then_some(tell);
        Ok(Box::new(move || {
            if let Some(mut tell) = tell.take() {
                tell(What::Exited {
                    code: None,
                    stderr: "it was ended on request".to_owned(),
                });
            }
        }))
    }
}
