package dev.safefile.client;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.NameResolverRegistry;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.stub.ClientCalls;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** The connection to the service: calls by the generated descriptors, with typed errors. */
final class Connection implements AutoCloseable {
    /** A page of 1,000 long paths fits; anything larger is not ours. */
    private static final int MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
    /** A dead connection is noticed after the two together, also by streams that are only listened to. */
    private static final int KEEPALIVE_SECONDS = 30;

    private static final int KEEPALIVE_ANSWER_SECONDS_MAX = 15;
    /** After this the next address is tried. */
    private static final int CONNECT_MS_MAX = 5_000;

    static {
        NameResolverRegistry.getDefaultRegistry().register(new AddressList());
    }

    private final ManagedChannel channel;
    private final RetryPolicy retry;
    private final ScheduledExecutorService reconnecting;
    private long reconnectNanos;

    Connection(ClientOptions options) {
        retry = options.retry;
        String target = AddressList.target(options.addresses);
        NettyChannelBuilder builder = options.credentials == null
                ? NettyChannelBuilder.forTarget(target).usePlaintext()
                : NettyChannelBuilder.forTarget(target, options.credentials);
        channel = builder.intercept(new TraceContext())
                .maxInboundMessageSize(MESSAGE_BYTES_MAX)
                .flowControlWindow(options.receiveBytes)
                .keepAliveTime(KEEPALIVE_SECONDS, TimeUnit.SECONDS)
                .keepAliveTimeout(KEEPALIVE_ANSWER_SECONDS_MAX, TimeUnit.SECONDS)
                .withOption(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_MS_MAX)
                // Repeats are made above, where request ids and outcomes are known.
                .disableRetry()
                .disableServiceConfigLookUp()
                .build();
        reconnecting = Executors.newSingleThreadScheduledExecutor(work -> {
            Thread thread = new Thread(work, "safefile-reconnect");
            thread.setDaemon(true);
            return thread;
        });
        watchState();
    }

    /** For generated stubs. */
    Channel channel() {
        return channel;
    }

    Retry retry() {
        return new Retry(retry, channel::resetConnectBackoff);
    }

    /** A call with one answer, repeated while the service is UNAVAILABLE. Without a request id it is no change. */
    <Q, A> A unary(MethodDescriptor<Q, A> method, Q request, Duration deadline, String requestId) {
        Deadline end = Deadline.in(deadline);
        Retry attempts = retry();
        while (true) {
            try {
                return once(method, request, end, requestId);
            } catch (SafefileException failure) {
                attempts.after(failure, end);
            }
        }
    }

    private <Q, A> A once(MethodDescriptor<Q, A> method, Q request, Deadline end, String requestId) {
        if (Failures.isCancelled()) throw Failures.cancelledBefore(requestId);
        Sent sent = new Sent();
        CallOptions options = CallOptions.DEFAULT
                .withDeadlineAfter(end.leftNanos(), TimeUnit.NANOSECONDS)
                .withStreamTracerFactory(sent);
        try {
            return ClientCalls.blockingUnaryCall(channel, method, options, request);
        } catch (StatusRuntimeException error) {
            throw Failures.of(error.getStatus(), error.getTrailers(), requestId, sent.any(), Outcome.UNKNOWN);
        }
    }

    /** A call that sends or gets several messages. */
    <Q, A> MessageCall<Q, A> messages(MethodDescriptor<Q, A> method, CallOptions options, int prefetched) {
        Sent sent = new Sent();
        return new MessageCall<>(channel.newCall(method, options.withStreamTracerFactory(sent)), sent, prefetched);
    }

    /** A stream that can be asked to go on behind a message. */
    <Q, A> Watch<A> watch(
            MethodDescriptor<Q, A> method, Function<String, Q> request, Function<A, String> positionOf, String from) {
        return new Watch<>(
                position -> {
                    MessageCall<Q, A> call = messages(method, CallOptions.DEFAULT, Watch.PREFETCHED);
                    call.send(request.apply(position));
                    call.end();
                    return call;
                },
                positionOf,
                retry(),
                from);
    }

    /** Calls that are under way finish. */
    @Override
    public void close() {
        channel.shutdown();
        reconnecting.shutdownNow();
    }

    /**
     * gRPC waits a second and more, later minutes, before it connects again; a restarted server would stay unavailable
     * for so long. So the pauses are ours, doubling between the bounds of the policy.
     */
    private synchronized void watchState() {
        ConnectivityState state = channel.getState(false);
        if (state == ConnectivityState.SHUTDOWN) return;
        if (state == ConnectivityState.TRANSIENT_FAILURE) reconnectLater();
        else if (state == ConnectivityState.READY) reconnectNanos = 0;
        channel.notifyWhenStateChanged(state, this::watchState);
    }

    private synchronized void reconnectLater() {
        long least = Math.max(1, retry.backoffMin().toNanos());
        reconnectNanos = Math.max(least, Math.min(retry.backoffMax().toNanos(), reconnectNanos * 2));
        try {
            reconnecting.schedule(this::reconnect, reconnectNanos, TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException closed) {
            // Nobody waits for the connection any more.
        }
    }

    private void reconnect() {
        if (channel.getState(false) != ConnectivityState.TRANSIENT_FAILURE) return;
        channel.resetConnectBackoff();
        // The state stays what it is until an address answers, so nothing else would begin the next pause.
        reconnectLater();
    }
}
