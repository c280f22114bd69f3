//! Lists, a bounded page at a time.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Refusal, Request, Response};

/// How many entries a page holds unless `$top` asks for fewer.
const PAGE: usize = 200;

/// Answers a list whose order is stable: the page that `$skiptoken` asks for, with a `nextLink` when there is more.
///
/// The token is how many entries the pages before had.
///
/// # Errors
/// 400 when `$skiptoken` or `$top` is not a number.
pub fn page(
    request: &Request,
    entries: impl IntoIterator<Item = Value>,
) -> Result<Response, Refusal> {
    let skip = number(request, "$skiptoken", 0)?;
    let counted = (1_u64..).map(|count| count.to_string()).zip(entries);
    answer(request, counted.skip(skip))
}

/// An entry's place in a list that is read from its newest end: its time, and what tells it from others of the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageKey(pub Timestamp, pub u64);

/// Answers a list that begins with its newest entry, its places falling.
///
/// The token is the place of the last entry before: entries come at the one end and go at the other while a client reads, and
/// none that stays may be told twice or left out.
///
/// # Errors
/// 400 when `$skiptoken` was never given by this service, or `$top` is not a number.
pub fn page_newest_first(
    request: &Request,
    entries: impl IntoIterator<Item = (PageKey, Value)>,
) -> Result<Response, Refusal> {
    let before = match request.query.get("$skiptoken") {
        None => None,
        Some(text) => Some(PageKey::read(text).ok_or_else(|| not_ours("$skiptoken", text))?),
    };
    let rest = entries
        .into_iter()
        .skip_while(|(place, _)| before.is_some_and(|before| *place >= before))
        .map(|(place, entry)| (place.token(), entry));
    answer(request, rest)
}

impl PageKey {
    fn token(self) -> String {
        format!("{}.{}", self.0.as_nanosecond(), self.1)
    }

    fn read(token: &str) -> Option<Self> {
        let (time, other) = token.split_once('.')?;
        let time = Timestamp::from_nanosecond(time.parse().ok()?).ok()?;
        Some(Self(time, other.parse().ok()?))
    }
}

/// The first page of the entries, each with the token of the page that would begin after it.
fn answer(
    request: &Request,
    entries: impl Iterator<Item = (String, Value)>,
) -> Result<Response, Refusal> {
    let size = number(request, "$top", PAGE)?.clamp(1, PAGE);
    let mut rest = entries;
    let (tokens, value): (Vec<String>, Vec<Value>) = rest.by_ref().take(size).unzip();
    let mut body = json!({ "value": value });
    if let (Some(last), Some(_)) = (tokens.last(), rest.next()) {
        body["nextLink"] = Value::String(next_link(request, last));
    }
    Ok(Response::ok(body))
}

fn number(request: &Request, name: &str, otherwise: usize) -> Result<usize, Refusal> {
    request.query.get(name).map_or(Ok(otherwise), |text| {
        text.trim().parse().map_err(|_| not_ours(name, text))
    })
}

fn not_ours(name: &str, text: &str) -> Refusal {
    Refusal::bad_request(
        "InvalidQueryParameter",
        format!("'{name}' must be a number that this service gave; it is '{text}'."),
    )
}

fn next_link(request: &Request, token: &str) -> String {
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
    link.push_str(&format!("$skiptoken={token}"));
    link
}
