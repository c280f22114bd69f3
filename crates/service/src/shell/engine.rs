//! The core with its store and its time: every request, tick and report goes through here, one after another.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kluis_vault::Event;
use tokio::sync::{Notify, Semaphore};

use super::audit::Trail;
use super::clock::Clock;
use super::crash_hook;
use super::files::{Files, RandomIds};
use super::hands::Order;
use crate::core::{
    self, BitmapReport, ClockTrust, Context, Effect, InstantRestore, MoverReport, OnDemand,
    RepositoryReport, Request, Response, Scrub, What,
};
use crate::inventory::Inventory;
use crate::store::{Store, StoreError, Tx};

/// How long to wait before a report that could not be written is told to the core again.
const AGAIN: Duration = Duration::from_secs(1);

/// Requests at hand for the core.
const AT_HAND: usize = 3;

/// The running core.
pub(super) struct Engine {
    pub(super) clock: Arc<Clock>,
    pub(super) subscription: String,
    pub(super) tenant: String,
    pub(super) inventory: Inventory,
    pub(super) data_dir: PathBuf,
    pub(super) max_jobs: usize,
    pub(super) on_demand: OnDemand,
    pub(super) compared_within: u32,
    pub(super) scrub: Scrub,
    pub(super) instant_restore: InstantRestore,
    store: Mutex<Store>,
    orders: Sender<Order>,
    /// Told at each commit, with the store's lock: who waits for jobs to end waits here.
    changed: Condvar,
    /// Told after what may have changed what is due next.
    pub(super) wake: Notify,
    stopping: AtomicBool,
    files: Files,
    /// Answers are made one after the other, whoever asks: the next few may be at hand. A thread for each that waits would keep for
    /// itself what memory its answers took.
    pub(super) turns: Semaphore,
    /// Held while someone moves the virtual clock.
    pub(super) advancing: Mutex<()>,
}

/// What an engine is made of.
pub(super) struct Parts {
    pub(super) store: Store,
    pub(super) clock: Arc<Clock>,
    pub(super) subscription: String,
    pub(super) tenant: String,
    pub(super) inventory: Inventory,
    pub(super) data_dir: PathBuf,
    pub(super) max_jobs: usize,
    pub(super) on_demand: OnDemand,
    pub(super) compared_within: u32,
    pub(super) scrub: Scrub,
    pub(super) instant_restore: InstantRestore,
    pub(super) orders: Sender<Order>,
    pub(super) trail: Arc<Trail>,
}

impl Engine {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            clock: parts.clock,
            subscription: parts.subscription,
            tenant: parts.tenant,
            inventory: parts.inventory,
            data_dir: parts.data_dir,
            max_jobs: parts.max_jobs,
            on_demand: parts.on_demand,
            compared_within: parts.compared_within,
            scrub: parts.scrub,
            instant_restore: parts.instant_restore,
            store: Mutex::new(parts.store),
            orders: parts.orders,
            changed: Condvar::new(),
            wake: Notify::new(),
            stopping: AtomicBool::new(false),
            files: Files::with(parts.trail),
            turns: Semaphore::new(AT_HAND),
            advancing: Mutex::new(()),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Answers a request.
    pub(super) fn answer(&self, request: &Request) -> Response {
        let answer = self.write(|ctx, tx| core::handle(request, ctx, tx));
        if request.method != http::Method::GET {
            self.wake.notify_one();
        }
        answer.unwrap_or_else(|refusal| refusal.response())
    }

    /// Does what is due now.
    pub(super) fn tick(&self) -> Result<(), StoreError> {
        self.write(|ctx, tx| core::tick(ctx, tx).map(|effects| ((), effects)))?;
        let (_, trust) = self.clock.told();
        if trust != *ClockTrust::whole() && !self.read(|_, tx| core::holds_data(tx))? {
            // There is nothing that a wrong clock could destroy.
            self.confirm_clock()?;
        }
        Ok(())
    }

    /// Takes the machine's clock at its word from now on.
    pub(super) fn confirm_clock(&self) -> Result<(), StoreError> {
        self.clock.confirm();
        self.write(|ctx, tx| core::clock_was_set(ctx, tx).map(|()| ((), Vec::new())))?;
        self.wake.notify_one();
        Ok(())
    }

