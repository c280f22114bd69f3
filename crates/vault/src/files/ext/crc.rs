//! The two sums that ext and its journal are checked by, from a start of ones and without the inversion at their end.

/// CRC-32C, of which a byte's lowest bit comes first.
pub(super) fn crc32c(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |sum, byte| {
        let slot = (sum as u8) ^ byte;
        CRC32C[usize::from(slot)] ^ (sum >> 8)
    })
}

/// The CRC-32 of Ethernet, of which a byte's highest bit comes first, as journals had it before.
pub(super) fn crc32_be(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |sum, byte| {
        let slot = ((sum >> 24) as u8) ^ byte;
        CRC32_BE[usize::from(slot)] ^ (sum << 8)
    })
}

const CRC32C: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum >> 1) ^ if sum & 1 == 1 { 0x82f6_3b78 } else { 0 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

const CRC32_BE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum << 1) ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values that the catalogues of such sums give; theirs of CRC-32C is inverted.
    #[test]
    fn the_sums_are_those_of_the_catalogues() {
        assert_eq!(!crc32c(u32::MAX, b"123456789"), 0xe306_9283);
        assert_eq!(crc32_be(u32::MAX, b"123456789"), 0x0376_e6e7);
    }
}
