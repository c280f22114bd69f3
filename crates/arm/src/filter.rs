//! `$filter`: the one form that Azure Backup uses of it, comparisons joined by `and`.

/// Why a filter cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the filter cannot be read at {at:?}: {expected} is expected; write it as `status eq 'InProgress' and …`"
)]
pub struct FilterError {
    /// What is left at that place.
    pub at: String,
    /// What should stand there.
    pub expected: &'static str,
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `eq`.
    Equal,
    /// `ge`.
    AtLeast,
    /// `le`.
    AtMost,
    /// `gt`.
    Above,
    /// `lt`.
    Below,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The field, as it was written.
    pub field: String,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what; quotes undone.
    pub value: String,
}

/// A filter: every term has to hold. The empty one lets everything through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// What has to hold.
    pub terms: Vec<Term>,
}

/// More terms than any list of Azure Backup has fields to filter by.
const MOST_TERMS: usize = 32;

impl Filter {
    /// Reads a filter, its percent-encoding undone already. A blank text is the empty filter.
    ///
    /// # Errors
    /// When it is anything but comparisons joined by `and`.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let mut rest = text.trim();
        let mut terms = Vec::new();
        while !rest.is_empty() {
            if !terms.is_empty() {
                let (word, after) = word(rest);
                if !word.eq_ignore_ascii_case("and") {
                    return Err(error(rest, "`and`"));
                }
                rest = after;
            }
            let (term, after) = term(rest)?;
            terms.push(term);
            rest = after;
            if terms.len() > MOST_TERMS {
                return Err(error(rest, "the end"));
            }
        }
        Ok(Self { terms })
    }

    /// What a field has to equal, if the filter says.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&str> {
        let wanted = |term: &&Term| {
            term.comparison == Comparison::Equal && term.field.eq_ignore_ascii_case(field)
        };
        self.terms
            .iter()
            .find(wanted)
            .map(|term| term.value.as_str())
    }

    /// Whether the filter lets a field's value through: it says nothing of the field, or the same without regard to case.
    #[must_use]
    pub fn allows(&self, field: &str, value: &str) -> bool {
        self.get(field)
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(value))
    }

    /// The fields it compares that are not among those given.
    #[must_use]
    pub fn unknown(&self, known: &[&str]) -> Vec<&str> {
        let is_known = |field: &str| known.iter().any(|k| k.eq_ignore_ascii_case(field));
        self.terms
            .iter()
            .map(|term| term.field.as_str())
            .filter(|field| !is_known(field))
            .collect()
    }

    /// The filter with one more thing that has to be equal.
    #[must_use]
    pub fn and(mut self, field: &str, value: impl Into<String>) -> Self {
        self.terms.push(Term {
            field: field.to_owned(),
            comparison: Comparison::Equal,
            value: value.into(),
        });
        self
    }
}

impl std::fmt::Display for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (
            index,
            Term {
                field,
                comparison,
                value,
            },
        ) in self.terms.iter().enumerate()
        {
            let before = if index == 0 { "" } else { " and " };
            let comparison = match comparison {
                Comparison::Equal => "eq",
                Comparison::AtLeast => "ge",
                Comparison::AtMost => "le",
                Comparison::Above => "gt",
                Comparison::Below => "lt",
            };
            write!(
                f,
                "{before}{field} {comparison} '{}'",
                value.replace('\'', "''")
            )?;
        }
        Ok(())
    }
}

fn error(at: &str, expected: &'static str) -> FilterError {
    FilterError {
        at: at.chars().take(60).collect(),
        expected,
    }
}

/// The word at the front, and what follows the blanks behind it.
fn word(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| c.is_whitespace() || c == '\'')
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, rest.trim_start())
}

fn term(text: &str) -> Result<(Term, &str), FilterError> {
    let (field, rest) = word(text);
    let is_field = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.');
    if field.is_empty() || !field.chars().all(is_field) {
        return Err(error(text, "a field"));
    }
    let (operator, rest) = word(rest);
    let comparison = match operator.to_ascii_lowercase().as_str() {
        "eq" => Comparison::Equal,
        "ge" => Comparison::AtLeast,
        "le" => Comparison::AtMost,
        "gt" => Comparison::Above,
        "lt" => Comparison::Below,
        _ => return Err(error(operator, "`eq`")),
    };
    let (value, rest) = value(rest)?;
    Ok((
        Term {
            field: field.to_owned(),
            comparison,
            value,
        },
        rest,
    ))
}

/// A quoted text, in which two quotes are one, or a bare word.
fn value(text: &str) -> Result<(String, &str), FilterError> {
    let Some(mut rest) = text.strip_prefix('\'') else {
        let (bare, rest) = word(text);
        return if bare.is_empty() {
            Err(error(text, "a value"))
        } else {
            Ok((bare.to_owned(), rest))
        };
    };
    let mut value = String::new();
    loop {
        let (piece, after) = rest
            .split_once('\'')
            .ok_or_else(|| error(text, "a closing quote"))?;
        value.push_str(piece);
        match after.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            None => return Ok((value, after.trim_start())),
        }
    }
}
