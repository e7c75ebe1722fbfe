package dev.safefile.client;

import io.grpc.ClientStreamTracer;
import io.grpc.Metadata;

/** Knows whether a call reached the connection: one that did not has changed nothing. */
final class Sent extends ClientStreamTracer.Factory {
    private volatile boolean headers;

    /** True once the call's headers were written, whatever came of them. */
    boolean any() {
        return headers;
    }

    @Override
    public ClientStreamTracer newClientStreamTracer(ClientStreamTracer.StreamInfo info, Metadata metadata) {
        return new ClientStreamTracer() {
            @Override
            public void outboundHeaders() {
                headers = true;
            }
        };
    }
}
