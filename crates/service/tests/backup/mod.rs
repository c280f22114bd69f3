//! The backup service's core, held in memory: requests, the clock and a scripted mover in; answers, jobs and recovery
//! points out.

mod around;
mod bitmaps;
mod bodies;
mod cancel;
mod capacities;
mod consistent;
mod crash;
mod deleted_vaults;
mod events;
mod fleet;
mod health;
mod immutable;
mod keeping;
mod laws;
mod locked_group;
mod paging;
mod promises;
mod protection;
mod purge;
mod refusals;
mod restorable;
mod restore;
mod restore_beside;
mod restore_crash;
mod restore_files;
mod restore_in_place;
mod restore_limits;
mod restore_machine;
mod restore_refusals;
mod rules;
mod schedule;
mod scrubs;
mod snapshot_alone;
mod world;
mod wrong_clock;
