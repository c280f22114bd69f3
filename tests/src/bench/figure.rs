//! One line a figure: `bench NAME VALUE UNIT`, and what it should be at most.

/// A figure, as it is printed.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    /// The most it may be; none for a figure that is only told.
    pub(super) goal: Option<f64>,
}

impl Figure {
    /// Prints it.
    pub(super) fn tell(&self) {
        println!("{}", self.line());
    }

    fn line(&self) -> String {
        let Self {
            name, value, unit, ..
        } = self;
        let told = format!("bench {name} {} {unit}", number(*value));
        match self.goal {
            None => told,
            Some(goal) => {
                let end = if *value <= goal { "ok" } else { "short" };
                format!("{told} goal <= {} {end}", number(goal))
            }
        }
    }
}

/// As many digits as mean something.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_says_whether_it_reaches_its_goal() {
        let line = |value, goal| {
            Figure {
                name: "operator-memory".to_owned(),
                value,
                unit: "MiB",
                goal,
            }
            .line()
        };
        assert_eq!(
            line(99.5, Some(100.0)),
            "bench operator-memory 99.5 MiB goal <= 100 ok"
        );
        assert_eq!(
            line(100.25, Some(100.0)),
            "bench operator-memory 100.25 MiB goal <= 100 short"
        );
        assert_eq!(line(7.0, None), "bench operator-memory 7 MiB");
    }
}
