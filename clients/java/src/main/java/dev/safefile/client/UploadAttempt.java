package dev.safefile.client;

import com.google.protobuf.ByteString;
import dev.safefile.v1.ContentChunk;
import dev.safefile.v1.FileOpsServiceGrpc;
import dev.safefile.v1.MutationResult;
import dev.safefile.v1.Revision;
import dev.safefile.v1.UploadFileRequest;
import dev.safefile.v1.UploadFileResponse;
import io.grpc.CallOptions;
import io.grpc.Status;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Map;

/** One stream of an upload. */
final class UploadAttempt {
    /** Chunks handed to the connection and not yet taken by it. With the window of HTTP/2 this bounds the memory. */
    private static final int CHUNKS_IN_FLIGHT_MAX = 4;

    private final Upload upload;
    private final SentContent content;
    private MessageCall<UploadFileRequest, UploadFileResponse> call;
    private boolean began;
    private boolean ended;
    private boolean resultSeen;
    private long sentBytes;

    UploadAttempt(Upload upload, SentContent content) {
        this.upload = upload;
        this.content = content;
    }

    /** Whether the source was touched. */
    boolean began() {
        return began;
    }

    /** Up to where the source was handed to the connection, or was held by the service. */
    long sentBytes() {
        return sentBytes;
    }

    /** Sends the source from `start` on. */
    MutationResult run(long start) throws IOException {
        if (Failures.isCancelled()) throw Failures.cancelledBefore(upload.requestId());
        CallOptions options = CallOptions.DEFAULT.withOnReadyThreshold(CHUNKS_IN_FLIGHT_MAX * upload.chunkBytes());
        sentBytes = start;
        call = upload.connection().messages(FileOpsServiceGrpc.getUploadFileMethod(), options, 2);
        try {
            send(UploadFileRequest.newBuilder().setHeader(upload.header()).build());
            content(start);
            // An early answer is the answer; nothing asked for a commit.
            ended = !call.isAnswered();
            call.end();
            return answer();
        } catch (IOException failure) {
            // An interrupt of a thread that reads a file is told as a failure of the file.
            if (!Failures.isCancelled()) throw failure;
            SafefileException cancelled = Failures.cancelledBefore(upload.requestId());
            cancelled.addSuppressed(failure);
            throw cancelled;
        } finally {
            // A source that failed may not commit what came before. Nothing that has been answered is cancelled by
            // this.
            call.cancel();
        }
    }

    private void content(long start) throws IOException {
        long end = start;
        if (start > 0 && start == upload.sizeOrMax()) {
            // All of it may be there: then it need not be read.
            content.ask(start);
        } else end = chunks(start);
        // Without any chunk the server could take this for an empty file: so it is told from where we meant to go on.
        if (start > 0 && end == start) send(chunk(new byte[0], 0, start));
    }

    /** Returns where the last chunk ended; `start` when none was sent. */
    private long chunks(long start) throws IOException {
        began = true;
        try (InputStream in = upload.source().open()) {
            long offset = content.opened(start);
            if (!skip(in, offset)) return start;
            while (!call.isAnswered()) {
                // Up to the start only the digest needs it.
                int wanted = (int) Math.min(upload.chunkBytes(), offset < start ? start - offset : Integer.MAX_VALUE);
                byte[] data = new byte[wanted];
                int length = in.readNBytes(data, 0, wanted);
                if (length == 0) break;
                content.add(data, length, offset);
                if (offset >= start && !send(chunk(data, length, offset))) break;
                offset += length;
                sentBytes = Math.max(sentBytes, offset);
                if (offset > start) upload.onProgress().accept(offset);
                if (length < wanted) break;
            }
            return Math.max(start, offset);
        }
    }

    /** False when the source is shorter. */
    private static boolean skip(InputStream in, long bytes) throws IOException {
        try {
            in.skipNBytes(bytes);
            return true;
        } catch (EOFException shorter) {
            return false;
        }
    }

    private UploadFileRequest chunk(byte[] data, int length, long offset) {
        ByteString bytes = Protos.view(data).substring(0, length);
        ContentChunk.Builder chunk = ContentChunk.newBuilder().setData(bytes).setOffset(offset);
        if (upload.withCrc32c() && length > 0) chunk.setCrc32C(Download.crc32c(bytes));
        return UploadFileRequest.newBuilder().setChunk(chunk).build();
    }

    /** Once there is room; false when the server has answered. */
    private boolean send(UploadFileRequest message) {
        call.awaitReady(upload.idleMax());
        if (call.stalled() || !call.status().isOk()) throw failure();
        if (call.isAnswered()) return false;
        call.send(message);
        return true;
    }

    private MutationResult answer() {
        UploadFileResponse answer = call.next(upload.answerMax());
        if (answer == null) throw failure();
        if (!answer.hasResult()) {
            throw error(Status.Code.INTERNAL, "The server's answer holds no result.", Outcome.UNKNOWN);
        }
        resultSeen = true;
        // Its status too: a call that is cancelled instead would reset its stream.
        call.next(upload.answerMax());
        if (!call.status().isOk()) throw failure();
        if (ended) compare(answer.getResult());
        return answer.getResult();
    }

    private void compare(MutationResult result) {
        Revision revision = result.getRevision();
        if (revision.getSha256().isEmpty() || content.is(revision.getSha256().toByteArray())) return;
        String problem = "Revision " + revision.getRevision() + " of " + revision.getPath()
                + " does not hold the bytes that were sent. Upload it again.";
        throw error(Status.Code.DATA_LOSS, problem, Outcome.COMMITTED);
    }

    private SafefileException failure() {
        // Ending the requests asks for the commit; until then a broken stream changes nothing.
        // But a result is that of a commit, whichever attempt asked for it.
        boolean open = ended || resultSeen || call.hasMessage();
        Outcome unanswered = open ? Outcome.UNKNOWN : Outcome.NOT_COMMITTED;
        if (call.stalled()) {
            return error(Status.Code.DEADLINE_EXCEEDED, "The server took too long for the upload.", unanswered);
        }
        Status status = call.status();
        if (status.isOk()) status = Status.INTERNAL.withDescription("The server ended the call without an answer.");
        return Failures.of(status, call.trailers(), upload.requestId(), call.wasSent(), unanswered);
    }

    private SafefileException error(Status.Code code, String message, Outcome outcome) {
        return Failures.own(code, message, Map.of("request_id", upload.requestId()), outcome);
    }
}
