//! A new qcow2 image, laid out before its first byte is there.
//!
//! A restore knows which chunks a disk will have. So all tables can be written at once, and each chunk has its place in the
//! file, as in a raw disk's: workers write in any order, and a reader follows them. QEMU, told of one piece after another
//! over a socket, takes five times as long. One shape alone is written here, with nothing in it that is not needed: version 3,
//! clusters of 64 KiB, one reference to each. QEMU has to find the image sound and its clusters where they were put
//! ([`NewQcow2::check`]) before it gets its name.
//!
//! The format: <https://www.qemu.org/docs/master/interop/qcow2.html>.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt, path::Path};

use crate::{cluster_map::ClusterRun, error::VaultError, layout::CHUNK, qemu};

const CLUSTER_BITS: u32 = 16;
const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// Entries of 8 bytes in a cluster of a table.
const ENTRIES: u64 = CLUSTER / 8;
/// Bytes of a disk that one table of the second level has the places of: 512 MiB.
const OF_TABLE: u64 = ENTRIES * CLUSTER;
/// Counts of 16 bits in a cluster.
const COUNTS: u64 = CLUSTER / 2;
/// The mark of an entry whose cluster has no other reference.
const COPIED: u64 = 1 << 63;

/// Chunks that follow each other, in the disk and in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Placed {
    /// Bytes of the disk.
    bytes: Range<u64>,
    /// Where in the file they begin.
    host: u64,
}

/// An image that is being written.
#[derive(Debug)]
pub(crate) struct NewQcow2 {
    file: File,
    /// The disk's bytes.
    size: u64,
    placed: Vec<Placed>,
}

/// How many clusters each part of the file takes, in their order; the data come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts {
    count_table: u64,
    counts: u64,
    first_level: u64,
    tables: u64,
    data: u64,
}

impl Parts {
    fn of(size: u64, tables: u64, data: u64) -> Self {
        let first_level = size.div_ceil(OF_TABLE).div_ceil(ENTRIES);
        let mut parts = Self {
            count_table: 1,
            counts: 1,
            first_level,
            tables,
            data,
        };
        // The counts count themselves.
        loop {
            let counts = parts.all().div_ceil(COUNTS);
            let count_table = counts.div_ceil(ENTRIES);
            if (counts, count_table) == (parts.counts, parts.count_table) {
                return parts;
            }
            (parts.counts, parts.count_table) = (counts, count_table);
        }
    }

    /// All clusters, with the header's.
    fn all(&self) -> u64 {
        self.data_at() / CLUSTER + self.data
    }

    fn counts_at(&self) -> u64 {
        (1 + self.count_table) * CLUSTER
    }

    fn first_level_at(&self) -> u64 {
        self.counts_at() + self.counts * CLUSTER
    }

    fn tables_at(&self) -> u64 {
        self.first_level_at() + self.first_level * CLUSTER
    }

    fn data_at(&self) -> u64 {
        self.tables_at() + self.tables * CLUSTER
    }
}

impl NewQcow2 {
    /// Lays a disk of `size` bytes out in `file`, which is empty: with a place for each of the chunks in `data`, which are
    /// sorted and do not touch. All of it reads as zeros yet.
    pub(crate) fn lay_out(file: File, size: u64, data: &[Range<u64>]) -> io::Result<Self> {
        let bytes = data
            .iter()
            .map(|run| (run.start * CHUNK).min(size)..(run.end * CHUNK).min(size))
            .filter(|run| !run.is_empty());
        let clusters = |run: &Range<u64>| (run.end - run.start).div_ceil(CLUSTER);
        let mut used: Vec<u64> = bytes
            .clone()
            .flat_map(|run| run.start / OF_TABLE..=(run.end - 1) / OF_TABLE)
            .collect();
        used.dedup();
        let parts = Parts::of(
            size,
            used.len() as u64,
            bytes.clone().map(|run| clusters(&run)).sum(),
        );
        let mut host = parts.data_at();
        let placed = bytes.map(|run| {
            let place = Placed { host, bytes: run };
            host += clusters(&place.bytes) * CLUSTER;
            place
        });
        let placed = placed.collect();
        let new = Self { file, size, placed };
        new.write_tables(&parts, &used)?;
        Ok(new)
    }

    fn write_tables(&self, parts: &Parts, used: &[u64]) -> io::Result<()> {
        self.file.set_len(parts.all() * CLUSTER)?;
        let first = |at: u64, count: u64| (0..count).map(move |number| at + number * CLUSTER);
        self.put(CLUSTER, first(parts.counts_at(), parts.counts))?;
        let ones = 1_u16.to_be_bytes().repeat(COUNTS as usize);
        for number in 0..parts.counts {
            let left = parts.all() - number * COUNTS;
            let ones = &ones[..left.min(COUNTS) as usize * 2];
            self.file
                .write_all_at(ones, parts.counts_at() + number * CLUSTER)?;
        }
        let tables = first(parts.tables_at(), parts.tables);
        for (table, at) in used.iter().zip(tables) {
            let entry = parts.first_level_at() + table * 8;
            self.file
                .write_all_at(&(at | COPIED).to_be_bytes(), entry)?;
            self.put(at, self.table(*table))?;
        }
        self.file.write_all_at(&self.header(parts), 0)
    }

