package dev.safefile.client;

/** How to move. `etag` and `ifRevision` are about the source. */
public final class MoveOptions extends AbstractChangeOptions<MoveOptions> {
    boolean overwrite;
    Condition target = Condition.NONE;

    MoveOptions() {}

    /** Replace a file at the target; what was there stays as a revision. ALREADY_EXISTS unless given. */
    public MoveOptions overwrite(boolean value) {
        overwrite = value;
        return this;
    }

    /** What must be true of the target. */
    public MoveOptions target(Condition condition) {
        target = condition;
        return this;
    }
}
