//! Volumes and files as JSON, and which part of a file a `Range` means.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kluis_vault::files::{Entry, Kind, Page, Unreadable, Volume};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::Asked;
use crate::core::{Request, Response};

/// `GET …/volumes`.
#[must_use]
pub fn volumes(volumes: &[Volume], default: Option<&str>) -> Response {
    let value = volumes.iter().map(|volume| {
        json!({
            "name": volume.name, "disk": volume.disk, "partition": volume.partition, "fileSystem": volume.file_system,
            "readable": volume.readable, "size": volume.size, "label": volume.label,
            "default": default == Some(volume.name.as_str()),
        })
    });
    Response::ok(json!({ "value": value.collect::<Vec<_>>() }))
}

/// `GET …/files`: a page of a directory, with a link to the next.
#[must_use]
pub fn page(request: &Request, asked: &Asked, page: &Page) -> Response {
    let value: Vec<Value> = page.entries.iter().map(entry).collect();
    let mut body = json!({ "value": value });
    if let Some(why) = &page.damage {
        body["problem"] = json!({ "code": "Damaged", "message": why });
    }
    if let Some(last) = &page.next {
        let query = &asked.query;
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut link = format!(
            "{}{}?path={}&$top={}",
            request.origin,
            request.path,
            encode(&query.path),
            query.top
        );
        if let Some(volume) = &query.volume {
            link.push_str(&format!("&volume={}", encode(volume)));
        }
        if let Some(version) = request.query.get("api-version") {
            link.push_str(&format!("&api-version={}", encode(version)));
        }
        link.push_str(&format!("&$skipToken={}", encode(last)));
        body["nextLink"] = Value::String(link);
    }
    Response::ok(body)
}

/// One file or folder. Where a name is not UTF-8, its bytes are told beside its text.
#[must_use]
pub fn entry(entry: &Entry) -> Value {
    let kind = match entry.kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink => "symlink",
        Kind::Device => "device",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
        Kind::Unreadable => "unreadable",
    };
    let mut body = json!({
        "name": entry.name, "path": entry.path, "type": kind, "size": entry.size,
        "modified": entry.modified.map(|time| time.to_string()), "mode": entry.mode, "uid": entry.uid, "gid": entry.gid,
        "target": entry.target,
    });
    let mut raw = |field: &str, text: &str| {
        let bytes = kluis_vault::files::bytes(text);
        if bytes != text.as_bytes() {
            body[field] = Value::String(STANDARD.encode(bytes));
        }
    };
    raw("nameBase64", &entry.name);
    raw("pathBase64", &entry.path);
    raw("targetBase64", entry.target.as_deref().unwrap_or_default());
    if let Some(why) = &entry.why {
        let code = match why {
            Unreadable::Damaged(_) => "Damaged",
            Unreadable::Unsupported(_) => "Unsupported",
        };
        body["problem"] = json!({ "code": code, "message": why.to_string() });
    }
    body
}

/// What a `Range` header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of the file: also for a header that is not understood, as the protocol has it.
    Whole,
    /// Bytes from an offset on.
    Bytes {
        /// Where they begin.
        offset: u64,
        /// How many they are, at least one.
        length: u64,
    },
    /// Bytes that the file does not have.
    Beyond,
}

/// What a `Range` header means of a file of `size` bytes.
#[must_use]
pub fn part_of(header: Option<&str>, size: u64) -> Part {
    let Some((first, last)) = header
        .and_then(|header| header.trim().strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
        .map(|(first, last)| (first.trim(), last.trim()))
    else {
        return Part::Whole;
    };
    let bytes = |offset, length| Part::Bytes { offset, length };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Err(_), Ok(count)) if first.is_empty() => match count.min(size) {
            0 => Part::Beyond,
            count => bytes(size - count, count),
        },
        (Ok(first), Ok(last)) if first <= last && first < size => {
            bytes(first, last.min(size - 1) - first + 1)
        }
        (Ok(first), Err(_)) if last.is_empty() && first < size => bytes(first, size - first),
        (Ok(first), Ok(last)) if first <= last => Part::Beyond,
        (Ok(_), Err(_)) if last.is_empty() => Part::Beyond,
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, part_of};

    #[test]
    fn ranges_are_those_of_the_protocol() {
        let range = |header| part_of(Some(header), 100);
        let bytes = |offset, length| Part::Bytes { offset, length };
        assert_eq!(range("bytes=0-9"), bytes(0, 10));
        assert_eq!(range("bytes=90-"), bytes(90, 10));
        assert_eq!(range("bytes=90-1000"), bytes(90, 10));
        assert_eq!(range("bytes=-7"), bytes(93, 7));
        assert_eq!(range("bytes=-700"), bytes(0, 100));
        for beyond in ["bytes=100-", "bytes=100-200", "bytes=-0"] {
            assert_eq!(range(beyond), Part::Beyond, "{beyond}");
        }
        for whole in [
            "bytes=9-3",
            "bytes=0-1,5-6",
            "lines=1-2",
            "bytes=x-",
            "bytes=-",
        ] {
            assert_eq!(range(whole), Part::Whole, "{whole}");
        }
        assert_eq!(part_of(Some("bytes=0-0"), 0), Part::Beyond);
        assert_eq!(part_of(None, 100), Part::Whole);
    }
}
