//! What a restore left out, in a bounded number of sentences.

use std::sync::{Mutex, PoisonError};

use crate::event::Event;

/// Sentences that are told; of the rest only how many there are.
const MOST: usize = 100;

#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<(Vec<String>, u64)>);

impl Told {
    pub(crate) fn note(&self, sentence: String) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.0.len() < MOST {
            told.0.push(sentence);
        } else {
            told.1 += 1;
        }
    }

    pub(crate) fn emit(&self, emit: &mut dyn FnMut(Event)) {
        let (sentences, more) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for message in sentences.iter().cloned() {
            emit(Event::Note { message });
        }
        if *more > 0 {
            emit(Event::Note {
                message: format!("{more} more were left out for reasons like these."),
            });
        }
    }
}
