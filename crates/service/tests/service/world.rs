//! A core in memory: a store, an inventory, a clock that stands still and ids that count.

use std::cell::Cell;
use std::path::Path;

use jiff::Timestamp;
use kluis_service::core::{
    self, ClockTrust, Context, Effect, Facts, Ids, InstantRestore, OnDemand, Principal, Query,
    Refusal, RepositoryReport, Request, Response, Role, Scrub,
};
use kluis_service::inventory::Inventory;
use kluis_service::store::{Store, StoreError};
use serde_json::Value;

pub(crate) const SUBSCRIPTION: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const TENANT: &str = "99999999-8888-7777-6666-555555555555";
pub(crate) const VAULT: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop-rg/providers/Microsoft.RecoveryServices/vaults/v1";
pub(crate) const INVENTORY: &str = "
resourceGroups:
  shop-rg:
    location: westeurope
    virtualMachines:
      web-1: { disks: [{ path: web-1-os.raw }, { path: web-1-data.raw, lun: 0, sku: Premium_LRS }] }
      web-2: { disks: [{ path: web-2-os.raw }], os: Windows, power: Stopped, zone: '2' }
    storageAccounts: { stagingweu: {} }
    virtualNetworks: { shop-net: { subnets: [default] } }
";

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) inventory: Inventory,
    pub(crate) now: Timestamp,
    pub(crate) role: Role,
    ids: Counter,
}

#[derive(Default)]
struct Counter(Cell<u64>);

impl Ids for Counter {
    fn guid(&self) -> String {
        self.0.set(self.0.get() + 1);
        format!("00000000-0000-4000-8000-{:012}", self.0.get())
    }
}

/// Every image has a gibibyte, and nothing else exists.
struct Gibibytes;

impl Facts for Gibibytes {
    fn exists(&self, path: &Path) -> bool {
        path.extension().is_some_and(|extension| extension == "raw")
    }
    fn size(&self, _: &Path) -> Option<u64> {
        Some(1 << 30)
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            store: Store::in_memory().unwrap(),
            inventory: Inventory::parse(INVENTORY, Path::new("/inventory")).unwrap(),
            now: "2026-11-22T10:00:00Z".parse().unwrap(),
            role: Role::Owner,
            ids: Counter::default(),
        }
    }

    pub(crate) fn request(&self, method: &str, target: &str, body: Vec<u8>) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Request {
            method: method.parse().unwrap(),
            path: path.to_owned(),
            query: Query::parse(query),
            headers: Vec::new(),
            body,
            principal: Principal {
                client_id: "somebody".to_owned(),
                role: self.role,
            },
            id: "request".to_owned(),
            origin: "https://127.0.0.1:8443".to_owned(),
        }
    }

    /// What the core answers, and its effects when the answer was committed.
    pub(crate) fn handle(&mut self, request: &Request) -> (Response, Vec<Effect>) {
        let (now, ids, inventory) = (self.now, &self.ids, &self.inventory);
        let answer = self
            .store
            .tx(|tx| core::handle(request, &context(now, ids, inventory), tx));
        let effects = answer
            .as_ref()
            .map(|(_, effects)| effects.clone())
            .unwrap_or_default();
        let response = answer.map(|(response, _)| response);
        (
            response.unwrap_or_else(|refusal| refusal.response()),
            effects,
        )
    }

    /// What the extension makes of a request, as far as it is the core's.
    pub(crate) fn extension(&mut self, request: &Request) -> Result<(), Refusal> {
        let (now, ids, inventory) = (self.now, &self.ids, &self.inventory);
        self.store.tx(|tx| {
            kluis_service::extension::find(request, &context(now, ids, inventory), tx).map(|_| ())
        })
    }

    /// One call with the usual api-version; repositories are made and removed at once.
    pub(crate) fn call(&mut self, method: &str, path: &str, body: Option<Value>) -> Response {
        let sign = if path.contains('?') { '&' } else { '?' };
        let target = format!("{path}{sign}api-version=2024-04-01");
        let body = body
            .map(|body| body.to_string().into_bytes())
            .unwrap_or_default();
        let request = self.request(method, &target, body);
        let (response, effects) = self.handle(&request);
        for effect in effects {
            self.repository(&effect, Ok(()));
        }
        response
    }

    pub(crate) fn get(&mut self, path: &str) -> Response {
        self.call("GET", path, None)
    }

    /// Reports the end of an effect on a repository.
    pub(crate) fn repository(&mut self, effect: &Effect, result: Result<(), String>) {
        let (vault, made) = match effect {
            Effect::CreateRepository { vault, .. } => (vault.clone(), true),
            Effect::RemoveRepository { vault, .. } => (vault.clone(), false),
            Effect::MoveRepository { vault, back, .. } => (vault.clone(), *back),
            _ => return,
        };
        let (now, ids, inventory) = (self.now, &self.ids, &self.inventory);
        let report = RepositoryReport {
            vault,
            made,
            result,
        };
        self.store
            .tx(|tx| core::on_repository(&report, &context(now, ids, inventory), tx))
            .unwrap();
    }

    pub(crate) fn resume(&mut self) -> Vec<Effect> {
        let (now, ids, inventory) = (self.now, &self.ids, &self.inventory);
        self.store
            .tx(|tx| core::resume(&context(now, ids, inventory), tx))
            .map_err(|e: StoreError| e)
            .unwrap()
    }

    /// A vault of either kind, both called `v1`.
    pub(crate) fn with_vaults() -> Self {
        let mut world = Self::with_vault();
        let settings =
            serde_json::json!([{ "datastoreType": "VaultStore", "type": "LocallyRedundant" }]);
        let made = world.call(
            "PUT",
            &VAULT.replace("RecoveryServices/vaults", "DataProtection/backupVaults"),
            Some(serde_json::json!({ "location": "westeurope", "properties": { "storageSettings": settings } })),
        );
        assert_eq!(made.status, 201, "{:?}", made.body);
        world
    }

    pub(crate) fn with_vault() -> Self {
        let mut world = Self::new();
        let made = world.call(
            "PUT",
            VAULT,
            Some(serde_json::json!({ "location": "westeurope" })),
        );
        assert_eq!(made.status, 201, "{:?}", made.body);
        world
    }
}

fn context<'a>(now: Timestamp, ids: &'a Counter, inventory: &'a Inventory) -> Context<'a> {
    Context {
        now,
        clock: ClockTrust::whole(),
        subscription: SUBSCRIPTION,
        tenant: TENANT,
        inventory,
        data_dir: Path::new("/data"),
        max_jobs: 2,
        on_demand: OnDemand::default(),
        compared_within: 30,
        instant_restore: InstantRestore::default(),
        scrub: Scrub::OFF,
        facts: &Gibibytes,
        ids,
    }
}

/// The code of an ARM error.
pub(crate) fn code(response: &Response) -> &str {
    response
        .body
        .as_ref()
        .and_then(|body| body["error"]["code"].as_str())
        .unwrap_or_default()
}
