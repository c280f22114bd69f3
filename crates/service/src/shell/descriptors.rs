//! File descriptors: as many as the system allows, and some that no connection may take.

use rustix::process::{Resource, getrlimit, setrlimit};

/// What the service itself needs: its state, logs, listeners, and files that are read for callers.
const OWN: usize = 64;
/// What a job needs of the service: the pipes to its mover, its files, its vault while it is looked at.
const PER_JOB: usize = 16;

/// Raises the limit on open files to what the system allows, and returns how many connections leave jobs enough: at most
/// `wanted`.
pub(super) fn connections(wanted: usize, jobs: usize) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, "the limit on open files could not be raised");
        }
    }
    let most = getrlimit(Resource::Nofile).current;
    let most = most.map_or(usize::MAX, |most| {
        usize::try_from(most).unwrap_or(usize::MAX)
    });
    let room = room(most, jobs);
    if room < wanted {
        tracing::warn!(
            open_files = most,
            connections = room,
            wanted,
            "the system allows this process few open files: fewer connections are taken than --max-connections says, so that \
             jobs have theirs; raise its limit (ulimit -n, LimitNOFILE)"
        );
    }
    wanted.min(room)
}

/// How many of `most` descriptors are left for connections; never none, else nobody could ask what is wrong.
fn room(most: usize, jobs: usize) -> usize {
    let kept = OWN.saturating_add(jobs.saturating_mul(PER_JOB));
    most.saturating_sub(kept).max(most / 4).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_keep_their_descriptors() {
        assert_eq!(room(1024, 2), 1024 - 64 - 32);
        assert_eq!(room(256, 100), 64, "a quarter at least");
        assert_eq!(room(usize::MAX, usize::MAX), usize::MAX / 4);
        assert_eq!(room(0, 0), 1);
    }
}
