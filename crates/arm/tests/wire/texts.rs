//! The small languages of the wire: filters, moments and durations, zones, api-versions, errors.

use jiff::{SignedDuration, Timestamp};
use kluis_arm::api_version::{self, ApiVersionError};
use kluis_arm::error::{ArmError, Class, ErrorBody, classify, code};
use kluis_arm::filter::{Comparison, Filter, Term};
use kluis_arm::time::{self, WireTime};
use kluis_arm::zone;
use proptest::prelude::*;

fn moment() -> impl Strategy<Value = Timestamp> {
    (-2_000_000_000i64..4_000_000_000, 0i32..10_000_000).prop_map(|(second, ticks)| {
        Timestamp::new(second, if second < 0 { -ticks } else { ticks } * 100).unwrap()
    })
}

proptest! {
    #[test]
    fn a_moment_reads_back(moment in moment()) {
        prop_assert_eq!(WireTime::from(moment).moment(), Ok(Some(moment)));
        prop_assert_eq!(WireTime::unzoned(moment).moment(), Ok(Some(moment)));
    }

    #[test]
    fn a_filters_moment_reads_back_to_the_second(moment in moment()) {
        let whole = Timestamp::from_second(moment.as_second()).unwrap();
        prop_assert_eq!(time::from_filter(&time::in_filter(whole)), Ok(whole));
    }

    #[test]
    fn a_jobs_duration_reads_back(ticks in 0i64..1_000_000_000_000) {
        let length = SignedDuration::from_nanos(ticks * 100);
        prop_assert_eq!(time::from_job_duration(&time::job_duration(length)), Ok(length));
    }

    #[test]
    fn a_filter_reads_back(terms in prop::collection::vec(("[a-z][A-Za-z]{0,10}", "\\PC{0,12}"), 0..5)) {
        let filter = terms.into_iter().fold(Filter::default(), |filter, (field, value)| filter.and(&field, value));
        prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter));
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in "\\PC{0,80}|[a-z' ]{0,40}") {
        let _ = Filter::parse(&text);
        let _ = WireTime::from(text.as_str()).moment();
        let _ = WireTime::from(text.as_str()).civil();
        let _ = time::from_filter(&text);
        let _ = time::from_job_duration(&text);
        let _ = api_version::check(Some(&text));
        let _ = zone::find(&text);
        let _ = ErrorBody::read(text.as_bytes());
    }
}

#[test]
fn filters_as_microsofts_clients_write_them() {
    let filter =
        Filter::parse("backupManagementType eq 'AzureIaasVM' and itemType eq 'VM'").unwrap();
    assert_eq!(filter.get("itemtype"), Some("VM"));
    assert!(filter.allows("backupManagementType", "azureiaasvm"));
    assert!(!filter.allows("backupManagementType", "AzureStorage"));
    assert!(
        filter.allows("status", "anything"),
        "what a filter does not speak of it lets through"
    );
    assert_eq!(filter.unknown(&["backupManagementType"]), ["itemType"]);

    let quoted =
        Filter::parse(" friendlyName EQ 'it''s'  AND startTime ge '2026-01-01 01:00:00 AM' ")
            .unwrap();
    assert_eq!(quoted.get("friendlyName"), Some("it's"));
    assert_eq!(
        quoted.terms[1],
        Term {
            field: "startTime".to_owned(),
            comparison: Comparison::AtLeast,
            value: "2026-01-01 01:00:00 AM".to_owned()
        }
    );
    assert_eq!(Filter::parse(""), Ok(Filter::default()));
}

#[test]
fn what_is_no_filter_says_where() {
    for (text, at) in [
        ("status", ""),
        ("status is 'x'", "is"),
        ("status eq 'x", "'x"),
        ("status eq 'x' or a eq 'b'", "or a eq 'b'"),
        ("status eq 'x' and", ""),
        ("startswith(name, 'x')", "startswith(name, 'x')"),
    ] {
        assert_eq!(Filter::parse(text).unwrap_err().at, at, "{text}");
    }
    let endless = "a eq 'b' and ".repeat(1000) + "a eq 'b'";
    assert!(Filter::parse(&endless).is_err());
}

#[test]
fn moments_as_the_real_service_writes_them() {
    let at = |text: &str| Ok(Some(text.parse::<Timestamp>().unwrap()));
    assert_eq!(
        WireTime::from("2024-04-28T07:36:53.9343109Z").moment(),
        at("2024-04-28T07:36:53.9343109Z")
    );
    assert_eq!(
        WireTime::from("2024-04-28T07:36:53+02:00").moment(),
        at("2024-04-28T05:36:53Z")
    );
    assert_eq!(
        WireTime::from("2024-04-28T07:36:53").moment(),
        at("2024-04-28T07:36:53Z")
    );
    let end = "2024-05-06T15:30:00Z".parse().unwrap();
    assert_eq!(
        WireTime::unzoned(end).as_str(),
        "2024-05-06T15:30:00.0000000"
    );
    for placeholder in [
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00Z",
        "2001-01-01T00:00:00Z",
    ] {
        assert_eq!(
            WireTime::from(placeholder).moment(),
            Ok(None),
            "{placeholder}"
        );
    }
    assert!(WireTime::from("yesterday").moment().is_err());
    assert_eq!(
        time::from_filter("2026-01-01 01:00:00 PM")
            .unwrap()
            .to_string(),
        "2026-01-01T13:00:00Z"
    );
    assert_eq!(
        time::in_filter("2026-01-01T00:05:00Z".parse().unwrap()),
        "2026-01-01 12:05:00 AM"
    );
}

