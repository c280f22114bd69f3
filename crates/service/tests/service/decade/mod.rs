//! Ten years of one machine under a GFS policy, with real bytes: each day a snapshot, a transfer into the vault and, where points
//! are over, a removal with a prune, all by the service itself on its virtual clock. It ends with the points that an
//! independent reference names, and a vault that stock restic finds whole and that holds those points and no others.

mod disk;
mod reference;
mod timed;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use kluis_arm::time::WireTime;
use kluis_service::Movers;
use kluis_vault::repository;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::movers::Site;
use crate::shell::call;
use disk::Disk;
use reference::{Gfs, Reference, civil, first_of};
use timed::{Spent, Timed};

const DAY: i64 = 86_400;
/// The policy's clock is an hour ahead of UTC all year: its 22:30 is 21:30.
const RUN: i64 = 21 * 3_600 + 1_800;
/// When a person looks, changes a disk or edits the policy.
const MORNING: i64 = 9 * 3_600;

/// The policy of the first years, the shorter one of the sixth, and the longer one of the eighth, which has another weekday.
const FIRST: Gfs = Gfs {
    days: 30,
    weeks: 12,
    weekday: 6,
    months: 60,
    years: 10,
};
const SHORTER: Gfs = Gfs {
    days: 14,
    weeks: 6,
    weekday: 6,
    months: 36,
    years: 10,
};
const LONGER: Gfs = Gfs {
    days: 45,
    weeks: 20,
    weekday: 2,
    months: 48,
    years: 12,
};

fn second(day: i64, of_day: i64) -> Timestamp {
    Timestamp::from_second(day * DAY + of_day).unwrap()
}

/// The document of a policy.
fn document(policy: &Gfs) -> Value {
    let at = json!(["2026-01-01T22:30:00Z"]);
    let lasts = |count: i64, unit: &str| json!({ "count": count, "durationType": unit });
    let weekday = [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ][usize::try_from(policy.weekday).unwrap()];
    let sunday = json!({ "daysOfTheWeek": ["Sunday"], "weeksOfTheMonth": ["First"] });
    json!({ "properties": {
        "backupManagementType": "AzureIaasVM",
        "schedulePolicy": { "schedulePolicyType": "SimpleSchedulePolicy", "scheduleRunFrequency": "Daily", "scheduleRunTimes": at },
        "retentionPolicy": {
            "retentionPolicyType": "LongTermRetentionPolicy",
            "dailySchedule": { "retentionTimes": at, "retentionDuration": lasts(policy.days, "Days") },
            "weeklySchedule": { "daysOfTheWeek": [weekday], "retentionTimes": at, "retentionDuration": lasts(policy.weeks, "Weeks") },
            "monthlySchedule": {
                "retentionScheduleFormatType": "Weekly", "retentionScheduleWeekly": sunday, "retentionTimes": at,
                "retentionDuration": lasts(policy.months, "Months"),
            },
            "yearlySchedule": {
                "retentionScheduleFormatType": "Weekly", "monthsOfYear": ["January"], "retentionScheduleWeekly": sunday,
                "retentionTimes": at, "retentionDuration": lasts(policy.years, "Years"),
            },
        },
        "instantRpRetentionRangeInDays": 2,
        "timeZone": "W. Europe Standard Time",
    } })
}

/// A service, its disk, and the reference beside it.
struct Decade<'a> {
    dir: &'a Path,
    site: Site<'a>,
    disk: Disk,
    reference: Reference,
    policy: Gfs,
    /// The day whose morning it is.
    today: i64,
    ran: i64,
    spent: Spent,
}

impl<'a> Decade<'a> {
    fn begin(dir: &'a Path) -> Self {
        let mut disk = Disk::new(&dir.join("web-2-os.raw"));
        let timed = Timed::default();
        let spent = Arc::clone(&timed.spent);
        let site = Site::start(dir, Movers::Own(Box::new(timed)));
        let token = &site.token;
        let clock = call(
            &site.running,
            dir,
            "GET",
            "/_kluis/clock",
            &[("Authorization", token)],
            "",
        );
        let now: Timestamp = clock.body["now"].as_str().unwrap().parse().unwrap();
        // The first morning of a year, so that every run of this test is alike.
        let (year, ..) = civil(now.as_second().div_euclid(DAY));
        let today = first_of(year + 1, 1);
        let wait = second(today, MORNING).duration_since(now);
        disk.seen(today);
        let decade = Self {
            dir,
            site,
            disk,
            reference: Reference::default(),
            policy: FIRST,
            today,
            ran: 0,
            spent,
        };
        decade.advance(wait);
        decade.site.make_vault();
        assert_eq!(decade.put_policy(), 200);
        decade.site.protect_by("gfs");
        decade
    }

