//! The place of a unit of work in a distributed trace, and how it travels.

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tonic::metadata::MetadataMap;

/// W3C trace context of a sampled trace: 25 bytes that go along with a message through queues and peer calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    flags: u8,
}

/// Name of the metadata entry, from the W3C recommendation.
const TRACEPARENT: &str = "traceparent";

impl TraceContext {
    /// From the fields of a peer message; `None` when they are not a sampled trace's.
    pub fn from_parts(trace_id: &[u8], span_id: &[u8], flags: u32) -> Option<Self> {
        let context = Self {
            trace_id: trace_id.try_into().ok()?,
            span_id: span_id.try_into().ok()?,
            flags: u8::try_from(flags).ok()?,
        };
        let sampled = context.flags & TraceFlags::SAMPLED.to_u8() != 0;
        (sampled && context.trace_id != [0; 16] && context.span_id != [0; 8]).then_some(context)
    }

    pub(crate) fn of(context: &SpanContext) -> Option<Self> {
        Self::from_parts(
            &context.trace_id().to_bytes(),
            &context.span_id().to_bytes(),
            u32::from(context.trace_flags().to_u8()),
        )
    }

    /// The trace id, big-endian.
    pub fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    /// The id of the span that causes what follows.
    pub fn span_id(&self) -> [u8; 8] {
        self.span_id
    }

    /// W3C flags; bit 0: sampled.
    pub fn flags(&self) -> u32 {
        u32::from(self.flags)
    }

    pub(crate) fn span_context(&self) -> SpanContext {
        SpanContext::new(
            TraceId::from_bytes(self.trace_id),
            SpanId::from_bytes(self.span_id),
            TraceFlags::new(self.flags),
            true,
            TraceState::NONE,
        )
    }

    pub(crate) fn parent(&self) -> opentelemetry::Context {
        opentelemetry::Context::new().with_remote_span_context(self.span_context())
    }

    /// Writes the context into the metadata of a gRPC call.
    pub fn inject(&self, metadata: &mut MetadataMap) {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let value = format!(
            "00-{}-{}-{:02x}",
            hex(&self.trace_id),
            hex(&self.span_id),
            self.flags
        );
        if let Ok(value) = value.parse() {
            metadata.insert(TRACEPARENT, value);
        }
    }

    /// Reads the context from the metadata of a gRPC call; `None` when there is none or it is not sampled.
    pub fn extract(metadata: &MetadataMap) -> Option<Self> {
        Self::parse(metadata.get(TRACEPARENT)?.to_str().ok()?)
    }

    /// Reads a `traceparent` header's value.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.split('-');
        let (_version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        Self::from_parts(
            &TraceId::from_hex(trace).ok()?.to_bytes(),
            &SpanId::from_hex(span).ok()?.to_bytes(),
            u32::from_str_radix(flags, 16).ok()?,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn metadata_round_trip() {
        let context = TraceContext::parse(EXAMPLE).unwrap();
        let mut metadata = MetadataMap::new();
        context.inject(&mut metadata);
        assert_eq!(metadata.get(TRACEPARENT).unwrap().to_str().unwrap(), EXAMPLE);
        assert_eq!(TraceContext::extract(&metadata), Some(context));
    }

    #[test]
    fn what_is_not_sampled_or_not_valid_is_nothing() {
        assert_eq!(TraceContext::parse(&EXAMPLE.replace("-01", "-00")), None);
        assert_eq!(TraceContext::parse("00-zz-00f067aa0ba902b7-01"), None);
        assert_eq!(TraceContext::parse("nonsense"), None);
        assert_eq!(TraceContext::from_parts(&[0; 16], &[1; 8], 1), None);
        assert_eq!(TraceContext::from_parts(&[1; 3], &[1; 8], 1), None);
    }
}
