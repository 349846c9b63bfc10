//! `docs/reference/errors.md` from the catalogue of causes.

use super::{cell, page_head};
use std::fmt::Write as _;
use tim_catalogue::{Cause, Class, Severity, all, wire};

pub(super) fn render() -> String {
    let mut page = page_head(
        "Error codes",
        "For everybody who has met a code. One code stands for one cause, the same in the terminal, in a condition, an Event, a \
         log line, an HTTP problem body and a reply to a client. `tim explain CODE` prints the same text offline. \
         *Heals*: it is tried again by itself; *stays*: somebody has to change something.",
    );
    let mut class: Option<Class> = None;
    for cause in all() {
        if class != Some(cause.class()) {
            class = Some(cause.class());
            let _ = writeln!(page, "## {}: {}\n", cause.class().letter(), cause.class().title());
        }
        write_cause(&mut page, cause);
    }
    write_wire_codes(&mut page);
    page
}

fn write_cause(page: &mut String, cause: &Cause) {
    let heals = match cause.severity {
        Severity::Retried => "heals",
        Severity::Stays => "stays",
    };
    let _ = writeln!(page, "### {} · {}\n", cause.code, cause.reason);
    let _ = writeln!(page, "{} {} {}\n", cause.what, cause.why, cause.meaning);
    let _ = writeln!(
        page,
        "Try: {}. · {heals} · `error.type` = `{}`\n",
        cause.remedy, cause.name
    );
}

fn write_wire_codes(page: &mut String) {
    page.push_str("## Codes of the wire protocol\n\n");
    page.push_str("`TimAck.error.code` in replies to clients; `info` begins with one of the codes above where there is one.\n\n");
    page.push_str("| code | name | meaning |\n|---|---|---|\n");
    for code in wire::ALL {
        let _ = writeln!(page, "| {} | {} | {} |", code.code, code.name, cell(code.meaning));
    }
}
