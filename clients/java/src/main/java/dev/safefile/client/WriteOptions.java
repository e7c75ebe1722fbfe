package dev.safefile.client;

/** How to write or append. */
public final class WriteOptions extends AbstractChangeOptions<WriteOptions> {
    Integer mode;

    WriteOptions() {}

    /** The permission bits, 0 to 0777. Those of the file, or 0644 for a new one, unless given. */
    public WriteOptions mode(int bits) {
        mode = bits;
        return this;
    }
}
