package dev.safefile.client;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.propagation.TextMapSetter;

/**
 * Hands the active trace on to the server as W3C `traceparent`. Does nothing in a program without an SDK. The
 * propagators of GlobalOpenTelemetry are not asked: that would keep an SDK from being registered later.
 */
final class TraceContext implements ClientInterceptor {
    private static final TextMapSetter<Metadata> SETTER = (metadata, key, value) -> {
        Metadata.Key<String> name = Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER);
        metadata.discardAll(name);
        metadata.put(name, value);
    };

    @Override
    public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
        return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
            @Override
            public void start(Listener<A> listener, Metadata headers) {
                W3CTraceContextPropagator.getInstance().inject(Context.current(), headers, SETTER);
                super.start(listener, headers);
            }
        };
    }
}
