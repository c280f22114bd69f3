//! A world around the core: a store in memory, a clock that is moved by hand, ids that count, movers that do what a test
//! says, and vaults that are sets of snapshots.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use http::Method;
use jiff::{SignedDuration, Timestamp};
use kluis_service::backup::{self, Saved};
use kluis_service::core::{
    self, ClockTrust, Context, Effect, Facts, Ids, InstantRestore, MoverReport, OnDemand,
    Principal, Query, RepositoryReport, Request, Response, Role, Scrub, VaultKey, What,
};
use kluis_service::extension;
use kluis_service::inventory::{
    Disk, Encryption, Inventory, Os, Power, ResourceGroup, StorageAccount, Ties, VirtualMachine,
};
use kluis_service::store::{Store, StoreError, Tx};
use kluis_vault::{DiskFormat, Event, FailureCode, JobFile, Task};
use serde_json::{Value, json};

pub(super) use super::bodies::{backup_request, protection, restore_request};
pub(super) use super::events::{no_damage, scripts, snapshotted};

pub(super) const SUBSCRIPTION: &str = "11111111-2222-3333-4444-555555555555";
pub(super) const VAULT: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/shop-weu";
pub(super) const ITEM: &str = "backupFabrics/Azure/protectionContainers/IaasVMContainer;iaasvmcontainerv2;shop-rg;web-1/protectedItems/VM;iaasvmcontainerv2;shop-rg;web-1";
pub(super) const WEB_1: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.Compute/virtualMachines/web-1";

#[derive(Default)]
struct Counter(Cell<u64>);

impl Ids for Counter {
    fn guid(&self) -> String {
        self.0.set(self.0.get() + 1);
        format!("00000000-0000-0000-0000-{:012}", self.0.get())
    }
}

/// What there is of files: restored disks, and some room.
pub(super) struct Files {
    pub(super) there: RefCell<BTreeSet<PathBuf>>,
    /// Snapshot files.
    pub(super) snapshots: RefCell<BTreeSet<PathBuf>>,
    /// The size of every image.
    pub(super) sizes: Cell<u64>,
}

impl Facts for Files {
    fn exists(&self, path: &Path) -> bool {
        self.there.borrow().contains(path) || self.snapshots.borrow().contains(path)
    }

    fn size(&self, _: &Path) -> Option<u64> {
        Some(self.sizes.get())
    }
}

