//! The shapes of a policy.

use crate::policy::{Day, MonthOfYear, WeekDay, WeekOfMonth};
use crate::resource::Resource;
use crate::time::WireTime;

/// A policy of a Backup vault.
pub type Policy = Resource<BackupPolicy>;

word! {
    /// Where a backup is kept.
    pub enum DataStoreType {
        /// Beside what it is of.
        OperationalStore = "OperationalStore",
        /// In the vault.
        VaultStore = "VaultStore",
        /// In the archive.
        ArchiveStore = "ArchiveStore",
    }

    /// The first backup of a stretch of time.
    pub enum AbsoluteMarker {
        /// Every one.
        AllBackup = "AllBackup",
        /// The first of a day.
        FirstOfDay = "FirstOfDay",
        /// The first of a week.
        FirstOfWeek = "FirstOfWeek",
        /// The first of a month.
        FirstOfMonth = "FirstOfMonth",
        /// The first of a year.
        FirstOfYear = "FirstOfYear",
    }
}

tagged! {
    /// What is to be backed up when, and kept how long.
    pub enum BackupPolicy by "objectType" {
        /// By rules.
        Rules(PolicyRules) = "BackupPolicy",
    }

    /// A rule of a policy.
    pub enum PolicyRule by "objectType" {
        /// When.
        Backup(BackupRule) = "AzureBackupRule",
        /// How long.
        Retention(RetentionRule) = "AzureRetentionRule",
    }

    /// How a backup is made.
    pub enum BackupParameters by "objectType" {
        /// By its type alone.
        Typed(BackupParams) = "AzureBackupParams",
    }

    /// What starts a backup.
    pub enum Trigger by "objectType" {
        /// The time.
        Scheduled(ScheduledTrigger) = "ScheduleBasedTriggerContext",
        /// Somebody.
        OnDemand(OnDemandTrigger) = "AdhocBasedTriggerContext",
    }

    /// Which backups get a tag.
    pub enum Criteria by "objectType" {
        /// By when they are made.
        Scheduled(ScheduledCriteria) = "ScheduleBasedBackupCriteria",
    }

    /// When a backup goes.
    pub enum DeleteOption by "objectType" {
        /// Some time after it was made.
        Absolute(DeleteAfter) = "AbsoluteDeleteOption",
    }

    /// When a backup is copied to another store.
    pub enum CopyOption by "objectType" {
        /// After some time.
        After(CopyAfter) = "CustomCopyOption",
        /// When it would go.
        OnExpiry(CopyOnExpiry) = "CopyOnExpiryOption",
        /// At once.
        Immediately(CopyImmediately) = "ImmediateCopyOption",
    }
}

wire! {
    /// A policy's rules.
    pub struct PolicyRules {
        /// Of what: `Microsoft.Compute/disks`, `Microsoft.DBforPostgreSQL/flexibleServers`.
        datasource_types: Vec<String>,
        /// In any order.
        policy_rules: Vec<PolicyRule>,
    }

    /// When a backup is made.
    pub struct BackupRule {
        /// `BackupDaily`; on-demand backups name it.
        name: String,
        /// How.
        backup_parameters: BackupParameters,
        /// When.
        trigger: Trigger,
        /// Where to.
        data_store: DataStore,
    }

    /// How a backup is made.
    pub struct BackupParams {
        /// `Full`, `Incremental` or `Discrete`.
        backup_type: String,
    }

    /// Where a backup is kept.
    pub struct DataStore {
        /// Where.
        data_store_type: DataStoreType,
        /// `DataStoreInfoBase`.
        object_type: String,
    }

    /// Backups by time.
    pub struct ScheduledTrigger {
        /// When.
        schedule: RepeatingSchedule,
        /// Which tags they get.
        tagging_criteria: Vec<Tagging>,
    }

    /// When.
    pub struct RepeatingSchedule {
        /// ISO 8601: `R/2024-01-01T22:30:00+01:00/P1D`.
        repeating_time_intervals: Vec<String>,
        /// Windows' name of the zone.
        time_zone: String,
    }

    /// Backups that somebody asks for.
    pub struct OnDemandTrigger {
        /// Which tag they get.
        tagging_criteria: OnDemandTagging,
    }

    /// Which tag an on-demand backup gets.
    pub struct OnDemandTagging {
        /// The tag.
        tag_info: Tag,
    }

    /// A tag, and which backups get it.
    pub struct Tagging {
        /// The tag.
        tag_info: Tag,
        /// Of several tags a backup gets the one with the lowest number.
        tagging_priority: i64,
        /// Whether it is that of all others.
        is_default: bool,
        /// Which backups; the default tag has none.
        criteria: Vec<Criteria>,
    }

    /// A tag; the retention rule of the same name says how long its backups are kept.
    pub struct Tag {
        /// `Weekly`.
        tag_name: String,
        /// `Weekly_`; added by the service.
        id: String,
        /// Its version; added by the service.
        e_tag: String,
    }

    /// Which backups, by when they are made.
    pub struct ScheduledCriteria {
        /// The first of some stretch of time.
        absolute_criteria: Vec<AbsoluteMarker>,
        /// By the day of the month.
        days_of_month: Vec<Day>,
        /// By the day of the week.
        days_of_the_week: Vec<WeekDay>,
        /// In which months.
        months_of_year: Vec<MonthOfYear>,
        /// Which of a day's.
        schedule_times: Vec<WireTime>,
        /// In which weeks of the month.
        weeks_of_the_month: Vec<WeekOfMonth>,
    }

    /// How long a backup with a tag is kept.
    pub struct RetentionRule {
        /// The tag's.
        name: String,
        /// Whether it is that of all others.
        is_default: bool,
        /// One a store.
        lifecycles: Vec<Lifecycle>,
    }

    /// How long a backup stays in a store.
    pub struct Lifecycle {
        /// When it goes.
        delete_after: DeleteOption,
        /// From where.
        source_data_store: DataStore,
        /// Where else it is kept.
        target_data_store_copy_settings: Vec<CopySetting>,
    }

    /// When a backup goes.
    pub struct DeleteAfter {
        /// ISO 8601: `P30D`.
        duration: String,
    }

    /// A copy in another store.
    pub struct CopySetting {
        /// When.
        copy_after: CopyOption,
        /// Where to.
        data_store: DataStore,
    }

    /// After some time.
    pub struct CopyAfter {
        /// ISO 8601.
        duration: String,
    }

    /// When it would go.
    pub struct CopyOnExpiry {}

    /// At once.
    pub struct CopyImmediately {}
}

impl DataStore {
    /// A store of a type.
    #[must_use]
    pub fn of(data_store_type: DataStoreType) -> Self {
        Self {
            data_store_type: Some(data_store_type),
            object_type: Some("DataStoreInfoBase".to_owned()),
            ..Self::default()
        }
    }
}
