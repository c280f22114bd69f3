//! The arguments of `kluis simulate`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use jiff::civil::Date;

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Files or folders with a BackupPolicy, or - for standard input.
    #[arg(short, long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    pub(crate) filename: Vec<PathBuf>,
    /// Which BackupPolicy, where there are several: NAME or NAMESPACE/NAME.
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: Option<String>,
    /// The day of the first backup: 2026-01-01.
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Date,
    /// For how long backups are made.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=99))]
    pub(crate) years: u16,
    /// The day to look at, when its backups are made; the last one when left out.
    #[arg(long, value_name = "DATE")]
    pub(crate) on: Option<Date>,
    /// How large the item is: 100GiB. With --change, the storage is estimated.
    #[arg(long, value_name = "SIZE", requires = "change")]
    pub(crate) size: Option<Size>,
    /// How much of it changes in a day: 2%.
    #[arg(long, value_name = "PERCENT", requires = "size")]
    pub(crate) change: Option<Share>,
    /// What is printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Look,
}

/// What is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Look {
    /// Lines and columns for people.
    #[default]
    Table,
    Json,
    Yaml,
    /// A picture: the tiers and a calendar.
    Svg,
    /// The picture and the table in one page.
    Html,
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

/// A share of a whole, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share(pub(crate) f64);

/// Units and their bytes, the longest names first.
const UNITS: [(&str, u64); 11] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
    ("B", 1),
];

/// A thousand petabytes: no item is larger, and sums of them still fit.
const LARGEST: f64 = 1e18;

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let found = UNITS
            .iter()
            .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
        let (number, unit) = found.ok_or("a size has a unit: 100GiB, 2TiB, 500MB")?;
        let number = number.trim().parse::<f64>().ok();
        let bytes = number.map(|number| number * unit as f64);
        match bytes.filter(|bytes| (1.0..=LARGEST).contains(bytes)) {
            Some(bytes) => Ok(Self(bytes as u64)),
            None => Err("a size is a number and a unit: 100GiB, 2TiB, 500MB".to_owned()),
        }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim().strip_suffix('%');
        let percent = number.and_then(|number| number.trim().parse::<f64>().ok());
        match percent.filter(|percent| (0.0..=100.0).contains(percent)) {
            Some(percent) => Ok(Self(percent / 100.0)),
            None => Err("a change is a percentage: 2%, 0.5%".to_owned()),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Two digits of a hundredth: what was typed, without the dust of binary fractions.
        write!(f, "{}%", (self.0 * 10_000.0).round() / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_and_a_unit() {
        assert_eq!("100GiB".parse(), Ok(Size(100 << 30)));
        assert_eq!("1.5 TB".parse(), Ok(Size(1_500_000_000_000)));
        assert_eq!("512B".parse(), Ok(Size(512)));
        for wrong in ["", "100", "GiB", "-1GiB", "0B", "NaNGiB", "1e300PiB"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_change_is_a_percentage() {
        assert_eq!("2%".parse(), Ok(Share(0.02)));
        assert_eq!("0.07%".parse::<Share>().unwrap().to_string(), "0.07%");
        for wrong in ["2", "101%", "-1%", "%", "NaN%"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }
}
