//! `docs/reference/telemetry.md` from the names in the code.

pub(super) fn render() -> String {
    tim_telemetry::reference_markdown()
}
