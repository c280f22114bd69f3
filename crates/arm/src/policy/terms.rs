//! What a policy says, in the field's own terms: one form for every workload.

use jiff::tz::TimeZone;
use kluis_policy::zones;
use kluis_policy::{
    Between, DaylightSaving, Frequency, Log, Retention, Schedule, Strategy, Workload,
};

use crate::zone::{self, ZoneError};

/// Which generation of policies for virtual machines; the wire's `policyType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Generation {
    /// V1: daily or weekly, snapshots for 1 to 5 days. Also of every workload that has no generations.
    Standard,
    /// V2: hourly too, snapshots for 1 to 30 days.
    Enhanced,
}

/// When recovery points move to the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Archive {
    /// When Azure finds it cheaper.
    Recommended,
    /// After so many months; how policies for virtual machines say it.
    After {
        /// How many.
        months: u32,
    },
    /// After so many days; how policies for databases say it.
    AfterDays {
        /// How many.
        days: u32,
    },
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What it is for.
    pub workload: Workload,
    /// Which generation; [`Generation::Standard`] where there are none.
    pub generation: Generation,
    /// When backups run, on the wall clock of `time_zone`; of databases the fulls.
    pub frequency: Frequency,
    /// An IANA name. From the wire it is the city that stands for Windows' zone.
    pub time_zone: String,
    /// How long points are kept; of databases the fulls.
    pub retention: Retention,
    /// Of databases: what changed since the last full.
    pub differential: Option<Between>,
    /// Of SAP HANA: what changed since the last backup.
    pub incremental: Option<Between>,
    /// Of databases: the logs.
    pub log: Option<Log>,
    /// Days that snapshots stay beside what they are of. Of file shares: days of the snapshots where the tiers are kept in
    /// the vault; without it, snapshots are all there is.
    pub instant_restore_days: Option<u32>,
    /// When points move to the archive; never, where it is absent.
    pub archive: Option<Archive>,
    /// Of databases: whether the source compresses.
    pub compression: bool,
}

impl Terms {
    /// Terms that say no more than when and how long.
    #[must_use]
    pub fn new(
        workload: Workload,
        frequency: Frequency,
        time_zone: impl Into<String>,
        retention: Retention,
    ) -> Self {
        Self {
            workload,
            generation: Generation::Standard,
            frequency,
            time_zone: time_zone.into(),
            retention,
            differential: None,
            incremental: None,
            log: None,
            instant_restore_days: None,
            archive: None,
            compression: false,
        }
    }

    /// How long snapshots of virtual machines stay where nobody says: 2 days, 5 for a standard weekly policy, 7 for an
    /// enhanced one.
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
        Ok(Schedule {
            frequency: self.frequency.clone(),
            zone: self.zone()?,
        })
    }

    /// All that decides when backups run and which points exist on a day. Daylight saving time is ignored, as Azure does:
    /// no wire says anything else, and who follows it sets that here.
    ///
    /// # Errors
    /// When the zone is not in the IANA database.
    pub fn strategy(&self) -> Result<Strategy, ZoneError> {
        Ok(Strategy {
            workload: self.workload,
            zone: self.zone()?,
            daylight_saving: DaylightSaving::Ignore,
            full: self.frequency.clone(),
            retention: self.retention.clone(),
            differential: self.differential.clone(),
            incremental: self.incremental.clone(),
            log: self.log,
            instant_days: self.instant_restore_days,
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

    fn zone(&self) -> Result<TimeZone, ZoneError> {
        zones::get(&self.time_zone).map_err(|_| ZoneError::NotIana(self.time_zone.clone()))
    }
}
