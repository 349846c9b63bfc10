//! Login tokens: whatever form is accepted, all forms name the same token.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tim_wire::{LoginToken, Token};

fuzz_target!(|text: &str| {
    let Some(token) = Token::Text(text.to_owned()).login_token() else {
        return;
    };
    assert_eq!(LoginToken::from_number(token.number()), Some(token));
    assert_eq!(LoginToken::from_text(&token.text()), Some(token));
});
