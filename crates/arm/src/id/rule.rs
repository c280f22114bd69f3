//! Azure's rules of names (Learn, *resource-name-rules*): what a new resource can be called. What is there already is called as it is.

/// Whether a new policy of a vault can be called so: 3 to 150 letters, digits and hyphens, a letter first and no hyphen last.
#[must_use]
pub fn is_policy_name(name: &str) -> bool {
    (3..=150).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_has_a_letter_first_and_no_hyphen_last() {
        let (longest, longer) = ("a".repeat(150), "a".repeat(151));
        for fits in ["abc", "Daily-30", "a--b", "a12", longest.as_str()] {
            assert!(is_policy_name(fits), "{fits}");
        }
        for not in [
            "",
            "ab",
            "12a",
            "-ab",
            "ab-",
            "a.b",
            "a_b",
            "a b",
            "\u{e4}bc",
            longer.as_str(),
        ] {
            assert!(!is_policy_name(not), "{not}");
        }
    }
}
