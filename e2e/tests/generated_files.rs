//! What is generated and committed equals what the code says now.

use tim_e2e::generate;

#[test]
fn committed_files_are_what_the_code_generates() {
    let root = generate::repository_root();
    let mut stale = Vec::new();
    for file in generate::all() {
        let committed = std::fs::read_to_string(root.join(&file.path)).unwrap_or_default();
        if committed != file.text {
            stale.push(file.path.display().to_string());
        }
    }
    assert!(
        stale.is_empty(),
        "run `cargo generate` and commit: {}",
        stale.join(", ")
    );
}

#[test]
fn every_code_in_the_documentation_is_in_the_catalogue() {
    let mut unknown = Vec::new();
    for path in markdown_files(&generate::repository_root()) {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for (start, _) in text.match_indices("TIM-") {
            let code: String = text[start..].chars().take(8).collect();
            let complete = code.len() == 8 && code[5..].bytes().all(|byte| byte.is_ascii_digit());
            if complete && tim_catalogue::find(&code).is_none() {
                unknown.push(format!("{}: {code}", path.display()));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_test_that_the_architecture_names_exists() {
    let root = generate::repository_root();
    let page = std::fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let (_, invariants) = page.split_once("## Invariants").unwrap();
    let (invariants, _) = invariants.split_once("## Where").unwrap();
    let sources: String = ["node", "operator", "crds", "e2e"]
        .iter()
        .map(|part| rust_text(&root.join(part)))
        .collect();
    let names: Vec<&str> = invariants
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| !name.contains('/') && *name != "e2e")
        .collect();
    assert!(names.len() > 10);
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !sources.contains(&format!("fn {name}")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn rust_text(folder: &std::path::Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && entry.file_name() != "target" {
            text.push_str(&rust_text(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap_or_default());
        }
    }
    text
}

fn markdown_files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return found;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && !name.to_string_lossy().starts_with('.') {
            found.extend(markdown_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}
