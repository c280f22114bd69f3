//! The plans, run against a small model of ARM: whole convergences as golden logs, and the laws as properties.

#[cfg(test)]
mod approvals;
#[cfg(test)]
mod arrivals;
#[cfg(test)]
mod azure;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod consumers;
#[cfg(test)]
mod convergences;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod health;
#[cfg(test)]
mod held_edits;
#[cfg(test)]
mod honesty;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod locks;
#[cfg(test)]
mod objectives;
#[cfg(test)]
mod owed;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod restore_limits;
#[cfg(test)]
mod restores;
#[cfg(test)]
mod stalled_vaults;
#[cfg(test)]
mod states;
#[cfg(test)]
mod stops;
#[cfg(test)]
mod twice;
#[cfg(test)]
mod vaults;
#[cfg(test)]
mod ways_out;
#[cfg(test)]
mod weakening;
#[cfg(test)]
mod withdrawals;
