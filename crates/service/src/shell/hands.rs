//! The thread that carries out the core's effects, in the order they were decided.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use kluis_vault::{Event, JobFile};

use super::engine::Engine;
use super::keys::Keys;
use super::mover::{Kill, Mover, Tell, Witness};
use super::{repositories, snapshots};
use crate::core::{Effect, MoverReport, RepositoryReport, What};

/// How long a service that stops waits for its movers to be gone: they use files that the next one will use.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the thread is told.
pub(super) enum Order {
    /// Carry this out.
    Do(Effect),
    /// The mover of this job's start of that number is gone.
    Ended(String, u64),
    /// End all movers and yourself.
    Stop,
}

/// The movers that run, by job. A job that runs again has its next mover before the end of the last is told here: the number
/// of the start tells them apart.
#[derive(Default)]
struct Running {
    kills: HashMap<String, (u64, Kill)>,
    starts: u64,
}

impl Running {
    fn ended(&mut self, job: &str, start: u64) {
        if self.kills.get(job).is_some_and(|(last, _)| *last == start) {
            self.kills.remove(job);
        }
    }
}

/// What the thread works with.
pub(super) struct Hands {
    pub(super) engine: Arc<Engine>,
    pub(super) mover: Box<dyn Mover>,
    pub(super) keys: Arc<Keys>,
    pub(super) vaults: PathBuf,
    pub(super) orders: Sender<Order>,
}

impl Hands {
    /// Works until it is told to stop.
    pub(super) fn work(self, incoming: &Receiver<Order>) {
        let mut movers = Running::default();
        for order in incoming {
            match order {
                // What is not begun any more is asked for again at the next start.
                Order::Do(_) if self.engine.is_stopping() => {}
                Order::Do(Effect::CreateRepository { vault, path }) => {
                    let result = repositories::create(&self.keys, &path);
                    self.engine.repository_report(&RepositoryReport {
                        vault,
                        made: true,
                        result,
                    });
                }
                Order::Do(Effect::RemoveRepository { vault, path }) => {
                    let result = repositories::remove(&self.keys, &self.vaults, &path);
                    self.engine.repository_report(&RepositoryReport {
                        vault,
                        made: false,
                        result,
                    });
                }
                Order::Do(Effect::MoveRepository {
                    vault,
                    from,
                    to,
                    back,
                }) => {
                    let result = repositories::relocate(&self.keys, &from, &to);
                    self.engine.repository_report(&RepositoryReport {
                        vault,
                        made: back,
                        result,
                    });
                }
                Order::Do(Effect::RemoveFiles { job, paths }) => {
                    if let Err(error) = kluis_vault::mover::discard(&job, &paths) {
                        tracing::warn!(%job, error = %kluis_vault::error::describe(&error), "a restore that was given up left files behind");
                    }
                }
                Order::Do(Effect::RemoveSnapshots { folder }) => snapshots::remove(&folder),
                Order::Do(Effect::StartMover(file)) => self.start(&file, &mut movers),
                Order::Do(Effect::KillMover { job }) => match movers.kills.get_mut(&job) {
                    Some((_, kill)) => kill(),
                    // Gone already, and so is its report; the core must hear an end to stop waiting for one.
                    None => self.report(
                        &job,
                        What::Exited {
                            code: None,
                            stderr: "it had ended already".to_owned(),
                        },
                    ),
                },
                Order::Ended(job, start) => movers.ended(&job, start),
                Order::Stop => break,
            }
        }
        movers.kills.values_mut().for_each(|(_, kill)| kill());
        let gone_by = Instant::now() + PATIENCE;
        while !movers.kills.is_empty() {
            match incoming.recv_timeout(gone_by.saturating_duration_since(Instant::now())) {
                Ok(Order::Ended(job, start)) => movers.ended(&job, start),
                Ok(Order::Do(_) | Order::Stop) => {}
                Err(_) => {
                    tracing::warn!(
                        left = movers.kills.len(),
                        "some movers have not ended; the next start sees to them"
                    );
                    break;
                }
            }
        }
    }

    fn start(&self, file: &JobFile, movers: &mut Running) {
        let job = file.job.clone();
        let key = match self.keys.of(&file.vault) {
            Ok(key) => key,
            Err(error) => {
                let failed = Event::Failed {
                    code: error.code(),
                    message: kluis_vault::error::describe(&error),
                    recommendation: error.recommendation().to_owned(),
                };
                self.report(&job, What::Event(failed));
                self.report(
                    &job,
                    What::Exited {
                        code: None,
                        stderr: String::new(),
                    },
                );
                return;
            }
        };
        movers.starts += 1;
        let start = movers.starts;
        let (engine, orders, name) = (Arc::clone(&self.engine), self.orders.clone(), job.clone());
        let mut witness = Witness::new(file, &key);
        let tell: Tell = Box::new(move |what| {
            let ended = matches!(what, What::Exited { .. });
            if !engine.is_stopping() {
                for what in witness.heard(what) {
                    engine.mover_report(&MoverReport {
                        job: name.clone(),
                        what,
                    });
                }
            }
            if ended && orders.send(Order::Ended(name.clone(), start)).is_err() {
                tracing::debug!(job = %name, "a mover ended after the service had");
            }
        });
        match self.mover.start(file, &key, tell) {
            Ok(kill) => {
                movers.kills.insert(job, (start, kill));
            }
            Err(stderr) => self.report(&job, What::Exited { code: None, stderr }),
        }
    }

    fn report(&self, job: &str, what: What) {
        self.engine.mover_report(&MoverReport {
            job: job.to_owned(),
            what,
        });
    }
}
