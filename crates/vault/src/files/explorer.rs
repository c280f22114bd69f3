//! The disks of one snapshot, and the volumes on them.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use rustic_core::FileType;

use super::{
    Entry, Page, Volume,
    device::{Device, Image, Window},
    mounted::Mounted,
    name,
    partition::{self, Partition},
    probe::{self, Format, Probed},
    stored::{Shelf, Stored},
    system::{Kind, Piece},
};
use crate::{
    error::VaultError, id::Id, index::Index, key::MasterKey, layout::ZEROS, lock::Lock,
    opening::open_image, repository::Vault, snapshot, source::Source, tree,
};

/// Entries that a page may have.
const LONGEST_PAGE: usize = 10_000;

/// Bytes of a file that are handed over at a time.
const PIECE: usize = 256 << 10;

/// Reads the files on the disks of one machine in one snapshot. Keeps up to 24 MiB of chunks, and the ids of all: 32 bytes a
/// MiB of disk, and some 60 bytes for each chunk that the vault has.
pub struct Explorer {
    /// `None` over snapshot files.
    stored: Option<StoredSnapshot>,
    places: Vec<Place>,
    volumes: Vec<Volume>,
    default: OnceLock<Option<usize>>,
}

struct StoredSnapshot {
    shelf: Arc<Shelf>,
    id: Id,
    /// The index files that the index was read from.
    seen: Mutex<Vec<(Id, u64)>>,
}

/// Where a volume is.
struct Place {
    device: Arc<dyn Device>,
    start: u64,
    size: u64,
    format: Format,
}

impl Explorer {
    /// Opens the disks of `vm` in a snapshot of the vault.
    ///
    /// # Errors
    /// Those of opening a vault; [`VaultError::SnapshotNotFound`] if the snapshot, or the machine in it, is not there;
    /// [`VaultError::Busy`] while a prune has the vault for itself.
    pub fn open(
        vault: &Path,
        key: &MasterKey,
        snapshot: &str,
        vm: &str,
    ) -> Result<Self, VaultError> {
        let vault = Vault::open(vault, key.clone())?;
        let _lock = Lock::shared_now(vault.path())?;
        let found = snapshot::find(&vault, snapshot)?;
        let seen = index_files(&vault)?;
        let index = Arc::new(Index::for_reading(&vault)?);
        let mut decoder = vault.decoder()?;
        let machine = tree::machine(&vault, &index, &mut decoder, &found.tree, vm)?;
        let names: Vec<String> = tree::disk_names(&machine).map(str::to_owned).collect();
        if names.is_empty() {
            return Err(VaultError::DiskNotFound {
                snapshot: snapshot.to_owned(),
                vm: vm.to_owned(),
                disk: "at all".to_owned(),
            });
        }
        let mut disks = Vec::with_capacity(names.len());
        for name in names {
            let disk = tree::disk(&vault, &index, &mut decoder, &machine, &name)?;
            disks.extend(disk.map(|disk| (name, disk)));
        }
        let shelf = Arc::new(Shelf::new(vault, index)?);
        let devices = disks.into_iter().map(|(name, disk)| {
            let shelf = Arc::clone(&shelf);
            (name, Arc::new(Stored { shelf, disk }) as Arc<dyn Device>)
        });
        let devices = devices.collect();
        let stored = StoredSnapshot {
            shelf,
            id: snapshot.parse()?,
            seen: Mutex::new(seen),
        };
        Self::over(Some(stored), devices)
    }

    /// Opens raw images, such as the snapshot files of a recovery point that is not in the vault yet: each disk's name, and
    /// its file.
    ///
    /// # Errors
    /// [`VaultError::SourceUnreadable`]; [`VaultError::SourceFormat`] for an image that is not raw.
    pub fn of_images(disks: &[(String, PathBuf)]) -> Result<Self, VaultError> {
        let open = |(name, path): &(String, PathBuf)| {
            let size = Source::of_snapshot(name, path)?.size;
            let file = open_image(path).map_err(|source| VaultError::io("open", path, source))?;
            let path = path.clone();
            let image: Arc<dyn Device> = Arc::new(Image { file, path, size });
            Ok((name.clone(), image))
        };
        Self::over(None, disks.iter().map(open).collect::<Result<_, _>>()?)
    }

