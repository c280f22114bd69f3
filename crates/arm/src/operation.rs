//! Long-running operations: what a caller finds behind `Azure-AsyncOperation`.

use crate::error::ArmError;
use crate::time::WireTime;

word! {
    /// How far an operation is.
    pub enum OperationState {
        /// Still running; the one state that is not final.
        InProgress = "InProgress",
        /// Done.
        Succeeded = "Succeeded",
        /// Over without effect; `error` says why.
        Failed = "Failed",
        /// Stopped by a person.
        Canceled = "Canceled",
        /// Not a state.
        Invalid = "Invalid",
    }
}

impl OperationState {
    /// Whether it will not change any more. A state that is not known is not taken for an end.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Canceled | Self::Invalid
        )
    }
}

wire! {
    /// An operation's state. Vaults answer with no times at all; inside a vault, `end_time` is
    /// [`WireTime::not_yet`] while it runs.
    pub struct OperationStatus {
        /// The operation's path, or its bare name inside a vault.
        id: String,
        /// The operation's name.
        name: String,
        /// How far it is.
        status: OperationState,
        /// When it began.
        start_time: WireTime,
        /// When it ended.
        end_time: WireTime,
        /// Why it failed.
        error: ArmError,
        /// What it left behind.
        properties: OperationOutcome,
    }

    /// The job an operation started.
    pub struct JobOutcome {
        /// The job's name in `backupJobs`.
        job_id: String,
    }

    /// The jobs an operation started.
    pub struct JobsOutcome {
        /// The jobs' names in `backupJobs`.
        job_ids: Vec<String>,
        /// Why a job could not be started, by what it was for.
        failed_jobs_error: std::collections::BTreeMap<String, String>,
    }
}

tagged! {
    /// What an operation left behind.
    pub enum OperationOutcome by "objectType" {
        /// One job.
        Job(JobOutcome) = "OperationStatusJobExtendedInfo",
        /// Several.
        Jobs(JobsOutcome) = "OperationStatusJobsExtendedInfo",
    }
}

impl OperationStatus {
    /// The job to follow, once the operation says which.
    #[must_use]
    pub fn job(&self) -> Option<&str> {
        match self.properties.as_ref()? {
            OperationOutcome::Job(outcome) => outcome.job_id.as_deref(),
            _ => None,
        }
    }
}

impl OperationOutcome {
    /// One job, by its name.
    pub fn job(name: impl Into<String>) -> Self {
        JobOutcome {
            job_id: Some(name.into()),
            ..JobOutcome::default()
        }
        .into()
    }
}
