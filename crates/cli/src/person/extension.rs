//! The service's own paths beside Azure's: what is in a recovery point, straight out of the vault. Azure has no call for it,
//! so whether a service offers it is asked first.

use anyhow::{Context, Result, anyhow, bail};
use kluis_arm::api_version::SENT;
use kluis_arm::files::FilesExportRequest;
use kluis_arm::id::RecoveryPointId;
use kluis_arm::resource::Resource;
use kluis_client::{Arm, ArmClient, ArmRequest, Method};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Entries of one folder.
const MOST_ENTRIES: usize = 1_000_000;

/// A page of a list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "T: DeserializeOwned")]
struct Page<T> {
    value: Vec<T>,
    #[serde(default)]
    next_link: Option<String>,
}

/// A recovery point's paths at a service that offers them.
pub(super) struct Browser<'a> {
    pub(super) arm: &'a ArmClient,
    base: String,
}

/// A file system of a recovery point.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Volume {
    pub(super) name: String,
    #[serde(default)]
    pub(super) file_system: Option<String>,
    #[serde(default)]
    pub(super) size: Option<u64>,
    #[serde(default)]
    pub(super) label: Option<String>,
}

/// What is in a folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) path: String,
    /// `file`, `directory`, `symlink` or another word.
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) size: u64,
    #[serde(default)]
    pub(super) modified: Option<String>,
    #[serde(default)]
    pub(super) mode: Option<u32>,
    #[serde(default)]
    pub(super) uid: Option<u32>,
    #[serde(default)]
    pub(super) gid: Option<u32>,
    #[serde(default)]
    pub(super) target: Option<String>,
    /// The bytes of a name, a path or a target that is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_base64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target_base64: Option<String>,
    /// Why it cannot be read, where it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<Problem>,
}

/// Why something cannot be read: `Damaged`, or `Unsupported` in a file system that is well.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Problem {
    code: String,
    pub(super) message: String,
}

impl<'a> Browser<'a> {
    /// Asks the service whether it offers this.
    pub(super) async fn of(arm: &'a ArmClient, point: &RecoveryPointId) -> Result<Self> {
        let answer = arm
            .call(&ArmRequest::get("/metadata/endpoints", "2022-09-01"))
            .await
            .context("asking the service what it offers")?;
        let body = answer.body.unwrap_or_default();
        let base = body["kluis"]["files"].as_str().ok_or_else(|| {
            anyhow!(
                "this service does not give files out of a recovery point (Azure has no call for it): restore the disks"
            )
        })?;
        Ok(Self {
            arm,
            base: format!("{}{point}", base.trim_end_matches('/')),
        })
    }

    /// The file systems in the recovery point.
    pub(super) async fn volumes(&self) -> Result<Vec<Volume>> {
        self.list(ArmRequest::get(format!("{}/volumes", self.base), SENT))
            .await
            .context("listing the volumes")
    }

    /// What a folder holds, or the one file at the path.
    pub(super) async fn entries(&self, volume: Option<&str>, path: &str) -> Result<Vec<Entry>> {
        self.list(self.request("files", volume, path))
            .await
            .with_context(|| format!("listing {path}"))
    }

    /// The request for a piece of files and folders.
    pub(super) fn export(
        &self,
        volume: Option<&str>,
        paths: &[String],
        keep_paths: bool,
        after: Option<String>,
    ) -> Result<ArmRequest> {
        let body = FilesExportRequest {
            paths: Some(paths.to_vec()),
            volume: volume.map(str::to_owned),
            keep_paths: keep_paths.then_some(true),
            after: after
                .map(|after| serde_json::from_str(&after))
                .transpose()
                .context("reading where the files go on")?,
            ..FilesExportRequest::default()
        };
        let body = serde_json::to_value(Resource::body(body)).context("writing the request")?;
        let path = format!("{}/exportFiles", self.base);
        Ok(ArmRequest::new(Method::Post, path, SENT).with_body(body))
    }

    fn request(&self, what: &str, volume: Option<&str>, path: &str) -> ArmRequest {
        let request =
            ArmRequest::get(format!("{}/{what}", self.base), SENT).with_query("path", path);
        match volume {
            Some(volume) => request.with_query("volume", volume),
            None => request,
        }
    }

    /// All pages: half a folder would look like a whole one.
    async fn list<T: DeserializeOwned>(&self, request: ArmRequest) -> Result<Vec<T>> {
        let mut found = Vec::new();
        let mut next = Some(request);
        while let Some(request) = next {
            let answer = self.arm.call(&request).await?;
            let page: Page<T> = serde_json::from_value(answer.body.unwrap_or_default())
                .context("reading the service's answer")?;
            found.extend(page.value);
            if found.len() > MOST_ENTRIES {
                bail!("there are more than {MOST_ENTRIES} entries: that is no folder");
            }
            next = match page.next_link.as_deref() {
                None | Some("") => None,
                Some(link) => Some(self.arm.follow(link)?),
            };
        }
        Ok(found)
    }
}
