//! The node's own namespaces, and the one link between them and the machine.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{NODE, Parts, path};
use crate::place;
use crate::process::{Daemon, Life, patience, run};
use crate::until::Look;

/// The machine's end of the link.
const HOST: &str = "10.213.77.1";
const BITS: u8 = 30;
const LINK: &str = "kluis-node";

/// Makes them, with a process that holds them and with which they end; returns it,
/// and the first process in them.
pub(super) fn make(dir: &Path, parts: &Parts) -> Result<(Daemon, u32)> {
    // What a node that was killed may have left for a moment.
    unlink();
    let mut holder = hold(dir, parts)?;
    let init = holder.ready(patience(), || first_child(dir))?;
    Ok((holder, init))
}

fn hold(dir: &Path, parts: &Parts) -> Result<Daemon> {
    let mut command = Command::new("unshare");
    command
        .args([
            "--fork",
            "--kill-child",
            "--pid",
            "--mount-proc",
            "--mount",
            "--net",
            "--uts",
            "--ipc",
        ])
        .args(["--propagation", "private"])
        .arg(place::workspace().join("tests/node/init.sh"))
        .arg(dir)
        .arg(parts.pause())
        .arg(format!("{NODE}/{BITS}"))
        .arg(HOST)
        .env("PATH", path());
    Daemon::start(
        "the node's namespaces",
        command,
        &dir.join("init.log"),
        Life::WithUs,
    )
}

/// Looks for the first process of the new namespaces, and gives it its end of
/// the link as soon as it has a network of its own.
fn first_child(dir: &Path) -> Result<Look<u32>> {
    let Some(init) = init_of(dir)? else {
        return Ok(Look::NotYet("no process of its own yet".to_owned()));
    };
    let network = |id: &str| fs::read_link(format!("/proc/{id}/ns/net"));
    let id = init.to_string();
    if network(&id).ok() == network("self").ok() {
        return Ok(Look::NotYet("no network of its own yet".to_owned()));
    }
    if dir.join("ready").exists() {
        return Ok(Look::Done(init));
    }
    if !Path::new("/sys/class/net").join(LINK).exists() {
        let ip = |arguments: &[&str]| run(Command::new("ip").args(arguments).env("PATH", path()));
        ip(&[
            "link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", &id,
        ])?;
        ip(&["address", "add", &format!("{HOST}/{BITS}"), "dev", LINK])?;
        ip(&["link", "set", LINK, "up"])?;
    }
    Ok(Look::NotYet("its script is at work".to_owned()))
}

/// The process that runs `init.sh` for this folder and is the first of its namespace.
fn init_of(dir: &Path) -> Result<Option<u32>> {
    let wanted = dir.display().to_string();
    for entry in fs::read_dir("/proc").context("reading /proc")?.flatten() {
        let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let first = status
            .lines()
            .find_map(|line| line.strip_prefix("NSpid:"))
            .is_some_and(|ids| {
                ids.split_whitespace().count() > 1 && ids.split_whitespace().last() == Some("1")
            });
        let environ = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let ours = String::from_utf8_lossy(&environ).contains(&wanted);
        if first && (ours || marked(&wanted, id)) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Whether a process came from our `init.sh`, which has become something else since.
fn marked(dir: &str, id: u32) -> bool {
    let mounts = fs::read_to_string(format!("/proc/{id}/mountinfo")).unwrap_or_default();
    mounts.contains(&format!("{dir}/mounts/var/log"))
}

/// A command in all of the node's namespaces.
pub(super) fn within(init: u32, dir: &Path, program: &Path) -> Command {
    let mut command = Command::new("nsenter");
    command
        .args(["--target", &init.to_string()])
        .args(["--mount", "--uts", "--ipc", "--net", "--pid"])
        // A folder that was entered outside is not one inside.
        .arg(format!("--wdns={}", dir.display()))
        .arg("--")
        .arg(program);
    command
}

/// Removes the link, which the kernel otherwise does when it comes to it.
pub(super) fn unlink() {
    if Path::new("/sys/class/net").join(LINK).exists() {
        let _ = run(Command::new("ip")
            .args(["link", "delete", LINK])
            .env("PATH", path()));
    }
}
