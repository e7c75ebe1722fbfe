package dev.safefile.client;

import dev.safefile.v1.RecoveryServiceGrpc;
import dev.safefile.v1.StartRestoreRequest;
import dev.safefile.v1.StartRestoreResponse;
import dev.safefile.v1.WatchRestoreRequest;
import dev.safefile.v1.WatchRestoreResponse;
import io.grpc.Channel;
import io.grpc.MethodDescriptor;
import java.util.List;
import java.util.function.Consumer;

/**
 * Safe file changes over gRPC. One client holds one connection and may be used by many threads at once. Calls block; an
 * interrupt of the thread, or a cancelled {@link io.grpc.Context}, ends them with CANCELLED. All failures are
 * {@link SafefileException}s.
 */
public final class SafefileClient extends Changes implements AutoCloseable {
    private final Locks locks = new Locks(this);

    private SafefileClient(ClientOptions options) {
        super(options);
    }

    /** A client of the service at this host:port; of several, the first that answers is used. */
    public static SafefileClient of(String... addresses) {
        return of(given -> given.addresses(List.of(addresses)));
    }

    /** A client by its options; the addresses have to be given. */
    public static SafefileClient of(Consumer<ClientOptions> options) {
        ClientOptions given = new ClientOptions();
        options.accept(given);
        if (given.addresses.isEmpty()) throw new IllegalArgumentException("a client needs an address");
        return new SafefileClient(given);
    }

    /** Locks over several calls. No change needs one: each locks for itself. */
    public Locks locks() {
        return locks;
    }

    /** Starts to restore a file or a tree, and returns at once. The options say as of when. */
    public StartRestoreResponse startRestore(String path, Consumer<RestoreOptions> fill) {
        RestoreOptions given = filled(new RestoreOptions(), fill);
        StartRestoreRequest request = given.message(path, volume(given));
        return connection.unary(
                RecoveryServiceGrpc.getStartRestoreMethod(), request, deadline(given, null), request.getRequestId());
    }

    /** The events of a restore until it ends, also across a restart of the server. */
    public Watch<WatchRestoreResponse> watchRestore(String restoreId) {
        return watchRestore(restoreId, "");
    }

    /** The same behind the `cursor` of the last event seen. */
    public Watch<WatchRestoreResponse> watchRestore(String restoreId, String cursor) {
        return connection.watch(
                RecoveryServiceGrpc.getWatchRestoreMethod(),
                position -> WatchRestoreRequest.newBuilder()
                        .setRestoreId(restoreId)
                        .setCursor(position)
                        .build(),
                WatchRestoreResponse::getCursor,
                cursor);
    }

    /**
     * Any other RPC with one answer, by its generated descriptor: {@code
     * client.call(AdminServiceGrpc.getGetReportMethod(), request)}. It is repeated while the service is UNAVAILABLE, so give
     * a change its request id.
     */
    public <Q, A> A call(MethodDescriptor<Q, A> method, Q request) {
        return call(method, request, given -> {});
    }

    public <Q, A> A call(MethodDescriptor<Q, A> method, Q request, Consumer<CallOptions> fill) {
        return ask(method, request, filled(new CallOptions(), fill));
    }

    /** For generated stubs: the same connection, without repeats and with the errors of gRPC. */
    public Channel channel() {
        return connection.channel();
    }

    /** Ends the connection. Calls that are under way finish. */
    @Override
    public void close() {
        connection.close();
    }
}