pub(super) struct World {
    store: Store,
    pub(super) now: Timestamp,
    /// How far that can be trusted.
    pub(super) clock: ClockTrust,
    pub(super) inventory: Inventory,
    ids: Counter,
    pub(super) files: Files,
    pub(super) max_jobs: usize,
    pub(super) on_demand: OnDemand,
    /// The images that dirty bitmaps were to be removed from, in order, and those that somebody holds.
    pub(super) cleared: Vec<PathBuf>,
    pub(super) held: BTreeSet<PathBuf>,
    pub(super) scrub: Scrub,
    /// What a scrub tells of the vault's damage.
    pub(super) damage: Option<Event>,
    /// The movers that run, by job.
    pub(super) movers: BTreeMap<String, JobFile>,
    /// The jobs whose movers the core wants ended.
    pub(super) killed: BTreeSet<String>,
    /// What the vaults hold: by repository, the snapshots and the jobs that made them.
    pub(super) snapshots: BTreeMap<PathBuf, BTreeMap<String, String>>,
    /// Every mover that was ever started, in order: a word for each.
    pub(super) started: Vec<String>,
    /// The folders of snapshot files that are there.
    pub(super) folders: BTreeSet<PathBuf>,
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn vm(resource_group: &str, name: &str, location: &str, os: Os) -> VirtualMachine {
    let disk = |suffix: &str, lun| Disk {
        name: format!("{name}-{suffix}"),
        path: PathBuf::from(format!("/disks/{name}-{suffix}.raw")),
        lun,
        sku: "Standard_LRS".to_owned(),
        shared: false,
        write_accelerator: false,
        in_use: kluis_vault::InUse::Refuse,
    };
    VirtualMachine {
        resource_group: resource_group.to_owned(),
        name: name.to_owned(),
        location: location.to_owned(),
        os,
        power: Power::Running,
        size: "Standard_D2s_v5".to_owned(),
        cores: 2,
        memory_gib: 8.0,
        zone: None,
        generation: 2,
        managed: true,
        encryption: Encryption::None,
        keys: None,
        ties: Ties::default(),
        agent: true,
        scripts: None,
        disks: vec![
            disk("os", None),
            disk("lun0", Some(0)),
            disk("lun1", Some(1)),
        ],
    }
}

fn group(name: &str, location: &str, virtual_machines: Vec<VirtualMachine>) -> ResourceGroup {
    ResourceGroup {
        name: name.to_owned(),
        location: location.to_owned(),
        lock: None,
        virtual_machines,
        storage_accounts: vec![StorageAccount {
            name: "staging".to_owned(),
            kind: "StorageV2".to_owned(),
        }],
        virtual_networks: BTreeMap::new(),
        key_vaults: BTreeMap::new(),
    }
}

impl World {
    /// A vault `shop-weu` in westeurope, three machines, one of them far away.
    pub(super) fn new() -> Self {
        let inventory = Inventory {
            subscription_id: None,
            // What these tests are about is Azure's.
            consistency: kluis_service::inventory::Told::AsAzure,
            resource_groups: vec![
                group(
                    "shop-rg",
                    "westeurope",
                    vec![
                        vm("shop-rg", "web-1", "westeurope", Os::Linux),
                        vm("shop-rg", "web-2", "westeurope", Os::Windows),
                        vm("shop-rg", "far-1", "northeurope", Os::Linux),
                    ],
                ),
                group("shop-restored", "westeurope", Vec::new()),
            ],
            restored: PathBuf::from("/restored"),
            identities: Vec::new(),
        };
        let mut world = Self {
            store: Store::in_memory().unwrap(),
            now: at("2026-03-02T09:00:00Z"),
            clock: ClockTrust::default(),
            inventory,
            ids: Counter::default(),
            files: Files {
                there: RefCell::default(),
                snapshots: RefCell::default(),
                sizes: Cell::new(1 << 30),
            },
            max_jobs: 2,
            on_demand: OnDemand::default(),
            cleared: Vec::new(),
            held: BTreeSet::new(),
            scrub: Scrub::OFF,
            damage: None,
            movers: BTreeMap::new(),
            killed: BTreeSet::new(),
            snapshots: BTreeMap::new(),
            started: Vec::new(),
            folders: BTreeSet::new(),
        };
        world.make_vault("shop-weu");
        world
    }

    pub(super) fn make_vault(&mut self, name: &str) {
        let path = format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/{name}"
        );
        let body = json!({"location": "westeurope", "sku": {"name": "Standard"}, "properties": {}});
        assert_eq!(self.request(Method::PUT, &path, Some(&body)).status, 201);
    }

    /// Runs something against the core as the shell would, effects included.
    pub(super) fn run<T>(
        &mut self,
        work: impl FnOnce(&Context<'_>, &mut Tx<'_>) -> Result<(T, Vec<Effect>), StoreError>,
    ) -> T {
        let ctx = Context {
            now: self.now,
            clock: &self.clock,
            subscription: SUBSCRIPTION,
            tenant: "tenant",
            inventory: &self.inventory,
            data_dir: Path::new("/data"),
            max_jobs: self.max_jobs,
            on_demand: self.on_demand,
            compared_within: 30,
            instant_restore: InstantRestore::default(),
            scrub: self.scrub,
            facts: &self.files,
            ids: &self.ids,
        };
        let (done, effects) = self.store.tx(|tx| work(&ctx, tx)).unwrap();
        self.carry_out(effects);
        done
    }

