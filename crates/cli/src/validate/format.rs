//! What a schema says of texts and numbers: lengths, patterns, formats, ranges.

use jiff::Timestamp;
use regex::Regex;
use serde_json::{Number, Value};

/// Everything that is wrong with a text; `field` is its path.
pub(super) fn of_text(text: &str, schema: &Value, field: &str) -> Vec<String> {
    let length = text.chars().count() as u64;
    let mut faults = Vec::new();
    if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
        faults.push(format!("Too long: may not be more than {most} bytes"));
    }
    if let Some(least) = schema["minLength"].as_u64().filter(|least| length < *least) {
        faults.push(format!(
            "Invalid value: \"{text}\": {field} in body should be at least {least} chars long"
        ));
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        // A pattern that this reader doesn't know is left to the API server.
        let fits = Regex::new(pattern).map_or(true, |pattern| pattern.is_match(text));
        if !fits {
            faults.push(format!(
                "Invalid value: \"{text}\": {field} in body should match '{pattern}'"
            ));
        }
    }
    if schema["format"] == "date-time" && text.parse::<Timestamp>().is_err() {
        faults.push(format!(
            "Invalid value: \"{text}\": {field} in body must be of type date-time: \"{text}\""
        ));
    }
    faults
}

/// Everything that is wrong with a number.
pub(super) fn of_number(number: &Number, schema: &Value, field: &str) -> Vec<String> {
    let Some(value) = number.as_f64() else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    if let Some(least) = schema["minimum"].as_f64().filter(|least| value < *least) {
        faults.push(format!(
            "Invalid value: {number}: {field} in body should be greater than or equal to {least}"
        ));
    }
    if let Some(most) = schema["maximum"].as_f64().filter(|most| value > *most) {
        faults.push(format!(
            "Invalid value: {number}: {field} in body should be less than or equal to {most}"
        ));
    }
    faults
}
