//! The node's own place in the machine's control groups: below `kluis-node`, in
//! each hierarchy of version 1, or in the one of version 2.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::until::{Look, seconds, until};

/// What the groups are called below a hierarchy's root.
pub(super) const NAME: &str = "kluis-node";

/// The groups, gone with this value.
#[derive(Debug)]
pub(super) struct Groups {
    /// In every hierarchy there is: what runs containers also uses one that we don't.
    all: Vec<PathBuf>,
}

impl Groups {
    /// Makes them; what a node that was killed left there is cleared away first.
    pub(super) fn make() -> Result<Self> {
        let mounts = fs::read_to_string("/proc/mounts").context("reading /proc/mounts")?;
        let (one, two) = (
            hierarchies(&mounts, "cgroup"),
            hierarchies(&mounts, "cgroup2"),
        );
        let all: Vec<PathBuf> = one
            .iter()
            .chain(&two)
            .map(|root| Path::new(root).join(NAME))
            .collect();
        all.iter().for_each(|group| clear(group));
        let groups = Self { all };
        for root in if one.is_empty() { two } else { one } {
            let root = Path::new(root);
            let group = root.join(NAME);
            // Version 2 hands a controller down where the parent says so.
            let offered = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
            for controller in offered.split_whitespace() {
                // One that can't be had is missed by who needs it, with a better message.
                let _ = fs::write(
                    root.join("cgroup.subtree_control"),
                    format!("+{controller}"),
                );
            }
            fs::create_dir_all(&group).with_context(|| format!("making {}", group.display()))?;
            // A group of version 1 takes no process before it has these.
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if let Ok(text) = fs::read_to_string(root.join(file)) {
                    fs::write(group.join(file), text.trim())
                        .with_context(|| format!("writing {file} of {}", group.display()))?;
                }
            }
        }
        Ok(groups)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for group in &self.all {
            // Processes take a moment to be gone after they were killed.
            let gone = until("a control group to be empty", seconds(10), || {
                clear(group);
                Ok(if group.exists() {
                    Look::NotYet(group.display().to_string())
                } else {
                    Look::Done(())
                })
            });
            if let Err(why) = gone {
                eprintln!("{why:#}");
            }
        }
    }
}

fn hierarchies<'a>(mounts: &'a str, version: &str) -> Vec<&'a str> {
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ');
            let (_, at, kind) = (fields.next()?, fields.next()?, fields.next()?);
            (kind == version && at.starts_with("/sys/fs/cgroup")).then_some(at)
        })
        .collect()
}

/// Removes a group with those below it, as far as they are empty.
fn clear(group: &Path) {
    let below = fs::read_dir(group).into_iter().flatten().flatten();
    for entry in below.filter(|entry| entry.path().is_dir()) {
        clear(&entry.path());
    }
    let _ = fs::remove_dir(group);
}
