//! The spans of this library, named as the OpenTelemetry conventions for messaging clients want it.
//!
//! tim's frames have no room for a trace context, so a message's trace begins anew at the server.
//! No span holds an account or content.

use tim_wire::TimMessage;
use tim_wire::structs::{message_kind, operation};
use tracing::Span;

/// A messaging span; its name must be known when compiling.
macro_rules! span {
    ($operation:literal, $kind:literal, $template:literal) => {
        tracing::info_span!(
            target: "tim_client",
            concat!($operation, " ", $template),
            otel.kind = $kind,
            messaging.system = "tim",
            messaging.operation.name = $operation,
            messaging.operation.type = $operation,
            messaging.destination.template = $template,
            error.type = tracing::field::Empty,
        )
    };
}

/// Where a message goes, in the four classes that have a name.
enum Template {
    Direct,
    Room,
    Notice,
    Stream,
}

fn template(message: &TimMessage) -> Template {
    match (message.od_type, message.ms_type) {
        (operation::STREAM, _) => Template::Stream,
        (operation::BUSINESS, _) => Template::Notice,
        (_, message_kind::ROOM) => Template::Room,
        _ => Template::Direct,
    }
}

/// From sending to the outcome.
pub(crate) fn send(message: &TimMessage) -> Span {
    match template(message) {
        Template::Direct => span!("send", "producer", "direct"),
        Template::Room => span!("send", "producer", "room"),
        Template::Notice => span!("send", "producer", "notice"),
        Template::Stream => span!("send", "producer", "stream"),
    }
}

/// Handing a delivery to the application.
pub(crate) fn process(message: &TimMessage) -> Span {
    match template(message) {
        Template::Direct => span!("process", "consumer", "direct"),
        Template::Room => span!("process", "consumer", "room"),
        Template::Notice => span!("process", "consumer", "notice"),
        Template::Stream => span!("process", "consumer", "stream"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(span: &Span) -> Option<&'static str> {
        span.metadata().map(|metadata| metadata.name())
    }

    #[test]
    fn spans_are_named_by_operation_and_template() {
        tracing::subscriber::with_default(tracing_subscriber::registry(), || {
            let mut message = TimMessage::direct("bob-id", operation::NORMAL);
            assert_eq!(name(&send(&message)), Some("send direct"));
            assert_eq!(name(&process(&message)), Some("process direct"));
            message.ms_type = message_kind::ROOM;
            assert_eq!(name(&process(&message)), Some("process room"));
            message.od_type = operation::BUSINESS;
            assert_eq!(name(&process(&message)), Some("process notice"));
            message.od_type = operation::STREAM;
            assert_eq!(name(&send(&message)), Some("send stream"));
        });
    }
}