    /// Takes a mover's report; returns once it is written, however long that takes, but for mere progress, which is told anew
    /// soon. A service that is stopping hears nothing: the movers that it ends are to run again at the next start, not to be
    /// taken for failed.
    pub(super) fn mover_report(&self, report: &MoverReport) {
        if self.is_stopping() {
            return;
        }
        crash_hook::at("before", report);
        let take =
            || self.write(|ctx, tx| core::on_mover(report, ctx, tx).map(|effects| ((), effects)));
        if matches!(report.what, What::Event(Event::Progress { .. })) {
            if let Err(error) = take() {
                tracing::warn!(error = %crate::store::chain(&error), "a mover's progress could not be written");
            }
        } else {
            self.insist("a mover's report", take);
        }
        crash_hook::at("after", report);
        // What a job does on its way brings nothing due that is not looked at in its time.
        if matches!(report.what, What::Exited { .. }) {
            self.wake.notify_one();
        }
    }

    /// Takes the report of a repository made or removed; returns once it is written, or the service is stopping: the next
    /// start asks for the repository again.
    pub(super) fn repository_report(&self, report: &RepositoryReport) {
        self.insist("the report of a repository", || {
            self.write(|ctx, tx| core::on_repository(report, ctx, tx).map(|effects| ((), effects)))
        });
    }

    /// Takes the report of dirty bitmaps that were removed, as that of a repository.
    pub(super) fn bitmap_report(&self, report: &BitmapReport) {
        self.insist("the removal of dirty bitmaps", || {
            self.write(|ctx, tx| core::on_bitmaps(report, ctx, tx).map(|()| ((), Vec::new())))
        });
        self.wake.notify_one();
    }

    /// Writes what nobody would tell a second time: again and again until it is written, for a disk that is full has room
    /// later, and a job whose end was lost would never end.
    fn insist(&self, what: &str, write: impl Fn() -> Result<(), StoreError>) {
        let mut told = false;
        while let Err(error) = write() {
            if !told {
                tracing::error!(
                    error = %crate::store::chain(&error),
                    "{what} could not be written to the state; it is tried again every {} s", AGAIN.as_secs()
                );
                told = true;
            }
            if !self.pause() {
                return;
            }
        }
        if told {
            tracing::info!("{what} is written now");
        }
    }

    /// Waits for [`AGAIN`], or less when something else could be written; `false` when the service is stopping.
    fn pause(&self) -> bool {
        let store = self.store();
        if self.is_stopping() {
            return false;
        }
        let waited = self.changed.wait_timeout(store, AGAIN);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        !self.is_stopping()
    }

    /// Runs `work` in a transaction; its effects are carried out in the order of the commits.
    pub(super) fn write<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Context<'_>, &mut Tx<'_>) -> Result<(T, Vec<Effect>), E>,
    ) -> Result<T, E> {
        let mut store = self.store();
        let (now, trust) = self.clock.told();
        let (value, effects) = store.tx(|tx| {
            let done = work(&self.context(now, &trust), tx)?;
            self.clock.keep(tx)?;
            Ok::<_, E>(done)
        })?;
        for effect in effects {
            if self.orders.send(Order::Do(effect)).is_err() {
                tracing::warn!(
                    "the service is stopping; what is left to do is done at the next start"
                );
            }
        }
        drop(store);
        self.changed.notify_all();
        Ok(value)
    }

    /// Reads from the store.
    pub(super) fn read<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Context<'_>, &Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut store = self.store();
        let (now, trust) = self.clock.told();
        store.tx(|tx| work(&self.context(now, &trust), tx))
    }

    /// Writes the whole state to a new file in the place of the one that is gone, and goes on with that.
    pub(super) fn put_back_state(&self) -> Result<(), StoreError> {
        self.store().put_back(&self.data_dir.join("state.db"))
    }

    /// Waits until no job is queued or running and no vault is being moved or removed; `false` when the service is stopping.
    pub(super) fn wait_until_idle(&self) -> Result<bool, StoreError> {
        let mut store = self.store();
        loop {
            if self.is_stopping() {
                return Ok(false);
            }
            if !store.tx(|tx| core::busy(tx))? {
                return Ok(true);
            }
            store = self
                .changed
                .wait(store)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// From now on nothing is reported any more, and nobody waits.
    pub(super) fn stop(&self) {
        let store = self.store();
        self.stopping.store(true, Ordering::Release);
        drop(store);
        self.changed.notify_all();
        self.wake.notify_one();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        // A panic while it was held rolled its transaction back: the store is whole.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn context<'a>(&'a self, now: Timestamp, clock: &'a ClockTrust) -> Context<'a> {
        Context {
            now,
            clock,
            subscription: &self.subscription,
            tenant: &self.tenant,
            inventory: &self.inventory,
            data_dir: &self.data_dir,
            max_jobs: self.max_jobs,
            on_demand: self.on_demand,
            compared_within: self.compared_within,
            scrub: self.scrub,
            instant_restore: self.instant_restore,
            facts: &self.files,
            ids: &RandomIds,
        }
    }
}
