//! `kluis operator`, started from the binary against a cluster.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::Result;

use crate::binary::kluis;
use crate::process::{Daemon, Life};

/// The namespace that the operator reads Secrets from.
pub const NAMESPACE: &str = "kluis-system";

/// A running operator.
#[derive(Debug)]
pub struct Operator {
    daemon: Daemon,
}

/// How an operator is started.
#[derive(Debug, Clone)]
pub struct Setup {
    pub kubeconfig: PathBuf,
    pub log: PathBuf,
    /// Abort after so many executed steps, as if killed there.
    pub crash_after_step: Option<u32>,
    /// Where it serves its metrics; port 0 takes a free one, that nobody needs to know.
    pub metrics_port: u16,
    /// Whether it takes turns with others.
    pub takes_turns: bool,
    pub life: Life,
}

impl Setup {
    pub fn new(kubeconfig: &Path, dir: &Path) -> Self {
        Self {
            kubeconfig: kubeconfig.to_path_buf(),
            log: dir.join("operator.log"),
            crash_after_step: None,
            metrics_port: 0,
            takes_turns: false,
            life: Life::WithUs,
        }
    }
}

impl Operator {
    pub fn start(setup: &Setup) -> Result<Self> {
        let mut command = Command::new(kluis()?);
        command
            .arg("operator")
            .arg("--metrics-listen")
            .arg(format!("127.0.0.1:{}", setup.metrics_port))
            .env("KUBECONFIG", &setup.kubeconfig)
            .env("KLUIS_NAMESPACE", NAMESPACE)
            // As the chart has it.
            .env("MALLOC_ARENA_MAX", "1")
            .env("MALLOC_TRIM_THRESHOLD_", "262144");
        if setup.takes_turns {
            command.arg("--leader-election");
        }
        if let Some(step) = setup.crash_after_step {
            command.env("KLUIS_CRASH_AFTER_STEP", step.to_string());
        }
        Ok(Self {
            daemon: Daemon::start("kluis operator", command, &setup.log, setup.life)?,
        })
    }

    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    pub fn id(&self) -> u32 {
        self.daemon.id()
    }

    /// Waits until it ends of itself, as the crash hook makes it.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.daemon.wait(limit)
    }
}