    fn repository(&mut self, vault: VaultKey, made: bool) {
        let report = RepositoryReport {
            vault,
            made,
            result: Ok(()),
        };
        self.run(|ctx, tx| Ok(((), core::on_repository(&report, ctx, tx)?)));
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::CreateRepository { vault, .. } => self.repository(vault, true),
                Effect::RemoveRepository { vault, .. } => self.repository(vault, false),
                Effect::MoveRepository { vault, back, .. } => self.repository(vault, back),
                Effect::StartMover(file) => {
                    self.started
                        .push(format!("{} {}", word(&file.task), file.job));
                    let before = self.movers.insert(file.job.clone(), file);
                    assert!(before.is_none(), "a job was given a second mover");
                }
                Effect::CompareVault { vault, path } => {
                    let there = self.snapshots.get(&path).into_iter().flatten();
                    let survey = kluis_vault::Survey {
                        present: there.map(|(snapshot, _)| snapshot.clone()).collect(),
                        ..kluis_vault::Survey::default()
                    };
                    self.run(|ctx, tx| {
                        let known = backup::known_of(tx, &vault)?.all;
                        backup::take_in(ctx, tx, &vault, &known, &survey)
                    });
                }
                Effect::RemoveFiles { paths, .. } => {
                    let mut there = self.files.there.borrow_mut();
                    there.retain(|path| !paths.contains(path));
                }
                Effect::RemoveBitmaps { image } => {
                    let result = if self.held.contains(&image) {
                        Err("somebody holds it".to_owned())
                    } else {
                        Ok(())
                    };
                    self.cleared.push(image.clone());
                    let report = core::BitmapReport { image, result };
                    self.run(|ctx, tx| {
                        core::on_bitmaps(&report, ctx, tx)?;
                        Ok(((), Vec::new()))
                    });
                }
                Effect::KillMover { job } => {
                    self.killed.insert(job);
                }
                Effect::RemoveSnapshots { folder } => {
                    let mut there = self.files.snapshots.borrow_mut();
                    there.retain(|path| !path.starts_with(&folder));
                    self.folders.remove(&folder);
                }
            }
        }
    }

    /// A request by its path (below the vault unless it begins with a slash), answered.
    pub(super) fn request(&mut self, method: Method, path: &str, body: Option<&Value>) -> Response {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("{VAULT}/{path}")
        };
        let request = Request {
            method,
            path,
            query: Query::parse(&format!("{query}&api-version=2024-04-01")),
            headers: Vec::new(),
            body: body
                .map(|body| body.to_string().into_bytes())
                .unwrap_or_default(),
            principal: Principal {
                client_id: "client".to_owned(),
                role: Role::Owner,
            },
            id: "request".to_owned(),
            origin: "https://localhost".to_owned(),
        };
        let mut refused = None;
        let answer = self.try_run(&request, &mut refused);
        answer.unwrap_or_else(|| refused.unwrap())
    }

    fn try_run(&mut self, request: &Request, refused: &mut Option<Response>) -> Option<Response> {
        let ctx = Context {
            now: self.now,
            clock: &self.clock,
            subscription: SUBSCRIPTION,
            tenant: "tenant",
            inventory: &self.inventory,
            data_dir: Path::new("/data"),
            max_jobs: self.max_jobs,
            on_demand: self.on_demand,
            compared_within: 30,
            instant_restore: InstantRestore::default(),
            scrub: self.scrub,
            facts: &self.files,
            ids: &self.ids,
        };
        // As the shell does: what is the extension's goes there.
        let answer = self.store.tx(|tx| {
            if extension::is_of(&request.path) && request.method == Method::GET {
                let found = extension::find(request, &ctx, tx)?;
                Ok((Response::ok(json!(format!("{:?}", found.0))), Vec::new()))
            } else if extension::is_of(&request.path) {
                extension::restore(request, &ctx, tx)
            } else {
                core::handle(request, &ctx, tx)
            }
        });
        match answer {
            Ok((response, effects)) => {
                self.carry_out(effects);
                Some(response)
            }
            Err(refusal) => {
                *refused = Some(refusal.response());
                None
            }
        }
    }

    pub(super) fn get(&mut self, path: &str) -> Value {
        let response = self.request(Method::GET, path, None);
        assert_eq!(response.status, 200, "{:?}", response.body);
        response.body.unwrap()
    }

    /// A request that must be accepted with 202; the job that it started, from the operation it points to.
    pub(super) fn accept(&mut self, method: Method, path: &str, body: Option<&Value>) -> String {
        let response = self.request(method, path, body);
        assert_eq!(response.status, 202, "{:?}", response.body);
        let url = response
            .header("Azure-AsyncOperation")
            .unwrap()
            .replace("https://localhost", "");
        let status = self.get(url.split('?').next().unwrap());
        assert_eq!(status["status"], "Succeeded");
        status["properties"]["jobId"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The status and the code of a refusal.
    pub(super) fn refused(&mut self, method: Method, path: &str, body: Option<&Value>) -> String {
        let response = self.request(method, path, body);
        let error = &response.body.as_ref().unwrap()["error"];
        format!(
            "{} {}: {}",
            response.status,
            error["code"].as_str().unwrap(),
            error["message"].as_str().unwrap()
        )
    }

    pub(super) fn protect(&mut self) -> String {
        self.protect_with("DefaultPolicy")
    }

    pub(super) fn protect_with(&mut self, policy: &str) -> String {
        self.accept(Method::PUT, ITEM, Some(&protection(WEB_1, policy)))
    }

    /// A policy that runs daily at this hour of the zone and keeps its points for some days.
    pub(super) fn daily_policy(
        &mut self,
        name: &str,
        hour: &str,
        zone: &str,
        days: u32,
    ) -> Response {
        let time = format!("2026-01-01T{hour}:00Z");
        let body = json!({"properties": {
            "backupManagementType": "AzureIaasVM",
            "schedulePolicy": {"schedulePolicyType": "SimpleSchedulePolicy", "scheduleRunFrequency": "Daily", "scheduleRunTimes": [time]},
            "retentionPolicy": {"retentionPolicyType": "LongTermRetentionPolicy", "dailySchedule": {
                "retentionTimes": [time], "retentionDuration": {"count": days, "durationType": "Days"}}},
            "timeZone": zone,
        }});
        self.request(Method::PUT, &format!("backupPolicies/{name}"), Some(&body))
    }

    pub(super) fn backup_now(&mut self) -> String {
        let mut body = backup_request();
        if self.now > at("2026-06-01T00:00:00Z") {
            body = json!({"properties": {"objectType": "IaasVMBackupRequest"}});
        }
        self.accept(Method::POST, &format!("{ITEM}/backup"), Some(&body))
    }

    /// Writes a document as it is.
    pub(super) fn put<R: kluis_service::store::Row>(&mut self, row: &R) {
        self.run(|_, tx| Ok((tx.put(row)?, Vec::new())));
    }

    /// Copies of the documents of a table whose keys begin with `prefix`, each changed by `change` so often.
    pub(super) fn copy<R: kluis_service::store::Row>(
        &mut self,
        prefix: &str,
        times: usize,
        change: impl Fn(&mut R, usize),
    ) {
        self.run(|_, tx| {
            for row in tx.starting::<R>(prefix)? {
                let text = serde_json::to_string(&row).unwrap();
                for number in 0..times {
                    let mut copy = serde_json::from_str(&text).unwrap();
                    change(&mut copy, number);
                    tx.put(&copy)?;
                }
            }
            Ok(((), Vec::new()))
        });
    }

    /// The folders of snapshot files that the store knows of, those of deleted vaults included.
    pub(super) fn known_folders(&mut self) -> BTreeSet<PathBuf> {
        self.run(|_, tx| Ok((backup::snapshot_folders(tx)?, Vec::new())))
    }

    // The clock.

    pub(super) fn tick(&mut self) {
        self.run(|ctx, tx| Ok(((), core::tick(ctx, tx)?)));
    }

    pub(super) fn next_due(&mut self) -> Option<Timestamp> {
        self.run(|ctx, tx| Ok((core::next_due(ctx, tx)?, Vec::new())))
    }

    /// Lives through a length of time in due order, every mover doing its work at once.
    pub(super) fn live(&mut self, hours: i64) {
        let until = self.now + SignedDuration::from_hours(hours);
        self.settle();
        while let Some(due) = self.next_due().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.tick();
            self.settle();
        }
        self.now = until;
        self.tick();
        self.settle();
    }

    /// Every mover does its work, and those that start then.
    pub(super) fn settle(&mut self) {
        while let Some(job) = self.movers.keys().next().cloned() {
            self.succeed(&job);
        }
    }

    // Movers.

    pub(super) fn hear(&mut self, job: &str, event: Event) {
        let report = MoverReport {
            job: job.to_owned(),
            what: What::Event(event),
        };
        self.run(|ctx, tx| Ok(((), core::on_mover(&report, ctx, tx)?)));
    }

    /// The mover's process is gone.
    pub(super) fn exit(&mut self, job: &str, code: Option<i32>) {
        assert!(self.movers.remove(job).is_some(), "no mover runs for {job}");
        self.killed.remove(job);
        let report = MoverReport {
            job: job.to_owned(),
            what: What::Exited {
                code,
                stderr: String::new(),
            },
        };
        self.run(|ctx, tx| Ok(((), core::on_mover(&report, ctx, tx)?)));
    }

    /// What a mover does to its vault.
    pub(super) fn work(&mut self, job: &str) {
        let file = self.movers[job].clone();
        let vault = self.snapshots.entry(file.vault).or_default();
        match file.task {
            Task::Backup(_) => {
                vault.insert(snapshot(job), job.to_owned());
            }
            Task::Forget(task) => vault.retain(|snapshot, _| !task.snapshots.contains(snapshot)),
            Task::Restore(task) => {
                let from_the_vault = task.disks.iter().any(|disk| disk.instant.is_none());
                assert!(
                    !from_the_vault || vault.contains_key(&task.snapshot),
                    "a restore of a snapshot that is gone"
                );
                let mut there = self.files.there.borrow_mut();
                there.extend(task.disks.into_iter().map(|disk| disk.path));
                there.extend(task.documents.into_iter().map(|document| document.path));
            }
            Task::RestoreFiles(task) => {
                assert!(
                    vault.contains_key(&task.snapshot),
                    "files of a snapshot that is gone"
                );
                self.files.there.borrow_mut().insert(task.to);
            }
            Task::Snapshot(task) => {
                let folder = task.disks[0].to.parent().unwrap().to_owned();
                self.folders.insert(folder);
                let files = task.disks.into_iter().map(|disk| disk.to);
                self.files.snapshots.borrow_mut().extend(files);
            }
            Task::Folder(_) | Task::Check | Task::Scrub(_) => {}
        }
    }

    /// The mover's events up to its evidence, which it says.
    pub(super) fn evidence(&mut self, job: &str) {
        let file = self.movers[job].clone();
        self.hear(job, Event::Started { pid: 1 });
        match file.task {
            Task::Backup(task) => {
                let total = task.disks.len() as u64 * (1 << 30);
                for disk in &task.disks {
                    self.hear(
                        job,
                        Event::Disk {
                            name: disk.name.clone(),
                            size: 1 << 30,
                        },
                    );
                }
                self.hear(
                    job,
                    Event::Progress {
                        done: total / 2,
                        total,
                    },
                );
                self.hear(job, Event::Progress { done: total, total });
                self.work(job);
                self.hear(
                    job,
                    Event::Saved {
                        snapshot: snapshot(job),
                        logical: total,
                        read: total / 2,
                        stored: total / 4,
                    },
                );
            }
            Task::Restore(task) => {
                self.work(job);
                for disk in &task.disks {
                    self.hear(
                        job,
                        Event::Restored {
                            disk: disk.name.clone(),
                            bytes: 1 << 30,
                            sha256: "5ha".to_owned(),
                        },
                    );
                }
                for document in &task.documents {
                    self.hear(
                        job,
                        Event::Written {
                            path: document.path.clone(),
                            bytes: document.text.len() as u64,
                        },
                    );
                }
            }
            Task::RestoreFiles(_) => {
                self.work(job);
                self.hear(
                    job,
                    Event::FilesRestored {
                        files: 3,
                        directories: 1,
                        bytes: 4_096,
                    },
                );
            }
            Task::Forget(task) => {
                self.work(job);
                self.hear(
                    job,
                    Event::Forgotten {
                        snapshots: task.snapshots,
                        freed: 1,
                        pruned: true,
                    },
                );
            }
            Task::Snapshot(task) => {
                self.work(job);
                for script in task.scripts.iter().flat_map(scripts) {
                    self.hear(job, script);
                }
                for disk in &task.disks {
                    let format = if disk.to.extension().is_some_and(|end| end == "qcow2") {
                        DiskFormat::Qcow2
                    } else {
                        DiskFormat::Raw
                    };
                    self.hear(job, snapshotted(&disk.name, format));
                }
            }
            Task::Scrub(task) => {
                let scrubbed = Event::Scrubbed {
                    packs: 1,
                    bytes: 1 << 30,
                    total: 1 << 30,
                    oldest: Some(task.now),
                };
                self.hear(job, scrubbed);
                let damage = self.damage.clone().unwrap_or_else(no_damage);
                self.hear(job, damage);
            }
            Task::Folder(_) | Task::Check => {}
        }
    }

    /// A mover does all its work.
    pub(super) fn succeed_once(&mut self, job: &str) {
        self.evidence(job);
        self.hear(job, Event::Finished);
        self.exit(job, Some(0));
    }

    /// A job's movers do all their work.
    pub(super) fn succeed(&mut self, job: &str) {
        while self.movers.contains_key(job) {
            self.succeed_once(job);
        }
    }

    /// The snapshots of a backup on demand are taken, and their transfer has begun.
    pub(super) fn backup_to_the_vault(&mut self) -> String {
        let job = self.backup_now();
        self.succeed_once(&job);
        job
    }

    pub(super) fn fail(&mut self, job: &str, code: FailureCode) {
        self.hear(job, Event::Started { pid: 1 });
        let event = Event::Failed {
            code,
            message: "It went wrong.".to_owned(),
            recommendation: "Make it right.".to_owned(),
        };
        self.hear(job, event);
        self.exit(job, Some(1));
    }

    /// The service is killed and starts again; what the vaults hold of lost backups is looked up.
    pub(super) fn restart(&mut self) {
        self.movers.clear();
        self.killed.clear();
        let lost = self.run(|ctx, tx| Ok((backup::interrupted(ctx, tx)?, Vec::new())));
        let saved: BTreeMap<String, Saved> = lost
            .into_iter()
            .filter(|lost| {
                self.snapshots
                    .get(&lost.vault_path)
                    .is_some_and(|vault| vault.values().any(|job| *job == lost.job))
            })
            .map(|lost| {
                let saved = Saved {
                    snapshot: snapshot(&lost.job),
                    logical: 3 << 30,
                    read: 1,
                    stored: 1,
                };
                (lost.job, saved)
            })
            .collect();
        self.run(|ctx, tx| Ok(((), backup::resume(ctx, tx, &saved)?)));
    }

    pub(super) fn busy(&mut self) -> bool {
        self.run(|_, tx| Ok((backup::busy(tx)?, Vec::new())))
    }

    // What is seen.

    pub(super) fn item(&mut self) -> Value {
        self.get(ITEM)["properties"].clone()
    }

    pub(super) fn job(&mut self, id: &str) -> Value {
        self.get(&format!("backupJobs/{id}"))["properties"].clone()
    }

    /// The times of the recovery points, the newest first.
    pub(super) fn points(&mut self) -> Vec<String> {
        let page = self.get(&format!("{ITEM}/recoveryPoints"));
        let time = |point: &Value| {
            point["properties"]["recoveryPointTime"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        page["value"].as_array().unwrap().iter().map(time).collect()
    }

    pub(super) fn newest_point(&mut self) -> String {
        self.get(&format!("{ITEM}/recoveryPoints"))["value"][0]["name"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// A line a job, the oldest first: operation, status, when it began, what it says of itself.
    pub(super) fn jobs(&mut self) -> String {
        let page = self.get("backupJobs");
        let mut text = String::new();
        for job in page["value"].as_array().unwrap().iter().rev() {
            let name = job["name"].as_str().unwrap().to_owned();
            let job = self.job(&name);
            let say = |field: &str| job[field].as_str().unwrap_or("-").to_owned();
            let bag = &job["extendedInfo"]["propertyBag"];
            let late = bag["Started Late"]
                .as_str()
                .map(|late| format!(" ({late})"))
                .unwrap_or_default();
            writeln!(
                text,
                "{} {} {}{late}",
                say("startTime"),
                say("operation"),
                say("status")
            )
            .unwrap();
        }
        text
    }

    pub(super) fn inventory_without(&mut self, vm: &str) {
        for group in &mut self.inventory.resource_groups {
            group.virtual_machines.retain(|known| known.name != vm);
        }
    }
}

pub(super) fn snapshot(job: &str) -> String {
    format!("snapshot-of-{job}")
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

/// JSON over lines, for goldens.
pub(super) fn pretty(value: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).unwrap())
}
