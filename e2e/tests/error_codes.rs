//! Error codes: none is shown that cannot be explained, none is explained that nobody shows, and nothing that ends badly goes
//! without one.
//!
//! By type a failure of `tim`, a refusal to a client and a cause on a node's pages carry an entry of the catalogue
//! (`Failure`, `Refusal`, `Report`). What is left are the places that go round these types, and they are searched for here:
//! exit codes given without a failure, text written to standard error, errors logged without their code, pages that
//! refuse, and conditions with words of their own. Each that has no code is listed with the reason why it needs none.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use tim_e2e::generate::repository_root;

/// Where the programs' own sources are.
const SOURCES: [&str; 3] = ["node", "operator", "crds"];
/// Parts of them that no user meets: the catalogue itself, what only tests use.
const NOT_PROGRAMS: [&str; 4] = [
    "node/catalogue",
    "node/simulator",
    "node/fuzz",
    "crds/src/testing",
];
/// Endings of the files that may name a code.
const ENDINGS: [&str; 10] = ["rs", "md", "yaml", "yml", "tpl", "toml", "json", "sh", "txt", "1"];

/// Words that look like codes and are none: file, word, reason.
const NO_CODES: [(&str, &str, &str); 3] = [
    ("node/catalogue/src/tests.rs", "TIM-X999", "looked for in vain"),
    ("operator/cli/tests/frame.rs", "TIM-X999", "explained in vain"),
    ("e2e/tests/error_codes.rs", "TIM-X999", "this list"),
];

/// Beginnings of expressions that may show an error past the types that carry codes.
const MARKS: [&str; 16] = [
    "Exit::Failed",
    "Exit::Usage",
    "Exit::Unhealthy",
    "Exit::TimedOut",
    "Exit::Refused",
    "Exit::Interrupted",
    "ExitCode::FAILURE",
    "ExitCode::from(",
    "process::exit(",
    "eprintln!(",
    "eprint!(",
    "error!(",
    "StatusCode::",
    "Judgement::no(",
    "Judgement::unknown(",
    "Judgement::yes(",
];
/// Conditions that are bad news when they are true; the others are when they are false or unknown.
const BAD_WHEN_TRUE: [&str; 4] = ["\"Degraded\"", "\"Failed\"", "\"Stalled\"", "\"Waiting\""];

