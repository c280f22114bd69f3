//! What a policy says, as far as it is varied, and how long it keeps a point: from the documents, by a calendar of its own.

use jiff::civil::Weekday;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::simulation::Dice;

pub(super) const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A clock that policies are written in: its name, and the hours that it is ahead of UTC while it isn't changed for summer. A
/// policy knows no other time (S003: nothing is adjusted).
pub(super) const CLOCKS: [(&str, i8); 3] = [
    ("UTC", 0),
    ("Europe/Amsterdam", 1),
    ("America/New_York", -5),
];

/// Every run is at 22:30 of the policy's clock. Points are kept for days; those of a weekday for weeks, those of that weekday's
/// first or last of a month for months, and those of such a month for years. Without days it runs on that weekday alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) days: Option<u32>,
    pub(super) weeks: Option<u32>,
    pub(super) months: Option<u32>,
    pub(super) years: Option<u32>,
    pub(super) on: Weekday,
    pub(super) which: Which,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    First,
    Last,
}

/// The month that yearly points are of. Every story has one or two.
const MONTHS: [i8; 2] = [3, 4];

/// The tiers that a point was made for: what the policy in force said of its day.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tags {
    week: bool,
    month: bool,
    year: bool,
}

impl Terms {
    pub(super) const FIRST: Self = Self {
        days: Some(30),
        weeks: None,
        months: None,
        years: None,
        on: Weekday::Sunday,
        which: Which::First,
    };

    pub(super) fn by_chance(dice: &mut Dice) -> Self {
        let mut below = |end: u32| u32::try_from(dice.below(u64::from(end))).unwrap();
        let weekly = below(5) == 0;
        let days = (!weekly).then_some(7 + below(14));
        let weeks = (weekly || below(2) == 0).then(|| 1 + below(5));
        let months = (below(2) == 0).then(|| 1 + below(3));
        let years = (below(3) == 0).then(|| 1 + below(2));
        let on = [Weekday::Sunday, Weekday::Wednesday][below(2) as usize];
        let which = [Which::First, Which::Last][below(2) as usize];
        Self {
            days,
            weeks,
            months,
            years,
            on,
            which,
        }
    }

    /// With one thing of these taken over from others: what people do to a policy.
    pub(super) fn tweaked(mut self, other: Self, what: u64) -> Self {
        match what {
            0 => self.days = other.days,
            1 => self.weeks = other.weeks,
            2 => self.months = other.months,
            3 => self.years = other.years,
            4 => self.on = other.on,
            _ => self.which = other.which,
        }
        // A policy that runs on one day of the week keeps that day's points for weeks.
        if self.days.is_none() {
            self.weeks = self.weeks.or(Some(1));
        }
        self
    }

    /// As a BackupPolicy's spec.
    pub(super) fn spec(self, zone: &str) -> Value {
        let on = json!([format!("{:?}", self.on)]);
        let schedule = match self.days {
            Some(_) => json!({ "daily": { "at": "22:30" } }),
            None => json!({ "weekly": { "on": on, "at": "22:30" } }),
        };
        let weeks = json!([format!("{:?}", self.which)]);
        let mut retention = json!({});
        if let Some(keep) = self.days {
            retention["daily"] = json!({ "keep": keep });
        }
        if let Some(keep) = self.weeks {
            retention["weekly"] = json!({ "keep": keep, "on": on });
        }
        if let Some(keep) = self.months {
            retention["monthly"] = json!({ "keep": keep, "weeks": weeks, "on": on });
        }
        if let Some(keep) = self.years {
            let months = json!(["March", "April"]);
            retention["yearly"] =
                json!({ "keep": keep, "months": months, "weeks": weeks, "on": on });
        }
        json!({ "workload": "VirtualMachine", "timeZone": zone, "schedule": schedule, "retention": retention })
    }

    /// As the vault has it: a Recovery Services policy.
    pub(super) fn of_wire(policy: &Value) -> Option<Self> {
        let retention = &policy["properties"]["retentionPolicy"];
        let count = |tier: &str| {
            let count = retention[tier]["retentionDuration"]["count"].as_u64()?;
            u32::try_from(count).ok()
        };
        let days = count("dailySchedule");
        let relative = ["monthlySchedule", "yearlySchedule"]
            .map(|tier| &retention[tier]["retentionScheduleWeekly"])
            .into_iter()
            .find(|relative| relative.is_object());
        let weekday = relative
            .map(|relative| &relative["daysOfTheWeek"][0])
            .or_else(|| Some(&retention["weeklySchedule"]["daysOfTheWeek"][0]))
            .and_then(Value::as_str);
        let which = relative.and_then(|relative| relative["weeksOfTheMonth"][0].as_str());
        Some(Self {
            days,
            weeks: count("weeklySchedule"),
            months: count("monthlySchedule"),
            years: count("yearlySchedule"),
            on: match weekday {
                Some("Wednesday") => Weekday::Wednesday,
                _ => Weekday::Sunday,
            },
            which: match which {
                Some("Last") => Which::Last,
                _ => Which::First,
            },
        })
        .filter(|_| retention.is_object())
    }

    /// What says the same: a weekday that no tier looks at is no difference.
    pub(super) fn normal(mut self) -> Self {
        if self.months.is_none() && self.years.is_none() {
            self.which = Which::First;
            if self.weeks.is_none() {
                self.on = Weekday::Sunday;
            }
        }
        self
    }

    /// The tiers of a point that is made by this policy.
    pub(super) fn tags(self, due: Timestamp, ahead: i8) -> Tags {
        let date = local(due, ahead).date();
        let is_day = date.weekday() == self.on;
        let is_which = match self.which {
            Which::First => date.day() <= 7,
            Which::Last => date.day() + 7 > date.days_in_month(),
        };
        Tags {
            week: self.weeks.is_some() && is_day,
            month: self.months.is_some() && is_day && is_which,
            year: self.years.is_some() && is_day && is_which && MONTHS.contains(&date.month()),
        }
    }

    /// Until when it keeps a point with these tags; one that it doesn't keep at all may go at once.
    pub(super) fn keep(self, due: Timestamp, tags: Tags, ahead: i8) -> Timestamp {
        let on_clock = local(due, ahead);
        let later = |span: jiff::Span| on_clock.checked_add(span).unwrap().timestamp();
        let days = self.days.map(|days| later(i64::from(days).days()));
        let weeks = self.weeks.filter(|_| tags.week);
        let months = self.months.filter(|_| tags.month);
        let years = self.years.filter(|_| tags.year);
        days.max(weeks.map(|weeks| later(i64::from(weeks).weeks())))
            .max(months.map(|months| later(i64::from(months).months())))
            .max(years.map(|years| later(i64::from(years).years())))
            .unwrap_or(Timestamp::MIN)
    }
}

/// The run that a point is of: the last 22:30 before it.
pub(super) fn run_of(time: Timestamp, ahead: i8) -> Timestamp {
    let at = SignedDuration::from_mins(22 * 60 + 30);
    let day = local(time - at, ahead).date();
    let zone = TimeZone::fixed(Offset::constant(ahead));
    day.to_zoned(zone).unwrap().timestamp() + at
}

fn local(time: Timestamp, ahead: i8) -> jiff::Zoned {
    time.to_zoned(TimeZone::fixed(Offset::constant(ahead)))
}