    /// The entries of the table of the second level with this number, up to the last that is used.
    fn table(&self, number: u64) -> impl Iterator<Item = u64> {
        let of = number * OF_TABLE..(number + 1) * OF_TABLE;
        let first = self
            .placed
            .partition_point(|placed| placed.bytes.end <= of.start);
        let placed = self.placed[first..].iter();
        let mut placed = placed
            .take_while(move |placed| placed.bytes.start < of.end)
            .peekable();
        (number * ENTRIES..(number + 1) * ENTRIES).map_while(move |cluster| {
            let at = cluster * CLUSTER;
            while placed.next_if(|placed| placed.bytes.end <= at).is_some() {}
            let placed = placed.peek()?;
            let host = at.checked_sub(placed.bytes.start);
            Some(host.map_or(0, |within| (placed.host + within) | COPIED))
        })
    }

    /// Writes a table whose entries are not marked as they are.
    fn put(&self, at: u64, entries: impl Iterator<Item = u64>) -> io::Result<()> {
        let bytes: Vec<u8> = entries.flat_map(u64::to_be_bytes).collect();
        self.file.write_all_at(&bytes, at)
    }

    fn header(&self, parts: &Parts) -> Vec<u8> {
        const VERSION: u32 = 3;
        const HEADER: u32 = 104;
        const COUNT_BITS: u32 = 4;
        let none = [0; 8];
        let entries = self.size.div_ceil(OF_TABLE) as u32;
        [
            &b"QFI\xfb"[..],
            &VERSION.to_be_bytes(),
            // No backing file, of no length.
            &none,
            &none[..4],
            &CLUSTER_BITS.to_be_bytes(),
            &self.size.to_be_bytes(),
            // Not encrypted.
            &none[..4],
            &entries.to_be_bytes(),
            &parts.first_level_at().to_be_bytes(),
            &CLUSTER.to_be_bytes(),
            &(parts.count_table as u32).to_be_bytes(),
            // No snapshots, nowhere.
            &none[..4],
            &none,
            // Features: none of any kind.
            &none,
            &none,
            &none,
            &COUNT_BITS.to_be_bytes(),
            &HEADER.to_be_bytes(),
            // The end of the extensions.
            &none,
        ]
        .concat()
    }

    /// The disk's bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The chunks that have a place.
    pub(crate) fn data(&self) -> Vec<Range<u64>> {
        let chunks = |placed: &Placed| placed.bytes.start / CHUNK..placed.bytes.end.div_ceil(CHUNK);
        self.placed.iter().map(chunks).collect()
    }

    /// Where in the file a byte of the disk lies, if it has a place.
    pub(crate) fn place_of(&self, offset: u64) -> Option<u64> {
        let at = self
            .placed
            .partition_point(|placed| placed.bytes.end <= offset);
        let placed = self.placed.get(at)?;
        Some(placed.host + offset.checked_sub(placed.bytes.start)?)
    }

