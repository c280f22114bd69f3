//! `kluis service`, started from the binary with an inventory and a data directory.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::binary::kluis;
use crate::https::{Answer, Https};
use crate::process::{Daemon, Life, patience, signal};
use crate::restic;
use crate::until::{Look, until};

/// The api-version that the harness itself asks with.
pub const API_VERSION: &str = "2026-10-01";

/// What `DIR/credentials.json` holds.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    pub endpoint: String,
    pub tenant_id: String,
    pub subscription_id: String,
    pub client_id: String,
    pub client_secret: String,
    #[serde(default)]
    pub identity_header: Option<String>,
}

/// How a service is started.
#[derive(Debug, Clone)]
pub struct Setup {
    /// `--data-dir`.
    pub data: PathBuf,
    /// `--inventory`.
    pub inventory: PathBuf,
    pub virtual_clock: bool,
    /// `--job-reads-per-hour`.
    pub job_reads_per_hour: Option<u32>,
    pub max_jobs: Option<u32>,
    /// Host and port; port 0 takes a free one. A restart keeps the port of the
    /// first start, as an operator keeps the endpoint that it was given.
    pub listen: String,
    /// `--listen-http`, on a port of the loopback: where managed identities get their tokens.
    pub listen_http: Option<u16>,
    /// Environment of the process, for hooks that only tests use.
    pub env: Vec<(String, String)>,
    pub life: Life,
    /// What lies on a small file system of its own, which only this service and
    /// its movers see.
    pub small: Option<Small>,
}

/// What may lie on a small file system, which has so many MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Small {
    /// The vaults.
    Vaults(u32),
    /// All of the data directory, and the disks that restores make beside the
    /// inventory's.
    Everything(u32),
}

impl Setup {
    /// A service on a virtual clock whose data lies in `dir/service`.
    pub fn new(dir: &Path, inventory: &Path) -> Self {
        Self {
            data: dir.join("service"),
            inventory: inventory.to_path_buf(),
            virtual_clock: true,
            job_reads_per_hour: None,
            max_jobs: None,
            listen: "127.0.0.1:0".to_owned(),
            listen_http: None,
            env: Vec::new(),
            life: Life::WithUs,
            small: None,
        }
    }
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    daemon: Daemon,
    setup: Setup,
    credentials: Credentials,
    ca: String,
    arm: Https,
}

impl Service {
    /// Starts it and waits for `GET /healthz` to answer 200.
    pub fn start(setup: Setup) -> Result<Self> {
        fs::create_dir_all(&setup.data)
            .with_context(|| format!("making {}", setup.data.display()))?;
        let before = fs::metadata(setup.data.join("credentials.json"))
            .and_then(|found| found.modified())
            .ok();
        let mut daemon = Daemon::start(
            "kluis service",
            command(&setup)?,
            &setup.data.with_extension("log"),
            setup.life,
        )?;
        let data = match setup.small {
            Some(Small::Everything(_)) => within_process(daemon.id(), &setup.data),
            Some(Small::Vaults(_)) | None => setup.data.clone(),
        };
        let (credentials, ca, arm) = daemon.ready(patience(), || {
            Ok(match reach(&data, before) {
                Ok(reached) => Look::Done(reached),
                Err(why) => Look::NotYet(format!("{why:#}")),
            })
        })?;
        let mut setup = setup;
        if let Some(address) = credentials.endpoint.strip_prefix("https://") {
            setup.listen = address.trim_end_matches('/').to_owned();
        }
        let token = token(&arm, &credentials)?;
        Ok(Self {
            daemon,
            setup,
            arm: arm.with_token(Some(&token)),
            credentials,
            ca,
        })
    }

    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The PEM of the CA that signed its certificate.
    pub fn ca(&self) -> &str {
        &self.ca
    }

    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    pub fn id(&self) -> u32 {
        self.daemon.id()
    }

    /// A path as the service sees it, whose small file system is its alone: it is
    /// reached through its process.
    pub fn seen(&self, path: &Path) -> PathBuf {
        within_process(self.id(), path)
    }

    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// ARM with a token of the Owner in credentials.json.
    pub fn arm(&self) -> &Https {
        &self.arm
    }

