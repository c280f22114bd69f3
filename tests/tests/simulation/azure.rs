//! The service's synchronous core as an [`Arm`]: no socket between them, the same requests and answers.
//!
//! What the core wants done by its shell (repositories made, movers run) is kept until it is let happen, one thing at
//! a time, so that a test decides what comes before what.

mod elsewhere;

use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use kluis_arm::error::{ErrorBody, classify};
use kluis_client::{Arm, ArmRequest, ArmResponse, Failure, Method, Refusal};
use kluis_service::backup;
use kluis_service::core::{
    self, ClockTrust, Context, Effect, Facts, Ids, MoverReport, OnDemand, Principal, Query,
    RepositoryReport, Request, Response, Role, Scrub, What,
};
use kluis_service::inventory::Inventory;
use kluis_service::store::{Store, StoreError, Tx};
use kluis_vault::{DiskFormat, Event, JobFile, SnapshotMethod, Task};
use serde_json::Value;

pub(crate) const SUBSCRIPTION: &str = "11111111-2222-3333-4444-555555555555";
pub(super) const ENDPOINT: &str = "https://azure.simulated";
const GIB: u64 = 1 << 30;

const INVENTORY: &str = "
resourceGroups:
  shop-rg:
    location: westeurope
    virtualMachines:
      web-1: { os: Linux, disks: [{ path: web-1-os.raw }, { path: web-1-data.raw, lun: 0 }] }
    storageAccounts: { stagingweu: {} }
    virtualNetworks: { shop-net: { subnets: [default] } }
  shop-restored: { location: westeurope }
";

/// The service.
pub(crate) struct Azure(Mutex<Inner>);

struct Inner {
    store: Store,
    now: Timestamp,
    inventory: Inventory,
    ids: Counter,
    files: Files,
    to_come: VecDeque<ToCome>,
    snapshots: BTreeSet<String>,
    /// Whether the vault's lists come in pages between which everything slips through.
    slips: bool,
    /// How far the `Date` of each answer is off.
    dates_off: SignedDuration,
    /// How many writes there were, and which of them is sent twice on its way, so that the second answer is the one that comes back.
    writes: usize,
    twice: Option<usize>,
    /// Every write of a policy: when, and how it was answered.
    policies_written: Vec<(Timestamp, u16)>,
}

/// Something that happens by itself, later.
enum ToCome {
    Repository(RepositoryReport),
    /// A mover that was asked for and has not begun.
    Begins(JobFile),
    /// A mover that is half way.
    Ends(JobFile),
}

impl Azure {
    pub(super) fn new() -> Self {
        Self::of(INVENTORY)
    }

