//! The rules (CEL) that stand beside a schema, asked of a value.
//!
//! A rule about a change (`oldSelf`) needs what was there before: [`ask_change`] has it, [`ask`] leaves it to the API
//! server; [`ask_new`] asks those that say what holds where nothing was. So is one that this evaluator doesn't know a function of: it refuses nothing that the API server may accept.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use cel::extractors::This;
use cel::objects::{Key, OptionalValue};
use cel::{Context, ExecutionError, Program};
use jiff::SignedDuration;
use serde_json::Value;

use super::document::Step;
use super::structure::{Fault, properties};

/// Words that CEL keeps for itself: a field of such a name is `__name__` in a rule.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Asks every rule of the schema and of what is below it.
pub(super) fn ask(value: &Value, schema: &Value, path: &mut Vec<Step>, faults: &mut Vec<Fault>) {
    let rules = schema["x-kubernetes-validations"].as_array();
    let asked = rules.and_then(|rules| Some((rules, context(value)?)));
    if let Some((rules, context)) = asked {
        for rule in rules {
            let (Some(text), message) = (rule["rule"].as_str(), rule["message"].as_str()) else {
                continue;
            };
            if !holds(text, &context) {
                let message = message.map_or_else(|| format!("failed rule: {text}"), str::to_owned);
                let mut at = path.clone();
                at.extend(field_path(rule["fieldPath"].as_str()));
                faults.push(Fault {
                    path: at,
                    message: format!("Invalid value: {message}"),
                });
            }
        }
    }
    match value {
        Value::Object(fields) => {
            for (name, below) in properties(schema) {
                if let Some(field) = fields.get(name) {
                    path.push(Step::Field(name.clone()));
                    ask(field, below, path, faults);
                    path.pop();
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Item(index));
                ask(item, &schema["items"], path, faults);
                path.pop();
            }
        }
        _ => {}
    }
}

/// Asks the rules about a change, of what is there both before and after: the path of the first that does not hold, and
/// why.
pub(super) fn ask_change(
    old: &Value,
    new: &Value,
    schema: &Value,
    path: &mut Vec<Step>,
) -> Option<Fault> {
    let about_changes = |rule: &&Value| {
        let text = rule["rule"].as_str();
        text.is_some_and(|text| text.contains("oldSelf"))
    };
    let rules = schema["x-kubernetes-validations"].as_array();
    let mut rules = rules.into_iter().flatten().filter(about_changes).peekable();
    let known = rules.peek().and_then(|_| context(new));
    for rule in rules {
        let text = rule["rule"].as_str().unwrap_or_default();
        let Some(mut context) = known.as_ref().map(Context::new_inner_scope) else {
            continue;
        };
        let old = cel_value(old);
        let old = match is_of_new(rule) {
            true => optional(OptionalValue::of(old)),
            false => old,
        };
        context.add_variable_from_value("oldSelf", old);
        if !is_true(text, &context) {
            let message = rule["message"].as_str();
            let message = message.map_or_else(|| format!("failed rule: {text}"), str::to_owned);
            let mut at = path.clone();
            at.extend(field_path(rule["fieldPath"].as_str()));
            return Some(Fault { path: at, message });
        }
    }
    properties(schema).find_map(|(name, below)| {
        let (old, new) = (old.get(name)?, new.get(name)?);
        path.push(Step::Field(name.clone()));
        let fault = ask_change(old, new, below, path);
        path.pop();
        fault
    })
}

/// Asks the rules that hold for new objects alone (`optionalOldSelf`), of an object as a whole.
pub(super) fn ask_new(value: &Value, schema: &Value) -> Vec<Fault> {
    let rules = schema["x-kubernetes-validations"].as_array();
    let Some(mut context) = context(value) else {
        return Vec::new();
    };
    context.add_variable_from_value("oldSelf", optional(OptionalValue::none()));
    let rules = rules.into_iter().flatten().filter(|rule| is_of_new(rule));
    let broken = rules.filter(|rule| !is_true(rule["rule"].as_str().unwrap_or_default(), &context));
    broken
        .map(|rule| Fault {
            path: field_path(rule["fieldPath"].as_str()),
            message: format!(
                "Invalid value: {}",
                rule["message"].as_str().unwrap_or_default()
            ),
        })
        .collect()
}

fn is_of_new(rule: &Value) -> bool {
    rule["optionalOldSelf"] == true
}

fn optional(value: OptionalValue) -> cel::Value {
    cel::Value::Opaque(Arc::new(value))
}

fn holds(rule: &str, context: &Context<'_, '_>) -> bool {
    rule.contains("oldSelf") || is_true(rule, context)
}

/// Whether a rule holds, or can't be asked here.
fn is_true(rule: &str, context: &Context<'_, '_>) -> bool {
    let program = compiled(rule);
    program.is_none_or(|program| !matches!(program.execute(context), Ok(cel::Value::Bool(false))))
}

/// What a rule finds: the value as `self`, and the functions that Kubernetes has beside CEL's own.
fn context(value: &Value) -> Option<Context<'static, 'static>> {
    let mut context = Context::default();
    context.add_variable_from_value("self", cel_value(value));
    let known = context
        .add_function("duration", |text: Arc<String>| duration(&text))
        .and_then(|()| {
            let replace = |This(text): This<Arc<String>>, from: Arc<String>, to: Arc<String>| {
                text.replace(from.as_str(), &to)
            };
            context.add_function("replace", replace)
        })
        .and_then(|()| {
            let lower = |This(text): This<Arc<String>>| text.to_ascii_lowercase();
            context.add_function("lowerAscii", lower)
        });
    known.is_ok().then_some(context)
}

thread_local! {
    /// Compiling a rule costs more than asking it, and every object of a kind is asked the same ones.
    static PROGRAMS: RefCell<HashMap<String, Option<Rc<Program>>>> = RefCell::default();
}

