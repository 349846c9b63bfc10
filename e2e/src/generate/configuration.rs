//! `docs/reference/configuration.md` from the node's configuration tree.

use super::{cell, page_head};
use std::fmt::Write as _;
use tim_config::reference::sections;

pub(super) fn render() -> String {
    let mut page = page_head(
        "Configuration of a node",
        "For the people who run nodes. Files are TOML; later sources win: defaults, each `--config` file in order, variables \
         `TIM_<SECTION>__<KEY>` (`TIM_STORAGE__CONNECTIONS_MAX=4`). In a TimCluster the same keys go below `spec.config.inline`, or as TOML \
         into the Secrets of `spec.config.secretRefs`. An unknown key is refused with the nearest valid one (`TIM-C101`). \
         `tim-node --dump-config` prints what is in force, secrets hidden.",
    );
    for section in sections() {
        let _ = writeln!(page, "## `[{}]`\n\n{}\n", section.name, section.description);
        page.push_str("| key | type | default | what it is for |\n|---|---|---|---|\n");
        for key in section.keys {
            let default = if key.path == "accounts.salt" {
                String::from("the reference engine's")
            } else {
                format!("`{}`", key.default)
            };
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} |",
                key.path,
                key.kind,
                cell(&default),
                cell(&key.description)
            );
        }
        page.push('\n');
    }
    page
}
