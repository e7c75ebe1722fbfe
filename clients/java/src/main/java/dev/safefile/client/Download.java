package dev.safefile.client;

import com.google.protobuf.ByteString;
import dev.safefile.v1.ContentChunk;
import dev.safefile.v1.ContentHeader;
import dev.safefile.v1.ContentTrailer;
import dev.safefile.v1.FileInfo;
import dev.safefile.v1.Revision;
import io.grpc.Status;
import java.io.InputStream;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.zip.CRC32C;

/**
 * Content as it arrives, all of one revision. It is whole only once its end was read without an exception: then every
 * byte came, in order, with the server's SHA-256 (of a part: with its CRC32Cs). Reading slowly slows the server down.
 * Closing it early ends the call. Failures are SafefileExceptions.
 */
public final class Download extends InputStream {
    /** Messages that may wait here to be read. */
    static final int PREFETCHED = 4;

    private final MessageCall<?, ?> call;
    private final Supplier<ContentPart> parts;
    private final Duration idleMax;
    private final String path;
    private final ContentHeader header;
    private final MessageDigest digest = Protos.sha256();
    private ByteString chunk = ByteString.EMPTY;
    private int chunkRead;
    private long at;
    private boolean complete;
    private boolean closed;
    private RuntimeException failure;
    private byte[] sha256;

    /** Waits for the header, so that what cannot be read fails here. */
    Download(MessageCall<?, ?> call, Supplier<ContentPart> parts, Duration idleMax, String path) {
        this.call = call;
        this.parts = parts;
        this.idleMax = idleMax;
        this.path = path;
        ContentPart first = part();
        if (first == null || first.header() == null) {
            call.cancel();
            throw broken("did not begin with a header");
        }
        header = first.header();
        at = header.getOffset();
    }

    /** The live file as it was when opened. Empty when a stored revision is read. */
    public Optional<FileInfo> file() {
        return header.hasFile() ? Optional.of(header.getFile()) : Optional.empty();
    }

    /** The stored revision. Empty when the live file is read. */
    public Optional<Revision> revision() {
        return header.hasRevision() ? Optional.of(header.getRevision()) : Optional.empty();
    }

    /** Where in the content the first byte lies. */
    public long offset() {
        return header.getOffset();
    }

    /** How many bytes will come. */
    public long sizeBytes() {
        return header.getSizeBytes();
    }

    /** SHA-256 of the whole content, computed here and equal to the server's. Empty before the end, or of a part. */
    public Optional<byte[]> sha256() {
        return Optional.ofNullable(sha256).map(byte[]::clone);
    }

    @Override
    public int read() {
        return fill() ? chunk.byteAt(chunkRead++) & 0xff : -1;
    }

    @Override
    public int read(byte[] target, int offset, int length) {
        Objects.checkFromIndexSize(offset, length, target.length);
        if (length == 0) return 0;
        if (!fill()) return -1;
        int count = Math.min(length, chunk.size() - chunkRead);
        chunk.substring(chunkRead, chunkRead + count).copyTo(target, offset);
        chunkRead += count;
        return count;
    }

    @Override
    public int available() {
        return chunk.size() - chunkRead;
    }

    /** Ends it early: what is read from it then is a failure. After its end nothing. */
    @Override
    public void close() {
        if (!complete) call.cancel();
        closed = true;
        chunk = ByteString.EMPTY;
        chunkRead = 0;
    }

    /** All of it in memory. More than `bytesMax` is refused before any content is taken. */
    byte[] bytes(long bytesMax) {
        if (sizeBytes() > bytesMax) {
            close();
            throw new IllegalArgumentException(
                    path + " has " + sizeBytes() + " bytes, more than " + bytesMax + ": use download()");
        }
        byte[] all = new byte[(int) sizeBytes()];
        int count = 0;
        // The one read more meets the end, and with it the trailer.
        for (int read = 0; read >= 0; count += Math.max(0, read)) {
            if (count == all.length) {
                if (read() < 0) return all;
                throw broken("held more bytes than it said");
            }
            read = read(all, count, all.length - count);
        }
        return all;
    }

    /** False at the end. */
    private boolean fill() {
        while (chunkRead == chunk.size()) {
            if (complete) return false;
            if (failure != null) throw failure;
            if (closed) throw wasClosed();
            try {
                take();
            } catch (RuntimeException found) {
                failure = found;
                close();
                throw found;
            }
        }
        return true;
    }

    private void take() {
        ContentPart part = part();
        if (part == null) throw broken("was cut short");
        if (part.trailer() != null) {
            check(part.trailer());
            // To the very end: a call that is cancelled instead resets its stream, and HTTP/2 servers end connections
            // that reset more than some thousand (CVE-2023-44487).
            if (part() != null) throw broken("went on after its end");
            complete = true;
            return;
        }
        if (part.chunk() == null) throw broken("held something unknown");
        take(part.chunk());
    }

    private void take(ContentChunk found) {
        if (found.getOffset() != at) throw broken("jumped from byte " + at + " to " + found.getOffset());
        ByteString data = found.getData();
        if (at - offset() + data.size() > sizeBytes()) throw broken("held more bytes than it said");
        if (found.hasCrc32C() && crc32c(data) != found.getCrc32C()) throw broken("was damaged on the way");
        if (isWhole()) digest.update(data.asReadOnlyByteBuffer());
        at += data.size();
        chunk = data;
        chunkRead = 0;
    }

    private void check(ContentTrailer trailer) {
        long sentBytes = at - offset();
        if (trailer.getSizeBytes() != sentBytes || sentBytes != sizeBytes()) {
            throw broken("came with " + sentBytes + " bytes of " + sizeBytes());
        }
        if (!isWhole() || trailer.getSha256().isEmpty()) return;
        byte[] found = digest.digest();
        if (!Arrays.equals(found, trailer.getSha256().toByteArray())) {
            throw broken("does not have the SHA-256 it came with");
        }
        sha256 = found;
    }

    private boolean isWhole() {
        long size = header.hasFile()
                ? header.getFile().getSizeBytes()
                : header.getRevision().getSizeBytes();
        return offset() == 0 && sizeBytes() == size;
    }

    /** Null when the server ended the stream in order. */
    private ContentPart part() {
        ContentPart part = parts.get();
        if (part != null) return part;
        if (call.stalled()) {
            String problem = "Nothing of " + path + " came for " + idleMax.toMillis() + " ms.";
            throw Failures.own(Status.Code.DEADLINE_EXCEEDED, problem, Map.of("path", path), null);
        }
        if (!call.status().isOk()) throw Failures.of(call.status(), call.trailers());
        return null;
    }

    private SafefileException wasClosed() {
        String problem = "The download of " + path + " was closed before its end.";
        return Failures.own(Status.Code.CANCELLED, problem, Map.of("path", path), null);
    }

    private SafefileException broken(String what) {
        String problem = "The content of " + path + " " + what + ". Read it again.";
        return Failures.own(Status.Code.DATA_LOSS, problem, Map.of("path", path), null);
    }

    static int crc32c(ByteString data) {
        CRC32C sum = new CRC32C();
        sum.update(data.asReadOnlyByteBuffer());
        return (int) sum.getValue();
    }
}
