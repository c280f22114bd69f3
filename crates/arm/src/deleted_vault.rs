//! A Recovery Services vault that was softly deleted: listed by its region, under a name of its own, until it is brought back or purged.

use crate::time::WireTime;

wire! {
    /// One of `…/locations/{region}/deletedVaults`.
    pub struct DeletedVault {
        /// The whole path.
        id: String,
        /// What it is called while it is deleted: `<resource group>_<GUID>`.
        name: String,
        /// `Microsoft.RecoveryServices/locations/deletedVaults`.
        #[serde(rename = "type")] kind: String,
        /// Its region.
        location: String,
        /// What it was, and until when.
        properties: DeletedVaultProperties,
    }

    /// What the vault was, and until when it can be had back.
    pub struct DeletedVaultProperties {
        /// The id that the vault had, and will have again.
        vault_id: String,
        /// When it was deleted.
        vault_deletion_time: WireTime,
        /// When it goes for good.
        purge_at: WireTime,
    }

    /// The body of `POST …/deletedVaults/{name}/undelete`.
    pub struct Undelete {
        /// Where to.
        properties: UndeleteProperties,
    }

    /// Where the vault comes back to.
    pub struct UndeleteProperties {
        /// The resource group that it was in.
        recovery_resource_group_id: String,
    }
}
