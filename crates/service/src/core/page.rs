//! Lists, a bounded page at a time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Refusal, Request, Response};

/// How many entries a page holds unless `$top` asks for fewer, as at Azure.
const PAGE: usize = 200;
/// The same of lists of machines: all of a vault are on one page, so that a client need not ask by itself whether what is not on it is
/// between two.
const MACHINES: usize = 1000;

/// Answers a list in the order of its entries' ids: the page that `$skiptoken` asks for, with a `nextLink` when there is more.
///
/// The token is the id of the last entry before. A count of them would not do: an entry that goes while a client reads moves
/// those behind it up, and one that is there all the time would be on no page. Clients take what a list leaves out for gone.
///
/// # Errors
/// 400 when `$skiptoken` was never given by this service, or `$top` is not a number.
pub fn page(
    request: &Request,
    entries: impl IntoIterator<Item = Value>,
) -> Result<Response, Refusal> {
    by_id(request, PAGE, entries, id_of, |entry| Ok(Some(entry)))
}

/// The same of machines, on longer pages: only what is on the page is looked at and rendered. What `render` makes nothing of is not of
/// the list.
///
/// # Errors
/// Those of [`page`], and the first of `render`.
pub fn page_of<T>(
    request: &Request,
    entries: impl IntoIterator<Item = T>,
    id: impl Fn(&T) -> String,
    render: impl Fn(T) -> Result<Option<Value>, Refusal>,
) -> Result<Response, Refusal> {
    by_id(request, MACHINES, entries, id, render)
}

fn by_id<T>(
    request: &Request,
    most: usize,
    entries: impl IntoIterator<Item = T>,
    id: impl Fn(&T) -> String,
    render: impl Fn(T) -> Result<Option<Value>, Refusal>,
) -> Result<Response, Refusal> {
    let after = given(request, read_id)?;
    let mut keyed: Vec<(String, T)> = entries
        .into_iter()
        .map(|entry| (id(&entry).to_lowercase(), entry))
        .filter(|(id, _)| after.as_ref().is_none_or(|after| id > after))
        .collect();
    keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
    let rest = keyed.into_iter();
    answer(
        request,
        most,
        rest.map(|(id, entry)| (token_of(&id), entry)),
        render,
    )
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
    let before = given(request, PageKey::read)?;
    let rest = entries
        .into_iter()
        .skip_while(|(place, _)| before.is_some_and(|before| *place >= before))
        .map(|(place, entry)| (place.token(), entry));
    answer(request, PAGE, rest, |entry| Ok(Some(entry)))
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

/// What stands before the text of a token, so that what is no token is told from one.
const MARK: &str = "after ";

/// What an entry is told by: its ARM id, or its name where it is no resource.
fn id_of(entry: &Value) -> String {
    let names = [&entry["id"], &entry["name"]["value"], &entry["name"]];
    let id = names.into_iter().find_map(Value::as_str);
    id.unwrap_or_default().to_owned()
}

fn token_of(id: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{MARK}{id}"))
}

fn read_id(token: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    Some(text.strip_prefix(MARK)?.to_owned())
}

/// What `$skiptoken` says, read as the list reads its own.
fn given<T>(request: &Request, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Refusal> {
    let token = request.query.get("$skiptoken");
    token
        .map(|text| read(text).ok_or_else(|| invalid("$skiptoken", "a token of this list", text)))
        .transpose()
}

/// The first page of the entries, each with the token of the page that would begin after it.
fn answer<T>(
    request: &Request,
    most: usize,
    entries: impl Iterator<Item = (String, T)>,
    render: impl Fn(T) -> Result<Option<Value>, Refusal>,
) -> Result<Response, Refusal> {
    let top = request.query.get("$top").map(|text| {
        let size: Result<usize, _> = text.trim().parse();
        size.map_err(|_| invalid("$top", "a number", text))
    });
    let size = top.transpose()?.unwrap_or(most).clamp(1, most);
    let mut last = None;
    let mut value = Vec::new();
    let mut is_whole = true;
    for (token, entry) in entries {
        let Some(entry) = render(entry)? else {
            continue;
        };
        if value.len() == size {
            is_whole = false;
            break;
        }
        value.push(entry);
        last = Some(token);
    }
    let mut body = json!({ "value": value });
    if let Some(last) = last.filter(|_| !is_whole) {
        body["nextLink"] = Value::String(next_link(request, &last));
    }
    Ok(Response::ok(body))
}

fn invalid(name: &str, kind: &str, text: &str) -> Refusal {
    Refusal::bad_request(
        "InvalidQueryParameter",
        format!("'{name}' must be {kind}; it is '{text}'."),
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
