//! Lists, a bounded page at a time.

use serde_json::{Value, json};

use super::{Refusal, Request, Response};

/// How many entries a page holds unless `$top` asks for fewer.
const PAGE: usize = 200;

/// Answers a list: the page that `$skiptoken` asks for, with a `nextLink` when there is more.
///
/// The token is the offset of the page in a list whose order is stable (that of the keys).
///
/// # Errors
/// 400 when `$skiptoken` or `$top` is not a number.
pub fn page(
    request: &Request,
    entries: impl IntoIterator<Item = Value>,
) -> Result<Response, Refusal> {
    let number = |name: &str, otherwise: usize| match request.query.get(name) {
        None => Ok(otherwise),
        Some(text) => text.trim().parse().map_err(|_| {
            Refusal::bad_request(
                "InvalidQueryParameter",
                format!("'{name}' must be a number that this service gave; it is '{text}'."),
            )
        }),
    };
    let skip = number("$skiptoken", 0)?;
    let size = number("$top", PAGE)?.clamp(1, PAGE);
    let mut rest = entries.into_iter().skip(skip);
    let value: Vec<Value> = rest.by_ref().take(size).collect();
    let mut body = json!({ "value": value });
    if rest.next().is_some() {
        body["nextLink"] = Value::String(next_link(request, skip.saturating_add(size)));
    }
    Ok(Response::ok(body))
}

fn next_link(request: &Request, skip: usize) -> String {
    let mut link = format!("{}{}?", request.origin, request.path);
    for (name, value) in request
        .query
        .pairs()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("$skiptoken"))
    {
        let encode = |text| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        link.push_str(&format!(
            "{}={}&",
            name.replace(
                |c: char| !(c.is_ascii_alphanumeric() || c == '$' || c == '-'),
                ""
            ),
            encode(value)
        ));
    }
    link.push_str(&format!("$skiptoken={skip}"));
    link
}
