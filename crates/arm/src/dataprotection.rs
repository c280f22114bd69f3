//! Azure Backup's other wire, Microsoft.DataProtection: Backup vaults and the policies in them, for managed disks and
//! PostgreSQL.
//!
//! A policy is a list of rules: one that says when a backup is made and which tags it gets, and one a tag that says how long
//! a backup with it is kept. Times are ISO 8601 repeating intervals, each with its offset. [`render`](fn@render) and
//! [`parse`](fn@parse) lead from and to the same [`Terms`](crate::policy::Terms) as the policies of Recovery Services
//! vaults do.

mod interval;
mod keeping;
mod limits;
mod parse;
mod policy;
mod render;
mod tags;
pub mod vault;

pub use keeping::{as_stored, keeping};
pub use limits::check_limits;
pub use parse::parse;
pub use policy::*;
pub use render::render;

use crate::policy::differences::compared;
use crate::policy::{Difference, ParseError};

/// What would change if `wanted` were written over `in_force`; empty when nothing would.
///
/// # Errors
/// As [`crate::policy::differences`](fn@crate::policy::differences).
pub fn differences(
    in_force: &BackupPolicy,
    wanted: &BackupPolicy,
) -> Result<Vec<Difference>, ParseError> {
    let wanted = parse(wanted)?;
    Ok(compared(parse(in_force), &wanted))
}