    /// A service that has these machines.
    pub(crate) fn of(inventory: &str) -> Self {
        let inventory = Inventory::parse(inventory, Path::new("/disks"));
        let inventory = inventory.unwrap_or_else(|(line, why)| panic!("line {line}: {why}"));
        let store = Store::in_memory().unwrap_or_else(|why| panic!("{why}"));
        Self(Mutex::new(Inner {
            store,
            now: Timestamp::from_second(1_772_442_000).unwrap_or_default(),
            inventory,
            ids: Counter::default(),
            files: Files::default(),
            to_come: VecDeque::new(),
            snapshots: BTreeSet::new(),
            slips: false,
            dates_off: SignedDuration::ZERO,
            writes: 0,
            twice: None,
            policies_written: Vec::new(),
        }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the `Date` of each answer is off by so much.
    pub(crate) fn dates_are_off_by(&self, by: SignedDuration) {
        self.inner().dates_off = by;
    }

    /// What the clock shows.
    pub(crate) fn now(&self) -> Timestamp {
        self.inner().now
    }

    /// Lets time pass, and what is due in it begin.
    pub(crate) fn advance(&self, by: SignedDuration) {
        let mut inner = self.inner();
        let until = inner.now + by;
        while let Some(due) = inner.read(core::next_due).filter(|due| *due <= until) {
            inner.now = inner.now.max(due);
            let before = inner.now;
            inner.write(|ctx, tx| Ok(((), core::tick(ctx, tx)?)));
            if inner.read(core::next_due) == Some(before) {
                break;
            }
        }
        inner.now = until;
        inner.write(|ctx, tx| Ok(((), core::tick(ctx, tx)?)));
    }

    /// Lets time pass, and what is due in it wait.
    pub(crate) fn sleep(&self, by: SignedDuration) {
        self.inner().now += by;
    }

    /// How many things could happen now.
    pub(crate) fn pending(&self) -> usize {
        self.inner().to_come.len()
    }

    /// Lets one of them happen, and says what it was.
    pub(crate) fn happen(&self, index: usize) -> Option<String> {
        let mut inner = self.inner();
        Some(match inner.to_come.remove(index)? {
            ToCome::Repository(report) => {
                inner.write(|ctx, tx| Ok(((), core::on_repository(&report, ctx, tx)?)));
                let done = if report.made { "made" } else { "removed" };
                format!("the repository of {} is {done}", report.vault.as_str())
            }
            ToCome::Begins(file) => {
                inner.begin(&file);
                let said = format!("a mover begins to {}", word(&file.task));
                inner.to_come.push_back(ToCome::Ends(file));
                said
            }
            ToCome::Ends(file) => {
                inner.end(&file);
                format!("a mover ends its {}", word(&file.task))
            }
        })
    }

    /// Every job there ever was: what it did and how it stands.
    pub(crate) fn jobs(&self) -> Vec<String> {
        let mut jobs: Vec<String> = self
            .list("backupJobs?backupManagementType eq 'AzureIaasVM'")
            .iter()
            .map(|job| {
                let said = |field: &str| job["properties"][field].as_str().unwrap_or_default();
                format!("{} {}", said("operation"), said("status"))
            })
            .collect();
        jobs.sort();
        jobs
    }

    /// How many recovery points the machine has.
    pub(crate) fn points(&self) -> usize {
        let machine = "iaasvmcontainerv2;shop-rg;web-1";
        self.list(&format!(
            "backupFabrics/Azure/protectionContainers/IaasVMContainer;{machine}/protectedItems/VM;{machine}/recoveryPoints"
        ))
        .len()
    }

    /// A list of the vault, asked for past the operator. What follows a question mark is a filter.
    /// A resource by its id.
    pub(crate) fn read(&self, id: &str) -> Value {
        let answer = self
            .inner()
            .answer(&ArmRequest::get(id.to_owned(), "2024-04-01"));
        answer.body.unwrap_or_default()
    }

    fn list(&self, what: &str) -> Vec<Value> {
        let (list, filter) = what.split_once('?').unwrap_or((what, ""));
        let vault = format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu"
        );
        let request =
            ArmRequest::get(format!("{vault}/{list}"), "2024-04-01").with_query("$filter", filter);
        let answer = self.inner().answer(&request);
        let entries = answer
            .body
            .and_then(|body| body["value"].as_array().cloned());
        entries.unwrap_or_default()
    }
}

#[async_trait]
impl Arm for Azure {
    async fn call(&self, request: &ArmRequest) -> Result<ArmResponse, Failure> {
        let mut inner = self.inner();
        let mut answer = inner.answer(request);
        if request.method != Method::Get {
            inner.writes += 1;
            if inner.twice == Some(inner.writes) {
                answer = inner.answer(request);
            }
        }
        if inner.slips {
            elsewhere::let_slip(request, &mut answer);
        }
        let date = inner.now.checked_add(inner.dates_off).ok();
        let retry_after = answer
            .header("retry-after")
            .and_then(|wait| wait.parse().ok())
            .map(SignedDuration::from_secs);
        if answer.status >= 300 {
            let body = answer.body.unwrap_or_default().to_string();
            let said = ErrorBody::read(body.as_bytes()).error;
            return Err(Failure::Refused(Box::new(Refusal {
                operation: request.to_string(),
                status: answer.status,
                class: classify(&said.code, answer.status),
                code: said.code,
                message: said.message,
                retry_after,
                date,
            })));
        }
        Ok(ArmResponse {
            status: answer.status,
            date,
            retry_after,
            async_operation: answer.header("azure-asyncoperation").map(str::to_owned),
            location: answer.header("location").map(str::to_owned),
            rate_limit_remaining: None,
            virtual_clock: false,
            body: answer.body,
        })
    }

    fn follow(&self, link: &str) -> Result<ArmRequest, Failure> {
        let path = link
            .strip_prefix(ENDPOINT)
            .ok_or_else(|| Failure::StrayLink {
                endpoint: ENDPOINT.to_owned(),
                link: link.to_owned(),
            })?;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut request = ArmRequest::get(path, "");
        request.query = Query::parse(query)
            .pairs()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(request)
    }
}

impl Inner {
    fn answer(&mut self, request: &ArmRequest) -> Response {
        let query: Vec<String> = request
            .query
            .iter()
            .map(|(name, value)| {
                format!("{name}={}", value.replace('%', "%25").replace('&', "%26"))
            })
            .collect();
        let writes_policy =
            request.method == Method::Put && request.path.contains("/backupPolicies/");
        let request = Request {
            method: match request.method {
                Method::Get => http::Method::GET,
                Method::Put => http::Method::PUT,
                Method::Patch => http::Method::PATCH,
                Method::Post => http::Method::POST,
                Method::Delete => http::Method::DELETE,
            },
            path: request.path.clone(),
            query: Query::parse(&query.join("&")),
            headers: Vec::new(),
            body: request
                .body
                .as_ref()
                .map(Value::to_string)
                .unwrap_or_default()
                .into_bytes(),
            principal: Principal {
                client_id: "kluis".to_owned(),
                role: Role::Contributor,
            },
            id: "request".to_owned(),
            origin: ENDPOINT.to_owned(),
        };
        let Self {
            store,
            now,
            inventory,
            ids,
            files,
            ..
        } = self;
        let ctx = context(*now, inventory, ids, files);
        let response = match store.tx(|tx| core::handle(&request, &ctx, tx)) {
            Ok((response, effects)) => {
                self.take(effects);
                response
            }
            Err(refusal) => refusal.response(),
        };
        if writes_policy {
            self.policies_written.push((self.now, response.status));
        }
        response
    }

    fn write<T>(
        &mut self,
        work: impl FnOnce(&Context<'_>, &mut Tx<'_>) -> Result<(T, Vec<Effect>), StoreError>,
    ) -> T {
        let Self {
            store,
            now,
            inventory,
            ids,
            files,
            ..
        } = self;
        let ctx = context(*now, inventory, ids, files);
        let done = store.tx(|tx| work(&ctx, tx));
        let (done, effects) = done.unwrap_or_else(|why| panic!("{why}"));
        self.take(effects);
        done
    }

    fn read<T>(&mut self, work: impl FnOnce(&Context<'_>, &Tx<'_>) -> Result<T, StoreError>) -> T {
        self.write(|ctx, tx| Ok((work(ctx, tx)?, Vec::new())))
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::CreateRepository { vault, .. } => {
                    let report = RepositoryReport {
                        vault,
                        made: true,
                        result: Ok(()),
                    };
                    self.to_come.push_back(ToCome::Repository(report));
                }
                Effect::RemoveRepository { vault, .. } => {
                    let report = RepositoryReport {
                        vault,
                        made: false,
                        result: Ok(()),
                    };
                    self.to_come.push_back(ToCome::Repository(report));
                }
                Effect::MoveRepository { vault, back, .. } => {
                    let report = RepositoryReport {
                        vault,
                        made: back,
                        result: Ok(()),
                    };
                    self.to_come.push_back(ToCome::Repository(report));
                }
                // Whatever was saved is there.
                Effect::CompareVault { vault, .. } => self.write(|ctx, tx| {
                    let known = backup::known_of(tx, &vault)?.all;
                    let survey = kluis_vault::Survey {
                        present: known.clone(),
                        ..kluis_vault::Survey::default()
                    };
                    let (_, effects) = backup::take_in(ctx, tx, &vault, &known, &survey)?;
                    Ok(((), effects))
                }),
                Effect::RemoveFiles { paths, .. } => {
                    self.files.0.retain(|path| !paths.contains(path));
                }
                // Its disks are raw: there are no bitmaps in them.
                Effect::RemoveBitmaps { .. } => {}
                Effect::RemoveSnapshots { folder } => {
                    self.files.0.retain(|path| !path.starts_with(&folder));
                }
                Effect::StartMover(file) => self.to_come.push_back(ToCome::Begins(file)),
                Effect::KillMover { job } => {
                    self.to_come.retain(|thing| match thing {
                        ToCome::Begins(file) | ToCome::Ends(file) => file.job != job,
                        ToCome::Repository(_) => true,
                    });
                    self.hear(
                        &job,
                        What::Exited {
                            code: None,
                            stderr: String::new(),
                        },
                    );
                }
            }
        }
    }

