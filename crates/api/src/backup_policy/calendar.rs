//! Days, weeks and months, as a policy names them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A day of the week.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// Which of a weekday's occurrences in a month.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum WeekOfMonth {
    First,
    Second,
    Third,
    Fourth,
    Last,
}

/// A month of the year.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Month {
    January,
    February,
    March,
    April,
    May,
    June,
    July,
    August,
    September,
    October,
    November,
    December,
}

/// A day of the month: 1 to 28, or `Last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DayOfMonth {
    Day(u8),
    Last,
}

/// A day that a month's or a year's recovery point is of: of the week, beside `weeks`, or of the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DayOfTier {
    Month(DayOfMonth),
    Week(Weekday),
}

impl From<Weekday> for DayOfTier {
    fn from(day: Weekday) -> Self {
        Self::Week(day)
    }
}

const LAST: &str = "Last";
const BEYOND: &str = "a day of the month is 1 to 28, or Last";

impl Serialize for DayOfMonth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Day(day) => serializer.serialize_u8(*day),
            Self::Last => serializer.serialize_str(LAST),
        }
    }
}

impl<'de> Deserialize<'de> for DayOfMonth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = DayOfMonth;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(BEYOND)
            }

            fn visit_u64<E: de::Error>(self, day: u64) -> Result<DayOfMonth, E> {
                match u8::try_from(day) {
                    Ok(day @ 1..=28) => Ok(DayOfMonth::Day(day)),
                    _ => Err(E::custom(BEYOND)),
                }
            }

            fn visit_i64<E: de::Error>(self, day: i64) -> Result<DayOfMonth, E> {
                u64::try_from(day)
                    .map_err(|_| E::custom(BEYOND))
                    .and_then(|day| self.visit_u64(day))
            }

            fn visit_str<E: de::Error>(self, day: &str) -> Result<DayOfMonth, E> {
                if day == LAST {
                    Ok(DayOfMonth::Last)
                } else {
                    Err(E::custom(BEYOND))
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for DayOfTier {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "DayOfTier".into()
    }

    // A number or a word has no structural type; the rule keeps the value to what can be read.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A day of the week, or a day of the month: 1 to 28, or Last.",
            "x-kubernetes-int-or-string": true,
            "x-kubernetes-validations": [{
                "rule": "type(self) == int ? (self >= 1 && self <= 28) : self in ['Last', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']",
                "message": "a day of the month is 1 to 28, or Last (rule 14); beside weeks, a day is one of the week: Monday"
            }]
        })
    }
}
