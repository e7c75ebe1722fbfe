package dev.safefile.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import dev.safefile.v1.ContentChunk;
import dev.safefile.v1.ContentHeader;
import dev.safefile.v1.ContentTrailer;
import dev.safefile.v1.FileInfo;
import dev.safefile.v1.FileOpsServiceGrpc;
import dev.safefile.v1.ReadFileRequest;
import dev.safefile.v1.ReadFileResponse;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class DownloadTest {
    private static final byte[] TEXT = "hello, world".getBytes(StandardCharsets.UTF_8);

    private volatile boolean cancelled;
    private int calls;

    /** A server whose messages are what `script` sends. */
    private FakeServer serving(Consumer<StreamObserver<ReadFileResponse>> script) throws Exception {
        return new FakeServer(new FileOpsServiceGrpc.FileOpsServiceImplBase() {
            @Override
            public void readFile(ReadFileRequest request, StreamObserver<ReadFileResponse> answer) {
                calls++;
                ((ServerCallStreamObserver<ReadFileResponse>) answer).setOnCancelHandler(() -> cancelled = true);
                script.accept(answer);
            }
        });
    }

    private static ReadFileResponse header(long size) {
        FileInfo file =
                FileInfo.newBuilder().setPath("a").setSizeBytes(TEXT.length).build();
        ContentHeader header =
                ContentHeader.newBuilder().setFile(file).setSizeBytes(size).build();
        return ReadFileResponse.newBuilder().setHeader(header).build();
    }

    private static ReadFileResponse chunk(int offset, int end, int harm) {
        ByteString data = ByteString.copyFrom(TEXT, offset, end - offset);
        ContentChunk.Builder chunk =
                ContentChunk.newBuilder().setData(data).setOffset(offset).setCrc32C(Download.crc32c(data) + harm);
        return ReadFileResponse.newBuilder().setChunk(chunk).build();
    }

    private static ReadFileResponse trailer(ByteString sha256) {
        ContentTrailer trailer = ContentTrailer.newBuilder()
                .setSizeBytes(TEXT.length)
                .setSha256(sha256)
                .build();
        return ReadFileResponse.newBuilder().setTrailer(trailer).build();
    }

    private void isDataLoss(List<ReadFileResponse> messages) throws Exception {
        try (FakeServer fake = serving(answer -> {
            messages.forEach(answer::onNext);
            answer.onCompleted();
        })) {
            var error = assertThrows(SafefileException.class, () -> fake.client.read("a"));
            assertEquals(Status.Code.DATA_LOSS, error.code());
            assertEquals(1, calls);
        }
    }

    @Test
    @SuppressWarnings("try") // closed twice, which is what is tested
    void aWholeContentIsReadToItsEnd() throws Exception {
        try (FakeServer fake = serving(answer -> {
                    answer.onNext(header(TEXT.length));
                    answer.onNext(chunk(0, 5, 0));
                    answer.onNext(chunk(5, TEXT.length, 0));
                    answer.onNext(trailer(Protos.sha256(TEXT)));
                    answer.onCompleted();
                });
                Download download = fake.client.download("a")) {
            assertArrayEquals(TEXT, download.readAllBytes());
            assertArrayEquals(
                    Protos.sha256(TEXT).toByteArray(), download.sha256().orElseThrow());
            assertEquals(-1, download.read());
            download.close();
            assertEquals(-1, download.read());
        }
        assertFalse(cancelled);
    }

    @Test
    void aGapIsDataLoss() throws Exception {
        isDataLoss(List.of(header(TEXT.length), chunk(0, 5, 0), chunk(6, TEXT.length, 0)));
    }

    @Test
    void aDamagedChunkIsDataLoss() throws Exception {
        isDataLoss(
                List.of(header(TEXT.length), chunk(0, 5, 0), chunk(5, TEXT.length, 1), trailer(Protos.sha256(TEXT))));
    }

    @Test
    void anotherDigestIsDataLoss() throws Exception {
        isDataLoss(List.of(header(TEXT.length), chunk(0, TEXT.length, 0), trailer(Protos.sha256(new byte[0]))));
    }

    @Test
    void aStreamWithoutATrailerIsDataLoss() throws Exception {
        isDataLoss(List.of(header(TEXT.length), chunk(0, TEXT.length, 0)));
    }

    @Test
    void moreThanTheHeaderSaysIsDataLoss() throws Exception {
        isDataLoss(List.of(header(5), chunk(0, TEXT.length, 0), trailer(Protos.sha256(TEXT))));
    }

    @Test
    void aReadThatBreaksIsBegunAgain() throws Exception {
        try (FakeServer fake = serving(answer -> {
            answer.onNext(header(TEXT.length));
            answer.onNext(chunk(0, 5, 0));
            if (calls == 1) {
                answer.onError(Status.UNAVAILABLE.asRuntimeException());
                return;
            }
            answer.onNext(chunk(5, TEXT.length, 0));
            answer.onNext(trailer(Protos.sha256(TEXT)));
            answer.onCompleted();
        })) {
            assertArrayEquals(TEXT, fake.client.read("a").bytes());
            assertEquals(2, calls);
        }
    }

    @Test
    void nothingForTooLongIsADeadline() throws Exception {
        try (FakeServer fake = serving(answer -> answer.onNext(header(TEXT.length)));
                SafefileClient hasty = SafefileClient.of(
                        options -> options.addresses(List.of(fake.address())).idle(Duration.ofMillis(500)))) {
            var error = assertThrows(SafefileException.class, () -> hasty.read("a"));
            assertEquals(Status.Code.DEADLINE_EXCEEDED, error.code());
        }
    }

    @Test
    void aFailedDownloadHasNoEnd() throws Exception {
        try (FakeServer fake = serving(answer -> {
                    answer.onNext(header(TEXT.length));
                    answer.onNext(chunk(0, 5, 0));
                    answer.onError(Status.UNAVAILABLE.asRuntimeException());
                });
                Download download = fake.client.download("a")) {
            assertEquals(5, download.readNBytes(5).length);
            for (int time = 0; time < 2; time++) {
                var error = assertThrows(SafefileException.class, download::read);
                assertEquals(Status.Code.UNAVAILABLE, error.code());
            }
        }
    }

    @Test
    void aDownloadThatWasClosedHasNoEnd() throws Exception {
        try (FakeServer fake = serving(answer -> {
            answer.onNext(header(TEXT.length));
            answer.onNext(chunk(0, 5, 0));
        })) {
            Download download = fake.client.download("a");
            download.read();
            download.close();
            var error = assertThrows(SafefileException.class, download::readAllBytes);
            assertEquals(Status.Code.CANCELLED, error.code());
        }
    }

    @Test
    void aClosedDownloadIsCancelled() throws Exception {
        try (FakeServer fake = serving(answer -> answer.onNext(header(TEXT.length)))) {
            fake.client.download("a").close();
            fake.server.shutdown();
            // The server waits for its calls, so this one has to end.
            assertTrue(fake.server.awaitTermination(30, java.util.concurrent.TimeUnit.SECONDS));
            assertTrue(cancelled);
        }
    }
}
