use super::*;
use std::collections::HashSet;

#[test]
fn every_code_and_every_name_exists_once() {
    let mut seen = HashSet::new();
    for cause in all() {
        assert!(seen.insert(cause.code), "{} twice", cause.code);
        assert!(seen.insert(cause.name), "{} twice", cause.name);
    }
}

#[test]
fn codes_have_the_form_that_the_documentation_promises_and_are_in_order() {
    let mut previous = ("", "");
    for cause in all() {
        let (prefix, digits) = cause.code.split_at(5);
        assert!(prefix.starts_with("TIM-") && digits.len() == 3, "{}", cause.code);
        assert!(
            digits.bytes().all(|digit| digit.is_ascii_digit()),
            "{}",
            cause.code
        );
        assert_eq!(cause.class().letter().to_string(), prefix[4..], "{}", cause.code);
        if previous.0 == prefix {
            assert!(previous.1 < digits, "{} is out of order", cause.code);
        }
        previous = (prefix, digits);
    }
}

#[test]
fn texts_blame_nobody_and_are_sentences() {
    for cause in all() {
        for text in [cause.what, cause.why, cause.meaning] {
            assert!(
                text.ends_with('.') && !text.contains('!'),
                "{}: {text}",
                cause.code
            );
            assert!(!text.to_lowercase().contains("please"), "{}: {text}", cause.code);
        }
        assert!(
            !cause.remedy.is_empty() && !cause.remedy.ends_with('.'),
            "{}",
            cause.code
        );
    }
}

#[test]
fn a_code_is_found_however_it_is_typed() {
    assert_eq!(find("tim-s103"), find("S103"));
    assert_eq!(
        find(" TIM-S103 ").map(|cause| cause.name),
        Some("storage_unavailable")
    );
    assert_eq!(find("TIM-X999"), None);
}

#[test]
fn a_report_is_one_line_with_code_observation_and_remedy() {
    let report = Report::new(
        &storage::UNREACHABLE,
        "database d1 (db1:5432) refuses connections.",
    );
    let line = report.to_string();
    assert!(
        line.starts_with("TIM-S103 database d1 (db1:5432) refuses connections. try: "),
        "{line}"
    );
    let question = Report::new(&storage::UNREACHABLE, "did you mean d0?").to_string();
    assert!(question.contains("d0? try: "), "{question}");
    let long = Report::new(&storage::UNREACHABLE, "x".repeat(500));
    assert_eq!(long.condition_message().chars().count(), 200);
}
