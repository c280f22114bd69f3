//! How long recovery points are kept.

use super::schedule::WeekDay;
use crate::time::WireTime;

word! {
    /// How the point of a month or a year is chosen.
    pub enum RetentionFormat {
        /// By the day of the month.
        Daily = "Daily",
        /// By the week of the month and the day of the week.
        Weekly = "Weekly",
        /// Not at all.
        Invalid = "Invalid",
    }

    /// Which of the month's four or five of a weekday.
    pub enum WeekOfMonth {
        /// The first.
        First = "First",
        /// The second.
        Second = "Second",
        /// The third.
        Third = "Third",
        /// The fourth.
        Fourth = "Fourth",
        /// The last, be it the fourth or the fifth.
        Last = "Last",
        /// None.
        Invalid = "Invalid",
    }

    /// A month.
    pub enum MonthOfYear {
        /// January.
        January = "January",
        /// February.
        February = "February",
        /// March.
        March = "March",
        /// April.
        April = "April",
        /// May.
        May = "May",
        /// June.
        June = "June",
        /// July.
        July = "July",
        /// August.
        August = "August",
        /// September.
        September = "September",
        /// October.
        October = "October",
        /// November.
        November = "November",
        /// December.
        December = "December",
        /// None.
        Invalid = "Invalid",
    }

    /// What a duration counts.
    pub enum DurationType {
        /// Days.
        Days = "Days",
        /// Weeks.
        Weeks = "Weeks",
        /// Months.
        Months = "Months",
        /// Years.
        Years = "Years",
        /// Nothing.
        Invalid = "Invalid",
    }
}

tagged! {
    /// How long recovery points are kept.
    pub enum RetentionPolicy by "retentionPolicyType" {
        /// By day, week, month and year.
        LongTerm(LongTermRetention) = "LongTermRetentionPolicy",
        /// All for the same time.
        Simple(SimpleRetention) = "SimpleRetentionPolicy",
    }
}

wire! {
    /// By day, week, month and year; what is absent keeps nothing.
    pub struct LongTermRetention {
        /// Every day's point.
        daily_schedule: DailyRetention,
        /// A point of some days of the week.
        weekly_schedule: WeeklyRetention,
        /// A point of some days of the month.
        monthly_schedule: MonthlyRetention,
        /// A point of some days of some months.
        yearly_schedule: YearlyRetention,
    }

    /// Every day's point.
    pub struct DailyRetention {
        /// The schedule's time, again; absent for hourly schedules.
        retention_times: Vec<WireTime>,
        /// How long.
        retention_duration: RetentionDuration,
    }

    /// A point of some days of the week.
    pub struct WeeklyRetention {
        /// Which days.
        days_of_the_week: Vec<WeekDay>,
        /// The schedule's time, again.
        retention_times: Vec<WireTime>,
        /// How long.
        retention_duration: RetentionDuration,
    }

    /// A point of some days of the month.
    pub struct MonthlyRetention {
        /// How the days are chosen.
        retention_schedule_format_type: RetentionFormat,
        /// By their number.
        retention_schedule_daily: DaysOfMonth,
        /// By week and weekday.
        retention_schedule_weekly: WeeksOfMonth,
        /// The schedule's time, again.
        retention_times: Vec<WireTime>,
        /// How long.
        retention_duration: RetentionDuration,
    }

    /// A point of some days of some months.
    pub struct YearlyRetention {
        /// How the days are chosen.
        retention_schedule_format_type: RetentionFormat,
        /// In which months.
        months_of_year: Vec<MonthOfYear>,
        /// By their number.
        retention_schedule_daily: DaysOfMonth,
        /// By week and weekday.
        retention_schedule_weekly: WeeksOfMonth,
        /// The schedule's time, again.
        retention_times: Vec<WireTime>,
        /// How long.
        retention_duration: RetentionDuration,
    }

    /// Days of the month, by week and weekday.
    pub struct WeeksOfMonth {
        /// Which weekdays.
        days_of_the_week: Vec<WeekDay>,
        /// Which of them.
        weeks_of_the_month: Vec<WeekOfMonth>,
    }

    /// Days of the month, by their number.
    pub struct DaysOfMonth {
        /// Which.
        days_of_the_month: Vec<Day>,
    }

    /// A day of the month.
    pub struct Day {
        /// 1 to 28, or 0 where `is_last` is true.
        date: i32,
        /// Whether it is the month's last.
        is_last: bool,
    }

    /// All for the same time.
    pub struct SimpleRetention {
        /// How long.
        retention_duration: RetentionDuration,
    }

    /// How long.
    pub struct RetentionDuration {
        /// How many.
        count: i32,
        /// Of what.
        duration_type: DurationType,
    }
}
