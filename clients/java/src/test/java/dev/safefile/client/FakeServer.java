package dev.safefile.client;

import com.google.protobuf.Any;
import com.google.rpc.ErrorInfo;
import io.grpc.BindableService;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.StatusProto;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;

/** A gRPC server on this machine that answers as a test tells it to. */
final class FakeServer implements AutoCloseable {
    static final RetryPolicy QUICK =
            new RetryPolicy(5, Duration.ofSeconds(30), Duration.ofMillis(1), Duration.ofMillis(10));

    final List<Metadata> headers = new CopyOnWriteArrayList<>();
    final Server server;
    final SafefileClient client;

    FakeServer(BindableService... services) throws IOException {
        NettyServerBuilder builder = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0));
        for (BindableService service : services) builder.addService(service);
        server = builder.intercept(new ServerInterceptor() {
                    @Override
                    public <Q, A> ServerCall.Listener<Q> interceptCall(
                            ServerCall<Q, A> call, Metadata received, ServerCallHandler<Q, A> next) {
                        headers.add(received);
                        return next.startCall(call, received);
                    }
                })
                .build()
                .start();
        client = SafefileClient.of(
                options -> options.addresses(List.of(address())).retry(QUICK));
    }

    String address() {
        return "127.0.0.1:" + server.getPort();
    }

    @Override
    public void close() {
        client.close();
        server.shutdownNow();
    }

    /** An error as the service gives it. */
    static StatusRuntimeException error(Status.Code code, String reason, Map<String, String> metadata) {
        ErrorInfo info = ErrorInfo.newBuilder()
                .setDomain("safefile")
                .setReason(reason)
                .putAllMetadata(metadata)
                .build();
        return StatusProto.toStatusRuntimeException(com.google.rpc.Status.newBuilder()
                .setCode(code.value())
                .setMessage("a sentence for people")
                .addDetails(Any.pack(info))
                .build());
    }
}