    fn over(
        stored: Option<StoredSnapshot>,
        mut devices: Vec<(String, Arc<dyn Device>)>,
    ) -> Result<Self, VaultError> {
        // The system's disk first, as far as its name tells; the snapshot keeps no other order than that of the names.
        devices.sort_by_key(|(name, _)| (!is_system_disk(name), name.clone()));
        let mut explorer = Self {
            stored,
            places: Vec::new(),
            volumes: Vec::new(),
            default: OnceLock::new(),
        };
        for (disk, device) in devices {
            let whole = Window::new(Arc::clone(&device), 0, u64::MAX);
            let table = partition::partitions(&whole)
                .map_err(|_| unreadable(&whole, &disk, "its partition table cannot be read"))?;
            let found = table.unwrap_or_else(|| {
                vec![Partition {
                    number: 0,
                    start: 0,
                    size: device.size(),
                }]
            });
            for Partition {
                number,
                start,
                size,
            } in found
            {
                let partition = (number > 0).then_some(number);
                let name =
                    partition.map_or_else(|| disk.clone(), |number| format!("{disk}/{number}"));
                let window = Window::new(Arc::clone(&device), start, size);
                let Probed { format, label } = probe::probe(&window)
                    .map_err(|_| unreadable(&window, &name, "its beginning cannot be read"))?;
                explorer.volumes.push(Volume {
                    name,
                    disk: disk.clone(),
                    partition,
                    file_system: format.name().to_owned(),
                    readable: format.is_read(),
                    size,
                    label,
                });
                explorer.places.push(Place {
                    device: Arc::clone(&device),
                    start,
                    size,
                    format,
                });
            }
        }
        Ok(explorer)
    }

    /// All volumes, those of the system's disk first.
    #[must_use]
    pub fn volumes(&self) -> &[Volume] {
        &self.volumes
    }

    /// The volume that is meant when none is named: the first with a system's root, else the first that can be read.
    ///
    /// # Errors
    /// [`VaultError::VolumeNotFound`] if none can be read; [`VaultError::Busy`]; a damaged vault.
    pub fn default_volume(&self) -> Result<&Volume, VaultError> {
        let _lock = self.lock()?;
        self.number_of(None).and_then(|number| {
            self.volumes
                .get(number)
                .ok_or(VaultError::Internal("a volume that is none"))
        })
    }

