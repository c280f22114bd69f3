//! kill -9 at random, of the service or of a mover, in the middle of backups and of restores: each point is restored and
//! compared with the disks as they were, and stock restic reads every byte of the vault after each.
//!
//! A handful in the normal run. The long one: `KLUIS_KILLS=200 cargo test -p kluis-tests --test suite -- kills::`, of another
//! course with another `KLUIS_SEED`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use kluis_tests::place::scratch;
use kluis_tests::portal::Portal;
use kluis_tests::service::Service;
use kluis_tests::world::{Estate, Sizes, compare};

/// So many backups on demand are taken in a day.
const A_DAY: usize = 8;
/// A kill falls within so many milliseconds after the job was asked for.
const WITHIN: u64 = 1_500;

/// The course of a run, the same for the same seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end
    }
}

#[derive(Debug, Default)]
struct Tally {
    service: usize,
    movers: usize,
    points: usize,
}

struct Campaign {
    portal: Option<Portal>,
    dice: Dice,
    tally: Tally,
    known: BTreeSet<String>,
}

#[test]
fn kills_at_random_cost_no_point_and_no_byte() {
    let number = |name: &str, usual: u64| {
        let given = std::env::var(name).ok();
        given.and_then(|text| text.parse().ok()).unwrap_or(usual)
    };
    let (kills, seed) = (number("KLUIS_KILLS", 4), number("KLUIS_SEED", 20_261_130));
    let dir = scratch("kills").unwrap();
    let sizes = Sizes {
        os: 48,
        os_fill: 20,
        data: 16,
        data_fill: 4,
    };
    let portal = Portal::open(dir.path(), sizes).unwrap();
    portal.protect().unwrap();
    let mut campaign = Campaign {
        portal: Some(portal),
        dice: Dice(seed | 1),
        tally: Tally::default(),
        known: BTreeSet::new(),
    };
    let mut backups = 0;
    while ((campaign.tally.service + campaign.tally.movers) as u64) < kills {
        campaign.write_to_the_disks();
        campaign.kill_in_a_backup();
        backups += 1;
        if backups % A_DAY == 0 {
            let lived = campaign.portal().service.advance("P1D").unwrap();
            assert_eq!(lived.status, 200, "{}", lived.text);
            campaign.restore_what_is_new();
        }
    }
    eprintln!(
        "seed {seed}, {backups} backups on demand: {:?}",
        campaign.tally
    );
}

impl Campaign {
    /// A few MiB of each disk, at places and with bytes of chance.
    fn write_to_the_disks(&mut self) {
        for disk in self.portal().estate.disks.clone() {
            let file = File::options().write(true).open(&disk).unwrap();
            let size = file.metadata().unwrap().len();
            for _ in 0..3 {
                let bytes: Vec<u8> = (0..128 << 10).map(|_| self.dice.below(256) as u8).collect();
                let at = self.dice.below(size - bytes.len() as u64);
                file.write_all_at(&bytes, at).unwrap();
            }
        }
    }

    fn kill_in_a_backup(&mut self) {
        let job = self.portal().begin_backup().unwrap();
        self.kill();
        self.portal()
            .completed(&job)
            .unwrap_or_else(|why| panic!("{why:#}"));
        self.restore_what_is_new();
    }

    /// After a time of chance, the service or, where one is at work, a mover.
    fn kill(&mut self) {
        let wait = self.dice.below(WITHIN);
        std::thread::sleep(Duration::from_millis(wait));
        let movers = self.portal().service.movers().unwrap();
        match movers.first() {
            // One that has just ended is no longer there to be killed.
            Some(mover) if self.dice.below(2) == 0 => {
                let struck = self.portal().service.kill_mover(*mover).is_ok();
                self.tally.movers += usize::from(struck);
            }
            _ => {
                self.portal().service.kill().unwrap();
                self.tally.service += 1;
                self.start_again();
            }
        }
    }

    /// What was killed is dropped, which has restic read its vaults, and started anew.
    fn start_again(&mut self) {
        let Portal { service, estate } = self.portal.take().unwrap();
        let setup = service.setup().clone();
        drop(service);
        let service = Service::start(setup).unwrap();
        self.portal = Some(Portal { service, estate });
    }

    fn portal(&mut self) -> &mut Portal {
        self.portal.as_mut().unwrap()
    }

    /// Restores every point that was not there before, one of two with a kill in its middle, and compares every byte.
    fn restore_what_is_new(&mut self) {
        let points = self.portal().points().unwrap();
        let names = points.iter().map(|point| point["name"].as_str().unwrap());
        let names: BTreeSet<String> = names.map(str::to_owned).collect();
        assert!(names.is_superset(&self.known), "a point is gone");
        let new: Vec<String> = names.difference(&self.known).cloned().collect();
        assert!(!new.is_empty(), "a backup that is Completed left no point");
        for point in new {
            let into = Estate::spare_groups().next().unwrap();
            let job = self.portal().begin_restore(&point, &into).unwrap();
            if self.dice.below(2) == 0 {
                self.kill();
            }
            self.portal()
                .completed(&job)
                .unwrap_or_else(|why| panic!("{why:#}"));
            let estate = self.portal().estate.clone();
            let made: Vec<PathBuf> = estate.restored(&into).into_iter().collect();
            compare(&estate.disks, &made).unwrap_or_else(|why| panic!("{:?}: {why:#}", self.tally));
            fs::remove_dir_all(made[0].parent().unwrap()).unwrap();
            self.tally.points += 1;
        }
        self.known = names;
    }
}
