//! A manifest as it was written: every value with the place where it stands, so that a finding can point at it.
//!
//! It knows YAML and nothing of Kubernetes. Values are read by the same parser that reads everything else here.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_yaml::{Location, Spanned};

/// A value and where it begins, both counted from 1.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) content: Content,
}

/// A line and a column of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Null, a boolean, a number or a text.
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// A number that is none that JSON has. What was written is not known yet.
    Endless,
}

/// A key of a map, where it stands, and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Place,
    pub(super) value: Node,
}

/// What a file holds that is not YAML, or not what a manifest can be.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) at: Place,
    pub(super) problem: String,
}

/// The documents of a file; empty ones are left out.
pub(super) fn documents(text: &str) -> Result<Vec<Node>, Unreadable> {
    // The mark that some editors put before a file's first byte.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // kubectl and the API server read YAML 1.1, where 010 is eight.
    let options = serde_yaml::options! {
        legacy_octal_numbers: true,
        non_finite_float_policy: serde_yaml::NonFiniteFloatPolicy::PassThrough,
    };
    let read: Result<Vec<Node>, _> = serde_yaml::from_multiple_with_options(text, options);
    let mut documents = read.map_err(|error| Unreadable {
        at: error
            .location()
            .map_or(Place { line: 1, column: 1 }, Place::from),
        problem: error.without_snippet().to_string(),
    })?;
    let lines: Vec<&str> = text.lines().collect();
    documents
        .iter_mut()
        .try_for_each(|document| document.spell_endless(&lines))?;
    let is_something = |node: &Node| !matches!(node.content, Content::Scalar(Value::Null));
    Ok(documents.into_iter().filter(is_something).collect())
}

