package dev.safefile.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import dev.safefile.v1.ContentChunk;
import dev.safefile.v1.FileOpsServiceGrpc;
import dev.safefile.v1.MutationResult;
import dev.safefile.v1.Revision;
import dev.safefile.v1.UploadFileRequest;
import dev.safefile.v1.UploadFileResponse;
import dev.safefile.v1.UploadHeader;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.channels.ClosedByInterruptException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class UploadTest {
    private static final int CHUNK_BYTES = 256 * 1024;
    private final byte[] content = new byte[3 * CHUNK_BYTES + 17];
    private final List<UploadHeader> headers = new CopyOnWriteArrayList<>();
    private final List<ContentChunk> chunks = new CopyOnWriteArrayList<>();
    private final CountDownLatch cancelled = new CountDownLatch(1);
    /** What the service holds over several streams. */
    private final ByteArrayOutputStream held = new ByteArrayOutputStream();
    /** So many streams break as soon as two chunks are held. */
    private int breaks;

    /** The answer is lost: all came, and the connection broke. */
    private boolean losesAnswers;
    /** The header is answered with a result at once, and that with another status. */
    private boolean answersEarly;

    private volatile boolean committed;
    private byte[] digestSaid;
    private FakeServer fake;

    private final class Service extends FileOpsServiceGrpc.FileOpsServiceImplBase {
        @Override
        public StreamObserver<UploadFileRequest> uploadFile(StreamObserver<UploadFileResponse> answer) {
            return new StreamObserver<>() {
                private boolean over;

                @Override
                public void onNext(UploadFileRequest message) {
                    if (over) return;
                    if (message.hasHeader()) {
                        headers.add(message.getHeader());
                        if (!answersEarly) return;
                        over = true;
                        answer.onNext(UploadFileResponse.newBuilder()
                                .setResult(MutationResult.getDefaultInstance())
                                .build());
                        answer.onError(Status.INTERNAL.asRuntimeException());
                        return;
                    }
                    ContentChunk chunk = message.getChunk();
                    chunks.add(chunk);
                    if (chunk.getOffset() > held.size()) {
                        over = true;
                        var found = Map.of("upload_offset", Integer.toString(held.size()));
                        answer.onError(FakeServer.error(Status.Code.INVALID_ARGUMENT, "ARGUMENT_INVALID", found));
                        return;
                    }
                    held.writeBytes(chunk.getData().toByteArray());
                    if (breaks > 0 && held.size() >= 2 * CHUNK_BYTES) {
                        breaks--;
                        over = true;
                        answer.onError(Status.UNAVAILABLE.asRuntimeException());
                    }
                }

                @Override
                public void onError(Throwable failure) {
                    cancelled.countDown();
                }

                @Override
                public void onCompleted() {
                    if (over) return;
                    committed = true;
                    if (losesAnswers) {
                        answer.onError(Status.UNAVAILABLE.asRuntimeException());
                        return;
                    }
                    ByteString digest =
                            digestSaid == null ? Protos.sha256(held.toByteArray()) : ByteString.copyFrom(digestSaid);
                    Revision revision = Revision.newBuilder().setSha256(digest).build();
                    answer.onNext(UploadFileResponse.newBuilder()
                            .setResult(MutationResult.newBuilder().setRevision(revision))
                            .build());
                    answer.onCompleted();
                }
            };
        }
    }

    @BeforeEach
    void start() throws Exception {
        new Random(1).nextBytes(content);
        fake = new FakeServer(new Service());
    }

    @AfterEach
    void stop() {
        fake.close();
    }

    private boolean arrivedWhole(MutationResult result) {
        return result.getRevision().getSha256().equals(Protos.sha256(content));
    }

    @Test
    void chunksFollowEachOtherWithTheirSums() throws Exception {
        assertTrue(arrivedWhole(fake.client.upload("a", UploadSource.of(content))));
        assertEquals(
                List.of(CHUNK_BYTES, CHUNK_BYTES, CHUNK_BYTES, 17),
                chunks.stream().map(chunk -> chunk.getData().size()).toList());
        for (ContentChunk chunk : chunks) assertEquals(Download.crc32c(chunk.getData()), chunk.getCrc32C());
        assertEquals(content.length, headers.get(0).getSizeBytes());
        assertEquals(Protos.sha256(content), headers.get(0).getSha256());
        assertFalse(headers.get(0).getUploadId().isEmpty());
    }

    @Test
    void anUploadThatBreaksGoesOn() throws Exception {
        breaks = 1;
        List<Long> resumedAt = new ArrayList<>();
        UploadSource source = UploadSource.of(() -> new ByteArrayInputStream(content));
        assertTrue(arrivedWhole(fake.client.upload("a", source, options -> options.onResumed(resumedAt::add))));
        // No byte was sent to be held twice.
        assertEquals(content.length, held.size());
        assertEquals(headers.get(0).getUploadId(), headers.get(1).getUploadId());
        assertEquals(headers.get(0).getOptions(), headers.get(1).getOptions());
    }

    @Test
    void withANameTheServiceIsAskedFirst() throws Exception {
        held.write(content, 0, CHUNK_BYTES + 1);
        List<Long> resumedAt = new ArrayList<>();
        UploadSource source = UploadSource.of(() -> new ByteArrayInputStream(content));
        assertTrue(arrivedWhole(fake.client.upload(
                "a", source, options -> options.uploadId("mine").onResumed(resumedAt::add))));
        assertEquals(List.of(CHUNK_BYTES + 1L), resumedAt);
        assertEquals((1L << 53) - 1, chunks.get(0).getOffset());
        assertTrue(chunks.get(0).getData().isEmpty());
    }

    @Test
    void whatIsThereAsAWholeIsNotReadAgain() throws Exception {
        held.writeBytes(content);
        UploadSource unreadable = UploadSource.of(() -> {
            throw new IOException("was read");
        });
        assertTrue(arrivedWhole(fake.client.upload(
                "a", unreadable, options -> options.uploadId("mine").sizeBytes(content.length))));
    }

    @Test
    void aStreamIsSentOnceAndWithoutAName() {
        breaks = 1;
        // Without an end, so that its break is noticed before the requests are ended.
        UploadSource once = UploadSource.once(new InputStream() {
            @Override
            public int read() {
                return 0;
            }
        });
        var error = assertThrows(SafefileException.class, () -> fake.client.upload("a", once));
        assertEquals(Status.Code.UNAVAILABLE, error.code());
        // The requests were not ended, so nothing was asked to be committed.
        assertEquals(Outcome.NOT_COMMITTED, error.outcome().orElseThrow());
        assertEquals(1, headers.size());
        assertTrue(headers.get(0).getUploadId().isEmpty());
    }

    @Test
    void aSourceThatFailsCommitsNothing() throws Exception {
        InputStream failing = new InputStream() {
            @Override
            public int read() throws IOException {
                throw new IOException("the disk is gone");
            }
        };
        InputStream half = new SequenceInputStream(new ByteArrayInputStream(content, 0, 2 * CHUNK_BYTES), failing);
        var error = assertThrows(IOException.class, () -> fake.client.upload("a", UploadSource.once(half)));
        assertEquals("the disk is gone", error.getMessage());
        cancelled.await();
        assertFalse(committed);
    }

    @Test
    void aSourceThatFailsWhenReadAgainLeavesOpenWhatWasOpen() {
        losesAnswers = true;
        int[] opened = {0};
        UploadSource source = UploadSource.of(() -> {
            if (++opened[0] > 1) throw new IOException("the file is gone");
            return new ByteArrayInputStream(content);
        });
        var error = assertThrows(
                SafefileException.class,
                () -> fake.client.upload("a", source, options -> options.requestId("left-open")));
        assertEquals(Outcome.UNKNOWN, error.outcome().orElseThrow());
        assertEquals("left-open", error.requestId().orElseThrow());
        assertEquals("the file is gone", error.getCause().getMessage());
        assertEquals(2, opened[0]);
    }

    @Test
    void aResultWithoutItsStatusMayBeCommitted() {
        answersEarly = true;
        // Without an end, so that the answer is noticed before the requests are ended.
        UploadSource once = UploadSource.once(new InputStream() {
            @Override
            public int read() {
                return 0;
            }
        });
        var error = assertThrows(SafefileException.class, () -> fake.client.upload("a", once));
        assertEquals(Status.Code.INTERNAL, error.code());
        assertEquals(Outcome.UNKNOWN, error.outcome().orElseThrow());
    }

    @Test
    void aSourceThatIsEmptyNowIsComparedWithWhatIsThere() {
        held.write(content, 0, 5);
        UploadSource empty = UploadSource.of(() -> InputStream.nullInputStream());
        var error = assertThrows(
                SafefileException.class, () -> fake.client.upload("a", empty, options -> options.uploadId("mine")));
        assertEquals(Status.Code.DATA_LOSS, error.code());
        assertEquals(Outcome.COMMITTED, error.outcome().orElseThrow());
    }

    @Test
    void anInterruptWhileTheSourceIsReadCancels() {
        UploadSource interrupted = UploadSource.of(() -> {
            Thread.currentThread().interrupt();
            throw new ClosedByInterruptException();
        });
        var error = assertThrows(SafefileException.class, () -> fake.client.upload("a", interrupted));
        assertTrue(Thread.interrupted());
        assertEquals(Status.Code.CANCELLED, error.code());
        assertEquals(Outcome.NOT_COMMITTED, error.outcome().orElseThrow());
    }

    @Test
    void anotherDigestIsDataLossThatIsCommitted() {
        digestSaid = new byte[32];
        UploadSource source = UploadSource.of(() -> new ByteArrayInputStream(content));
        var error = assertThrows(SafefileException.class, () -> fake.client.upload("a", source));
        assertEquals(Status.Code.DATA_LOSS, error.code());
        assertEquals(Outcome.COMMITTED, error.outcome().orElseThrow());
    }

    @Test
    void aLargeWriteTravelsAsAnUpload() {
        byte[] large = new byte[1024 * 1024 + 1];
        fake.client.write("a", large, options -> options.ifRevision(0));
        assertEquals(large.length, held.size());
        assertEquals(0, headers.get(0).getOptions().getPrecondition().getIfRevision());
        assertTrue(headers.get(0).getOptions().hasPrecondition());
    }
}
