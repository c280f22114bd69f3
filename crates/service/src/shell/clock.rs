//! The service's clock: the machine's, or a virtual one that stands still until it is told to advance.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::store::{Row, StoreError, Tx};

/// Which clock schedules and recovery points follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClockMode {
    /// The machine's.
    #[default]
    System,
    /// One that `POST /_kluis/clock` moves.
    Virtual,
}

/// Where the virtual clock stands, in the store: a restart does not turn time back.
#[derive(Debug, Serialize, Deserialize)]
struct VirtualTime {
    now: Timestamp,
}

impl Row for VirtualTime {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        "clock".to_owned()
    }

    fn vault(&self) -> String {
        String::new()
    }
}

/// Tells the time.
#[derive(Debug)]
pub(super) enum Clock {
    System,
    Virtual(Mutex<Timestamp>),
}

impl Clock {
    /// The clock of a mode; a virtual one stands where it stood, or at this machine's time at its first start.
    pub(super) fn load(mode: ClockMode, tx: &mut Tx<'_>) -> Result<Self, StoreError> {
        let kept = tx.get::<VirtualTime>("clock")?;
        match mode {
            ClockMode::System => {
                if let Some(kept) = kept.filter(|kept| kept.now > Timestamp::now()) {
                    tracing::warn!(now = %kept.now, "this data folder has lived in virtual time that is still to come");
                }
                Ok(Self::System)
            }
            ClockMode::Virtual => {
                let now = kept.map_or_else(|| whole_seconds(Timestamp::now()), |kept| kept.now);
                tx.put(&VirtualTime { now })?;
                Ok(Self::Virtual(Mutex::new(now)))
            }
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Virtual(now) => *now.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Moves a virtual clock; on the machine's clock this does nothing. Never back.
    pub(super) fn set(&self, to: Timestamp, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        if let Self::Virtual(now) = self {
            let mut now = now.lock().unwrap_or_else(PoisonError::into_inner);
            let to = to.max(*now);
            tx.put(&VirtualTime { now: to })?;
            *now = to;
        }
        Ok(())
    }
}

fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
