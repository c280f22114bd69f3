//! When backups run.
//!
//! Every time here is a wall clock of the policy's `timeZone`; the date before it and the `Z` behind it mean nothing.

use crate::time::WireTime;

word! {
    /// How often.
    pub enum RunFrequency {
        /// Once a day.
        Daily = "Daily",
        /// On some days of the week.
        Weekly = "Weekly",
        /// Every few hours.
        Hourly = "Hourly",
        /// Never.
        Invalid = "Invalid",
    }

    /// A day of the week.
    pub enum WeekDay {
        /// Monday.
        Monday = "Monday",
        /// Tuesday.
        Tuesday = "Tuesday",
        /// Wednesday.
        Wednesday = "Wednesday",
        /// Thursday.
        Thursday = "Thursday",
        /// Friday.
        Friday = "Friday",
        /// Saturday.
        Saturday = "Saturday",
        /// Sunday.
        Sunday = "Sunday",
    }
}

tagged! {
    /// When backups run.
    pub enum SchedulePolicy by "schedulePolicyType" {
        /// Of V1 policies for virtual machines, and of databases.
        Simple(SimpleSchedule) = "SimpleSchedulePolicy",
        /// Of V2 policies for virtual machines.
        SimpleV2(SimpleScheduleV2) = "SimpleSchedulePolicyV2",
        /// Of logs.
        Log(LogSchedule) = "LogSchedulePolicy",
    }
}

wire! {
    /// Daily or weekly.
    pub struct SimpleSchedule {
        /// How often.
        schedule_run_frequency: RunFrequency,
        /// On which days; weekly only.
        schedule_run_days: Vec<WeekDay>,
        /// When; one for virtual machines.
        schedule_run_times: Vec<WireTime>,
        /// Of file shares.
        hourly_schedule: HourlySchedule,
        /// Every how many weeks; Azure writes 0 where it says nothing.
        schedule_weekly_frequency: i32,
    }

    /// Hourly, daily or weekly: the one of the three that `schedule_run_frequency` names is there.
    pub struct SimpleScheduleV2 {
        /// How often.
        schedule_run_frequency: RunFrequency,
        /// Every few hours.
        hourly_schedule: HourlySchedule,
        /// Once a day.
        daily_schedule: DailySchedule,
        /// On some days of the week.
        weekly_schedule: WeeklySchedule,
    }

    /// Every few hours, in a part of the day.
    pub struct HourlySchedule {
        /// Every how many hours.
        interval: i32,
        /// When the first of a day runs.
        schedule_window_start_time: WireTime,
        /// For how many hours from then.
        schedule_window_duration: i32,
    }

    /// Once a day.
    pub struct DailySchedule {
        /// When.
        schedule_run_times: Vec<WireTime>,
    }

    /// On some days of the week.
    pub struct WeeklySchedule {
        /// On which days.
        schedule_run_days: Vec<WeekDay>,
        /// When.
        schedule_run_times: Vec<WireTime>,
    }

    /// Of logs.
    pub struct LogSchedule {
        /// Every how many minutes.
        schedule_frequency_in_mins: i32,
    }
}
