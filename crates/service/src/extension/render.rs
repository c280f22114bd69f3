//! Volumes and files as JSON, and which part of a file a `Range` means.

use kluis_vault::files::{Entry, Kind, Page, Volume};
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

/// One file or folder.
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
    json!({
        "name": entry.name, "path": entry.path, "type": kind, "size": entry.size,
        "modified": entry.modified.map(|time| time.to_string()), "mode": entry.mode, "uid": entry.uid, "gid": entry.gid,
        "target": entry.target,
    })
}

/// The bytes that a `Range` header means of a file of `size` bytes: where they begin and how many. `Ok(None)` is all of them,
/// also for a header that is not understood, as the protocol has it; an error is a range outside the file.
///
/// # Errors
/// Unit: there is nothing to add to 416.
pub fn content_range(header: Option<&str>, size: u64) -> Result<Option<(u64, u64)>, ()> {
    let Some((first, last)) = header
        .and_then(|header| header.trim().strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return Ok(None);
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    match (first.trim(), number(first), last.trim(), number(last)) {
        ("", _, _, Some(0)) => Err(()),
        ("", _, _, Some(count)) if size > 0 => {
            let count = count.min(size);
            Ok(Some((size - count, count)))
        }
        ("", _, _, Some(_)) => Err(()),
        (_, Some(first), "", _) if first < size => Ok(Some((first, size - first))),
        (_, Some(first), _, Some(last)) if first <= last && first < size => {
            Ok(Some((first, last.min(size - 1) - first + 1)))
        }
        (_, Some(first), "", _) if first >= size => Err(()),
        (_, Some(first), _, Some(last)) if first <= last => Err(()),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::content_range;

    #[test]
    fn ranges_are_those_of_the_protocol() {
        let range = |header| content_range(Some(header), 100);
        assert_eq!(range("bytes=0-9"), Ok(Some((0, 10))));
        assert_eq!(range("bytes=90-"), Ok(Some((90, 10))));
        assert_eq!(range("bytes=90-1000"), Ok(Some((90, 10))));
        assert_eq!(range("bytes=-7"), Ok(Some((93, 7))));
        assert_eq!(range("bytes=-700"), Ok(Some((0, 100))));
        assert_eq!(range("bytes=100-"), Err(()));
        assert_eq!(range("bytes=100-200"), Err(()));
        assert_eq!(range("bytes=-0"), Err(()));
        for whole in [
            "bytes=9-3",
            "bytes=0-1,5-6",
            "lines=1-2",
            "bytes=x-",
            "bytes=-",
        ] {
            assert_eq!(range(whole), Ok(None), "{whole}");
        }
        assert_eq!(content_range(Some("bytes=0-0"), 0), Err(()));
        assert_eq!(content_range(None, 100), Ok(None));
    }
}
