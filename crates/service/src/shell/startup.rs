//! From a configuration to a service that is ready, in the order in which things may fail: nothing is served before all is well.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use kluis_vault::repository;
use serde::{Deserialize, Serialize};

use super::audit::Trail;
use super::browse::Browser;
use super::clock::Clock;
use super::engine::{self, Engine};
use super::hands::{Hands, Order};
use super::http::{App, Parts};
use super::identity::{Credentials, Identities};
use super::keys::Keys;
use super::mover::{Mover, Processes, end_orphans};
use super::passphrase::Passphrase;
use super::sign_in::SignIn;
use super::throttle::Throttle;
use super::token::Tokens;
use super::{Config, Movers, ServiceError, descriptors, private, repositories};
use crate::backup;
use crate::core::{self, MoverReport, What};
use crate::inventory::Inventory;
use crate::store::{Row, Store};
use crate::vaults;

/// A service that is ready to be served.
pub(super) struct Ready {
    pub(super) app: Arc<App>,
    pub(super) hands: Hands,
    pub(super) incoming: Receiver<Order>,
    pub(super) credentials: Credentials,
    /// Held for as long as the service runs.
    pub(super) lock: File,
}

/// Which subscription this folder is of: its vaults' ids begin with it.
#[derive(Serialize, Deserialize)]
struct Belongs {
    subscription: String,
}

impl Row for Belongs {
    const TABLE: &'static str = "meta";

    fn key(&self) -> String {
        "subscription".to_owned()
    }

    fn vault(&self) -> String {
        String::new()
    }
}

