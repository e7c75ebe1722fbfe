package dev.safefile.client;

/** Which part of a content to read. */
public final class ReadOptions extends AbstractCallOptions<ReadOptions> {
    private static final long BYTES_MAX = 64L * 1024 * 1024;

    long offset;
    long limit;
    long bytesMax = BYTES_MAX;

    ReadOptions() {}

    /** Where to begin, in bytes. */
    public ReadOptions offset(long bytes) {
        offset = bytes;
        return this;
    }

    /** The most bytes to read. */
    public ReadOptions limit(long bytes) {
        limit = bytes;
        return this;
    }

    /** More than this is not read into memory at once, but an IllegalArgumentException. 64 MiB unless given. */
    public ReadOptions bytesMax(long bytes) {
        bytesMax = Math.min(bytes, Integer.MAX_VALUE - 8);
        return this;
    }
}