    fn hear(&mut self, job: &str, what: What) {
        let report = MoverReport {
            job: job.to_owned(),
            what,
        };
        self.write(|ctx, tx| Ok(((), core::on_mover(&report, ctx, tx)?)));
    }

    fn begin(&mut self, file: &JobFile) {
        let mut events = vec![Event::Started { pid: 1 }];
        if let Task::Backup(task) = &file.task {
            let total = task.disks.len() as u64 * GIB;
            events.extend(task.disks.iter().map(|disk| Event::Disk {
                name: disk.name.clone(),
                size: GIB,
            }));
            events.push(Event::Progress {
                done: total / 2,
                total,
            });
        }
        for event in events {
            self.hear(&file.job, What::Event(event));
        }
    }

    fn end(&mut self, file: &JobFile) {
        let mut events = Vec::new();
        match &file.task {
            Task::Backup(task) => {
                let total = task.disks.len() as u64 * GIB;
                let snapshot = format!("{:0>64}", file.job.replace('-', ""));
                self.snapshots.insert(snapshot.clone());
                events.push(Event::Saved {
                    snapshot,
                    logical: total,
                    read: total,
                    stored: total / 2,
                });
            }
            Task::Restore(task) => {
                assert!(
                    task.disks.is_empty() || self.snapshots.contains(&task.snapshot),
                    "restored from what is not there"
                );
                for disk in &task.disks {
                    self.files.0.insert(disk.path.clone());
                    let sha256 = "5".repeat(64);
                    events.push(Event::Restored {
                        disk: disk.name.clone(),
                        bytes: GIB,
                        sha256,
                    });
                }
                for document in &task.documents {
                    self.files.0.insert(document.path.clone());
                    events.push(Event::Written {
                        path: document.path.clone(),
                        bytes: document.text.len() as u64,
                    });
                }
            }
            Task::RestoreFiles(task) => {
                self.files.0.insert(task.to.clone());
                events.push(Event::FilesRestored {
                    files: 1,
                    directories: 1,
                    bytes: GIB,
                });
            }
            Task::Forget(task) => {
                self.snapshots
                    .retain(|snapshot| !task.snapshots.contains(snapshot));
                let snapshots = task.snapshots.clone();
                events.push(Event::Forgotten {
                    snapshots,
                    freed: GIB,
                    pruned: true,
                });
            }
            Task::Snapshot(task) => {
                for disk in &task.disks {
                    self.files.0.insert(disk.to.clone());
                    events.push(Event::Snapshotted {
                        disk: disk.name.clone(),
                        size: GIB,
                        format: DiskFormat::Raw,
                        method: SnapshotMethod::Copy,
                        tracked: false,
                        touched: false,
                        in_use: false,
                        image: None,
                        checkpoint: None,
                    });
                }
            }
            Task::Folder(_) | Task::Check | Task::Scrub(_) => {}
        }
        events.push(Event::Finished);
        for event in events {
            self.hear(&file.job, What::Event(event));
        }
        self.hear(
            &file.job,
            What::Exited {
                code: Some(0),
                stderr: String::new(),
            },
        );
    }
}