/// Takes the data folder, or says that another service has it.
pub(super) fn claim(dir: &Path) -> Result<File, ServiceError> {
    private::own_folder(dir).map_err(ServiceError::io("use the data folder", dir))?;
    let path = dir.join("lock");
    let lock = private::lock_file(&path).map_err(ServiceError::io("open", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(ServiceError::InUse(dir.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(ServiceError::io("lock", &path)(source)),
    }
}

/// Reads and checks everything, ends what an earlier service left behind, and asks the core to go on where it was.
pub(super) fn prepare(
    config: Config,
    inventory: Inventory,
    lock: File,
    endpoint: String,
) -> Result<Ready, ServiceError> {
    let trail = Arc::new(Trail::open(config.audit)?);
    let dir = std::path::absolute(&config.data_dir)
        .map_err(ServiceError::io("find", &config.data_dir))?;
    let repositories = dir.join("vaults");
    let jobs = dir.join("jobs");
    let (mover_lock, orphans) = end_orphans(&jobs).map_err(ServiceError::io(
        "end what an earlier service left in",
        &jobs,
    ))?;
    repositories::discard_leftovers(&repositories)
        .map_err(ServiceError::io("look into", &repositories))?;
    let passphrase = Passphrase::load(&dir, config.passphrase_file.as_deref())?;
    let state = ["state.db", "state.db-wal", "state.db-shm"].map(|name| dir.join(name));
    private::narrow(state.iter().map(PathBuf::as_path))
        .map_err(ServiceError::io("use the state in", &state[0]))?;
    let mut store = Store::open(&state[0])?;
    let (identities, credentials) = Identities::load(
        &dir,
        &inventory,
        inventory.subscription_id.clone(),
        &endpoint,
    )?;
    belongs(&mut store, &credentials.subscription_id, &dir)?;
    let clock = store.tx(|tx| Clock::load(config.clock, config.clock_belief, tx))?;
    let clock = Arc::new(clock);
    let tokens = Tokens::load(&dir, &credentials.tenant_id)?;
    let (orders, incoming) = channel();
    let engine = Arc::new(Engine::new(engine::Parts {
        store,
        clock: Arc::clone(&clock),
        subscription: credentials.subscription_id.clone(),
        tenant: credentials.tenant_id.clone(),
        inventory,
        data_dir: dir,
        max_jobs: config.max_jobs.max(1),
        on_demand: config.on_demand,
        compared_within: u32::from(config.compared_within.get()),
        scrub: config.scrub,
        instant_restore: config.instant_restore,
        orders: orders.clone(),
        trail: Arc::clone(&trail),
    }));
    if config.clock_belief.confirmed && !clock.is_virtual() {
        engine.confirm_clock()?;
    }
    let known: Vec<PathBuf> = engine
        .read(vaults::repositories)?
        .into_iter()
        .map(|(_, path)| path)
        .collect();
    repositories::tell_of_strangers(&repositories, &known);
    let keys = Arc::new(Keys::load(passphrase, &known)?);
    let told = orphans.clean_up(|file| engine.read(|_, tx| backup::is_half_done(tx, file)))?;
    for (job, event) in told {
        let what = What::Event(event);
        engine.mover_report(&MoverReport { job, what });
    }
    go_on(&engine, &keys)?;
    let mover = mover(config.movers, jobs, mover_lock)?;
    let browser = Browser::new(Arc::clone(&keys));
    let hands = Hands {
        engine: Arc::clone(&engine),
        mover,
        keys,
        vaults: repositories,
        orders,
        stalled_after: config.stalled_after,
    };
    let sign_in = SignIn {
        identities,
        tokens,
        tenant: credentials.tenant_id.clone(),
        clock,
    };
    let throttle = Throttle::new(config.job_reads_per_hour);
    let mut limits = config.limits;
    limits.connections = descriptors::connections(limits.connections, config.max_jobs);
    let app = App::new(Parts {
        engine,
        sign_in,
        endpoint,
        browser,
        throttle,
        limits,
        trail,
    });
    Ok(Ready {
        app,
        hands,
        incoming,
        credentials,
        lock,
    })
}

fn mover(movers: Movers, jobs: PathBuf, lock: File) -> Result<Box<dyn Mover>, ServiceError> {
    Ok(match movers {
        Movers::ThisProgram => {
            let program = std::env::current_exe()
                .map_err(ServiceError::io("find", Path::new("this program")))?;
            Box::new(Processes::new(program, jobs, lock))
        }
        Movers::Program(program) => Box::new(Processes::new(program, jobs, lock)),
        Movers::Own(mover) => mover,
    })
}

fn belongs(store: &mut Store, subscription: &str, dir: &Path) -> Result<(), ServiceError> {
    let known = store.tx(|tx| tx.get::<Belongs>("subscription"))?;
    match known {
        Some(known) if known.subscription != subscription => Err(ServiceError::Unusable {
            path: dir.to_owned(),
            message: format!(
                "it belongs to the subscription {}, but the inventory's subscriptionId (or credentials.json) is {subscription}; the \
                 ids of its vaults would change. Put the old one back, or use another data folder",
                known.subscription
            ),
        }),
        Some(_) => Ok(()),
        None => Ok(store.tx(|tx| {
            tx.put(&Belongs {
                subscription: subscription.to_owned(),
            })
        })?),
    }
}

/// Resolves what was under way when the service stopped. The vaults are asked first: a job whose snapshot is saved is done,
/// whatever became of its mover.
fn go_on(engine: &Engine, keys: &Keys) -> Result<(), ServiceError> {
    let interrupted = engine.read(backup::interrupted)?;
    let mut saved = BTreeMap::new();
    for lost in interrupted {
        let found = keys
            .of(&lost.vault_path)
            .and_then(|key| repository::find_by_job(&lost.vault_path, &key, &lost.job));
        match found {
            Ok(Some(found)) => {
                let (snapshot, logical, read, stored) =
                    (found.snapshot, found.logical, found.read, found.stored);
                saved.insert(
                    lost.job,
                    backup::Saved {
                        snapshot,
                        logical,
                        read,
                        stored,
                    },
                );
            }
            Ok(None) => {}
            // The job runs again and fails with the vault's own trouble.
            Err(error) => tracing::warn!(
                job = %lost.job, error = %kluis_vault::error::describe(&error), "the vault could not be asked about a lost job"
            ),
        }
    }
    engine.write(|ctx, tx| {
        // First, for what is removed from a vault waits for it.
        for (vault, _) in vaults::repositories(ctx, tx)? {
            backup::want_comparison(tx, &vault)?;
        }
        let mut effects = core::resume(ctx, tx)?;
        effects.extend(backup::resume(ctx, tx, &saved)?);
        Ok::<_, ServiceError>(((), effects))
    })?;
    engine.tick()?;
    Ok(())
}