/// None for a rule that is not understood here.
fn compiled(rule: &str) -> Option<Rc<Program>> {
    PROGRAMS.with_borrow_mut(|programs| {
        if let Some(known) = programs.get(rule) {
            return known.clone();
        }
        let program = Program::compile(rule).ok().map(Rc::new);
        programs.insert(rule.to_owned(), program.clone());
        program
    })
}

/// A length of time in seconds: rules compare such and do nothing else with them.
fn duration(text: &str) -> Result<cel::Value, ExecutionError> {
    let length: SignedDuration = text
        .parse()
        .map_err(|error| ExecutionError::function_error("duration", error))?;
    Ok(cel::Value::Int(length.as_secs()))
}

/// `.retention.monthly` of a rule's `fieldPath`.
fn field_path(path: Option<&str>) -> Vec<Step> {
    let names = path.unwrap_or_default().split('.');
    names
        .filter(|name| !name.is_empty())
        .map(|name| Step::Field(name.to_owned()))
        .collect()
}

/// A value as rules see it: whole numbers are of one kind, and reserved words escaped.
fn cel_value(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(value) => cel::Value::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => cel::Value::Int(whole),
            None => cel::Value::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => cel::Value::String(Arc::new(text.clone())),
        Value::Array(items) => cel::Value::List(Arc::new(items.iter().map(cel_value).collect())),
        Value::Object(fields) => {
            let pairs = fields
                .iter()
                .map(|(name, value)| (Key::from(escaped(name)), cel_value(value)));
            cel::Value::Map(pairs.collect::<HashMap<_, _>>().into())
        }
    }
}

fn escaped(name: &str) -> String {
    if RESERVED.contains(&name) {
        format!("__{name}__")
    } else {
        name.to_owned()
    }
}

/// Whether every rule of a schema can be asked here: those about a change can't.
#[cfg(test)]
pub(super) fn not_asked(schema: &Value, path: &mut Vec<Step>, out: &mut Vec<String>) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let text = rule["rule"].as_str().unwrap_or_default();
        if !text.contains("oldSelf") && Program::compile(text).is_err() {
            out.push(format!("{}: {text}", super::document::dotted(path)));
        }
    }
    for (name, below) in properties(schema) {
        path.push(Step::Field(name.clone()));
        not_asked(below, path, out);
        path.pop();
    }
    if schema["items"].is_object() {
        not_asked(&schema["items"], path, out);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use serde_json::json;

    use super::super::manifest::Definitions;
    use super::*;

    /// Whether the rules of the definition take it as `retainUntil`.
    fn is_taken(text: &str) -> bool {
        static SPEC: LazyLock<Value> = LazyLock::new(|| {
            let definitions = Definitions::ours();
            definitions.schema("BackupJob").unwrap()["properties"]["spec"].clone()
        });
        let value =
            json!({ "item": { "kind": "ProtectedVM", "name": "web-1" }, "retainUntil": text });
        let mut faults = Vec::new();
        ask(&value, &SPEC, &mut Vec::new(), &mut faults);
        faults.is_empty()
    }

    /// The edges at which readers of date-times differ.
    #[test]
    fn a_moment_has_one_form_for_the_rules_the_operator_and_the_command_line() {
        let all = [
            ("2027-01-01T00:00:00Z", true),
            ("2027-01-31T22:30:00+01:00", true),
            ("2027-01-31T22:30:00.123456789-03:30", true),
            ("2028-02-29T00:00:00Z", true),
            ("2000-02-29T00:00:00Z", true),
            ("1970-01-01T00:00:00Z", true),
            ("9998-12-31T23:59:59-23:59", true),
            ("9999-12-31T23:59:59Z", false),
            ("1969-12-31T23:59:59Z", false),
            ("2026-02-29T00:00:00Z", false),
            ("2100-02-29T00:00:00Z", false),
            ("2026-04-31T00:00:00Z", false),
            ("2026-13-01T00:00:00Z", false),
            ("2026-12-02T00:00:00.1234567890Z", false),
            ("2026-12-02T00:00:00,5Z", false),
            ("2027-12-31t00:00:00Z", false),
            ("2027-12-31T00:00:00z", false),
            ("2026-12-02 00:00:00Z", false),
            ("2026-12-31T23:59:60Z", false),
            ("2026-12-31T24:00:00Z", false),
            ("2026-12-31T00:00:00", false),
            ("2026-12-31T00:00Z", false),
            ("20261231T000000Z", false),
            ("2026-12-31T00:00:00+0100", false),
            ("2026-12-31T00:00:00+24:00", false),
            ("2026-12-31T00:00:00+01:00[Europe/Berlin]", false),
            (" 2026-12-31T00:00:00Z", false),
            ("2026-12-31T00:00:00Z ", false),
            ("+002026-12-31T00:00:00Z", false),
        ];
        for (text, expected) in all {
            assert_eq!(is_taken(text), expected, "the rule of {text}");
            assert_eq!(
                kluis_api::date_time::parse(text).is_ok(),
                expected,
                "{text}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn the_rule_takes_what_the_command_line_takes_and_the_operator_reads_all_of_it(
            text in "(19[67][0-9]|2[01][0-9]{2}|999[789])-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9]:[0-6][0-9]([.,][0-9]{1,10})?(Z|z|[+-][0-2][0-9]:[0-6][0-9])?"
        ) {
            let taken = is_taken(&text);
            prop_assert_eq!(kluis_api::date_time::parse(&text).is_ok(), taken, "{}", text);
            let read = serde_json::from_value::<kluis_api::Time>(json!(text)).is_ok();
            prop_assert!(read || !taken, "{}", text);
        }
    }
}
