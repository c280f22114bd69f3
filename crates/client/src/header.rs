//! What ARM says in its headers.

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};

/// An HTTP date: `Sun, 22 Nov 2026 04:36:15 GMT`.
pub(crate) fn http_date(value: &str) -> Option<Timestamp> {
    static PARSER: rfc2822::DateTimeParser = rfc2822::DateTimeParser::new();
    PARSER.parse_timestamp(value.trim()).ok()
}

/// `Retry-After`, in seconds or as an HTTP date, which only means something beside the service's own clock.
/// A time gone by is no wait at all; what is neither is as if it were not there.
pub(crate) fn retry_after(value: &str, date: Option<Timestamp>) -> Option<SignedDuration> {
    if let Ok(seconds) = value.trim().parse::<u32>() {
        return Some(SignedDuration::from_secs(i64::from(seconds)));
    }
    let wait = http_date(value)?.duration_since(date?);
    Some(wait.max(SignedDuration::ZERO))
}

/// The least that is left of any of the limits that an answer names.
pub(crate) fn rate_limit_remaining<'a>(
    headers: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<u32> {
    headers
        .filter(|(name, _)| name.starts_with("x-ms-ratelimit-remaining-"))
        .filter_map(|(_, value)| value.trim().parse().ok())
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_as_http_writes_it() {
        assert_eq!(
            http_date("Sun, 22 Nov 2026 04:36:15 GMT"),
            Some("2026-11-22T04:36:15Z".parse().unwrap())
        );
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn a_wait_is_seconds_or_a_date_beside_the_services_clock() {
        let date = http_date("Sun, 22 Nov 2026 04:36:15 GMT");
        let secs = |n| Some(SignedDuration::from_secs(n));
        assert_eq!(retry_after("324", None), secs(324));
        assert_eq!(retry_after("Sun, 22 Nov 2026 04:37:15 GMT", date), secs(60));
        assert_eq!(retry_after("Sun, 22 Nov 2026 04:00:00 GMT", date), secs(0));
        assert_eq!(retry_after("Sun, 22 Nov 2026 04:37:15 GMT", None), None);
        assert_eq!(retry_after("-5", date), None);
        assert_eq!(retry_after("soon", date), None);
    }

    #[test]
    fn the_tightest_limit_counts() {
        let headers = [
            ("x-ms-ratelimit-remaining-subscription-reads", "11999"),
            ("x-ms-ratelimit-remaining-subscription-global-reads", "148"),
            ("x-ms-ratelimit-remaining-resource", "many"),
            ("content-length", "3"),
        ];
        assert_eq!(rate_limit_remaining(headers.into_iter()), Some(148));
        assert_eq!(rate_limit_remaining([("date", "1")].into_iter()), None);
    }
}
