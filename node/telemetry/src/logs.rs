//! Log lines: JSON for collectors, text for people, always on stderr so that stdout stays for results.

use std::io::IsTerminal;
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

/// A layer of any subscriber.
pub(crate) type BoxedLayer<S> = Box<dyn Layer<S> + Send + Sync>;

/// What tells of each unreachable member, several times a second; what matters of it our own lines say once. A filter
/// that names it brings it back.
const QUIET: &str = "openraft=off";

pub(crate) fn filter(configured: &str, variable: Option<String>) -> EnvFilter {
    let text = variable
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| configured.to_owned());
    EnvFilter::try_new(format!("{QUIET},{text}")).unwrap_or_else(|_| EnvFilter::new(format!("{QUIET},info")))
}

pub(crate) fn layer<S>(json: bool) -> BoxedLayer<S>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
{
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let base = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_timer(SystemTime)
        .with_ansi(colour);
    if json {
        base.json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed()
    } else {
        base.with_target(false).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_consensus_library_is_quiet_until_it_is_named() {
        let shown = |text: &str| filter(text, None).to_string();
        assert!(shown("info").contains("openraft=off"));
        let named = shown("info,openraft=debug");
        assert!(
            named.contains("openraft=debug") && !named.contains("openraft=off"),
            "{named}"
        );
        assert!(shown("no=such=level").contains("info"));
    }
}