    fn put_policy(&self) -> u16 {
        let answer = self
            .site
            .call("PUT", "/backupPolicies/gfs", &document(&self.policy));
        assert!(answer.status < 300, "{}", answer.body);
        answer.status
    }

    /// Lives through so much time, in which nothing may fail; how many jobs ran.
    fn advance(&self, by: SignedDuration) -> i64 {
        let body = json!({ "advance": format!("PT{}S", by.as_secs()) }).to_string();
        let done = call(
            &self.site.running,
            self.dir,
            "POST",
            "/_kluis/clock",
            &[("Authorization", &self.site.token)],
            &body,
        );
        assert_eq!(
            (done.status, &done.body["failed"]),
            (200, &json!(0)),
            "{}",
            done.body
        );
        done.body["ran"].as_i64().unwrap()
    }

    /// Lives to the morning of a later day, the disk changing on the way.
    fn live_until(&mut self, day: i64) {
        while self.today < day {
            let days = i64::try_from(4 + self.disk.random() % 9)
                .unwrap()
                .min(day - self.today);
            self.disk.change();
            self.disk.seen(self.today);
            self.ran += self.advance(SignedDuration::from_secs(days * DAY));
            for day in self.today..self.today + days {
                self.reference.run(day, &self.policy);
                // At midnight.
                self.reference.clean(day + 1, &self.policy);
            }
            self.today += days;
        }
    }

    /// Edits the policy, which acts at once; how many points that costs.
    fn edit(&mut self, policy: Gfs) -> u64 {
        self.policy = policy;
        assert_eq!(self.put_policy(), 202);
        self.advance(SignedDuration::ZERO);
        self.reference.clean(self.today, &self.policy)
    }

    /// The points as the service tells them: by the day of their run, their names, ends and rules.
    fn points(&self) -> BTreeMap<i64, (String, String, String)> {
        let mut found = BTreeMap::new();
        let page = self
            .site
            .get(&format!("{}/recoveryPoints", self.site.item()));
        assert!(page["nextLink"].is_null(), "they fit on a page");
        for point in page["value"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let properties = &point["properties"];
            let time: Timestamp = text(&properties["recoveryPointTime"]).parse().unwrap();
            assert_eq!(time.as_second().rem_euclid(DAY), RUN, "{point}");
            let said = &properties["recoveryPointProperties"];
            let told = (
                text(&point["name"]),
                text(&said["expiryTime"]),
                text(&said["ruleName"]),
            );
            assert!(
                found
                    .insert(time.as_second().div_euclid(DAY), told)
                    .is_none(),
                "two points of a day"
            );
        }
        found
    }

    /// The service has the points that the reference names, each with its end and the reason.
    fn holds(&self) -> BTreeMap<i64, String> {
        let expected: BTreeMap<i64, (String, String)> = self
            .reference
            .points(&self.policy)
            .into_iter()
            .map(|(day, (until, rule))| {
                (
                    day,
                    (
                        WireTime::unzoned(second(until, RUN)).to_string(),
                        rule.to_owned(),
                    ),
                )
            })
            .collect();
        let points = self.points();
        let told: BTreeMap<i64, (String, String)> = points
            .iter()
            .map(|(day, (_, until, rule))| (*day, (until.clone(), rule.clone())))
            .collect();
        let (here, there): (BTreeSet<_>, BTreeSet<_>) =
            (told.keys().collect(), expected.keys().collect());
        let dates =
            |days: BTreeSet<&&i64>| days.into_iter().map(|day| civil(**day)).collect::<Vec<_>>();
        assert!(
            here == there,
            "on {:?}: too many {:?}, too few {:?}",
            civil(self.today),
            dates(here.difference(&there).collect()),
            dates(there.difference(&here).collect())
        );
        assert_eq!(told, expected);
        points
            .into_iter()
            .map(|(day, (name, ..))| (day, name))
            .collect()
    }

