//! Base 58 of a 64-bit number: plain digits, no padding, no checksum text (section 17).

const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Digits that 64 bits need at most.
const DIGITS_MAX: usize = 11;

/// Writes a number.
pub(crate) fn encode(mut number: u64) -> String {
    let mut digits = [0_u8; DIGITS_MAX];
    let mut begin = DIGITS_MAX;
    while begin == DIGITS_MAX || number > 0 {
        begin -= 1;
        digits[begin] = ALPHABET[(number % 58) as usize];
        number /= 58;
    }
    digits[begin..].iter().copied().map(char::from).collect()
}

/// Reads a number; nothing for other characters, too many of them, or none. Stricter than the reference,
/// which wraps around: with it, several texts name one number.
pub(crate) fn decode(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > DIGITS_MAX {
        return None;
    }
    let mut number = 0_u64;
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|letter| *letter == byte)?;
        number = number.checked_mul(58)?.checked_add(digit as u64)?;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_come_back() {
        for number in [0, 1, 57, 58, u64::MAX] {
            assert_eq!(decode(&encode(number)), Some(number));
        }
        assert_eq!(encode(u64::MAX), "jpXCZedGfVQ");
    }

    #[test]
    fn foreign_text_is_refused() {
        for text in ["", "0", "O", "I", "l", "jpXCZedGfVR", "111111111111", "a|b", "é"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
