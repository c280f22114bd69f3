//! Work that is asked for once and takes its time: a backup, a restore.
//!
//! The call that starts it is not idempotent. So its intent is in the status before the call is made, and whoever finds an intent
//! without an answer looks for a job that began at or after it: such a job is taken for the answer, and only without one the call is made
//! (again). What was there when the intent was written is named in it, and is never taken: the clock that both are compared by tells
//! seconds apart at best. Two intents about one item may so share one backup, which serves both: it began after either. A job that says it
//! does something else than what was meant (another point, another group, another day until which it is kept) is another's.
//!
//! A refusal is no proof that the call was not taken: what lies between us and the service may send it twice, and the second is refused
//! because of the first. So the intent outlives a refusal, and the same search comes before its word is believed.

use jiff::{SignedDuration, Timestamp};
use kluis_api::Operation;
use kluis_arm::id::{ItemId, VaultId};
use kluis_arm::job::{Job, JobDetail, JobOperation, VmJob, fact};
use kluis_arm::time::from_filter;

use crate::conditions::moment;
use crate::failure::ArmFailure;
use crate::ids;
use crate::waiting::Waiting;
use crate::world::{Observed, Progress, Want};

/// What is known about the work, as it stands in a world.
pub(crate) struct Errand<'a> {
    pub(crate) operation: Option<&'a Operation>,
    pub(crate) does: JobOperation,
    pub(crate) item: ItemId,
    pub(crate) progress: Option<&'a Observed<Progress>>,
    pub(crate) job: Option<&'a Observed<Box<Job>>>,
    pub(crate) jobs: Option<&'a Observed<Vec<Job>>>,
}