    /// What the newest cleanup said of why.
    fn newest_cleanup(&self) -> Value {
        let page = self
            .site
            .get("/backupJobs?$filter=operation%20eq%20'Cleanup'");
        let job = page["value"][0]["name"].as_str().unwrap().to_owned();
        self.site.get(&format!("/backupJobs/{job}"))["properties"].clone()
    }
}

#[test]
fn ten_years_of_a_gfs_policy_end_with_the_points_that_the_documents_name() {
    let began = Instant::now();
    let dir = tempfile::tempdir().unwrap();
    let mut decade = Decade::begin(dir.path());
    let start = decade.today;
    let (year, ..) = civil(start);

    decade.live_until(first_of(year + 5, 1) + 9);
    decade.holds();
    let lost = decade.edit(SHORTER);
    assert!(lost > 30, "the shorter policy costs points: {lost}");
    decade.holds();
    let said = decade.newest_cleanup();
    let reasons = said["extendedInfo"]["propertyBag"]["Reasons"]
        .as_str()
        .unwrap();
    assert_eq!(
        reasons,
        format!("{lost} no longer kept by the policy, which was changed")
    );

    decade.live_until(first_of(year + 7, 3) + 14);
    decade.holds();
    assert_eq!(decade.edit(LONGER), 0, "a longer policy costs none");
    decade.live_until(first_of(year + 10, 1));
    let kept = decade.holds();
    let backups = decade.today - start;
    assert!(backups >= 3_652, "{backups}");
    assert_eq!(
        decade.ran, backups,
        "a backup a day, and none of them twice"
    );
    assert_eq!(
        decade.reference.removed,
        backups.unsigned_abs() - kept.len() as u64
    );
    let lived = began.elapsed();

    let vault = dir.path().join("data/vaults/shop-rg/v1");
    let Decade {
        site, disk, spent, ..
    } = decade;
    site.running.shutdown().unwrap();
    let passphrase = dir.path().join("data/passphrase");
    let key = repository::open(&vault, fs::read_to_string(&passphrase).unwrap().trim()).unwrap();
    let snapshots: BTreeMap<Timestamp, String> = repository::snapshots(&vault, &key)
        .unwrap()
        .into_iter()
        .map(|snapshot| {
            let point = snapshot
                .tags
                .iter()
                .find_map(|tag| tag.strip_prefix("rp=").map(str::to_owned));
            (snapshot.time, point.unwrap())
        })
        .collect();
    let expected: BTreeMap<Timestamp, String> = kept
        .iter()
        .map(|(day, name)| (second(*day, RUN), name.clone()))
        .collect();
    assert_eq!(snapshots, expected, "the vault's snapshots are the points");
    check(&vault, &passphrase, &kept, &disk);
    println!(
        "{backups} backups in {lived:?}, {} points kept, of which movers {:?}",
        kept.len(),
        spent.lock().unwrap()
    );
}

/// Stock restic reads every byte of the vault, and finds in the oldest point, the newest and some between what the disk held then.
fn check(vault: &Path, passphrase: &Path, kept: &BTreeMap<i64, String>, disk: &Disk) {
    let restic = |arguments: &[&str]| {
        Command::new("restic")
            .args(["--no-lock", "--no-cache", "--quiet", "-r"])
            .arg(vault)
            .arg("--password-file")
            .arg(passphrase)
            .args(arguments)
            .output()
    };
    let checked = match restic(&["check", "--read-data"]) {
        Ok(checked) => checked,
        Err(error) => {
            let is_needed = std::env::var("CI").as_deref() == Ok("true");
            assert!(
                !is_needed,
                "CI needs stock restic (apt-get install restic): {error}"
            );
            println!(
                "SKIPPED: stock restic did not look at this vault, because it did not start: {error}"
            );
            return;
        }
    };
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    let newest = kept.len() - 1;
    for (day, name) in kept
        .iter()
        .enumerate()
        .filter(|(at, _)| [0, newest / 3, newest / 2, newest].contains(at))
        .map(|(_, point)| point)
    {
        let tag = format!("rp={name}");
        let dumped = restic(&["dump", "--tag", &tag, "latest", "/web-2/web-2-os.raw"]).unwrap();
        assert!(
            dumped.status.success(),
            "{}",
            String::from_utf8_lossy(&dumped.stderr)
        );
        assert_eq!(
            hex::encode(Sha256::digest(&dumped.stdout)),
            disk.digest(*day),
            "of {:?}",
            civil(*day)
        );
    }
}