impl Node {
    /// The value below a key of a map.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.content {
            Content::Map(entries) => entries
                .iter()
                .find(|entry| entry.key == key)
                .map(|entry| &entry.value),
            _ => None,
        }
    }

    /// The text that it is.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// A number beyond all that there are (`1e400`) is a text to kubectl and the API server; infinity itself, `.inf`, is refused.
    fn spell_endless(&mut self, lines: &[&str]) -> Result<(), Unreadable> {
        match &mut self.content {
            Content::Scalar(_) => Ok(()),
            Content::List(items) => items
                .iter_mut()
                .try_for_each(|item| item.spell_endless(lines)),
            Content::Map(entries) => entries
                .iter_mut()
                .try_for_each(|entry| entry.value.spell_endless(lines)),
            Content::Endless => {
                let written = digits(self.at, lines);
                if !written.contains(|c: char| c.is_ascii_digit()) {
                    return Err(Unreadable {
                        at: self.at,
                        problem: "JSON has no such number".to_owned(),
                    });
                }
                self.content = Content::Scalar(Value::String(written));
                Ok(())
            }
        }
    }

    /// The same without places.
    pub(super) fn value(&self) -> Value {
        match &self.content {
            Content::Endless => Value::Null,
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Self::value).collect(),
            Content::Map(entries) => {
                let pairs = entries.iter();
                let pairs = pairs.map(|entry| (entry.key.clone(), entry.value.value()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    /// Where the value at a path stands, or what comes closest to it: a field that is missing is looked for where it
    /// would be.
    pub(super) fn place(&self, path: &[Step]) -> Place {
        let Some((step, rest)) = path.split_first() else {
            return self.at;
        };
        match (&self.content, step) {
            (Content::Map(entries), Step::Field(name)) => {
                match entries.iter().find(|entry| entry.key == *name) {
                    Some(entry) if rest.is_empty() => entry.at,
                    Some(entry) => entry.value.place_after(entry.at, rest),
                    None => self.at,
                }
            }
            (Content::List(items), Step::Item(index)) => {
                items.get(*index).map_or(self.at, |item| item.place(rest))
            }
            _ => self.at,
        }
    }

    /// As [`Node::place`], with the key's place for a value that has nothing of the path.
    fn place_after(&self, key: Place, path: &[Step]) -> Place {
        let has_more = match (&self.content, path.first()) {
            (Content::Map(_), Some(Step::Field(name))) => self.get(name).is_some(),
            (Content::List(items), Some(Step::Item(index))) => items.get(*index).is_some(),
            _ => false,
        };
        if has_more { self.place(path) } else { key }
    }
}

/// A step of a path into an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Field(String),
    Item(usize),
}

/// A path as Kubernetes writes one: `spec.retention.monthly.days[0]`.
pub(super) fn dotted(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Field(name) if text.is_empty() => text.push_str(name),
            Step::Field(name) => {
                text.push('.');
                text.push_str(name);
            }
            Step::Item(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        Self {
            line: location.line().max(1),
            column: location.column().max(1),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self {
            at: read.referenced.into(),
            content: read.value,
        })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyContent)
    }
}

struct AnyContent;

impl<'de> Visitor<'de> for AnyContent {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a map")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    /// A whole number is whole however it is written (`30.0`, `3.1536e+07`): JSON knows one kind of number.
    fn visit_f64<E>(self, value: f64) -> Result<Content, E> {
        let number = match whole(value) {
            Some(whole) => Some(Number::from(whole)),
            None => Number::from_f64(value),
        };
        Ok(number.map_or(Content::Endless, |number| {
            Content::Scalar(Value::Number(number))
        }))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Content::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<Content>>()? {
            entries.push(Entry {
                at: key.referenced.into(),
                key: key_text(key.value),
                value: map.next_value()?,
            });
        }
        Ok(Content::Map(entries))
    }
}

/// What is written at a place, as far as it can belong to a number.
fn digits(at: Place, lines: &[&str]) -> String {
    let index = |number: u64| usize::try_from(number - 1).unwrap_or(usize::MAX);
    let line = lines.get(index(at.line)).copied().unwrap_or_default();
    line.chars()
        .skip(index(at.column))
        .take_while(|c| c.is_ascii_digit() || "+-._eE".contains(*c))
        .collect()
}

/// The whole number that a number with a point is.
fn whole(value: f64) -> Option<i64> {
    // Beyond this a number with a point tells whole numbers apart no longer; what is told is its digits then.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    (value.fract() == 0.0 && value.abs() < BEYOND).then_some(value as i64)
}

/// A key as JSON has it: a number or a boolean becomes its text.
fn key_text(key: Content) -> String {
    match key {
        Content::Scalar(Value::String(text)) => text,
        Content::Scalar(value) => value.to_string(),
        Content::List(_) | Content::Map(_) | Content::Endless => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str) -> Step {
        Step::Field(name.to_owned())
    }

    #[test]
    fn every_value_knows_its_line() {
        let text = "kind: Vault\nspec:\n  tags:\n    - one\n    - two\n---\nkind: Other\n";
        let documents = documents(text).unwrap();
        let places = [
            documents[0].place(&[field("kind")]),
            documents[0].place(&[field("spec"), field("tags"), Step::Item(1)]),
            documents[1].place(&[field("kind")]),
        ];
        assert_eq!(places.map(|at| at.line), [1, 5, 7]);
    }

    #[test]
    fn the_first_field_of_a_block_is_not_the_block() {
        let documents = documents("spec:\n  vm:\n    name: web\n").unwrap();
        let path = [field("spec"), field("vm"), field("name")];
        assert_eq!(documents[0].place(&path).line, 3);
    }

    #[test]
    fn what_is_missing_is_where_it_would_be() {
        let documents = documents("kind: Vault\nspec:\n  a: 1\n").unwrap();
        assert_eq!(documents[0].place(&[field("spec"), field("b")]).line, 2);
    }

    #[test]
    fn what_is_no_yaml_says_where() {
        let error = documents("kind: Vault\nspec: [1, 2\n").unwrap_err();
        assert!(error.at.line >= 2, "{error:?}");
    }

    #[test]
    fn a_whole_number_is_whole_however_it_is_written() {
        let documents = documents("[30.0, 3.1536e+07, -0.0, 1.5, 1e30]\n").unwrap();
        assert_eq!(
            documents[0].value(),
            serde_json::json!([30, 31_536_000, 0, 1.5, 1e30])
        );
    }

    #[test]
    fn a_number_that_is_too_large_is_a_text_as_for_kubectl_and_infinity_is_refused() {
        let documents = documents("a: 1\n---\nä: [ü, 1e400, -1.5E+999]\nb: 1e-400\n").unwrap();
        assert_eq!(
            documents[1].value(),
            serde_json::json!({ "ä": ["ü", "1e400", "-1.5E+999"], "b": 0 })
        );
        for endless in [".inf", "-.INF", "+.Inf", ".nan"] {
            let error = super::documents(&format!("a: 1\nb: {endless}\n")).unwrap_err();
            assert_eq!((error.at.line, error.at.column), (2, 4), "{endless}");
        }
    }

    #[test]
    fn an_unquoted_on_is_what_kubectl_makes_of_it() {
        let documents = documents("on: [Sunday]\nflag: true\n").unwrap();
        assert_eq!(
            documents[0].value(),
            serde_json::json!({ "true": ["Sunday"], "flag": true })
        );
    }
}
