//! Time and chance, injected.

use jiff::Timestamp;
use uuid::Uuid;

/// The local clock. It is only right until the service has told its own (see [`crate::arm::Line`]).
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// What must differ from one time to the next.
pub trait Ids: Send + Sync {
    /// A name that nothing else has.
    fn unique(&self) -> String;

    /// A number from 0 up to 1, for spreading out what would otherwise come at once.
    fn fraction(&self) -> f64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Chance.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl Ids for RandomIds {
    fn unique(&self) -> String {
        Uuid::new_v4().to_string()
    }

    fn fraction(&self) -> f64 {
        let bytes = Uuid::new_v4().into_bytes();
        f64::from(u16::from_be_bytes([bytes[0], bytes[1]])) / 65_536.0
    }
}
