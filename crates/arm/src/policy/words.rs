//! The wire's words for days, weeks and months, and the field's.

use jiff::civil::Weekday;
use kluis_policy::{Month, Week};

use super::{MonthOfYear, WeekDay, WeekOfMonth};

/// Pairs the members of a wire's word with those of a type in the field's terms, in both directions.
macro_rules! pairs {
    ($( $wire:ident, $field:ident, $to_wire:ident, $to_field:ident: $($member:ident),*; )*) => {$(
        pub(crate) fn $to_wire(word: $field) -> $wire {
            match word { $( $field::$member => $wire::$member, )* }
        }

        /// None for a word that means nothing here.
        pub(crate) fn $to_field(word: &$wire) -> Option<$field> {
            match word {
                $( $wire::$member => Some($field::$member), )*
                _ => None,
            }
        }
    )*};
}

pairs! {
    WeekDay, Weekday, weekday_on_wire, weekday: Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday;
    WeekOfMonth, Week, week_on_wire, week: First, Second, Third, Fourth, Last;
    MonthOfYear, Month, month_on_wire, month: January, February, March, April, May, June, July, August, September, October,
        November, December;
}
