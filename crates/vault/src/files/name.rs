//! Names of files as text and back, without loss: a name on a disk is bytes, and not all of them are UTF-8.
//!
//! What is UTF-8 stays as it is. Every other byte becomes one character of a private range, U+10FF80 to U+10FFFF, which is
//! its value above U+10FF00; a character of that range in a name is written byte by byte in the same way, so that no two
//! names are one text.

/// Where the private range begins: a byte is this and its value.
const ESCAPE: u32 = 0x0010_FF00;

/// The longest path that is looked at, in bytes, as Linux has it.
pub(crate) const LONGEST_PATH: usize = 4096;

/// A name's bytes as text: what is UTF-8 is itself, any other byte a character of U+10FF80 to U+10FFFF.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let escape = |text: &mut String, bytes: &[u8]| {
        let escaped = bytes
            .iter()
            .filter_map(|byte| char::from_u32(ESCAPE + u32::from(*byte)));
        text.extend(escaped);
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if escaped(c).is_some() {
                escape(&mut text, c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                text.push(c);
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

/// The bytes that [`text`] made text of.
#[must_use]
pub fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match escaped(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// Whether a file can have this name, and one alone: it leads nowhere else.
pub(crate) fn can_be(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0)
}

/// The components of a path, from the volume's root on: what stands between its slashes. `None` if it is longer than any
/// path, or has a character that no name has.
pub(crate) fn components(path: &str) -> Option<Vec<Vec<u8>>> {
    let path = bytes(path);
    (path.len() <= LONGEST_PATH && !path.contains(&0)).then(|| split(&path))
}

/// The components of a path in bytes, without those that lead nowhere.
pub(crate) fn split(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty() && *name != b".")
        .map(<[u8]>::to_vec)
        .collect()
}

/// Components as one absolute path.
pub(crate) fn join(components: &[Vec<u8>]) -> Vec<u8> {
    if components.is_empty() {
        return b"/".to_vec();
    }
    components
        .iter()
        .flat_map(|name| [b"/", name.as_slice()].concat())
        .collect()
}

/// The byte that a character of the private range stands for.
fn escaped(c: char) -> Option<u8> {
    let byte = u32::from(c).checked_sub(ESCAPE)?;
    u8::try_from(byte).ok().filter(|byte| *byte >= 0x80)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_name_survives_being_text(name in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(bytes(&text(&name)), name);
        }

        #[test]
        fn names_that_are_utf_8_are_themselves(name in "[a-zà-ÿ€😀\\\\%]{0,20}") {
            prop_assert_eq!(text(name.as_bytes()), name);
        }
    }

    #[test]
    fn a_character_of_the_private_range_is_not_taken_for_a_byte() {
        let real = "\u{10ffe9}".as_bytes();
        assert_eq!(bytes(&text(real)), real);
        assert_ne!(text(real), text(&[0xe9]));
    }
}
