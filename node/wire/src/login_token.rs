//! One-time login tokens that both client generations understand: one secret number, told as a number
//! below 2^53 (which every browser can hold) and as an id-like text.
//!
//! The text is the number in the upper seven bytes and a check byte below, in base 58. Bit 52 is always
//! set: so the decimal form has 16 digits, the text 11 characters, and neither can be mistaken for the
//! other. 52 bits are left to chance, enough for a token that lives seconds and works once.

use std::fmt;

use crate::account_id::IdScheme;
use crate::base58;

const MARK: u64 = 1 << 52;
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// A login token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LoginToken(u64);

impl LoginToken {
    /// A token from random bits.
    #[must_use]
    pub const fn from_random(random: u64) -> Self {
        Self(random & (MARK - 1) | MARK)
    }

    /// The token of that number, if it can be one.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        u64::try_from(number)
            .ok()
            .filter(|number| (MARK..=NUMBER_MAX).contains(number))
            .map(Self)
    }

    /// The token of that text: the id form, or the decimal number.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        match base58::decode(text) {
            Some(checked) => {
                let token = Self::from_number((checked >> 8).cast_signed())?;
                (token.checked() == checked).then_some(token)
            }
            None => Self::from_number(text.parse().ok()?),
        }
    }

    /// As `TimAck.t`, for 2.0 clients.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0.cast_signed()
    }

    /// As `TimAck.n`, for 2.1 clients.
    #[must_use]
    pub fn text(self) -> String {
        base58::encode(self.checked())
    }

    /// Tokens use the default seed whatever the cluster's is: nobody stores them.
    fn checked(self) -> u64 {
        IdScheme::default().checked(self.0 << 8)
    }
}

/// A token is a secret: never shown.
impl fmt::Debug for LoginToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LoginToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Token;

    proptest! {
        #[test]
        fn all_forms_name_one_token(random in any::<u64>()) {
            let token = LoginToken::from_random(random);
            prop_assert!(token.number() > 0 && token.number() < 1 << 53);
            prop_assert_eq!(token.text().len(), 11);
            prop_assert!(IdScheme::default().is_valid(&token.text()));
            for form in [
                Token::Number(token.number()),
                Token::Text(token.text()),
                Token::Text(token.number().to_string()),
            ] {
                prop_assert_eq!(form.login_token(), Some(token));
            }
        }

        #[test]
        fn a_changed_text_is_refused(random in any::<u64>(), flip in 0_u32..64) {
            let checked = LoginToken::from_random(random).checked() ^ (1 << flip);
            prop_assert_eq!(LoginToken::from_text(&base58::encode(checked)), None);
        }
    }

    #[test]
    fn other_numbers_are_no_tokens() {
        for number in [i64::MIN, -1, 0, 1, (1 << 52) - 1, 1 << 53, i64::MAX] {
            assert_eq!(LoginToken::from_number(number), None);
        }
        for text in [
            "",
            "12",
            "h3NZByXYMA9",
            "NRKxQdJEzAo",
            "-4503599627370497",
            "4503599627370497x",
        ] {
            assert_eq!(LoginToken::from_text(text), None, "{text}");
        }
    }
}
