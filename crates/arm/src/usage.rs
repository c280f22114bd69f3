//! How much of what is allowed is used.

use crate::time::WireTime;

wire! {
    /// One count. `limit` is -1 where there is none.
    pub struct Usage {
        /// `Count`, `Bytes`, …
        unit: String,
        /// How long a period lasts.
        quota_period: String,
        /// When the next begins.
        next_reset_time: WireTime,
        /// How many there are.
        current_value: i64,
        /// How many there may be.
        limit: i64,
        /// Of what.
        name: UsageName,
    }

    /// What is counted.
    pub struct UsageName {
        /// For programs.
        value: String,
        /// For people.
        localized_value: String,
    }
}
