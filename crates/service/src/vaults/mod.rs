//! Recovery services vaults: made, read, changed and deleted, with the properties that a real one has.

mod row;

pub use row::{SoftDelete, VaultRow};
