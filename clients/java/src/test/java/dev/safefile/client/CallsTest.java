package dev.safefile.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.safefile.v1.FileOpsServiceGrpc;
import dev.safefile.v1.MutationResult;
import dev.safefile.v1.Revision;
import dev.safefile.v1.WriteFileRequest;
import dev.safefile.v1.WriteFileResponse;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import java.net.ServerSocket;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class CallsTest {
    private static final Metadata.Key<String> TRACEPARENT =
            Metadata.Key.of("traceparent", Metadata.ASCII_STRING_MARSHALLER);

    private final Deque<RuntimeException> failures = new ArrayDeque<>();
    private final List<WriteFileRequest> requests = new CopyOnWriteArrayList<>();
    private final CountDownLatch arrived = new CountDownLatch(1);
    private boolean silent;
    private FakeServer fake;

    private final class Service extends FileOpsServiceGrpc.FileOpsServiceImplBase {
        @Override
        public void writeFile(WriteFileRequest request, StreamObserver<WriteFileResponse> answer) {
            requests.add(request);
            arrived.countDown();
            if (silent) return;
            if (!failures.isEmpty()) {
                answer.onError(failures.poll());
                return;
            }
            MutationResult.Builder result = MutationResult.newBuilder()
                    .setRevision(Revision.newBuilder().setRevision(7));
            answer.onNext(WriteFileResponse.newBuilder().setResult(result).build());
            answer.onCompleted();
        }
    }

    @BeforeEach
    void start() throws Exception {
        fake = new FakeServer(new Service());
    }

    @AfterEach
    void stop() {
        fake.close();
    }

    @Test
    void allAttemptsCarryOneRequestId() {
        failures.add(FakeServer.error(Status.Code.UNAVAILABLE, "REPLICA_DRAINING", Map.of()));
        failures.add(FakeServer.error(Status.Code.UNAVAILABLE, "REPLICA_DRAINING", Map.of()));
        assertEquals(7, fake.client.write("a", new byte[1]).getRevision().getRevision());
        assertEquals(3, requests.size());
        String id = requests.get(0).getOptions().getRequestId();
        assertFalse(id.isEmpty());
        assertTrue(requests.stream()
                .allMatch(request -> request.getOptions().getRequestId().equals(id)));
    }

    @Test
    void anErrorWithoutAnAnswerOfTheServiceLeavesItUnknown() {
        failures.add(Status.INTERNAL.asRuntimeException());
        var error = assertThrows(
                SafefileException.class,
                () -> fake.client.write("a", new byte[1], options -> options.requestId("mine")));
        assertEquals(Outcome.UNKNOWN, error.outcome().orElseThrow());
        assertEquals("mine", error.requestId().orElseThrow());
    }

    @Test
    void aReasonOfTheServiceSaysThatNothingChanged() {
        failures.add(FakeServer.error(Status.Code.INVALID_ARGUMENT, "PATH_INVALID", Map.of()));
        var error = assertThrows(SafefileException.class, () -> fake.client.write("a", new byte[1]));
        assertEquals(Outcome.NOT_COMMITTED, error.outcome().orElseThrow());
    }

    @Test
    void whatWasNeverSentChangedNothing() throws Exception {
        String nobody = freeAddress();
        try (SafefileClient alone =
                SafefileClient.of(options -> options.addresses(List.of(nobody)).retry(FakeServer.QUICK))) {
            var error = assertThrows(SafefileException.class, () -> alone.write("a", new byte[1]));
            assertEquals(Status.Code.UNAVAILABLE, error.code());
            assertEquals(Outcome.NOT_COMMITTED, error.outcome().orElseThrow());
        }
    }

    @Test
    void theNextAddressIsUsedWhenTheFirstIsGone() throws Exception {
        String nobody = freeAddress();
        try (SafefileClient two = SafefileClient.of(nobody, fake.address())) {
            assertEquals(7, two.write("a", new byte[1]).getRevision().getRevision());
        }
    }

    @Test
    void anInterruptCancels() throws Exception {
        silent = true;
        AtomicReference<SafefileException> error = new AtomicReference<>();
        Thread thread = new Thread(
                () -> error.set(assertThrows(SafefileException.class, () -> fake.client.write("a", new byte[1]))));
        thread.start();
        arrived.await();
        thread.interrupt();
        thread.join();
        assertEquals(Status.Code.CANCELLED, error.get().code());
        assertEquals(Outcome.UNKNOWN, error.get().outcome().orElseThrow());
    }

    @Test
    void aCancelledContextCancels() throws Exception {
        silent = true;
        Context.CancellableContext context = Context.current().withCancellation();
        AtomicReference<SafefileException> error = new AtomicReference<>();
        Thread thread = new Thread(context.wrap(
                () -> error.set(assertThrows(SafefileException.class, () -> fake.client.write("a", new byte[1])))));
        thread.start();
        arrived.await();
        context.cancel(null);
        thread.join();
        assertEquals(Status.Code.CANCELLED, error.get().code());
        assertEquals(Outcome.UNKNOWN, error.get().outcome().orElseThrow());
    }

    @Test
    void whatWasCancelledBeforeIsNotSent() {
        Thread.currentThread().interrupt();
        var error = assertThrows(SafefileException.class, () -> fake.client.write("a", new byte[1]));
        assertTrue(Thread.interrupted());
        assertEquals(Outcome.NOT_COMMITTED, error.outcome().orElseThrow());
        assertEquals(0, requests.size());
    }

    @Test
    void theTraceTravels() {
        SpanContext remote = SpanContext.createFromRemoteParent(
                "0af7651916cd43dd8448eb211c80319c",
                "b7ad6b7169203331",
                TraceFlags.getSampled(),
                TraceState.getDefault());
        io.opentelemetry.context.Context.root()
                .with(Span.wrap(remote))
                .wrap((Runnable) () -> fake.client.write("a", new byte[1]))
                .run();
        fake.client.write("a", new byte[1]);
        assertEquals(
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                fake.headers.get(0).get(TRACEPARENT));
        assertFalse(fake.headers.get(1).containsKey(TRACEPARENT));
    }

    @Test
    void moreThanAMebibyteIsNoAppend() {
        var error = assertThrows(SafefileException.class, () -> fake.client.append("a", new byte[1024 * 1024 + 1]));
        assertEquals("ARGUMENT_INVALID", error.reason().orElseThrow());
        assertEquals(Outcome.NOT_COMMITTED, error.outcome().orElseThrow());
    }

    private static String freeAddress() throws Exception {
        try (ServerSocket socket = new ServerSocket(0)) {
            return "127.0.0.1:" + socket.getLocalPort();
        }
    }
}
