package dev.safefile.client;

/** How to remove. */
public final class RemoveOptions extends AbstractChangeOptions<RemoveOptions> {
    boolean recursive;

    RemoveOptions() {}

    /** A directory with all below it. */
    public RemoveOptions recursive(boolean value) {
        recursive = value;
        return this;
    }
}
