//! The rules of a policy that need more than one field, made for every workload: what the API server asks (CEL), and what it answers.
//!
//! They are made and not written one by one, because most hold for several workloads with other numbers. The numbers are those of the
//! project's one table of limits; a test compares the two, each least and each most, on a real API server.

mod archive;
mod databases;
mod fields;
mod keeping;
mod points;
mod schedule;

use super::Workload;

/// A question to the spec (`self`), and the answer to who gets it wrong: the field, the rule by its number, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) asks: String,
    pub(crate) message: String,
    /// The field that it is about, as the message calls it: where an editor's cursor belongs.
    pub(crate) field: String,
}

/// Every rule of the spec as a whole.
pub(crate) fn rules() -> Vec<Rule> {
    [
        fields::rules(),
        schedule::rules(),
        keeping::rules(),
        databases::rules(),
        archive::rules(),
    ]
    .concat()
}

/// Asked of policies for some workloads only.
fn of(workloads: &[Workload], asks: &str, message: impl Into<String>) -> Rule {
    let others = match workloads {
        [one] => format!("self.workload != '{one:?}'"),
        many => format!("!({})", among(many)),
    };
    Rule::of_all(format!("{others} || ({asks})"), message)
}

/// `self.workload in ['SQLServer', 'SAPHana']`.
fn among(workloads: &[Workload]) -> String {
    let names: Vec<String> = workloads
        .iter()
        .map(|workload| format!("'{workload:?}'"))
        .collect();
    format!("self.workload in [{}]", names.join(", "))
}

/// The days of a field that has some, in whichever spelling.
fn days(field: &str) -> String {
    format!(
        "(has(self.{field}.days) ? self.{field}.days : (has(self.{field}.on) ? self.{field}.on : self.{field}.__true__))"
    )
}

impl Rule {
    /// Asked of policies for every workload.
    fn of_all(asks: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            asks: asks.into(),
            message: message.into(),
            field: String::new(),
        }
    }

    fn about(self, field: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            ..self
        }
    }
}

impl Workload {
    /// In a sentence, in the plural.
    fn in_words(self) -> &'static str {
        match self {
            Self::VirtualMachine => "virtual machines",
            Self::SQLServer => "SQL Server",
            Self::SAPHana => "SAP HANA",
            Self::PostgreSQL => "PostgreSQL",
            Self::FileShare => "file shares",
            Self::Disk => "disks",
            Self::Files => "files",
        }
    }
}
