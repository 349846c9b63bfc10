//! Spans of the message path: nothing at all for traces that are not sampled.

use crate::TraceContext;
use crate::names::SpanName;
use opentelemetry::global::{self, BoxedSpan, BoxedTracer};
use opentelemetry::trace::{Span as _, SpanKind, Status, Tracer as _};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use rand::Rng;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The role of a span, as OpenTelemetry has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Serves somebody outside.
    Server,
    /// Calls somebody outside.
    Client,
    /// Work inside.
    Internal,
}

/// A span that ends when it is dropped; empty, and free of cost, when its trace is not sampled.
#[derive(Debug, Default)]
pub struct Span(Option<Box<BoxedSpan>>);

/// What share of root spans is sampled, as a threshold of a random `u32`; set by [`crate::start`].
static THRESHOLD: OnceLock<u64> = OnceLock::new();
static TRACER: OnceLock<BoxedTracer> = OnceLock::new();

pub(crate) fn sample(ratio: f64) {
    let threshold = (ratio.clamp(0.0, 1.0) * 4_294_967_296.0) as u64;
    // A second start in one process (tests) keeps the first ratio.
    let _ = THRESHOLD.set(threshold);
}

fn tracer() -> &'static BoxedTracer {
    TRACER.get_or_init(|| {
        global::tracer_with_scope(
            InstrumentationScope::builder(crate::names::SCOPE)
                .with_version(env!("CARGO_PKG_VERSION"))
                .with_schema_url(crate::names::SCHEMA_URL)
                .build(),
        )
    })
}

impl Kind {
    fn otel(self) -> SpanKind {
        match self {
            Self::Server => SpanKind::Server,
            Self::Client => SpanKind::Client,
            Self::Internal => SpanKind::Internal,
        }
    }
}

impl Span {
    /// A span of no trace.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Begins a trace, if the dice of the sampling ratio say so.
    pub fn root(name: &SpanName, kind: Kind) -> Self {
        let Some(threshold) = THRESHOLD.get().copied().filter(|threshold| *threshold > 0) else {
            return Self::none();
        };
        if u64::from(rand::rng().random::<u32>()) >= threshold {
            return Self::none();
        }
        Self::begin(name, kind, &Context::new(), None)
    }

    /// Begins a trace of rare work, which is always kept when traces are exported at all.
    pub fn root_always(name: &SpanName, kind: Kind) -> Self {
        if THRESHOLD.get().is_none() {
            return Self::none();
        }
        Self::begin(name, kind, &Context::new(), None)
    }

    /// A span of the parent's trace; nothing without a sampled parent.
    pub fn child(name: &SpanName, kind: Kind, parent: Option<TraceContext>) -> Self {
        parent.map_or_else(Self::none, |parent| {
            Self::begin(name, kind, &parent.parent(), None)
        })
    }

    /// As [`Span::child`], begun earlier.
    pub fn child_since(name: &SpanName, kind: Kind, parent: Option<TraceContext>, start: SystemTime) -> Self {
        parent.map_or_else(Self::none, |parent| {
            Self::begin(name, kind, &parent.parent(), Some(start))
        })
    }

    fn begin(name: &SpanName, kind: Kind, parent: &Context, start: Option<SystemTime>) -> Self {
        let tracer = tracer();
        let mut builder = tracer.span_builder(name.name).with_kind(kind.otel());
        builder.start_time = start;
        Self(Some(Box::new(tracer.build_with_context(builder, parent))))
    }

    /// Whether anything is recorded; ask before computing an attribute that costs.
    pub fn is_recording(&self) -> bool {
        self.0.is_some()
    }

    /// What travels to whoever goes on with the work.
    pub fn context(&self) -> Option<TraceContext> {
        self.0
            .as_ref()
            .and_then(|span| TraceContext::of(span.span_context()))
    }

    /// Sets an attribute; its name comes from [`crate::names`].
    pub fn set(&mut self, attribute: KeyValue) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(attribute);
        }
    }

    /// Links another span, as a group commit links the messages in it.
    pub fn link(&mut self, other: TraceContext) {
        if let Some(span) = &mut self.0 {
            span.add_link(other.span_context(), Vec::new());
        }
    }

    /// Marks the span as failed with the catalogue's snake_case name of the cause.
    pub fn fail(&mut self, error_type: &'static str) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(crate::names::ERROR_TYPE.name, error_type));
            span.set_status(Status::error(""));
        }
    }

    /// Ends the span now.
    pub fn end(self) {
        drop(self);
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(mut span) = self.0.take() {
            span.end();
        }
    }
}
