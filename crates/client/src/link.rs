//! Links that a service gives (`nextLink`, `Azure-AsyncOperation`, `Location`) and whether they may be followed.
//!
//! A request carries our token, so a link is only followed to where the token belongs: the endpoint's own scheme,
//! host and port. Whoever can put a link in an answer must not learn the token by it.

use azure_core::http::Url;

use crate::{ArmRequest, Failure, Method};

/// The request that reads what `link` points at. A link without a host is taken as on the endpoint.
pub(crate) fn follow(endpoint: &Url, link: &str) -> Result<ArmRequest, Failure> {
    let stray = || Failure::StrayLink {
        endpoint: endpoint.to_string(),
        link: link.chars().take(200).collect(),
    };
    let url = endpoint.join(link).map_err(|_| stray())?;
    if url.origin() != endpoint.origin() || !url.username().is_empty() || url.password().is_some() {
        return Err(stray());
    }
    Ok(ArmRequest {
        method: Method::Get,
        path: decoded(url.path()),
        query: url
            .query_pairs()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect(),
        body: None,
        client_request_id: None,
    })
}

/// `path` and `query` on the endpoint, encoded. Whatever they hold, the host stays the endpoint's.
pub(crate) fn address(endpoint: &Url, request: &ArmRequest) -> Url {
    let mut url = endpoint.clone();
    url.set_path(&request.path.replace('%', "%25"));
    url.set_query(None);
    if !request.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&request.query);
    }
    url
}

/// Percent-decoding, because requests hold their paths unencoded. What doesn't decode to text stays as it is.
fn decoded(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes
            .get(at + 1..at + 3)
            .filter(|_| bytes[at] == b'%')
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        out.push(hex.unwrap_or(bytes[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Url {
        Url::parse("https://127.0.0.1:8443").unwrap()
    }

    #[test]
    fn a_link_on_the_endpoint_becomes_a_request() {
        let link = "https://127.0.0.1:8443/subscriptions/s/vm%3Bweb%201/operationsStatus/a;b?api-version=2024-04-01&$skipToken=a%2Bb";
        let request = follow(&endpoint(), link).unwrap();
        assert_eq!(
            request.path,
            "/subscriptions/s/vm;web 1/operationsStatus/a;b"
        );
        assert_eq!(
            request.query,
            [
                ("api-version".to_owned(), "2024-04-01".to_owned()),
                ("$skipToken".to_owned(), "a+b".to_owned())
            ]
        );
        let back = address(&endpoint(), &request);
        assert_eq!(follow(&endpoint(), back.as_str()).unwrap(), request);
    }

    #[test]
    fn a_path_with_a_percent_sign_is_not_taken_for_an_escape() {
        let request = ArmRequest::get("/vaults/50%20off", "v");
        let url = address(&endpoint(), &request);
        assert_eq!(url.path(), "/vaults/50%2520off");
        assert_eq!(
            follow(&endpoint(), url.as_str()).unwrap().path,
            request.path
        );
    }

    #[test]
    fn a_relative_link_stays_on_the_endpoint() {
        assert_eq!(follow(&endpoint(), "/a/b?c=d").unwrap().path, "/a/b");
    }

    #[test]
    fn a_link_elsewhere_is_refused() {
        for link in [
            "https://evil.example/steal",
            "//evil.example/steal",
            "http://127.0.0.1:8443/plain",
            "https://127.0.0.1/other-port",
            "https://user@127.0.0.1:8443/",
            "https://127.0.0.1:8443@evil.example/",
            "javascript:alert(1)",
        ] {
            let answer = follow(&endpoint(), link);
            assert!(
                matches!(answer, Err(Failure::StrayLink { .. })),
                "{link}: {answer:?}"
            );
        }
    }

    #[test]
    fn a_path_cannot_leave_the_host() {
        for path in ["//evil.example/x", "/\\evil.example", "@evil.example/x"] {
            let url = address(&endpoint(), &ArmRequest::get(path, "v"));
            assert_eq!(url.origin(), endpoint().origin(), "{path}");
        }
    }
}
