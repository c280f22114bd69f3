//! Places that callers hold at once: so many in all, and so many each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The places and who holds them. There are no more names in it than places.
#[derive(Debug)]
pub(super) struct Shares {
    most: usize,
    each: usize,
    held: Mutex<HashMap<String, usize>>,
}

/// A place; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    of: Arc<Shares>,
    who: String,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// All are taken, by whomever.
    All,
    /// The caller has as many as one may have.
    Own,
}

impl Shares {
    pub(super) fn new(most: usize, each: usize) -> Arc<Self> {
        let held = Mutex::default();
        Arc::new(Self { most, each, held })
    }

    /// A place for this caller, or why there is none.
    pub(super) fn take(self: &Arc<Self>, who: &str) -> Result<Share, Full> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let own = held.get(who).copied().unwrap_or_default();
        if own >= self.each {
            return Err(Full::Own);
        }
        if held.values().sum::<usize>() >= self.most {
            return Err(Full::All);
        }
        held.insert(who.to_owned(), own + 1);
        Ok(Share {
            of: Arc::clone(self),
            who: who.to_owned(),
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.of.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = held.get_mut(&self.who) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                held.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_all_that_one_may_leaves_the_rest_to_others() {
        let places = Shares::new(3, 2);
        let own: Vec<Share> = (0..2).map(|_| places.take("reader").unwrap()).collect();
        assert_eq!(places.take("reader").unwrap_err(), Full::Own);
        let other = places.take("owner").unwrap();
        assert_eq!(places.take("owner").unwrap_err(), Full::All);
        drop(own);
        let again = places.take("owner").unwrap();
        drop((again, other));
        assert!(
            places.held.lock().unwrap().is_empty(),
            "nothing is remembered of who left"
        );
    }
}
