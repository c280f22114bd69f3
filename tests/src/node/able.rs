//! Whether a node can run here at all: it needs root, namespaces, control
//! groups, and a kernel that has bridges and overlays.

use std::fs;
use std::process::Command;

use crate::process::run;

/// What is missing, one sentence each; nothing when a node can run.
pub fn missing() -> Vec<String> {
    let mut missing = Vec::new();
    if !cfg!(target_os = "linux") {
        return vec!["this is not Linux".to_owned()];
    }
    if !rustix::process::geteuid().is_root() {
        missing.push("it needs root: pods have namespaces and control groups".to_owned());
    }
    for (program, package) in [
        ("unshare", "util-linux"),
        ("nsenter", "util-linux"),
        ("ip", "iproute2"),
        ("nft", "nftables"),
        ("runc", "runc"),
    ] {
        if run(Command::new("which")
            .arg(program)
            .env("PATH", super::path()))
        .is_err()
        {
            missing.push(format!(
                "{program} is missing: install the package {package}"
            ));
        }
    }
    if !missing.is_empty() {
        return missing;
    }
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    if !mounts.lines().any(|line| line.contains(" cgroup")) {
        missing.push("no control groups are mounted on /sys/fs/cgroup".to_owned());
    }
    for (what, script) in [
        ("namespaces of its own", "true"),
        (
            "links and bridges in a network of its own",
            "ip link add kluis0 type veth peer name kluis1 && ip link add kluis2 type bridge",
        ),
        (
            "packet filters in a network of its own",
            "nft add table ip kluis && nft add chain ip kluis nat '{ type nat hook prerouting priority 0; }'",
        ),
        (
            "overlay mounts",
            "d=$(mktemp -d) && mount -t tmpfs none $d && mkdir $d/a $d/b $d/c $d/d && mount -t overlay -o lowerdir=$d/a,upperdir=$d/b,workdir=$d/c none $d/d; e=$?; umount -R $d; rmdir $d; exit $e",
        ),
    ] {
        let tried = run(Command::new("unshare")
            .args(["--fork", "--pid", "--mount", "--net", "--uts", "--ipc"])
            .args(["sh", "-c", script])
            .env("PATH", super::path()));
        if let Err(why) = tried {
            missing.push(format!("the kernel gives us no {what}: {why:#}"));
        }
    }
    missing
}
