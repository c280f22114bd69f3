//! The thread that carries out the core's effects, in the order they were decided.
//!
//! What takes long has lanes of its own, so that no mover waits for it to be started or killed: keys are derived and vaults
//! read back in one, repositories are made and moved in another, and removed in a third. A vault's own effects stay in their
//! order: the core asks for the next when it has heard how the last one ended.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use kluis_vault::{Event, FailureCode, JobFile, MasterKey, VaultError};

use super::engine::Engine;
use super::keys::Keys;
use super::lane::Lane;
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
    /// The vault of this job's start of that number has been opened, or not.
    Opened(Box<JobFile>, u64, Result<MasterKey, VaultError>),
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
    /// The jobs whose vaults are being opened, with the numbers of their starts.
    opening: HashMap<String, u64>,
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

/// What is done beside the movers.
struct Lanes {
    opening: Lane<(JobFile, u64)>,
    making: Lane<Effect>,
    removing: Lane<Effect>,
    /// An image that does not answer holds up other images' bitmaps and nothing else.
    bitmaps: Lane<PathBuf>,
}

impl Hands {
    /// Works until it is told to stop.
    pub(super) fn work(self, incoming: &Receiver<Order>) {
        let mut movers = Running::default();
        let lanes = match self.lanes() {
            Ok(lanes) => lanes,
            // The service ends with this thread.
            Err(error) => {
                tracing::error!(%error, "the threads that carry out effects could not be started");
                return;
            }
        };
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
                Order::Do(_) | Order::Opened(..) if self.engine.is_stopping() => {}
                Order::Do(
                    effect @ (Effect::CreateRepository { .. } | Effect::MoveRepository { .. }),
                ) => lanes.making.push(effect),
                Order::Do(effect @ Effect::RemoveRepository { .. }) => lanes.removing.push(effect),
                Order::Do(Effect::RemoveFiles { job, paths }) => {
                    if let Err(error) = kluis_vault::mover::discard(&job, &paths) {
                        tracing::warn!(%job, error = %kluis_vault::error::describe(&error), "a restore that was given up left files behind");
                    }
                }
                Order::Do(Effect::CompareVault { path, .. }) => self.keys.look_at(&path),
                Order::Do(Effect::RemoveBitmaps { image }) => lanes.bitmaps.push(image),
                Order::Do(Effect::RemoveSnapshots { folder }) => snapshots::remove(&folder),
                Order::Do(Effect::StartMover(file)) => {
                    movers.starts += 1;
                    movers.opening.insert(file.job.clone(), movers.starts);
                    lanes.opening.push((file, movers.starts));
                }
                Order::Opened(file, start, key) => {
                    // Killed meanwhile, and perhaps started anew.
                    if movers.opening.get(&file.job) == Some(&start) {
                        movers.opening.remove(&file.job);
                        self.start(&file, start, key, &mut movers);
                    }
                }
                Order::Do(Effect::KillMover { job }) => self.kill(&job, &mut movers),
                Order::Ended(job, start) => movers.ended(&job, start),
                Order::Stop => break,
            }
        }
        movers.movers.values_mut().for_each(|mover| (mover.kill)());
        let gone_by = Instant::now() + PATIENCE;
        while !movers.movers.is_empty() {
            match incoming.recv_timeout(gone_by.saturating_duration_since(Instant::now())) {
                Ok(Order::Ended(job, start)) => movers.ended(&job, start),
                Ok(Order::Do(_) | Order::Opened(..) | Order::Stop) => {}
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

    /// Ends a job's mover. Where there is none the core must hear an end all the same, to stop waiting for one.
    fn kill(&self, job: &str, movers: &mut Running) {
        // Looked for first: the mover of an earlier start may not have been heard to end.
        if movers.opening.remove(job).is_some() {
            self.report(job, exited("it had not begun yet"));
        } else if let Some(mover) = movers.movers.get_mut(job) {
            mover.progress.kill();
            (mover.kill)();
        } else {
            self.report(job, exited("it had ended already"));
        }
    }

    fn lanes(&self) -> std::io::Result<Lanes> {
        let (engine, keys, orders) = self.shared();
        let opening = Lane::new("opening", 2, move |(file, start): (JobFile, u64)| {
            if engine.is_stopping() {
                return;
            }
            let key = keys.checked(&file.vault);
            if orders
                .send(Order::Opened(Box::new(file), start, key))
                .is_err()
            {
                tracing::debug!("a vault was opened after the service had ended");
            }
        })?;
        let (engine, keys, _) = self.shared();
        let vaults = self.vaults.clone();
        let removing = Lane::new("removing", 1, move |effect| {
            repository(&engine, &keys, &vaults, effect);
        })?;
        let (engine, keys, _) = self.shared();
        let vaults = self.vaults.clone();
        let making = Lane::new("making", 1, move |effect| {
            repository(&engine, &keys, &vaults, effect);
        })?;
        let (engine, _, _) = self.shared();
        let bitmaps = Lane::new("bitmaps", 1, move |image: PathBuf| {
            if engine.is_stopping() {
                return;
            }
            let result = kluis_vault::remove_bitmaps(&image);
            let result = result.map_err(|error| kluis_vault::error::describe(&error));
            if let Err(why) = &result {
                tracing::warn!(image = %image.display(), %why, "our dirty bitmaps are still in an image whose protection has ended");
            }
            engine.bitmap_report(&BitmapReport { image, result });
        })?;
        Ok(Lanes {
            opening,
            making,
            removing,
            bitmaps,
        })
    }

    fn shared(&self) -> (Arc<Engine>, Arc<Keys>, Sender<Order>) {
        (
            Arc::clone(&self.engine),
            Arc::clone(&self.keys),
            self.orders.clone(),
        )
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

    fn start(
        &self,
        file: &JobFile,
        start: u64,
        key: Result<MasterKey, VaultError>,
        movers: &mut Running,
    ) {
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
            self.report(&job, exited(""));
            return;
        }
        let key = match key {
            Ok(key) => key,
            Err(error) => {
                self.report(&job, What::Event(failed(&error)));
                self.report(&job, exited(""));
                return;
            }
        };
        let (engine, orders, name) = (Arc::clone(&self.engine), self.orders.clone(), job.clone());
        let mut witness = Witness::new(file, &key);
        let progress = Arc::new(Progress::new(file, self.stalled_after));
        let known = Arc::clone(&progress);
        let (keys, vault) = (Arc::clone(&self.keys), file.vault.clone());
        let tell: Tell = Box::new(move |what| {
            let ended = matches!(what, What::Exited { .. });
            known.heard(&what);
            if !engine.is_stopping() {
                let mut heard = witness.heard(what);
                if ended && let Some(exited) = heard.pop() {
                    heard = known.end(heard, exited);
                }
                for what in heard {
                    let what = openable(what, &keys, &vault);
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
            Err(stderr) => self.report(&job, exited(&stderr)),
        }
    }

    fn report(&self, job: &str, what: What) {
        self.engine.mover_report(&MoverReport {
            job: job.to_owned(),
            what,
        });
    }
}

/// What was heard of a mover, but that a backup counts only while its vault can be opened by others, too.
fn openable(what: What, keys: &Keys, vault: &Path) -> What {
    if !matches!(what, What::Event(Event::Saved { .. })) {
        return what;
    }
    match keys.would_open(vault) {
        Ok(()) => what,
        Err(error) => What::Event(failed(&error)),
    }
}

fn failed(error: &VaultError) -> Event {
    Event::Failed {
        code: error.code(),
        message: kluis_vault::error::describe(error),
        recommendation: error.recommendation().to_owned(),
    }
}

fn exited(stderr: &str) -> What {
    What::Exited {
        code: None,
        stderr: stderr.to_owned(),
    }
}

/// Makes, moves or removes a repository, and says how that ended.
fn repository(engine: &Engine, keys: &Keys, vaults: &Path, effect: Effect) {
    if engine.is_stopping() {
        return;
    }
    let (vault, made, result) = match effect {
        Effect::CreateRepository { vault, path } => {
            (vault, true, repositories::create(keys, &path))
        }
        Effect::RemoveRepository { vault, path } => {
            (vault, false, repositories::remove(keys, vaults, &path))
        }
        Effect::MoveRepository {
            vault,
            from,
            to,
            back,
        } => (vault, back, repositories::relocate(keys, &from, &to)),
        Effect::RemoveSnapshots { .. }
        | Effect::RemoveBitmaps { .. }
        | Effect::CompareVault { .. }
        | Effect::StartMover(_)
        | Effect::RemoveFiles { .. }
        | Effect::KillMover { .. } => return,
    };
    engine.repository_report(&RepositoryReport {
        vault,
        made,
        result,
    });
}