    /// `path` below the subscription, with an api-version: `get("resourceGroups/rg/…")`.
    pub fn path(&self, path: &str) -> String {
        let joint = if path.contains('?') { '&' } else { '?' };
        format!(
            "/subscriptions/{}/{path}{joint}api-version={API_VERSION}",
            self.credentials.subscription_id
        )
    }

    /// GET of a path below the subscription; an error unless it is 200.
    pub fn read(&self, path: &str) -> Result<Value> {
        let answer = self.arm.get(&self.path(path))?;
        if answer.status != 200 {
            bail!("GET {path} answered {}: {}", answer.status, answer.text);
        }
        Ok(answer.body)
    }

    /// Every row of a list below the subscription, over all its pages.
    pub fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        let mut next = Some(self.path(path));
        while let Some(page) = next.take() {
            let answer = self.arm.get(&page)?;
            if answer.status != 200 {
                bail!("GET {page} answered {}: {}", answer.status, answer.text);
            }
            rows.extend(answer.body["value"].as_array().cloned().unwrap_or_default());
            next = answer.body["nextLink"].as_str().map(str::to_owned);
        }
        Ok(rows)
    }

    /// Moves the virtual clock, and lives through what is due meanwhile.
    pub fn advance(&self, by: &str) -> Result<Answer> {
        self.arm.post("/_kluis/clock", &json!({ "advance": by }))
    }

    /// The same process configuration again, after it ended or was killed.
    pub fn restart(mut self) -> Result<Self> {
        if self.daemon.ended()?.is_none() {
            self.daemon.stop()?;
        }
        Self::start(self.setup.clone())
    }

    /// kill -9 of the service; its movers must go with it.
    pub fn kill(&mut self) -> Result<()> {
        self.daemon.kill()
    }

    /// The process ids of the movers at work. A child that has not yet become one is left out: the service waits for it to, and
    /// would wait for ever if somebody held it up.
    pub fn movers(&self) -> Result<Vec<u32>> {
        let mut children = children(self.id())?;
        children.retain(|child| is_mover(*child));
        Ok(children)
    }

    /// kill -9 of one mover.
    pub fn kill_mover(&self, id: u32) -> Result<()> {
        signal(id, Signal::KILL)
    }

    /// Holds a mover up where it is, until it is let go on.
    pub fn hold_mover(&self, id: u32) -> Result<()> {
        signal(id, Signal::STOP)
    }

    pub fn let_mover_go_on(&self, id: u32) -> Result<()> {
        signal(id, Signal::CONT)
    }

    /// The job file of a mover.
    pub fn job_of_mover(&self, id: u32) -> Result<Value> {
        let line = fs::read(format!("/proc/{id}/cmdline")).context("a mover's command line")?;
        let path = line.split(|byte| *byte == 0).nth(2).unwrap_or_default();
        let path = self.seen(Path::new(OsStr::from_bytes(path)));
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// Waits until something holds on the wire.
    pub fn until<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut(&Self) -> Result<Look<T>>,
    ) -> Result<T> {
        let found = until(what, limit, || look(self));
        found.map_err(|why| why.context(self.daemon.tail()))
    }

    /// The folder of a vault's repository.
    pub fn vault_dir(&self, resource_group: &str, vault: &str) -> PathBuf {
        self.setup
            .data
            .join("vaults")
            .join(resource_group)
            .join(vault)
    }

    /// The file with the passphrase that opens every vault.
    pub fn passphrase(&self) -> PathBuf {
        let path = self.setup.data.join("passphrase");
        match self.setup.small {
            Some(Small::Everything(_)) => self.seen(&path),
            Some(Small::Vaults(_)) | None => path,
        }
    }
}

/// No service of a test goes without its vaults having been read by somebody else.
impl Drop for Service {
    fn drop(&mut self) {
        if std::thread::panicking() || self.setup.life != Life::WithUs {
            return;
        }
        let ended = self.daemon.kill();
        let checked = ended
            .and_then(|()| restic::check_all(&self.setup.data.join("vaults"), &self.passphrase()));
        assert!(checked.is_ok(), "stock restic on the vaults: {checked:?}");
    }
}