/// Expressions with a mark and no code: file, part of the expression, and why that is right.
const NEED_NONE: [(&str, &str, &str); 40] = [
    (
        "operator/cli/src/verbs/accounts/endpoint.rs",
        "TOO_MANY_REQUESTS",
        "what a node answered, compared",
    ),
    (
        "node/src/command_line.rs",
        "The token of {name}",
        "what was asked for, on the terminal alone",
    ),
    (
        "node/src/command_line.rs",
        "For admin.tokens_file",
        "where the lines behind it go",
    ),
    (
        "node/src/command_line.rs",
        r#"eprintln!("tim-node: {report}")"#,
        "a report begins with its code",
    ),
    (
        "node/src/command_line.rs",
        "ExitCode::from(exit_code)",
        "ends what has shown the report",
    ),
    (
        "operator/src/check.rs",
        r#"eprintln!("tim-operator: {report}")"#,
        "a report begins with its code",
    ),
    (
        "operator/src/check.rs",
        "ExitCode::from(exit_code)",
        "ends what has shown the report",
    ),
    (
        "operator/src/main.rs",
        "ExitCode::FAILURE",
        "ends what has logged the error with its code",
    ),
    (
        "operator/cli/src/lib.rs",
        "Exit::Interrupted",
        "Ctrl-C is no error",
    ),
    (
        "operator/cli/src/verbs/up/narrator.rs",
        "Exit::Interrupted",
        "a second Ctrl-C is no error",
    ),
    (
        "operator/cli/src/verbs/status.rs",
        "Exit::Unhealthy",
        "the status that was shown has the code",
    ),
    (
        "operator/cli/src/verbs/split.rs",
        "Exit::Unhealthy",
        "the line about the phase that was shown has the code",
    ),
    (
        "node/src/admin/routes.rs",
        "StatusCode::NOT_FOUND",
        "lists the pages that there are",
    ),
    (
        "node/src/admin/routes.rs",
        "StatusCode::SERVICE_UNAVAILABLE",
        "a node that starts; the causes on the page have codes",
    ),
    (
        "node/src/admin/routes.rs",
        "StatusCode::FORBIDDEN",
        "says from where a drain is asked for",
    ),
    (
        "node/src/edge/http.rs",
        "StatusCode::UPGRADE_REQUIRED",
        "says how to connect",
    ),
    (
        "node/src/edge/http.rs",
        "StatusCode::NOT_FOUND",
        "a page that says what this port is",
    ),
    (
        "node/src/edge/http.rs",
        "StatusCode::SERVICE_UNAVAILABLE, told",
        "a report begins with its code",
    ),
    (
        "node/src/edge/http.rs",
        "StatusCode::PAYLOAD_TOO_LARGE",
        "a report begins with its code",
    ),
    (
        "node/src/edge/http.rs",
        "StatusCode::REQUEST_TIMEOUT",
        "a report begins with its code",
    ),
    (
        "operator/src/health.rs",
        "StatusCode::SERVICE_UNAVAILABLE",
        "an operator that starts, and what it waits for",
    ),
    (
        "operator/plan/src/repartition/status.rs",
        "reason, message()",
        "a phase that has not been reached",
    ),
    (
        "operator/plan/src/repartition/status.rs",
        "reason, failure",
        "what the node says begins with its code",
    ),
    (
        "operator/plan/src/repartition/status.rs",
        r#""NotWaiting""#,
        "good news",
    ),
    (CONDITIONS, r#""Deleting""#, "wished for"),
    (CONDITIONS, r#""Stopped""#, "wished for"),
    (CONDITIONS, r#""Paused""#, "wished for"),
    (
        CONDITIONS,
        r#""NotAllNodesServe""#,
        "a start; what keeps one has a code",
    ),
    (
        CONDITIONS,
        r#""NoNodeServes""#,
        "Degraded and Ready say why, with a code",
    ),
    (CONDITIONS, r#""Blocked""#, "Ready says by what, with a code"),
    (CONDITIONS, r#""Working""#, "work goes on"),
    (
        CONDITIONS,
        r#""Missing""#,
        "made within moments; what keeps it has a code",
    ),
    (CONDITIONS, r#""NotAsked""#, "nobody to ask"),
    (CONDITIONS, r#""MapUnknown""#, "nobody to ask"),
    (CONDITIONS, r#""NoLayout""#, "nothing to compare"),
    (CONDITIONS, r#""Same""#, "good news"),
    (CONDITIONS, r#""Idle""#, "good news"),
    (CONDITIONS, r#""AsExpected""#, "good news"),
    (CONDITIONS, r#""None""#, "good news"),
    (CONDITIONS, r#""NotStalled""#, "good news"),
];
const CONDITIONS: &str = "operator/plan/src/cluster/status/conditions.rs";

struct Source {
    path: String,
    /// Without its tests.
    text: String,
}

/// Every file below, as path relative to the root.
fn files(folder: &Path, wanted: &dyn Fn(&Path) -> bool, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            // What cargo builds; a module may be called target too.
            let is_built = path.join("CACHEDIR.TAG").exists();
            if !is_built && !name.to_string_lossy().starts_with('.') {
                files(&path, wanted, found);
            }
        } else if wanted(&path) {
            found.push(path);
        }
    }
}

fn relative(path: &Path) -> String {
    let root = repository_root();
    path.strip_prefix(root).unwrap().to_string_lossy().into_owned()
}

/// The sources of the programs, without tests.
fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    let is_source = |path: &Path| path.extension().is_some_and(|ending| ending == "rs");
    for part in SOURCES {
        files(&repository_root().join(part), &is_source, &mut paths);
    }
    let sources: Vec<Source> = paths
        .iter()
        .map(|path| (relative(path), path))
        .filter(|(shown, _)| !NOT_PROGRAMS.iter().any(|part| shown.starts_with(part)))
        .filter(|(shown, _)| !shown.contains("/tests/") && !shown.ends_with("/tests.rs"))
        .map(|(path, file)| {
            let text = std::fs::read_to_string(file).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            Source { path, text }
        })
        .collect();
    assert!(sources.len() > 200, "the sources were found");
    sources
}

/// Words of the form of a code.
fn codes(text: &str) -> Vec<&str> {
    text.match_indices("TIM-")
        .filter_map(|(start, _)| text.get(start..start + 8))
        .filter(|word| {
            let [letter, digits @ ..] = &word.as_bytes()[4..] else {
                return false;
            };
            letter.is_ascii_uppercase() && digits.iter().all(u8::is_ascii_digit)
        })
        .collect()
}

#[test]
fn every_code_that_is_named_anywhere_is_in_the_catalogue() {
    let is_text = |path: &Path| {
        let ending = path
            .extension()
            .map(|ending| ending.to_string_lossy().into_owned());
        ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
    };
    let mut paths = Vec::new();
    files(&repository_root(), &is_text, &mut paths);
    let (mut unknown, mut known) = (Vec::new(), 0);
    for path in paths {
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        let shown = relative(&path);
        for code in codes(&text) {
            let listed = NO_CODES
                .iter()
                .any(|(file, word, _)| *file == shown && *word == code);
            if tim_catalogue::find(code).is_some() {
                known += 1;
            } else if !listed {
                unknown.push(format!("{shown}: {code}"));
            }
        }
    }
    assert!(known > 200, "files were read");
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn every_cause_of_the_catalogue_has_its_place_on_the_page_and_is_told_by_something() {
    let page = std::fs::read_to_string(repository_root().join("docs/reference/errors.md")).unwrap();
    let sources = sources();
    let catalogue = names_in_the_catalogue();
    let mut wrong = Vec::new();
    for cause in tim_catalogue::all() {
        let head = format!("### {} · {}\n", cause.code, cause.reason);
        let place = page
            .split_once(&head)
            .map_or("", |(_, rest)| rest.split("\n#").next().unwrap_or_default());
        for part in [cause.what, cause.why, cause.meaning, cause.remedy] {
            if !place.contains(part) {
                wrong.push(format!("{}: the page does not say: {part}", cause.code));
            }
        }
        let name = &catalogue[cause.code];
        let told = sources
            .iter()
            .any(|source| has_word(&source.text, name) || source.text.contains(cause.code));
        if !told {
            wrong.push(format!("{} ({name}): nothing tells it", cause.code));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The name of each cause's constant, by code.
fn names_in_the_catalogue() -> std::collections::HashMap<String, String> {
    let mut paths = Vec::new();
    files(
        &repository_root().join("node/catalogue/src"),
        &|_| true,
        &mut paths,
    );
    let mut names = std::collections::HashMap::new();
    for path in paths {
        let text = std::fs::read_to_string(path).unwrap();
        for part in text.split("pub static ").skip(1) {
            let Some((name, rest)) = part.split_once(": Cause = Cause {") else {
                continue;
            };
            names.insert(codes(rest)[0].to_owned(), name.to_owned());
        }
    }
    names
}

/// Whether the text has the name as a word of its own.
fn has_word(text: &str, name: &str) -> bool {
    let is_part = |character: Option<char>| character.is_some_and(|one| one.is_alphanumeric() || one == '_');
    text.match_indices(name).any(|(start, _)| {
        !is_part(text[..start].chars().next_back()) && !is_part(text[start + name.len()..].chars().next())
    })
}

#[test]
fn nothing_ends_badly_without_a_code() {
    let sources = sources();
    let mut without = Vec::new();
    let mut used = vec![false; NEED_NONE.len()];
    for source in &sources {
        for mark in MARKS {
            for (start, _) in source.text.match_indices(mark) {
                let expression = expression(&source.text, start);
                if carries_code(mark, &source.text[..start], expression) || is_of_problem(mark, source) {
                    continue;
                }
                let excused =
                    |(path, part, _): &(&str, &str, &str)| *path == source.path && expression.contains(part);
                let excuse = NEED_NONE.iter().position(excused);
                match excuse {
                    Some(place) => used[place] = true,
                    None => {
                        let line = source.text[..start].lines().count();
                        without.push(format!("{}:{line}: {expression}", source.path));
                    }
                }
            }
        }
    }
    assert!(without.is_empty(), "{without:#?}");
    let stale: Vec<_> = NEED_NONE.iter().zip(used).filter(|(_, used)| !used).collect();
    assert!(stale.is_empty(), "nothing is so any more: {stale:#?}");
}

/// From a mark to the end of its call, or of its line.
fn expression(text: &str, start: usize) -> &str {
    let rest = &text[start..];
    let line = rest.lines().next().unwrap_or_default();
    let Some(open) = line.find('(') else {
        return line;
    };
    let mut depth = 0_usize;
    for (place, character) in rest.char_indices().skip(open) {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &rest[..=place];
        }
    }
    rest
}

/// Answers that are no failure.
const WELL: [&str; 4] = [
    "StatusCode::OK",
    "StatusCode::CREATED",
    "StatusCode::NO_CONTENT",
    "StatusCode::NOT_MODIFIED",
];

/// Whether it is the status of an administrators' call: that of a `Problem`, which is not made without a cause.
fn is_of_problem(mark: &str, source: &Source) -> bool {
    let of_administrators = source.path.starts_with("node/src/admin/") && has_word(&source.text, "Problem");
    mark == "StatusCode::" && of_administrators
}

/// Whether what is shown there has a code, as far as the text can tell.
fn carries_code(mark: &str, before: &str, expression: &str) -> bool {
    // `Failure::new(&CAUSE, …).exit(Exit::Refused)`; comparisons and the list of all show nothing.
    if mark == "Judgement::yes(" && !BAD_WHEN_TRUE.iter().any(|kind| expression.contains(kind)) {
        return true;
    }
    let of_failure = before.ends_with(".exit(") || before.ends_with("exit: ");
    let logged = mark == "error!(" && has_word(expression, "code");
    let well = WELL.iter().any(|status| expression.starts_with(status));
    of_failure || logged || well || !codes(expression).is_empty()
}
