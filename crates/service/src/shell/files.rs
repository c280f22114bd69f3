//! The core's questions about files, answered by this machine; and new ids.
//!
//! They are asked while nobody else may use the state, and a path may lead to what never answers: a pipe, a terminal, a file
//! system whose server is dead. What is neither a file nor a block device is not opened. What does not answer within a
//! moment is left to the thread that asked, and until that is back nothing in the same folder is asked again.

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::audit::Trail;
use crate::core::{AuditGap, Facts, Ids};

/// How long a file may take to answer.
const A_MOMENT: Duration = Duration::from_secs(1);
/// So many folders may be waited for; with more, no question is asked until one of them has answered.
const MOST_SILENT: usize = 16;

type Question = Box<dyn FnOnce() + Send>;

/// This machine's file systems.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Who asks them. One that gets no answer is left to itself.
    asker: Mutex<Option<Sender<Question>>>,
    /// Where what is done is written down.
    trail: Option<Arc<Trail>>,
    /// The folders that something below was asked of and did not answer yet.
    silent: Arc<Mutex<BTreeSet<PathBuf>>>,
}

impl Facts for Files {
    fn exists(&self, path: &Path) -> bool {
        // A link that leads nowhere takes the name all the same; and so does, for all that is known, what does not answer.
        let asked = self.ask(path, |path| path.symlink_metadata().is_ok());
        asked.unwrap_or(true)
    }

    fn size(&self, path: &Path) -> Option<u64> {
        self.ask(path, size).flatten()
    }

    fn audit_gap(&self) -> Option<AuditGap> {
        self.trail.as_ref()?.gap()
    }

    fn is_qcow2(&self, path: &Path) -> bool {
        self.ask(path, is_qcow2).unwrap_or_default()
    }
}

impl Files {
    /// This machine's, with the trail that it writes.
    pub(super) fn with(trail: Arc<Trail>) -> Self {
        Self {
            trail: Some(trail),
            ..Self::default()
        }
    }

    /// The answer about a file; `None` where there is none in time.
    fn ask<T: Send + 'static>(
        &self,
        path: &Path,
        question: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> Option<T> {
        let folder = path.parent().unwrap_or(path).to_owned();
        {
            let silent = lock(&self.silent);
            if silent.len() >= MOST_SILENT || silent.contains(&folder) {
                return None;
            }
        }
        let (answer, answered) = channel();
        let (path, all, own) = (path.to_owned(), Arc::clone(&self.silent), folder.clone());
        self.put(Box::new(move || {
            let said = question(&path);
            // Nobody listens any more when it came too late.
            let _ = answer.send(said);
            lock(&all).remove(&own);
        }))?;
        if let Ok(said) = answered.recv_timeout(A_MOMENT) {
            return Some(said);
        }
        // The asker takes the folder off the list after it has answered, and so not before it stands there.
        let mut silent = lock(&self.silent);
        if let Ok(said) = answered.try_recv() {
            return Some(said);
        }
        tracing::warn!(folder = %folder.display(), "a file system does not answer");
        silent.insert(folder);
        *lock(&self.asker) = None;
        None
    }

    /// Has a question asked, by a new asker where there is none.
    fn put(&self, question: Question) -> Option<()> {
        let mut asker = lock(&self.asker);
        let sender = match asker.take() {
            Some(sender) => sender,
            None => {
                let (sender, questions) = channel::<Question>();
                let ask = move || questions.into_iter().for_each(|question| question());
                let started = std::thread::Builder::new()
                    .name("files".to_owned())
                    .spawn(ask);
                started
                    .inspect_err(|error| tracing::warn!(%error, "no thread could be started to look at files"))
                    .ok()?;
                sender
            }
        };
        sender.send(question).ok()?;
        *asker = Some(sender);
        Some(())
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn size(path: &Path) -> Option<u64> {
    let mut file = kluis_vault::open_image(path).ok()?;
    // By seeking, which tells a block device's, too.
    let length = file.seek(SeekFrom::End(0)).ok()?;
    file.rewind().ok()?;
    let mut head = [0_u8; 32];
    // A qcow2 image says in its header how large the disk inside is: magic, version, backing file (12), cluster bits, size.
    if file.read_exact(&mut head).is_ok() && head.starts_with(b"QFI\xfb") {
        return head.get(24..32)?.try_into().ok().map(u64::from_be_bytes);
    }
    Some(length)
}

fn is_qcow2(path: &Path) -> bool {
    let mut magic = [0_u8; 4];
    kluis_vault::open_image(path).is_ok_and(|mut file| file.read_exact(&mut magic).is_ok())
        && magic == *b"QFI\xfb"
}

/// Random GUIDs.
#[derive(Debug, Default)]
pub(super) struct RandomIds;

impl Ids for RandomIds {
    fn guid(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_answers_is_waited_for_once_and_holds_nobody_else_up() {
        let files = Files::default();
        let (go_on, waits) = channel::<()>();
        let dead = Path::new("/dead/disk");
        let asked = files.ask(dead, move |_| waits.recv().is_ok());
        assert_eq!(asked, None);
        assert!(
            files.exists(Path::new("/dead/other")),
            "nobody knows that it is not"
        );
        assert!(!files.exists(Path::new("/alive/disk")));
        drop(go_on);
        while lock(&files.silent).contains(Path::new("/dead")) {
            std::thread::yield_now();
        }
        assert_eq!(files.ask(dead, |_| 7), Some(7));
    }
}