#[test]
fn durations_as_the_real_service_writes_them() {
    let ticks = |ticks: i64| SignedDuration::from_nanos(ticks * 100);
    assert_eq!(time::job_duration(ticks(1_110_959_625)), "PT1M51.0959625S");
    assert_eq!(time::job_duration(ticks(106_394_604)), "PT10.6394604S");
    assert_eq!(time::job_duration(SignedDuration::from_hours(30)), "PT30H");
    assert_eq!(time::job_duration(SignedDuration::ZERO), "PT0S");
    let left = SignedDuration::from_hours(24 * 14) - SignedDuration::from_nanos(17_134_399_800);
    assert_eq!(time::time_remaining(left), "13.23:59:42.8656002");
    assert_eq!(
        time::time_remaining(SignedDuration::from_secs(61)),
        "00:01:01"
    );
}

#[test]
fn api_versions() {
    for taken in [
        "2021-11-15",
        "2024-04-01",
        "2026-11-01",
        "2025-02-01-preview",
        api_version::SENT,
    ] {
        assert_eq!(api_version::check(Some(taken)), Ok(()), "{taken}");
    }
    for missing in [None, Some("")] {
        assert_eq!(api_version::check(missing), Err(ApiVersionError::Missing));
    }
    for unknown in [
        "2019-05-13",
        "2026-11-02",
        "latest",
        "2024-13-01",
        "2024-4-1",
        "2024-04-01-beta",
    ] {
        assert_eq!(
            api_version::check(Some(unknown)),
            Err(ApiVersionError::Unknown(unknown.to_owned())),
            "{unknown}"
        );
    }
}

#[test]
fn failures_are_sorted_by_code_and_then_by_status() {
    for (code, status, class) in [
        (code::OBJECT_LOCKED, 409, Class::RetryAfter),
        (code::OBJECT_LOCKED, 400, Class::RetryAfter),
        (code::THROTTLED, 429, Class::RetryAfter),
        ("resourcerequeststhrottled", 429, Class::RetryAfter),
        ("", 503, Class::RetryAfter),
        ("", 429, Class::RetryAfter),
        (code::VAULT_NOT_EMPTY, 400, Class::Blocked),
        (code::IMMUTABLE, 400, Class::Blocked),
        (code::AUTHORIZATION_FAILED, 403, Class::Blocked),
        ("SomethingNew", 403, Class::Blocked),
        ("SomethingNew", 200, Class::Blocked),
        (code::INVALID_RETENTION, 400, Class::Terminal),
        ("SomethingNew", 400, Class::Terminal),
        (code::MISSING_API_VERSION, 400, Class::Terminal),
    ] {
        assert_eq!(classify(code, status), class, "{code} {status}");
    }
}

#[test]
fn every_form_of_failure_is_read() {
    let resource_manager = br#"{"error":{"code":"A","message":"b","target":null,"details":[{"code":"C","message":"d"}]}}"#;
    let error = ErrorBody::read(resource_manager).error;
    assert_eq!(
        (
            error.code.as_str(),
            error.details.unwrap()[0].message.as_str()
        ),
        ("A", "d")
    );
    let legacy = br#"{"ErrorCode":"E","Message":{"Language":"en-us","Value":"f"},"Values":{}}"#;
    assert_eq!(ErrorBody::read(legacy).error, ArmError::new("E", "f"));
    assert_eq!(
        ErrorBody::read(b"<html>bad gateway</html>").error,
        ArmError::new("", "<html>bad gateway</html>")
    );
    assert_eq!(ErrorBody::read(b"").error.message, "the answer had no body");
    assert_eq!(ErrorBody::read(&[b'x'; 9000]).error.message.len(), 200);
}

#[test]
fn an_error_is_written_as_resource_manager_does() {
    let body = ErrorBody::not_found("Microsoft.RecoveryServices/vaults/v", "rg");
    let message = "The Resource 'Microsoft.RecoveryServices/vaults/v' under resource group 'rg' was not found. For more \
                   details please go to https://aka.ms/ARMResourceNotFoundFix";
    let expected = serde_json::json!({"error": {"code": "ResourceNotFound", "message": message}});
    assert_eq!(serde_json::to_value(body).unwrap(), expected);
}
