//! The service's clock: the machine's, as far as it can be believed ([`ServiceTime`]), or a virtual one that stands still until it is told to
//! advance.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::core::{self, ClockReading, ClockTrust, ServiceTime};
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

/// What is believed of the machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockBelief {
    /// The longest time, in days, for which the service or its machine may have been off without a person saying so.
    pub longest_pause_days: u16,
    /// A person says that the machine's clock is right at this start.
    pub confirmed: bool,
}

impl Default for ClockBelief {
    /// A month, and nobody says so.
    fn default() -> Self {
        Self {
            longest_pause_days: 31,
            confirmed: false,
        }
    }
}

/// The service's time is written to the store this often, with the changes that are written anyway.
const KEPT_EVERY: SignedDuration = SignedDuration::from_secs(10);

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

impl Row for ServiceTime {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        "service time".to_owned()
    }

    fn vault(&self) -> String {
        String::new()
    }
}

/// Tells the time.
#[derive(Debug)]
pub(super) struct Clock {
    machine: Mutex<Machine>,
    /// Where the virtual clock stands, if that is the one to follow.
    stands: Option<Mutex<Timestamp>>,
}

/// The machine's clock, as far as it is believed.
#[derive(Debug)]
struct Machine {
    time: ServiceTime,
    boot: String,
    longest: SignedDuration,
    /// What was written to the store last.
    kept: Option<(Timestamp, ClockTrust)>,
}

impl Clock {
    /// The clock of a mode. The machine's goes on from the last time that was committed; a virtual one stands where it stood, or at this
    /// machine's time at its first start.
    pub(super) fn load(
        mode: ClockMode,
        belief: ClockBelief,
        tx: &mut Tx<'_>,
    ) -> Result<Self, StoreError> {
        let stood = tx.get::<VirtualTime>("clock")?;
        let boot = boot();
        let reading = read(&boot);
        let time = match tx.get::<ServiceTime>("service time")? {
            Some(time) => time,
            None if core::holds_data(tx)? => {
                ServiceTime::begin(core::last_known_time(tx)?, &reading)
            }
            None => ServiceTime::begin(None, &reading),
        };
        let longest = SignedDuration::from_hours(24 * i64::from(belief.longest_pause_days));
        let mut machine = Machine {
            time,
            boot,
            longest,
            kept: None,
        };
        let now = machine.now();
        let stands = match mode {
            ClockMode::System => {
                if let Some(stood) = stood.filter(|stood| stood.now > now) {
                    tracing::warn!(now = %stood.now, "this data folder has lived in virtual time that is still to come");
                }
                None
            }
            ClockMode::Virtual => {
                let now = stood.map_or_else(|| whole_seconds(now), |stood| stood.now);
                tx.put(&VirtualTime { now })?;
                Some(Mutex::new(now))
            }
        };
        Ok(Self {
            machine: Mutex::new(machine),
            stands,
        })
    }

    pub(super) fn is_virtual(&self) -> bool {
        self.stands.is_some()
    }

    /// The service's time.
    pub(super) fn now(&self) -> Timestamp {
        self.told().0
    }

    /// The service's time, and how far it can be trusted.
    pub(super) fn told(&self) -> (Timestamp, ClockTrust) {
        match &self.stands {
            Some(now) => (
                *now.lock().unwrap_or_else(PoisonError::into_inner),
                ClockTrust::default(),
            ),
            None => {
                let mut machine = self.machine();
                (machine.now(), machine.time.trust().clone())
            }
        }
    }

    /// The time of the real world, whichever clock is followed: that of tokens.
    pub(super) fn real(&self) -> Timestamp {
        self.machine().now()
    }

    /// The earliest and the latest that it may be in the real world: the service's time and what the machine's clock shows, where that can be.
    pub(super) fn bounds(&self) -> (Timestamp, Timestamp) {
        let (told, shown) = (self.real(), core::plausible(self.shown()));
        (told.min(shown), told.max(shown))
    }

    /// What the machine's clock shows, believed or not.
    pub(super) fn shown(&self) -> Timestamp {
        read(&self.machine().boot).wall
    }

    /// Moves a virtual clock; on the machine's clock this does nothing. Never back.
    pub(super) fn set(&self, to: Timestamp, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        if let Some(now) = &self.stands {
            let mut now = now.lock().unwrap_or_else(PoisonError::into_inner);
            let to = to.max(*now);
            tx.put(&VirtualTime { now: to })?;
            *now = to;
        }
        Ok(())
    }

    /// Takes the machine's clock at its word.
    pub(super) fn confirm(&self) {
        let mut machine = self.machine();
        let (reading, longest) = (read(&machine.boot), machine.longest);
        let told = machine.now();
        let back = machine.time.confirm(&reading, longest);
        tracing::info!(from = %told, to = %machine.time.now(), back, "the service's time was set by the machine's clock");
    }

    /// Writes the time down, where it has not been for a while.
    pub(super) fn keep(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        if self.is_virtual() {
            return Ok(());
        }
        let mut machine = self.machine();
        let now = machine.now();
        let is_kept = machine.kept.as_ref().is_some_and(|(then, trust)| {
            let age = now.duration_since(*then);
            !age.is_negative() && age < KEPT_EVERY && trust == machine.time.trust()
        });
        if !is_kept {
            tx.put(&machine.time)?;
            machine.kept = Some((now, machine.time.trust().clone()));
        }
        Ok(())
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machine {
    fn now(&mut self) -> Timestamp {
        let reading = read(&self.boot);
        let before = self.time.trust().verdict;
        let now = self.time.read(&reading, self.longest);
        let verdict = self.time.trust().verdict;
        if std::mem::discriminant(&before) != std::mem::discriminant(&verdict) {
            tracing::warn!(machine = %reading.wall, service = %now, ?verdict, "the machine's clock and the time that has passed were compared");
        }
        now
    }
}

fn read(boot: &str) -> ClockReading {
    let ran = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    ClockReading {
        wall: Timestamp::now(),
        ran: SignedDuration::new(ran.tv_sec, i32::try_from(ran.tv_nsec).unwrap_or_default()),
        boot: boot.to_owned(),
    }
}

/// What names this run of the machine. Where the system does not say, each start of the service is a run of its own.
fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_or_else(
        |_| uuid::Uuid::new_v4().to_string(),
        |id| id.trim().to_owned(),
    )
}

fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
