package dev.safefile.client;

import dev.safefile.v1.MutationResult;
import dev.safefile.v1.UploadHeader;
import io.grpc.Status;
import java.io.IOException;
import java.time.Duration;
import java.util.OptionalLong;
import java.util.function.LongConsumer;

/**
 * Sends a source. While the service is UNAVAILABLE, or the connection breaks, it goes on from the bytes that the service
 * holds, if the source can be read again.
 */
record Upload(
        Connection connection,
        UploadSource source,
        UploadHeader header,
        /* Whether the caller named the upload: somebody else's beginning may be there. */
        boolean named,
        boolean withCrc32c,
        int chunkBytes,
        Duration idleMax,
        Duration answerMax,
        LongConsumer onProgress,
        LongConsumer onResumed) {

    /** No content is larger; asked for, the service says how much it holds. */
    static final long OFFSET_MAX = (1L << 53) - 1;
    /** How often the service may name another offset without holding more than before. */
    private static final int OFFSETS_WITHOUT_PROGRESS_MAX = 3;

    MutationResult run() throws IOException {
        boolean resumable = source.isReplayable() && !header.getUploadId().isEmpty();
        SentContent content = new SentContent(!header.getSha256().isEmpty());
        Retry retry = connection.retry();
        long offset = named && resumable ? sizeOrMax() : 0;
        long heldBytes = 0;
        int fruitless = 0;
        while (true) {
            UploadAttempt attempt = new UploadAttempt(this, content);
            try {
                return attempt.run(offset);
            } catch (SafefileException failure) {
                if (!source.isReplayable() && attempt.began()) throw failure;
                OptionalLong held = resumable ? offsetIn(failure) : OptionalLong.empty();
                if (held.isPresent() && fruitless < OFFSETS_WITHOUT_PROGRESS_MAX) {
                    offset = held.getAsLong();
                    fruitless = offset > heldBytes ? 0 : fruitless + 1;
                    // The last failure was followed by progress, so the next one is a first one again.
                    if (offset > heldBytes) retry.reset();
                    // The most it ever held: one that forgets and learns the same bytes again makes no progress.
                    heldBytes = Math.max(heldBytes, offset);
                    if (offset > 0) onResumed.accept(offset);
                    continue;
                }
                retry.after(failure);
                // A guess: the service names the offset if it holds less than what was handed to the connection.
                offset = resumable ? attempt.sentBytes() : 0;
            } catch (IOException | RuntimeException failure) {
                // The source failed when it was read again: that says nothing of the attempt before.
                if (retry.unsettled() == null) throw failure;
                throw retry.unsettled().causedBy(failure);
            }
        }
    }

    /** The size where it is known. */
    long sizeOrMax() {
        return header.hasSizeBytes() ? header.getSizeBytes() : OFFSET_MAX;
    }

    String requestId() {
        return header.getOptions().getRequestId();
    }

    /** How much the service holds, when that is what it has to say. */
    private static OptionalLong offsetIn(SafefileException failure) {
        String text = failure.metadata().get("upload_offset");
        boolean said = failure.code() == Status.Code.INVALID_ARGUMENT && text != null && text.matches("\\d{1,16}");
        return said ? OptionalLong.of(Long.parseLong(text)) : OptionalLong.empty();
    }
}