fn command(setup: &Setup) -> Result<Command> {
    let kluis = kluis()?;
    let mut command = match setup.small {
        None => Command::new(kluis),
        Some(small) => within(small, setup, &kluis),
    };
    command
        .arg("service")
        .arg("--data-dir")
        .arg(&setup.data)
        .arg("--inventory")
        .arg(&setup.inventory);
    command.args(["--listen", &setup.listen]);
    if let Some(port) = setup.listen_http {
        command.args(["--listen-http", &format!("127.0.0.1:{port}")]);
    }
    command.args([
        "--clock",
        if setup.virtual_clock {
            "virtual"
        } else {
            "system"
        },
    ]);
    if let Some(reads) = setup.job_reads_per_hour {
        command.args(["--job-reads-per-hour", &reads.to_string()]);
    }
    if let Some(jobs) = setup.max_jobs {
        command.args(["--max-jobs", &jobs.to_string()]);
    }
    command.envs(setup.env.iter().map(|(name, value)| (name, value)));
    Ok(command)
}

/// A command that makes itself a mount namespace with a small file system, and
/// then becomes kluis. (Needs root or user namespaces.)
fn within(small: Small, setup: &Setup, kluis: &Path) -> Command {
    let vaults =
        r#"mkdir -p "$1" && mount -t tmpfs -o size="$2"m none "$1" && shift 3 && exec "$@""#;
    let everything = r#"mkdir -p "$1" "$3" && mount -t tmpfs -o size="$2"m none "$1" && mkdir "$1/restored" &&
        mount --bind "$1/restored" "$3" && shift 3 && exec "$@""#;
    let (script, over, mib) = match small {
        Small::Vaults(mib) => (vaults, setup.data.join("vaults"), mib),
        Small::Everything(mib) => (everything, setup.data.clone(), mib),
    };
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command
        .arg(over)
        .arg(mib.to_string())
        .arg(setup.inventory.with_file_name("restored"))
        .arg(kluis);
    command
}

fn within_process(id: u32, path: &Path) -> PathBuf {
    PathBuf::from(format!("/proc/{id}/root{}", path.display()))
}

type Reached = (Credentials, String, Https);

/// What the service wrote about itself, once it also answers. Files of an
/// earlier start are not taken for those of this one.
fn reach(data: &Path, before: Option<std::time::SystemTime>) -> Result<Reached> {
    let path = data.join("credentials.json");
    let written = fs::metadata(&path)
        .and_then(|found| found.modified())
        .context("no credentials.json yet")?;
    let credentials: Credentials =
        serde_json::from_str(&fs::read_to_string(&path)?).context("reading credentials.json")?;
    let ca = fs::read_to_string(data.join("ca.pem")).context("reading ca.pem")?;
    let arm = Https::new(&credentials.endpoint, &ca, None)?;
    let answer = arm.get("/healthz")?;
    if answer.status != 200 {
        bail!(
            "healthz answered {}{}",
            answer.status,
            if before == Some(written) {
                " (credentials of an earlier start)"
            } else {
                ""
            }
        );
    }
    Ok((credentials, ca, arm))
}

fn token(arm: &Https, credentials: &Credentials) -> Result<String> {
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope={}%2F.default",
        encode(&credentials.client_id),
        encode(&credentials.client_secret),
        encode(&credentials.endpoint)
    );
    let path = format!("/{}/oauth2/v2.0/token", credentials.tenant_id);
    let answer = arm.raw(
        "POST",
        &path,
        Some(("application/x-www-form-urlencoded", form)),
    )?;
    match answer.body["access_token"].as_str() {
        Some(token) => Ok(token.to_owned()),
        None => bail!(
            "the token endpoint answered {}: {}",
            answer.status,
            answer.text
        ),
    }
}

/// Percent-encodes what is not unreserved (RFC 3986).
fn encode(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes()
        .map(|byte| {
            if plain(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// Whether a process has a mover's command line.
fn is_mover(id: u32) -> bool {
    let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).nth(1) == Some(b"mover")
}

/// The processes whose parent is `id`, as /proc knows them.
fn children(id: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("reading /proc")?.flatten() {
        let Some(child) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        // "pid (name) state parent …", where a name may hold spaces: what follows the last bracket counts.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        let mut fields = after.split_whitespace();
        let (state, parent) = (fields.next(), fields.next());
        if state != Some("Z") && parent == Some(&id.to_string()) {
            found.push(child);
        }
    }
    Ok(found)
}
