//! The service from outside its core: what it answers, what it keeps over a restart, what it refuses.

#![expect(
    clippy::unwrap_used,
    reason = "a test says by failing that something was not there"
)]

mod absent_group;
mod arm;
mod audit;
#[path = "../backup/mod.rs"]
mod backup;
mod conflicts;
mod crowds;
mod data_protection;
mod decade;
mod files;
mod identities;
mod inventory;
mod lanes;
mod leftovers;
mod metrics;
mod movers;
mod never_panics;
mod offer;
mod older_store;
mod permissions;
mod reports;
mod rolled_back;
mod service_time;
mod shell;
mod stall;
mod store;
mod system_clock;
mod upgrade;
mod vault_header;
mod vault_settings;
mod vaults;
mod wire_answers;
mod world;
