package dev.safefile.client;

/** How to make a directory. */
public final class DirectoryOptions extends AbstractChangeOptions<DirectoryOptions> {
    Integer mode;
    boolean allowExisting;

    DirectoryOptions() {}

    /** The permission bits, 0 to 0777. 0755 unless given. */
    public DirectoryOptions mode(int bits) {
        mode = bits;
        return this;
    }

    /** Succeed, and change nothing, when the directory is there already. ALREADY_EXISTS unless given. */
    public DirectoryOptions allowExisting(boolean value) {
        allowExisting = value;
        return this;
    }
}