    /// Entries of a directory, at most `limit` and 10,000, in the order of their names' bytes, behind the name `after`.
    ///
    /// # Errors
    /// [`VaultError::VolumeNotFound`], [`VaultError::PathNotFound`], [`VaultError::PathOfWrongKind`],
    /// [`VaultError::FileSystemUnreadable`], [`VaultError::Busy`], and a damaged vault.
    pub fn list(
        &self,
        volume: Option<&str>,
        path: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, VaultError> {
        let after = after.map(name::bytes);
        self.with(volume, |mounted| {
            let path = components(mounted, path)?;
            mounted.page(&path, after.as_deref(), limit.min(LONGEST_PAGE))
        })
    }

    /// What is at a path; symbolic links are followed.
    ///
    /// # Errors
    /// Those of [`Explorer::list`].
    pub fn look(&self, volume: Option<&str>, path: &str) -> Result<Entry, VaultError> {
        self.with(volume, |mounted| {
            let (path, node) = mounted.resolve(&components(mounted, path)?, true)?;
            Ok(Entry::new(&path, node))
        })
    }

    /// Writes the bytes of a file from `offset` on, at most `length` of them; returns how many there were.
    ///
    /// # Errors
    /// Those of [`Explorer::list`], and [`VaultError::Io`] when `out` takes no more.
    pub fn read(
        &self,
        volume: Option<&str>,
        path: &str,
        offset: u64,
        length: u64,
        out: &mut dyn Write,
    ) -> Result<u64, VaultError> {
        self.with(volume, |mounted| {
            let (path, node) = mounted.resolve(&components(mounted, path)?, true)?;
            if node.kind != Kind::File {
                return Err(mounted.wrong_kind(&path, "no file"));
            }
            let mut written = 0;
            let mut buffer = vec![0; PIECE];
            while written < length {
                let most = PIECE.min(usize::try_from(length - written).unwrap_or(PIECE));
                let bytes = match mounted.read(&node, offset + written, &mut buffer[..most])? {
                    Piece::End => break,
                    Piece::Data(count) => &buffer[..count],
                    Piece::Hole(count) => {
                        &ZEROS[..most.min(usize::try_from(count).unwrap_or(most))]
                    }
                };
                out.write_all(bytes).map_err(|source| {
                    VaultError::io("hand over", name::text(&name::join(&path)), source)
                })?;
                written += bytes.len() as u64;
            }
            Ok(written)
        })
    }

    /// Does something with a volume, open, while no prune may begin.
    pub(crate) fn with<T>(
        &self,
        volume: Option<&str>,
        work: impl FnOnce(&Mounted<'_>) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        let _lock = self.lock()?;
        let number = self.number_of(volume)?;
        work(&self.mount(number)?)
    }

    fn mount(&self, number: usize) -> Result<Mounted<'_>, VaultError> {
        let (Some(volume), Some(place)) = (self.volumes.get(number), self.places.get(number))
        else {
            return Err(VaultError::Internal("a volume that is none"));
        };
        let window = Window::new(Arc::clone(&place.device), place.start, place.size);
        Mounted::open(volume, place.format, window)
    }

    fn number_of(&self, volume: Option<&str>) -> Result<usize, VaultError> {
        let Some(name) = volume else {
            return self
                .default
                .get_or_init(|| self.find_system())
                .ok_or_else(|| VaultError::VolumeNotFound("that can be read".to_owned()));
        };
        self.volumes
            .iter()
            .position(|volume| volume.name == name)
            .ok_or_else(|| VaultError::VolumeNotFound(name.to_owned()))
    }

    fn find_system(&self) -> Option<usize> {
        let readable = || (0..self.volumes.len()).filter(|number| self.volumes[*number].readable);
        let has_root = |number: &usize| {
            self.mount(*number).is_ok_and(|mounted| {
                mounted.is_there("/etc") && (mounted.is_there("/usr") || mounted.is_there("/bin"))
            })
        };
        readable().find(has_root).or_else(|| readable().next())
    }

    /// Keeps prunes away, and makes good what one has changed since. A snapshot that went in the meantime is gone.
    fn lock(&self) -> Result<Option<Lock>, VaultError> {
        let Some(stored) = &self.stored else {
            return Ok(None);
        };
        let vault = &stored.shelf.vault;
        let lock = Lock::shared_now(vault.path())?;
        if !vault.store().path(FileType::Snapshot, &stored.id).exists() {
            return Err(VaultError::SnapshotNotFound(stored.id.to_string()));
        }
        let files = index_files(vault)?;
        let mut seen = stored.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // What was only added is nothing that this snapshot needs.
        if seen.iter().any(|file| files.binary_search(file).is_err()) {
            stored.shelf.renew(Arc::new(Index::for_reading(vault)?));
            *seen = files;
        }
        Ok(Some(lock))
    }
}

impl std::fmt::Debug for Explorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Explorer")
            .field("volumes", &self.volumes)
            .finish_non_exhaustive()
    }
}

fn index_files(vault: &Vault) -> Result<Vec<(Id, u64)>, VaultError> {
    let mut files = vault.store().list(FileType::Index)?;
    files.sort_unstable();
    Ok(files)
}

fn components(mounted: &Mounted<'_>, path: &str) -> Result<Vec<Vec<u8>>, VaultError> {
    name::components(path).ok_or_else(|| VaultError::PathNotFound {
        volume: mounted.volume.name.clone(),
        path: path.chars().take(200).collect(),
    })
}

fn is_system_disk(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("-os") || name.contains("osdisk")
}

fn unreadable(window: &Window, volume: &str, why: &str) -> VaultError {
    window
        .failure()
        .unwrap_or_else(|| VaultError::FileSystemUnreadable {
            volume: volume.to_owned(),
            file_system: "disk".to_owned(),
            why: why.to_owned(),
        })
}
