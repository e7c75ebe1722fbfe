package dev.safefile.client;

/** What to watch. A watch has no deadline. */
public final class WatchOptions extends AbstractCallOptions<WatchOptions> {
    boolean recursive;
    String resumeToken = "";

    WatchOptions() {}

    /** Also what is below at any depth. The path itself and its direct entries unless given. */
    public WatchOptions recursive(boolean value) {
        recursive = value;
        return this;
    }

    /** `resume_token` of the last event seen. From now on unless given. */
    public WatchOptions resumeToken(String token) {
        resumeToken = token;
        return this;
    }
}
