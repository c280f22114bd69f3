//! What a policy for virtual machines says, in the field's own terms.

use jiff::tz::TimeZone;
use kluis_policy::{Frequency, Retention, Schedule};

use crate::zone::{self, ZoneError};

/// Which generation of policies; the wire's `policyType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Generation {
    /// V1: daily or weekly, snapshots for 1 to 5 days.
    Standard,
    /// V2: hourly too, snapshots for 1 to 30 days.
    Enhanced,
}

/// A policy for virtual machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Which generation.
    pub generation: Generation,
    /// When backups run, on the wall clock of `time_zone`.
    pub frequency: Frequency,
    /// An IANA name. From the wire it is the city that stands for Windows' zone.
    pub time_zone: String,
    /// How long points are kept.
    pub retention: Retention,
    /// Days that snapshots stay beside the VM.
    pub instant_restore_days: u32,
}

impl Terms {
    /// How long snapshots stay where nobody says: 2 days, 5 for a standard weekly policy, 7 for an enhanced one.
    #[must_use]
    pub fn usual_instant_restore(generation: Generation, frequency: &Frequency) -> u32 {
        match (generation, frequency) {
            (Generation::Enhanced, _) => 7,
            (Generation::Standard, Frequency::Weekly { .. }) => 5,
            (Generation::Standard, _) => 2,
        }
    }

    /// The schedule in its zone.
    ///
    /// # Errors
    /// When the zone is not in the IANA database.
    pub fn schedule(&self) -> Result<Schedule, ZoneError> {
        let zone = TimeZone::get(&self.time_zone)
            .map_err(|_| ZoneError::NotIana(self.time_zone.clone()))?;
        Ok(Schedule {
            frequency: self.frequency.clone(),
            zone,
        })
    }

    /// The same with the zone's name as it comes back from the wire: the city that stands for Windows' zone.
    ///
    /// # Errors
    /// When Azure has no name for the zone.
    pub fn through_the_wire(mut self) -> Result<Self, ZoneError> {
        self.time_zone = zone::to_iana(zone::to_azure(&self.time_zone)?)?.to_owned();
        Ok(self)
    }
}
