//! What is left when the demo is over: nothing, or everything with `KEEP=1`.

use std::cell::RefCell;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use super::Wish;
use crate::cluster::Cluster;
use crate::operator;
use crate::place::workspace;
use crate::process::{Life, signal};
use crate::until::{Look, seconds, until};
use crate::world::World;

/// Where the demo's files are: in the work tree, ignored by git, made anew each time.
pub(super) fn home() -> PathBuf {
    workspace().join(".demo")
}

/// Keeps track of what was started.
#[derive(Debug)]
pub(super) struct Aftermath {
    life: Life,
    ids: RefCell<Vec<u32>>,
    cluster: RefCell<Option<Cluster>>,
    kubeconfig: RefCell<Option<PathBuf>>,
}

impl Aftermath {
    /// Clears what an earlier demo left, and makes room for this one.
    pub(super) fn begin(wish: &Wish) -> Result<Self> {
        stop()?;
        fs::create_dir_all(home()).with_context(|| format!("making {}", home().display()))?;
        let life = if wish.keep {
            Life::OnItsOwn
        } else {
            Life::WithUs
        };
        Ok(Self {
            life,
            ids: RefCell::default(),
            cluster: RefCell::default(),
            kubeconfig: RefCell::default(),
        })
    }

    /// Whether what is started ends with us.
    pub(super) fn life(&self) -> Life {
        self.life
    }

    /// Holds the cluster until the end.
    pub(super) fn hold(&self, cluster: Cluster) {
        self.ids.borrow_mut().extend(cluster.ids());
        self.write_ids();
        *self.cluster.borrow_mut() = Some(cluster);
    }

    /// Notes the processes of a world that has been set up.
    pub(super) fn remember(&self, world: &mut World) {
        self.ids.borrow_mut().push(world.service.id());
        self.ids
            .borrow_mut()
            .extend(world.operator.as_ref().map(operator::Operator::id));
        self.write_ids();
        *self.kubeconfig.borrow_mut() = Some(world.kubectl.kubeconfig().to_path_buf());
    }

    /// The end of a demo that went well: on a cluster that is not ours, our
    /// objects go while the operator is still there to let go of them.
    pub(super) fn leave(&self, wish: &Wish, world: &World) -> Result<()> {
        if !wish.keep && wish.kubeconfig.is_some() {
            let examples = workspace().join("examples");
            for what in ["backupjobs", "restores"] {
                world
                    .kubectl
                    .run(["delete", what, "--all", "--timeout=120s"])?;
            }
            let kluis = world.kubectl.within(operator::NAMESPACE);
            for (kubectl, file) in [
                (&world.kubectl, "protect-a-vm"),
                (&kluis, "services/kluis.yaml"),
            ] {
                let file = examples.join(file).display().to_string();
                kubectl.run([
                    "delete",
                    "--ignore-not-found",
                    "--timeout=180s",
                    "-f",
                    &file,
                ])?;
            }
            world
                .kubectl
                .run(["delete", "namespace", operator::NAMESPACE, "--timeout=120s"])?;
        }
        Ok(())
    }

    /// Says what is left and how to look at it, or clears it away.
    pub(super) fn end(&self, wish: &Wish, failed: bool) -> Result<()> {
        let home = home();
        if wish.keep {
            let kubeconfig = self
                .kubeconfig
                .borrow()
                .clone()
                .unwrap_or_else(|| home.join("cluster/kubeconfig"));
            let kubectl = crate::controlplane::binary()?;
            println!("\nEverything is still running. To look around:");
            println!("  export KUBECONFIG={}", kubeconfig.display());
            println!("  alias kubectl='{} kubectl'", kubectl.display());
            println!(
                "  kubectl -n shop get vaults,backuppolicies,protectedvms,backupjobs,restores"
            );
            println!("  kubectl -n shop describe protectedvm web-1");
            println!("  kubectl -n shop create -f examples/backup-now.yaml");
            println!(
                "  RESTIC_PASSWORD_FILE={0}/service/passphrase restic -r {0}/service/vaults/shop-rg/shop-weu --no-lock snapshots",
                home.display()
            );
            println!("  less {0}/operator.log {0}/service.log", home.display());
            println!("To end it: make demo-stop");
        } else if failed {
            // The processes go with us; their logs are what is worth keeping.
            println!("  less {0}/operator.log {0}/service.log", home.display());
        } else {
            drop(self.cluster.borrow_mut().take());
            fs::remove_dir_all(&home).with_context(|| format!("removing {}", home.display()))?;
        }
        Ok(())
    }

    fn write_ids(&self) {
        let text: Vec<String> = self.ids.borrow().iter().map(u32::to_string).collect();
        // Only `demo stop` reads it, and says so when it is not there.
        let _ = fs::write(home().join("processes"), text.join("\n"));
    }
}

/// Ends what an earlier demo left running, and removes its files.
pub fn stop() -> Result<()> {
    let home = home();
    let text = match fs::read_to_string(home.join("processes")) {
        Ok(text) => text,
        Err(why) if why.kind() == ErrorKind::NotFound => String::new(),
        Err(why) => return Err(why).context("reading which processes the demo left"),
    };
    // The last started is the first to go: the operator before what it talks to.
    for id in text
        .lines()
        .rev()
        .filter_map(|line| line.parse::<u32>().ok())
    {
        if ours(id, &home) {
            signal(id, Signal::TERM)?;
            let gone = || {
                Ok(if ours(id, &home) {
                    Look::NotYet(format!("process {id} is still there"))
                } else {
                    Look::Done(())
                })
            };
            if until("a process of the demo to end", seconds(10), gone).is_err() {
                signal(id, Signal::KILL)?;
                until("a process of the demo to be gone", seconds(10), gone)?;
            }
        }
    }
    match fs::remove_dir_all(&home) {
        Ok(()) => Ok(()),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(()),
        Err(why) => bail!("removing {}: {why}", home.display()),
    }
}

/// Whether a process id still is one of the demo's, and not somebody else's by now.
fn ours(id: u32, home: &Path) -> bool {
    let read = |name: &str| fs::read(format!("/proc/{id}/{name}")).unwrap_or_default();
    let home = home.as_os_str().as_encoded_bytes();
    let names = |text: &[u8]| text.windows(home.len()).any(|window| window == home);
    // The operator is told its cluster by its environment; all others by arguments.
    names(&read("cmdline"))
        || (names(&read("environ"))
            && read("cmdline")
                .windows(8)
                .any(|window| window == b"operator"))
}
