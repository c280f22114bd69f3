//! A scrub: what lies in a vault is read again, a share at a time, before somebody needs it.
//!
//! Index files, snapshots and the trees of the newest snapshots are read each time; of the packs those whose last reading is
//! longest ago, and of several that were never read those first that the newest snapshots lean on, because the next backup
//! will. What is known to be damaged is read again each time, in case its disk gives it back. A scrub may be killed at any
//! moment: what it had found and read is written down as it goes.

mod journal;
mod pace;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use jiff::Timestamp;

use crate::{
    damage::{self, Damage, Defect},
    error::VaultError,
    event::Event,
    id::Id,
    index::{self, Index, IndexFiles},
    job::ScrubTask,
    lock::Lock,
    meter::{Failure, Meter, workers},
    pack::{self, Blob},
    pack_check::{Found, PackChecker},
    references::{self, Packs},
    repository::Vault,
    snapshot,
};
use journal::Journal;
use pace::Pace;

/// Threads that read: each holds a pack.
const READERS: usize = 4;

/// Readings after which the journal is written: what a scrub that is killed has to read again.
const KEPT_AFTER: usize = 64;

pub(crate) fn run(
    vault: &Vault,
    task: &ScrubTask,
    emit: &mut dyn FnMut(Event),
) -> Result<(), VaultError> {
    let lock = Lock::shared(vault.path())?;
    let survey = Survey::of(vault)?;
    // A list of damage that is lost itself: nothing is believed any more.
    let damage = Damage::read(vault);
    let mut journal = match &damage {
        Ok(_) => Journal::load(vault),
        Err(_) => Journal::default(),
    };
    let damage = damage.unwrap_or_default();
    journal.keep_only(&survey.packs, task.now);
    let leaned = if journal.has_unread() {
        leaned_on(vault)?
    } else {
        HashSet::new()
    };
    let share = share(&survey, &journal, &leaned, &damage, task);
    let total = survey.bytes();
    let to_read: u64 = share
        .iter()
        .filter_map(|pack| survey.packs.get(pack))
        .map(|known| known.size)
        .sum();
    let reading = Reading {
        vault,
        survey: &survey,
        damage: &damage,
        journal: Mutex::new((journal, 0)),
        now: task.now,
        meter: Meter::new(to_read),
        pace: Pace::new(task.bytes_per_second),
    };
    reading.meter.watch(emit, || reading.all(&share))?;
    let (journal, _) = reading
        .journal
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    journal.keep(vault)?;
    drop(lock);
    emit(Event::Scrubbed {
        packs: share.len() as u64,
        bytes: to_read,
        total,
        oldest: journal.oldest(),
    });
    Ok(())
}

/// The packs of a vault: those that an index names, and those that say themselves what they have.
struct Survey {
    packs: BTreeMap<Id, KnownPack>,
}

struct KnownPack {
    /// Bytes on disk.
    size: u64,
    /// What the index says is in it.
    blobs: Vec<Blob>,
    /// Whether one does. A pack that none names may be a writer's, which names it in a moment or removes it.
    indexed: bool,
}

impl Survey {
    fn of(vault: &Vault) -> Result<Self, VaultError> {
        let sizes = index::sizes(vault)?;
        let mut packs: BTreeMap<Id, KnownPack> = BTreeMap::new();
        for (_, document) in IndexFiles::read(vault)?.documents {
            for pack in document.packs {
                let size = sizes.get(&pack.id).copied().unwrap_or_default();
                let known = KnownPack {
                    size,
                    blobs: pack.blobs(),
                    indexed: true,
                };
                packs.insert(pack.id, known);
            }
        }
        for (pack, size) in sizes {
            if !packs.contains_key(&pack)
                && let Some(blobs) = pack::read_header(vault, &pack, size)?
            {
                let indexed = false;
                let known = KnownPack {
                    size,
                    blobs,
                    indexed,
                };
                packs.insert(pack, known);
            }
        }
        Ok(Self { packs })
    }

    fn bytes(&self) -> u64 {
        self.packs.values().map(|known| known.size).sum()
    }
}

