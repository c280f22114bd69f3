//! Moments that people write into a spec: one form of RFC 3339, which the API server, `kluis validate`, the operator and the command line
//! all take, or all refuse.
//!
//! Readers of date-times differ at the edges: in lower-case letters, a blank for the `T`, leap seconds, more than nine digits of a second,
//! a thirtieth of February, the year 9999. A spec that its reader cannot decode has no status; and a value that CEL takes for a timestamp
//! and cannot read makes its object unchangeable, the finalizers included. So the field is a text to the API server, with a rule.

use k8s_openapi::jiff::Timestamp;

/// The rule (CEL) that a text is such a moment: of the years 1970 to 9998, on a day that its month has, to the nanosecond at most.
pub(crate) const RULE: &str = concat!(
    "self.matches('^(19[7-9][0-9]|[2-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])-') && ",
    "(self.matches('^[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|",
    "02-(0[1-9]|1[0-9]|2[0-8]))T') || ",
    "self.matches('^([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29T')) && ",
    "self.matches('^.{10}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$')"
);

/// What the rule says to whoever broke it.
pub(crate) const MESSAGE: &str = "write a moment of the years 1970 to 9998 in RFC 3339, as in 2027-01-31T22:30:00Z or \
                                  2027-01-31T22:30:00+01:00: capital T and Z, no leap second, at most nine digits of a second";

/// The longest such text.
pub(crate) const LENGTH: u32 = 35;

/// Reads a moment of this form: for texts that come by another way than an object.
///
/// # Errors
/// What the form is, where the text does not have it.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    let wrong = || MESSAGE.to_owned();
    let read = text.parse::<Timestamp>().map_err(|_| wrong())?;
    let year = text.get(..4).and_then(|year| year.parse::<u16>().ok());
    let is_in_years = year.is_some_and(|year| (1970..=9998).contains(&year));
    if is_in_years && has_form(text.as_bytes()) {
        Ok(read)
    } else {
        Err(wrong())
    }
}

/// Whether each character is of the kind that stands there. What the digits say has been read already.
fn has_form(text: &[u8]) -> bool {
    const UP_TO_THE_SECOND: &[u8] = b"0000-00-00T00:00:00";
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let Some((begin, rest)) = text.split_at_checked(UP_TO_THE_SECOND.len()) else {
        return false;
    };
    let fits = begin
        .iter()
        .zip(UP_TO_THE_SECOND)
        .all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            form => byte == form,
        });
    let rest = match rest.strip_prefix(b".") {
        Some(fraction) => match digits(fraction) {
            1..=9 => fraction.get(digits(fraction)..).unwrap_or_default(),
            _ => return false,
        },
        None => rest,
    };
    let is_leap = begin.ends_with(b"60");
    let is_offset = match rest {
        b"Z" => true,
        [b'+' | b'-', hour @ .., b':', a, b] => {
            hour.len() == 2
                && digits(hour) == 2
                && hour <= b"23".as_slice()
                && [*a, *b].iter().all(u8::is_ascii_digit)
        }
        _ => false,
    };
    fits && !is_leap && is_offset
}
