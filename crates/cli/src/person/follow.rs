//! A bounded object (BackupJob, Restore), followed until it has succeeded, failed, or needs a person.
//!
//! How far the work is comes from the object; how fast, from the service's job, where this person may ask. Azure counts
//! reads of jobs (150 an hour), so they are few there; without them the bar shows percent alone.

use std::fmt::Debug;
use std::io::Write;
use std::pin::pin;

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use kluis_api::{BackupJob, Condition, ConditionStatus, ConditionType, Restore};
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::connection::{Reached, reach};
use super::named::ItemName;
use super::progress::{Pace, Progress};
use crate::args::ConnectionArgs;
use crate::output::{self, Format};

/// What the two bounded kinds have in common.
pub(super) trait Bounded:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + Sync + 'static
{
    /// How it stands; nothing before its first status.
    fn course(&self) -> Course<'_>;
}

/// How a bounded object stands.
#[derive(Debug, Default)]
pub(super) struct Course<'a> {
    conditions: &'a [Condition],
    /// `42%`.
    progress: Option<&'a str>,
    /// The job in the vault.
    job: Option<&'a str>,
}

/// How it ended.
#[derive(Debug)]
pub(super) enum Ended<K> {
    Succeeded(K),
    Failed(K),
    /// It waits for something that a person has to do.
    Stalled(K),
}

impl<K> Ended<K> {
    pub(super) fn object(&self) -> &K {
        match self {
            Self::Succeeded(object) | Self::Failed(object) | Self::Stalled(object) => object,
        }
    }
}

/// The making of an object, owned by `manager`.
pub(super) fn by(manager: &str) -> PostParams {
    PostParams {
        field_manager: Some(manager.to_owned()),
        ..PostParams::default()
    }
}

/// Waits for the end, and shows the way there on standard error.
pub(super) async fn to_its_end<K: Bounded>(
    api: &Api<K>,
    made: &K,
    item: &ItemName,
    connection: &ConnectionArgs,
) -> Result<Ended<K>> {
    let name = made.name_any();
    let reached = reach(item, connection).await.ok();
    let progress = Progress::start(&name);
    let mut latest = made.clone();
    let mut seen = pin!(watcher::watch_object(api.clone(), &name).default_backoff());
    let mut beat = tokio::time::interval(Pace::of(reached.as_ref()).between_reads());
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            next = seen.next() => match heard(next, &name)? {
                Heard::Object(object) => {
                    latest = *object;
                    progress.says(latest.course().progress);
                    if let Some(ended) = ended(&latest) {
                        progress.finish();
                        return Ok(ended);
                    }
                }
                Heard::Hiccup(what) => progress.warn(&what),
            },
            _ = beat.tick() => {
                if let (Some(Reached { arm, item }), Some(job)) = (&reached, latest.course().job) {
                    progress.look(arm, item, job).await;
                }
            }
        }
    }
}

/// What the watch has to say.
#[derive(Debug)]
enum Heard<K> {
    Object(Box<K>),
    /// It could not be seen just now, and is looked at again: what is waited for goes on.
    Hiccup(String),
}

/// A connection that breaks, an API server that starts anew and a version that is too old pass; who may not look, or looks for what is gone,
/// waits for nothing.
fn heard<K>(next: Option<watcher::Result<Option<K>>>, name: &str) -> Result<Heard<K>> {
    match next {
        Some(Ok(Some(object))) => Ok(Heard::Object(Box::new(object))),
        Some(Ok(None)) => bail!("{name} was deleted while it was waited for"),
        Some(Err(error)) if is_final(&error) => {
            Err(error).with_context(|| format!("watching {name}"))
        }
        Some(Err(error)) => Ok(Heard::Hiccup(format!(
            "watching {name}: {:#}; looking again",
            anyhow::Error::new(error)
        ))),
        None => bail!("the watch on {name} ended"),
    }
}

fn is_final(error: &watcher::Error) -> bool {
    let code = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status.code,
        _ => return false,
    };
    matches!(code, 401 | 403 | 404)
}

/// The object at its end, for people in one line.
pub(super) fn told<K: Bounded>(object: &K, format: Format, out: &mut impl Write) -> Result<bool> {
    if format != Format::Table {
        output::value(object, format, out)?;
        return Ok(true);
    }
    let kind = K::kind(&());
    let name = object.name_any();
    let namespace = object.namespace().unwrap_or_default();
    let verdict = condition(object, ConditionType::Succeeded);
    match verdict.filter(|verdict| !verdict.message.is_empty()) {
        Some(verdict) => writeln!(out, "{kind} {namespace}/{name}: {}", verdict.message)?,
        None => writeln!(out, "{kind} {namespace}/{name} made")?,
    }
    Ok(true)
}

fn ended<K: Bounded>(object: &K) -> Option<Ended<K>> {
    let is = |type_, status| condition(object, type_).is_some_and(|found| found.status == status);
    if is(ConditionType::Succeeded, ConditionStatus::True) {
        Some(Ended::Succeeded(object.clone()))
    } else if is(ConditionType::Stalled, ConditionStatus::True) {
        Some(Ended::Stalled(object.clone()))
    } else if is(ConditionType::Succeeded, ConditionStatus::False)
        && is(ConditionType::Reconciling, ConditionStatus::False)
    {
        Some(Ended::Failed(object.clone()))
    } else {
        None
    }
}

fn condition<K: Bounded>(object: &K, type_: ConditionType) -> Option<&Condition> {
    object
        .course()
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_)
}

impl Bounded for BackupJob {
    fn course(&self) -> Course<'_> {
        self.status
            .as_ref()
            .map_or_else(Course::default, |status| Course {
                conditions: &status.conditions,
                progress: status.progress.as_deref(),
                job: status.job.as_deref(),
            })
    }
}

impl Bounded for Restore {
    fn course(&self) -> Course<'_> {
        self.status
            .as_ref()
            .map_or_else(Course::default, |status| Course {
                conditions: &status.conditions,
                progress: status.progress.as_deref(),
                job: status.job.as_deref(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16) -> Box<kube::core::Status> {
        let mut status = kube::core::Status::failure("said so", "Reason");
        status.code = code;
        Box::new(status)
    }

    /// A backup that succeeds is not told as failed because the API server was away for a moment.
    #[test]
    fn a_watch_that_breaks_is_taken_up_again() {
        for error in [
            watcher::Error::WatchError(status(410)),
            watcher::Error::WatchError(status(500)),
            watcher::Error::NoResourceVersion,
            watcher::Error::WatchStartFailed(kube::Error::Api(status(503))),
        ] {
            let told = error.to_string();
            match heard::<()>(Some(Err(error)), "web-1-x7k2p").unwrap() {
                Heard::Hiccup(what) => assert!(what.contains("looking again"), "{what}"),
                Heard::Object(_) => panic!("{told}"),
            }
        }
    }

    #[test]
    fn who_may_not_look_waits_for_nothing() {
        for code in [401, 403, 404] {
            let error = watcher::Error::WatchStartFailed(kube::Error::Api(status(code)));
            assert!(heard::<()>(Some(Err(error)), "web-1-x7k2p").is_err());
        }
        assert!(heard::<()>(Some(Ok(None)), "web-1-x7k2p").is_err());
        assert!(heard::<()>(None, "web-1-x7k2p").is_err());
    }
}