/// How it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State<'a> {
    /// It was not asked for.
    NotMeant,
    /// It was meant, and nobody began it: make the call.
    ToBegin,
    /// It is under way, by this job once that is known.
    UnderWay {
        job: Option<String>,
        detail: Option<&'a VmJob>,
        retry_after: Option<SignedDuration>,
    },
    /// The job has ended, well or badly.
    Over { job: String, detail: &'a VmJob },
    /// The service takes no more of its kind before then, and says why in these words.
    Held { until: Timestamp, message: &'a str },
    /// It came to nothing before there was a job.
    Refused { code: String, message: String },
    /// The service did not take the call, and nobody has begun it since it was meant.
    NotTaken { message: &'a str },
    /// How it stands is not known.
    Unknown(ArmFailure),
}

impl<'a> Errand<'a> {
    /// What has to be read to know more.
    pub(crate) fn wants(&self) -> Vec<Want> {
        let Some(operation) = self.operation.filter(|meant| meant.held.is_none()) else {
            return Vec::new();
        };
        if let Some(job) = self.job_name() {
            let id = ids::name("job", &job)
                .ok()
                .map(|name| self.vault().job(name));
            return id
                .filter(|_| self.job.is_none())
                .map(Want::Job)
                .into_iter()
                .collect();
        }
        match &operation.status_url {
            Some(url) if self.progress.is_none() => vec![Want::Progress { url: url.clone() }],
            _ if self.has_to_search() && self.jobs.is_none() => {
                vec![Want::Jobs {
                    vault: self.vault().clone(),
                    operation: self.does.clone(),
                    since: operation.intent.0,
                }]
            }
            _ => Vec::new(),
        }
    }

    /// How it stands.
    pub(crate) fn state(&self) -> State<'a> {
        let Some(operation) = self.operation else {
            return State::NotMeant;
        };
        if let Some(held) = &operation.held {
            return State::Held {
                until: held.until.0,
                message: &held.message,
            };
        }
        if let Some(job) = self.job_name() {
            return match self.job {
                Some(Observed::Found(found)) => match detail(found) {
                    Some(detail) if detail.has_ended() => State::Over { job, detail },
                    detail => State::UnderWay {
                        job: Some(job),
                        detail,
                        retry_after: None,
                    },
                },
                Some(Observed::Absent) => State::Refused {
                    code: "JobNotFound".to_owned(),
                    message: format!("The vault no longer knows the job {job}."),
                },
                Some(Observed::Unknown(failure)) => State::Unknown(failure.clone()),
                None => State::UnderWay {
                    job: Some(job),
                    detail: None,
                    retry_after: None,
                },
            };
        }
        if let (Some(_), Some(progress)) = (&operation.status_url, self.progress) {
            match progress {
                Observed::Found(Progress::InProgress { retry_after }) => {
                    return State::UnderWay {
                        job: None,
                        detail: None,
                        retry_after: *retry_after,
                    };
                }
                Observed::Found(Progress::Failed { code, message, .. }) => {
                    return State::Refused {
                        code: code.clone(),
                        message: message.clone(),
                    };
                }
                Observed::Found(Progress::Cancelled) => {
                    return State::Refused {
                        code: "Cancelled".to_owned(),
                        message: "The operation was cancelled.".to_owned(),
                    };
                }
                Observed::Unknown(failure) => return State::Unknown(failure.clone()),
                Observed::Found(Progress::Succeeded { .. }) | Observed::Absent => {}
            }
        }
        match self.jobs {
            Some(Observed::Unknown(failure)) => State::Unknown(failure.clone()),
            // A job of ours would have had a name above.
            Some(Observed::Found(_) | Observed::Absent) => match &operation.refused {
                Some(message) => State::NotTaken { message },
                None => State::ToBegin,
            },
            None => State::UnderWay {
                job: None,
                detail: None,
                retry_after: None,
            },
        }
    }

    /// The job that was found by searching, and not named by the call's own operation: what it says of itself may show that it is
    /// another's.
    pub(crate) fn adoptee(&self) -> Option<(String, &'a VmJob)> {
        let operation = self.operation?;
        let was_told = match &operation.job {
            Some(_) => operation.status_url.is_some(),
            None => self.said().is_some(),
        };
        match self.state() {
            State::UnderWay {
                job: Some(job),
                detail: Some(detail),
                ..
            }
            | State::Over { job, detail }
                if !was_told =>
            {
                Some((job, detail))
            }
            _ => None,
        }
    }

    /// The job that the call's operation names.
    fn said(&self) -> Option<String> {
        match self.progress {
            Some(Observed::Found(Progress::Succeeded { job } | Progress::Failed { job, .. })) => {
                job.clone()
            }
            _ => None,
        }
    }

    /// The job that does it: as written down, as the operation says, or as found among the vault's.
    fn job_name(&self) -> Option<String> {
        let operation = self.operation?;
        operation
            .job
            .clone()
            .or_else(|| self.said())
            .or_else(|| self.adopted(operation))
    }

    fn adopted(&self, operation: &Operation) -> Option<String> {
        let jobs = self.jobs?.found()?;
        let mut ours: Vec<(Timestamp, &str)> = jobs
            .iter()
            .filter(|job| is_about(job, &self.item, &self.does))
            .filter(|job| detail(job).is_none_or(|detail| detail.is_user_triggered != Some(false)))
            .filter_map(|job| Some((began(job)?, job.name.as_deref()?)))
            .filter(|(began, name)| {
                *began >= operation.intent.0 && !operation.before.iter().any(|known| known == name)
            })
            .collect();
        ours.sort_unstable();
        ours.first().map(|(_, name)| (*name).to_owned())
    }

    /// Whether only the list of jobs can tell what became of the call.
    fn has_to_search(&self) -> bool {
        match (
            self.operation
                .and_then(|operation| operation.status_url.as_ref()),
            self.progress,
        ) {
            (None, _) => true,
            (
                Some(_),
                Some(Observed::Absent | Observed::Found(Progress::Succeeded { job: None })),
            ) => true,
            (Some(_), _) => false,
        }
    }

    fn vault(&self) -> &VaultId {
        self.item.vault()
    }
}

/// What was meant, unless the service did not take it and the time until which it was told to wait is over: that is an answer, so that
/// whatever was meant is meant anew.
pub(crate) fn meant(operation: Option<&Operation>, now: Timestamp) -> Option<&Operation> {
    operation.filter(|meant| meant.held.as_ref().is_none_or(|held| held.until.0 > now))
}

/// The read that has to come before an intent: the jobs that could be taken for its answer, and are not.
pub(crate) fn want_before(item: &ItemId, does: JobOperation, now: Timestamp) -> Want {
    Want::Jobs {
        vault: item.vault().clone(),
        operation: does,
        since: moment(now).0,
    }
}

/// The names of the jobs about the item that are there already, though they began no earlier than an intent would be written now.
///
/// # Errors
/// When they are not known: an intent without them could take somebody else's work for its own.
pub(crate) fn before(
    jobs: Option<&Observed<Vec<Job>>>,
    item: &ItemId,
    does: &JobOperation,
    now: Timestamp,
) -> Result<Vec<String>, Waiting> {
    match jobs {
        None => Err(Waiting::StillProvisioning {
            what: "the list of jobs".to_owned(),
        }),
        Some(Observed::Unknown(failure)) => Err(Waiting::Arm(failure.clone())),
        Some(Observed::Absent) => Ok(Vec::new()),
        Some(Observed::Found(jobs)) => Ok(jobs
            .iter()
            .filter(|job| {
                is_about(job, item, does) && began(job).is_some_and(|began| began >= moment(now).0)
            })
            .filter_map(|job| job.name.clone())
            .take(BEFORE)
            .collect()),
    }
}

/// How many names an intent holds. One item has no more in a second.
pub(crate) const BEFORE: usize = 50;

/// When to look again at a job that began then: often at first, then ever more rarely, at most every two minutes. The first ten minutes
/// of a job cost some twenty of the 150 reads that an hour allows, each later hour thirty.
pub(crate) fn patience(began: Timestamp, now: Timestamp) -> SignedDuration {
    let age = now.duration_since(began).as_secs().max(0);
    SignedDuration::from_secs((age / 4).clamp(2, 120))
}

/// A job about a virtual machine.
pub(crate) fn detail(job: &Job) -> Option<&VmJob> {
    match &job.properties {
        JobDetail::VirtualMachine(detail) => Some(detail),
        JobDetail::Other(_) => None,
    }
}

/// When a job began.
pub(crate) fn began(job: &Job) -> Option<Timestamp> {
    detail(job)?.start_time.as_ref()?.moment().ok()?
}

/// Whether a job does this to the item.
pub(crate) fn is_about(job: &Job, item: &ItemId, does: &JobOperation) -> bool {
    detail(job).is_some_and(|detail| {
        let container = detail.container_name.as_deref().unwrap_or_default();
        detail.operation.as_ref() == Some(does)
            && (container.eq_ignore_ascii_case(item.name.short())
                || container.eq_ignore_ascii_case(item.container.name.as_str()))
    })
}

/// What went wrong and what to do, in the service's words.
pub(crate) fn complaint(detail: &VmJob) -> Option<String> {
    let error = detail.error_details.as_ref()?.first()?;
    let said = error
        .error_string
        .as_deref()
        .or(error.error_title.as_deref())
        .unwrap_or_default();
    let advice = error
        .recommendations
        .iter()
        .flatten()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ");
    Some(format!("{said} {advice}").trim().to_owned())
}

/// Whether a job says another moment than this one. Told to the second; what cannot be read tells nothing.
pub(crate) fn tells_another_moment(detail: &VmJob, what: &str, than: Timestamp) -> bool {
    detail
        .told(what)
        .and_then(|text| from_filter(text).ok())
        .is_some_and(|told| told.as_second() != than.as_second())
}

/// Which place in the service's queue the job has, where it says that it waits.
pub(crate) fn queue_place(detail: &VmJob) -> Option<u32> {
    detail.told(fact::QUEUE_PLACE)?.trim().parse().ok()
}

/// How far the job is, where it says: `42%`.
pub(crate) fn percent(detail: &VmJob) -> Option<String> {
    let percent = detail
        .extended_info
        .as_ref()?
        .progress_percentage
        .as_ref()?
        .as_f64()?;
    Some(format!("{percent:.0}%"))
}
