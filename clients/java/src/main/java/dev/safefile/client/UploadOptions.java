package dev.safefile.client;

import java.util.function.LongConsumer;

/** How to upload. */
public final class UploadOptions extends AbstractChangeOptions<UploadOptions> {
    Integer mode;
    Long sizeBytes;
    byte[] sha256;
    boolean crc32c = true;
    String uploadId;
    LongConsumer onProgress = sentBytes -> {};
    LongConsumer onResumed = offset -> {};

    UploadOptions() {}

    /** The permission bits, 0 to 0777. Those of the file, or 0644 for a new one, unless given. */
    public UploadOptions mode(int bits) {
        mode = bits;
        return this;
    }

    /** The size of the whole, when known: then a source that ends early is an error and not a shorter file. */
    public UploadOptions sizeBytes(long bytes) {
        sizeBytes = bytes;
        return this;
    }

    /** SHA-256 of the whole, when known: then the server refuses anything else. */
    public UploadOptions sha256(byte[] digest) {
        sha256 = digest;
        return this;
    }

    /** A CRC32C with each chunk, so that a damaged one is not kept. True unless given. */
    public UploadOptions crc32c(boolean value) {
        crc32c = value;
        return this;
    }

    /**
     * The name under which the service keeps the bytes when the stream breaks. A random one unless given, and none for a
     * source that cannot be read again. Give one to go on with an upload of an earlier process: the service is then
     * asked first how much it holds. It stands for one content; several uploads at once under one name end each other.
     */
    public UploadOptions uploadId(String id) {
        uploadId = id;
        return this;
    }

    /** Told where the upload stands, after each chunk. Falls back to what the service holds when a stream broke. */
    public UploadOptions onProgress(LongConsumer sentBytes) {
        onProgress = sentBytes;
        return this;
    }

    /** Told when the service says from where to go on: it holds other bytes than were handed to the connection. */
    public UploadOptions onResumed(LongConsumer offset) {
        onResumed = offset;
        return this;
    }
}
