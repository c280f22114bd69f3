//! The data plane against real parts: stock restic, real processes that are killed, real file systems that fill up.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod believed;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod files_as_nobody;
#[cfg(test)]
mod files_damaged;
#[cfg(test)]
mod files_images;
#[cfg(test)]
mod files_in_use;
#[cfg(test)]
mod files_limits;
#[cfg(test)]
mod files_read;
#[cfg(test)]
mod files_restore;
#[cfg(test)]
mod files_trees;
#[cfg(test)]
mod folders;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod header;
mod incremental;
#[cfg(test)]
mod instant;
#[cfg(test)]
mod instant_crash;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod qcow2;
#[cfg(test)]
mod restores;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod sparse;
#[cfg(test)]
mod straight;
#[cfg(test)]
mod support;
