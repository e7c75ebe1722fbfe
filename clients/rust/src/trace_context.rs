use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use tonic::metadata::MetadataMap;

/// Hands the active trace on to the server in W3C form. Does nothing in a program without an SDK: then no span is
/// ever active. Written here, because the API crate has no W3C propagator and the SDK is the program's choice.
pub(crate) fn inject(metadata: &mut MetadataMap) {
    let context = Context::current();
    let span = context.span();
    let span = span.span_context();
    if !span.is_valid() {
        return;
    }
    let flags = span.trace_flags().to_u8();
    let parent = format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id());
    if let Ok(value) = parent.parse() {
        metadata.insert("traceparent", value);
    }
    let state = span.trace_state().header();
    if !state.is_empty()
        && let Ok(value) = state.parse()
    {
        metadata.insert("tracestate", value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

    #[test]
    fn the_active_span_travels() {
        let mut metadata = MetadataMap::new();
        inject(&mut metadata);
        assert!(metadata.get("traceparent").is_none());
        let span = SpanContext::new(
            TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap(),
            SpanId::from_hex("b7ad6b7169203331").unwrap(),
            TraceFlags::SAMPLED,
            true,
            TraceState::default(),
        );
        let _active = Context::new().with_remote_span_context(span).attach();
        inject(&mut metadata);
        let parent = metadata.get("traceparent").unwrap().to_str().unwrap();
        assert_eq!(parent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    }
}
