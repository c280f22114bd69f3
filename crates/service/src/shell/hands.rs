//! The thread that carries out the core's effects, in the order they were decided.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use kluis_vault::{Event, FailureCode, JobFile};

use super::engine::Engine;
use super::keys::Keys;
use super::mover::{Kill, Mover, Progress, Tell, Watched, Witness};
use super::{repositories, snapshots};
use crate::core::{BitmapReport, Effect, MoverReport, RepositoryReport, What};

/// How long a service that stops waits for its movers to be gone: they use files that the next one will use.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often movers are looked at.
const OFTEN_AT_MOST: Duration = Duration::from_millis(100);
const OFTEN_AT_LEAST: Duration = Duration::from_secs(10);
/// Processes that outlived their jobs hold memory and files; beside so many no other is started.
const MOST_LEFT: usize = 16;

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
    movers: HashMap<String, Started>,
    starts: u64,
}

/// A mover that was started.
struct Started {
    start: u64,
    kill: Kill,
    progress: Arc<Progress>,
}

impl Running {
    fn ended(&mut self, job: &str, start: u64) {
        if self.movers.get(job).is_some_and(|last| last.start == start) {
            self.movers.remove(job);
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
    /// How long a mover may stand still.
    pub(super) stalled_after: Duration,
}

impl Hands {
    /// Works until it is told to stop.
    pub(super) fn work(self, incoming: &Receiver<Order>) {
        let mut movers = Running::default();
        let bitmaps = self.bitmap_remover();
        let often = (self.stalled_after / 20).clamp(OFTEN_AT_MOST, OFTEN_AT_LEAST);
        let mut watched = Instant::now();
        loop {
            if watched.elapsed() >= often {
                watched = Instant::now();
                self.watch(&mut movers);
            }
            let order = match incoming.recv_timeout(often) {
                Ok(order) => order,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
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
                Order::Do(Effect::RemoveBitmaps { image }) => {
                    if bitmaps.send(image).is_err() {
                        tracing::warn!(
                            "nobody removes dirty bitmaps any more; the next start does"
                        );
                    }
                }
                Order::Do(Effect::RemoveSnapshots { folder }) => snapshots::remove(&folder),
                Order::Do(Effect::StartMover(file)) => self.start(&file, &mut movers),
                Order::Do(Effect::KillMover { job }) => match movers.movers.get_mut(&job) {
                    Some(mover) => {
                        mover.progress.kill();
                        (mover.kill)();
                    }
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
        movers.movers.values_mut().for_each(|mover| (mover.kill)());
        let gone_by = Instant::now() + PATIENCE;
        while !movers.movers.is_empty() {
            match incoming.recv_timeout(gone_by.saturating_duration_since(Instant::now())) {
                Ok(Order::Ended(job, start)) => movers.ended(&job, start),
                Ok(Order::Do(_) | Order::Stop) => {}
                Err(_) => {
                    tracing::warn!(
                        left = movers.movers.len(),
                        "some movers have not ended; the next start sees to them"
                    );
                    break;
                }
            }
        }
    }

    /// A thread of its own that removes dirty bitmaps, one image after the other: an image that does not answer holds up the
    /// others and nothing else.
    fn bitmap_remover(&self) -> Sender<PathBuf> {
        let (sender, images) = channel::<PathBuf>();
        let engine = Arc::clone(&self.engine);
        let remove = move || {
            for image in images {
                let result = kluis_vault::remove_bitmaps(&image);
                let result = result.map_err(|error| kluis_vault::error::describe(&error));
                if let Err(why) = &result {
                    tracing::warn!(image = %image.display(), %why, "our dirty bitmaps are still in an image whose protection has ended");
                }
                engine.bitmap_report(&BitmapReport { image, result });
            }
        };
        if let Err(error) = std::thread::Builder::new()
            .name("bitmaps".to_owned())
            .spawn(remove)
        {
            tracing::error!(%error, "no thread could be started to remove dirty bitmaps");
        }
        sender
    }

    /// Ends the movers that stand still, and the jobs of those that can't be ended.
    fn watch(&self, movers: &mut Running) {
        for (job, mover) in &mut movers.movers {
            match mover.progress.watch() {
                Watched::Fine => {}
                Watched::StandsStill(still) => self.report(
                    job,
                    What::StandsStill {
                        seconds: still.as_secs().max(u64::from(!still.is_zero())),
                    },
                ),
                Watched::Stalled => {
                    tracing::error!(%job, "a mover stands still and is ended");
                    (mover.kill)();
                }
                Watched::Hangs => {
                    tracing::error!(%job, "a mover that was killed is still there: it hangs in the kernel, and its job ends without it");
                    let exited = What::Exited {
                        code: None,
                        stderr: "it was killed and did not go: it hangs in the kernel".to_owned(),
                    };
                    for what in mover.progress.end(Vec::new(), exited) {
                        self.report(job, what);
                    }
                }
            }
        }
    }

    fn start(&self, file: &JobFile, movers: &mut Running) {
        let job = file.job.clone();
        let left = movers
            .movers
            .values()
            .filter(|mover| mover.progress.is_left());
        if left.count() >= MOST_LEFT {
            let failed = Event::Failed {
                code: FailureCode::Stalled,
                message: format!(
                    "{MOST_LEFT} processes of earlier jobs hang in the kernel and can't be ended; no more are started beside them"
                ),
                recommendation:
                    "Bring back the volumes that they wait for, or restart the machine.".to_owned(),
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
        let progress = Arc::new(Progress::new(file, self.stalled_after));
        let known = Arc::clone(&progress);
        let tell: Tell = Box::new(move |what| {
            let ended = matches!(what, What::Exited { .. });
            known.heard(&what);
            if !engine.is_stopping() {
                let mut heard = witness.heard(what);
                if ended && let Some(exited) = heard.pop() {
                    heard = known.end(heard, exited);
                }
                for what in heard {
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
                let started = Started {
                    start,
                    kill,
                    progress,
                };
                movers.movers.insert(job, started);
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
