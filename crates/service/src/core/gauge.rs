//! A number that the state tells at the moment when it is asked.

/// One metric of the kind gauge, or a count that only grows. Labels come from small sets of words: no name of an object and no text of an error becomes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauge {
    /// The name after `kluis_service_`, with its unit if it has one: `oldest_job_seconds`.
    pub name: &'static str,
    /// What it tells, without a full stop.
    pub help: &'static str,
    /// Whether it counts what has been since the service was first started: its name gets the ending `_total`.
    pub is_total: bool,
    /// Its values by their labels.
    pub values: Vec<(Vec<(&'static str, String)>, f64)>,
}

impl Gauge {
    /// A gauge of one value, without labels.
    #[must_use]
    pub fn one(name: &'static str, help: &'static str, value: f64) -> Self {
        Self {
            name,
            help,
            is_total: false,
            values: vec![(Vec::new(), value)],
        }
    }

    /// A gauge of one label. Each word that there is should be there, if with a 0: what is absent can't be alerted on.
    #[must_use]
    pub fn by(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (&'static str, f64)>,
    ) -> Self {
        let values = values
            .into_iter()
            .map(|(word, value)| (vec![(label, word.to_owned())], value));
        Self {
            name,
            help,
            is_total: false,
            values: values.collect(),
        }
    }

    /// The same, as a count that only grows.
    #[must_use]
    pub fn total(mut self) -> Self {
        self.is_total = true;
        self
    }
}
