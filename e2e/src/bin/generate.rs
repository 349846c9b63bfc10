//! Writes every generated file of the repository: `cargo generate`.

use anyhow::Context as _;
use tim_e2e::generate;

fn main() -> anyhow::Result<()> {
    let root = generate::repository_root();
    for file in generate::all() {
        let path = root.join(&file.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        }
        std::fs::write(&path, &file.text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
