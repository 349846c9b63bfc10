//! Account ids: any text is judged, and what is made is valid.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tim_wire::IdScheme;

fuzz_target!(|text: &str| {
    let scheme = IdScheme::with_mask_seed("j");
    let _ = scheme.is_valid(text);
    let (name, domain) = text.split_once('\n').unwrap_or((text, ""));
    let id = scheme.account_id(name, domain);
    assert!(scheme.is_valid(&id));
    assert!(id.len() <= 11);
});
