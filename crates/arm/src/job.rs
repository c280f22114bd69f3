//! Jobs: what the service did or is doing.

use std::collections::BTreeMap;

use serde_json::Number;

use crate::container::BackupManagementType;
use crate::resource::Resource;
use crate::time::WireTime;

word! {
    /// What a job does.
    pub enum JobOperation {
        /// Begins protection.
        ConfigureBackup = "ConfigureBackup",
        /// Makes a recovery point.
        Backup = "Backup",
        /// Restores one.
        Restore = "Restore",
        /// Stops protection and keeps the data.
        DisableBackup = "DisableBackup",
        /// Deletes the data.
        DeleteBackupData = "DeleteBackupData",
        /// Brings soft-deleted data back.
        Undelete = "Undelete",
        /// Restores in the paired region.
        CrossRegionRestore = "CrossRegionRestore",
        /// Registers a container.
        Register = "Register",
        /// Unregisters one.
        UnRegister = "UnRegister",
        /// Not an operation.
        Invalid = "Invalid",
    }

    /// How far a job is.
    pub enum JobStatus {
        /// Running, or waiting to.
        InProgress = "InProgress",
        /// Done.
        Completed = "Completed",
        /// Done, and something has to be said.
        CompletedWithWarnings = "CompletedWithWarnings",
        /// Not done; `error_details` say why.
        Failed = "Failed",
        /// Being stopped.
        Cancelling = "Cancelling",
        /// Stopped.
        Cancelled = "Cancelled",
        /// Past its time.
        Expired = "Expired",
        /// Not a state.
        Invalid = "Invalid",
    }

    /// How far a task of a job is.
    pub enum TaskStatus {
        /// Not begun.
        NotStarted = "NotStarted",
        /// Running.
        InProgress = "InProgress",
        /// Done.
        Completed = "Completed",
        /// Not done.
        Failed = "Failed",
        /// Stopped.
        Cancelled = "Cancelled",
        /// Left out.
        Skipped = "Skipped",
    }

    /// What can be done to a job.
    pub enum JobAction {
        /// It can be stopped.
        Cancellable = "Cancellable",
        /// It can be tried again.
        Retriable = "Retriable",
        /// Nothing.
        Invalid = "Invalid",
    }
}

/// The first task of a machine's backup: until it is completed the backup can be cancelled.
pub const TAKE_SNAPSHOT: &str = "Take Snapshot";

/// What a job says of itself in its property bag, in the words in which `kluis service` tells it to people.
pub mod fact {
    /// How many MiB are done of [`TOTAL`].
    pub const DONE: &str = "Data Transferred (in MB)";
    /// How many MiB there are.
    pub const TOTAL: &str = "Data To Transfer (in MB)";
    /// Its place in the queue while it waits for its turn: 1 for the one that is next.
    pub const QUEUE_PLACE: &str = "Queue Place";
}

impl VmJob {
    /// What it says of itself; None where it does not say.
    #[must_use]
    pub fn told(&self, what: &str) -> Option<&str> {
        let told = self.extended_info.as_ref()?.property_bag.as_ref()?;
        let mut told = told.iter();
        told.find(|(name, _)| name.trim().eq_ignore_ascii_case(what))
            .map(|(_, value)| value.as_str())
    }
}

impl JobStatus {
    /// Whether it will not change any more. A state that is not known is not taken for an end.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::InProgress | Self::Cancelling | Self::Other(_))
    }

    /// Whether the work was done.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Completed | Self::CompletedWithWarnings)
    }
}

impl VmJob {
    /// Whether it has ended, well or badly. Without a status that is not known, and so not taken for granted.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.status.as_ref().is_some_and(JobStatus::is_final)
    }

    /// Whether it has ended with the work done.
    #[must_use]
    pub fn has_succeeded(&self) -> bool {
        self.status.as_ref().is_some_and(JobStatus::is_success)
    }
}

/// A job of a vault.
pub type Job = Resource<JobDetail>;

tagged! {
    /// What kind of thing a job is about.
    pub enum JobDetail by "jobType" {
        /// A virtual machine.
        VirtualMachine(VmJob) = "AzureIaaSVMJob",
    }
}

wire! {
    /// A job about a virtual machine.
    pub struct VmJob {
        /// The VM's name.
        entity_friendly_name: String,
        /// `AzureIaasVM`.
        backup_management_type: BackupManagementType,
        /// What it does.
        operation: JobOperation,
        /// How far it is.
        status: JobStatus,
        /// When it began.
        start_time: WireTime,
        /// When it ended; absent while it runs.
        end_time: WireTime,
        /// Azure's number for all that belongs together.
        activity_id: String,
        /// As [`crate::time::job_duration`] writes it.
        duration: String,
        /// What can be done to it.
        actions_info: Vec<JobAction>,
        /// Why it failed.
        error_details: Vec<JobError>,
        /// `Compute`.
        virtual_machine_version: String,
        /// Only when one job is asked for.
        extended_info: VmJobExtendedInfo,
        /// `iaasvmcontainerv2;group;vm`.
        container_name: String,
        /// Whether a person asked for it.
        is_user_triggered: bool,
    }

    /// Why a job failed.
    pub struct JobError {
        /// Azure's number for it.
        error_code: i32,
        /// A few words.
        error_title: String,
        /// A sentence.
        error_string: String,
        /// What to do.
        recommendations: Vec<String>,
    }

    /// What only the answer about one job holds.
    pub struct VmJobExtendedInfo {
        /// What it consists of.
        tasks_list: Vec<JobTask>,
        /// Facts for people: `VM Name`, `Policy Name`, `Recovery Point Expiry Time in UTC`, …
        property_bag: BTreeMap<String, String>,
        /// Facts for Azure.
        internal_property_bag: BTreeMap<String, String>,
        /// 0 to 100.
        progress_percentage: Number,
        /// What is left, as a .NET duration.
        estimated_remaining_duration: String,
        /// A sentence on what went wrong.
        dynamic_error_message: String,
    }

    /// A part of a job. Azure gives no times of those it has not begun.
    pub struct JobTask {
        /// `Take Snapshot`, `Transfer data to vault`, …
        task_id: String,
        /// When it began.
        start_time: WireTime,
        /// When it ended.
        end_time: WireTime,
        /// Tells tasks of one name apart.
        instance_id: String,
        /// As [`crate::time::job_duration`] writes it.
        duration: String,
        /// How far it is.
        status: TaskStatus,
        /// 0 to 100.
        progress_percentage: Number,
        /// More, for people.
        task_execution_details: String,
    }
}