fn context<'a>(
    now: Timestamp,
    inventory: &'a Inventory,
    ids: &'a Counter,
    files: &'a Files,
) -> Context<'a> {
    Context {
        now,
        clock: ClockTrust::whole(),
        subscription: SUBSCRIPTION,
        tenant: SUBSCRIPTION,
        inventory,
        data_dir: Path::new("/data"),
        max_jobs: 2,
        on_demand: OnDemand::default(),
        compared_within: 30,
        instant_restore: kluis_service::InstantRestore::default(),
        scrub: Scrub::OFF,
        facts: files,
        ids,
    }
}

fn word(task: &Task) -> &'static str {
    match task {
        Task::Snapshot(_) => "snapshot",
        Task::RestoreFiles(_) => "restore files",
        Task::Backup(_) => "backup",
        Task::Restore(_) => "restore",
        Task::Forget(_) => "forget",
        Task::Folder(_) => "folder",
        Task::Check => "check",
        Task::Scrub(_) => "scrub",
    }
}

#[derive(Default)]
struct Counter(Cell<u64>);

impl Ids for Counter {
    fn guid(&self) -> String {
        self.0.set(self.0.get() + 1);
        format!("00000000-0000-0000-0000-{:012}", self.0.get())
    }
}

#[derive(Default)]
struct Files(BTreeSet<PathBuf>);

impl Facts for Files {
    fn exists(&self, path: &Path) -> bool {
        self.0.contains(path)
    }

    /// A file that is called `33-tib.raw` has 33 TiB, any other has one GiB.
    fn size(&self, path: &Path) -> Option<u64> {
        let name = path.file_stem()?.to_str()?;
        let told = name.strip_suffix("-tib").and_then(|tib| tib.parse().ok());
        Some(told.map_or(GIB, |tib: u64| tib * 1024 * GIB))
    }
}
