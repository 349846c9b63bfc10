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
