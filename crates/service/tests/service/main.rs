//! The service from outside its core: what it answers, what it keeps over a restart, what it refuses.

mod arm;
#[path = "../backup/mod.rs"]
mod backup;
mod inventory;
mod never_panics;
mod shell;
mod vaults;
mod world;