    /// Fills `buffer`, which lies in one chunk, from `offset` on.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self.place_of(offset) {
            Some(host) => self.file.read_exact_at(buffer, host),
            None => {
                buffer.fill(0);
                Ok(())
            }
        }
    }

    /// Writes bytes that lie in one chunk, which has a place.
    pub(crate) fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let host = self.place_of(offset);
        let host =
            host.ok_or_else(|| io::Error::other("a chunk for which no place was laid out"))?;
        self.file.write_all_at(bytes, host)
    }

    /// What QEMU finds wrong with the image at `path`, which is this one: in its tables, or in where they lead.
    pub(crate) fn check(&self, path: &Path) -> Result<Option<String>, VaultError> {
        qemu::check_tables(path)?;
        let mut end = 0;
        let mut placed = 0;
        let mut wrong = None;
        qemu::each_run(path, &mut |run| {
            let is_as_laid_out = run.start == end && self.agrees(&run);
            end = run.start + run.length;
            placed += run.host.map_or(0, |_| run.length);
            if !is_as_laid_out {
                wrong.get_or_insert_with(|| {
                    format!(
                        "QEMU does not find the bytes {}..{end} where they were put",
                        run.start
                    )
                });
            }
        })?;
        let laid_out: u64 = self
            .placed
            .iter()
            .map(|run| run.bytes.end - run.bytes.start)
            .sum();
        if (end, placed) != (self.size, laid_out) {
            wrong.get_or_insert_with(|| {
                format!(
                    "QEMU finds {placed} bytes in a disk of {end}, not {laid_out} in one of {}",
                    self.size
                )
            });
        }
        Ok(wrong)
    }

    /// Whether a run lies where it was put, whole; or nowhere, and reads as zeros.
    fn agrees(&self, run: &ClusterRun) -> bool {
        let place = |offset| self.place_of(offset);
        match run.host {
            Some(host) => {
                place(run.start) == Some(host)
                    && place(run.start + run.length - 1) == Some(host + run.length - 1)
            }
            None => run.is_zero,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// Bytes that are of their place in the disk, and no zeros.
    fn pattern(offset: u64, length: usize) -> Vec<u8> {
        let number = |at: u64| (at / 512).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        (0..length as u64)
            .map(|at| number(offset + at).to_le_bytes()[(at % 8) as usize])
            .collect()
    }

    fn written(path: &Path, size: u64, runs: &[Range<u64>]) -> NewQcow2 {
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path);
        let new = NewQcow2::lay_out(file.unwrap(), size, runs).unwrap();
        for number in runs.iter().cloned().flatten() {
            let length = crate::layout::chunk_length(size, number);
            new.write(&pattern(number * CHUNK, length), number * CHUNK)
                .unwrap();
        }
        new
    }

    /// Every second run of a disk, by the lengths of all.
    fn runs_by(lengths: &[u64], chunks: u64) -> Vec<Range<u64>> {
        let mut end = 0;
        let all = lengths.iter().map(|length| {
            let start = end;
            end += length;
            start.min(chunks)..end.min(chunks)
        });
        all.skip(1)
            .step_by(2)
            .filter(|run| !run.is_empty())
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn qemu_finds_each_byte_where_it_was_put(
            sectors in 1_u64..9000,
            far in prop_oneof![Just(0_u64), 500..1100_u64],
            lengths in prop::collection::vec(1_u64..4, 0..6),
        ) {
            let size = far * CHUNK + sectors * 512;
            let lengths = [&[far.saturating_sub(2)], &lengths[..]].concat();
            let runs = runs_by(&lengths, size.div_ceil(CHUNK));
            let place = tempfile::tempdir().unwrap();
            let (path, raw) = (place.path().join("new.qcow2"), place.path().join("raw"));
            let new = written(&path, size, &runs);
            prop_assert_eq!(new.check(&path).unwrap(), None);

            let convert = Command::new("qemu-img")
                .args(["convert", "-f", "qcow2", "-O", "raw"])
                .args([&path, &raw])
                .status();
            prop_assert!(convert.unwrap().success());
            let raw = File::open(raw).unwrap();
            prop_assert_eq!(raw.metadata().unwrap().len(), size);
            let has = |number| runs.iter().any(|run| run.contains(&number));
            for number in (far.saturating_sub(3)..size.div_ceil(CHUNK)).chain(0..1) {
                let length = crate::layout::chunk_length(size, number);
                let mut found = vec![0; length];
                raw.read_exact_at(&mut found, number * CHUNK).unwrap();
                let expected = if has(number) { pattern(number * CHUNK, length) } else { vec![0; length] };
                prop_assert!(found == expected, "chunk {number} of {runs:?}");
            }
        }
    }

    #[test]
    fn a_disk_of_any_size_has_counts_for_all_its_clusters() {
        let place = tempfile::tempdir().unwrap();
        // 4 GiB of data and 16 TiB of disk: three clusters of counts, and of the first level four.
        let path = place.path().join("large.qcow2");
        let runs = [0..2048, 16 << 20..(16 << 20) + 2048];
        let size = (17 << 20) * CHUNK;
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path);
        let new = NewQcow2::lay_out(file.unwrap(), size, &runs).unwrap();
        assert_eq!(new.check(&path).unwrap(), None);
        assert_eq!(new.data(), runs);
    }

    #[test]
    fn a_table_that_leads_elsewhere_is_told_of() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("new.qcow2");
        let new = written(&path, 8 * CHUNK, &[1..3, 5..6]);
        let file = File::options().read(true).write(true).open(&path).unwrap();
        // The table of the second level is the fifth cluster; two of its entries change places.
        let at = |cluster: u64| 4 * CLUSTER + cluster * 8;
        let (mut one, mut other) = ([0; 8], [0; 8]);
        file.read_exact_at(&mut one, at(16)).unwrap();
        file.read_exact_at(&mut other, at(81)).unwrap();
        assert_ne!(one, other);
        file.write_all_at(&other, at(16)).unwrap();
        file.write_all_at(&one, at(81)).unwrap();
        let wrong = new.check(&path).unwrap().unwrap();
        assert!(wrong.contains("where they were put"), "{wrong}");
    }
}
