//! What a restore left out, in a bounded number of sentences.

use std::sync::{Mutex, PoisonError};

use crate::event::Event;

/// Sentences that are told; of the rest only how many there are.
const MOST: usize = 100;
/// The same of what is lost, in one event.
const MOST_LOST: usize = 10;

#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<Omissions>);

/// What is not restored.
#[derive(Debug, Default)]
struct Omissions {
    sentences: Vec<String>,
    more: u64,
    lost: u64,
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

    /// What is never restored, and nobody misses: said, and no more.
    pub(crate) fn note(&self, sentence: String) {
        self.with(|told| told.note(sentence));
    }

    /// What was to be restored, and is not there now.
    pub(crate) fn lost(&self, sentence: String) {
        self.with(|told| {
            told.lost += 1;
            if told.first_lost.len() < MOST_LOST {
                told.first_lost.push(sentence.clone());
            }
            told.note(sentence);
        });
    }

    pub(crate) fn emit(&self, emit: &mut dyn FnMut(Event)) {
        let told = self.with(std::mem::take);
        for message in told.sentences {
            emit(Event::Note { message });
        }
        if told.more > 0 {
            emit(Event::Note {
                message: format!("{} more were left out for reasons like these.", told.more),
            });
        }
        if told.lost > 0 {
            emit(Event::LeftOut {
                count: told.lost,
                first: told.first_lost,
            });
        }
    }
}
