//! The request for files out of a recovery point: an extension of `kluis service`, which Azure does not have.
//!
//! An endpoint that offers it says so in `GET /metadata/endpoints`: `"kluis": { "files": "/kluis/v1" }` is what stands before the
//! recovery point's path.

use crate::resource::Resource;

/// The body of `POST {extension}{recovery point}/restoreFiles`.
pub type TriggerFilesRestore = Resource<FilesRestoreRequest>;

/// The body of `POST {extension}{recovery point}/exportFiles`.
pub type TriggerFilesExport = Resource<FilesExportRequest>;

wire! {
    /// Files and folders of a recovery point, a piece of them at a time.
    pub struct FilesExportRequest {
        /// Their absolute paths on the volume.
        paths: Vec<String>,
        /// The volume; the one with the system when left out.
        volume: String,
        /// Whether they come by their paths, and not by their names alone.
        keep_paths: bool,
        /// Where to go on: what the last line of the piece before says; left out of the first.
        after: serde_json::Value,
    }

    /// Files and folders of a recovery point, into a folder of a resource group.
    pub struct FilesRestoreRequest {
        /// Their absolute paths on the volume.
        paths: Vec<String>,
        /// The volume; the one with the system when left out.
        volume: String,
        /// The resource group that gets them.
        target_resource_group: String,
        /// The folder that gets them, which must not be there yet.
        name: String,
    }
}
