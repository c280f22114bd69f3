//! What a restore left out, in a bounded number of sentences.

use std::sync::{Mutex, PoisonError};

use super::frame::{Omitted, Reason};
use crate::{event::Event, files::text};

/// Sentences that are told; of the rest only how many there are.
const MOST: usize = 100;
/// The same of what is lost, in one event.
const MOST_LOST: usize = 10;

#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<Omissions>);

/// What is not restored.
#[derive(Debug, Default, Clone)]
pub(crate) struct Omissions {
    pub(crate) sentences: Vec<String>,
    /// Sentences beyond these.
    pub(crate) more: u64,
    /// What was to be restored and is not there now, but for the next.
    pub(crate) damaged: u64,
    /// The same for no other reason than that it is not supported.
    pub(crate) unsupported: u64,
    /// Devices and the like, which are never restored.
    pub(crate) special: u64,
    first_lost: Vec<String>,
}

impl Omissions {
    fn note(&mut self, sentence: String) {
        if self.sentences.len() < MOST {
            self.sentences.push(sentence);
        } else {
            self.more += 1;
        }
    }
}

impl Told {
    fn with<T>(&self, change: impl FnOnce(&mut Omissions) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What nobody misses, or is restored otherwise than it was: said, and no more.
    pub(crate) fn note(&self, sentence: String) {
        self.with(|told| told.note(sentence));
    }

    /// What is not restored.
    pub(crate) fn omit(&self, omitted: &Omitted) {
        let sentence = format!("{} was left out: {}.", text(&omitted.path), omitted.why);
        self.with(|told| {
            match omitted.reason {
                Reason::Special => {
                    told.special += 1;
                    return told.note(sentence);
                }
                Reason::Unsupported => told.unsupported += 1,
                Reason::Damaged | Reason::Vault | Reason::Target => told.damaged += 1,
            }
            if told.first_lost.len() < MOST_LOST {
                told.first_lost.push(sentence.clone());
            }
            told.note(sentence);
        });
    }

    pub(crate) fn take(&self) -> Omissions {
        self.with(std::mem::take)
    }

    pub(crate) fn emit(&self, emit: &mut dyn FnMut(Event)) {
        let told = self.take();
        for message in told.sentences {
            emit(Event::Note { message });
        }
        if told.more > 0 {
            emit(Event::Note {
                message: format!("{} more were left out for reasons like these.", told.more),
            });
        }
        let count = told.damaged + told.unsupported;
        if count > 0 {
            emit(Event::LeftOut {
                count,
                unsupported: told.unsupported,
                first: told.first_lost,
            });
        }
    }
}