/// What is read this time, in this order.
fn share(
    survey: &Survey,
    journal: &Journal,
    leaned: &HashSet<Id>,
    damage: &Damage,
    task: &ScrubTask,
) -> Vec<Id> {
    let doubtful = |pack: &Id, known: &KnownPack| {
        damage.packs.contains_key(pack) || known.size != pack::file_size(&known.blobs)
    };
    let (first, rest): (Vec<_>, Vec<_>) = survey
        .packs
        .iter()
        .partition(|known| doubtful(known.0, known.1));
    let mut share: Vec<Id> = first.into_iter().map(|(pack, _)| *pack).collect();
    let mut rest: Vec<_> = rest
        .into_iter()
        .map(|(pack, known)| {
            (
                (journal.last(pack), !leaned.contains(pack)),
                *pack,
                known.size,
            )
        })
        .collect();
    rest.sort_unstable_by_key(|(order, pack, _)| (*order, *pack));
    let mut left = (survey.bytes() / u64::from(task.parts.max(1))).max(task.least);
    for (_, pack, size) in rest {
        if left == 0 {
            break;
        }
        share.push(pack);
        left = left.saturating_sub(size);
    }
    share
}

/// The packs that the newest snapshot of each machine or folder leans on.
fn leaned_on(vault: &Vault) -> Result<HashSet<Id>, VaultError> {
    let index = Index::load(vault)?;
    let mut newest = HashMap::new();
    for snapshot in snapshot::list(vault)?.whole {
        newest.insert(snapshot.name.clone(), snapshot);
    }
    let (mut decoder, mut found) = (vault.decoder()?, Packs::default());
    for snapshot in newest.into_values() {
        references::packs(vault, &index, &mut decoder, &snapshot.tree, &mut found);
    }
    Ok(found.packs)
}

/// What the readers share.
struct Reading<'a> {
    vault: &'a Vault,
    survey: &'a Survey,
    damage: &'a Damage,
    /// With the readings that are not written down yet.
    journal: Mutex<(Journal, usize)>,
    now: Timestamp,
    meter: Meter,
    pace: Pace,
}

impl Reading<'_> {
    fn all(&self, share: &[Id]) -> Result<(), VaultError> {
        let failure = Failure::default();
        let next = AtomicUsize::new(0);
        let worker = || {
            let mut checker = PackChecker::new(self.vault)?;
            while let Some(pack) = share.get(next.fetch_add(1, Ordering::Relaxed)) {
                if failure.is_set() {
                    break;
                }
                self.one(&mut checker, pack)?;
            }
            Ok(())
        };
        thread::scope(|scope| {
            for _ in 0..workers().min(READERS) {
                scope.spawn(|| failure.watch(worker));
            }
        });
        failure.first().map_or(Ok(()), Err)
    }

    fn one(&self, checker: &mut PackChecker<'_>, pack: &Id) -> Result<(), VaultError> {
        let Some(known) = self.survey.packs.get(pack) else {
            return Ok(());
        };
        let (found, bytes) = checker.check(pack, &known.blobs)?;
        match found {
            Found::Damaged(found) if found.defect == Defect::Missing && !known.indexed => {}
            Found::Damaged(found) => {
                damage::settle(self.vault, pack, Some(found))?;
                self.vault.noted.store(true, Ordering::Relaxed);
            }
            // An index that says otherwise is rewritten by the repair, out of the packs' headers.
            Found::Sound | Found::OtherThanIndexed if self.damage.packs.contains_key(pack) => {
                damage::settle(self.vault, pack, None)?;
            }
            Found::Sound => {}
            Found::OtherThanIndexed => self.vault.noted.store(true, Ordering::Relaxed),
        }
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.0.read(*pack, self.now);
        journal.1 += 1;
        if journal.1 >= KEPT_AFTER {
            journal.0.keep(self.vault)?;
            journal.1 = 0;
        }
        drop(journal);
        self.meter.add(known.size);
        self.pace.wait(bytes);
        Ok(())
    }
}
