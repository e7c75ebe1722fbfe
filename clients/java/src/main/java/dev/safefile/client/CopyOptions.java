package dev.safefile.client;

/** How to copy. `etag` and `ifRevision` are about the source. */
public final class CopyOptions extends AbstractChangeOptions<CopyOptions> {
    boolean overwrite;
    Condition target = Condition.NONE;
    long revision;

    CopyOptions() {}

    /** Replace a file at the target; what was there stays as a revision. ALREADY_EXISTS unless given. */
    public CopyOptions overwrite(boolean value) {
        overwrite = value;
        return this;
    }

    /** What must be true of the target. */
    public CopyOptions target(Condition condition) {
        target = condition;
        return this;
    }

    /** Which revision of the source. The live file unless given. */
    public CopyOptions revision(long number) {
        revision = number;
        return this;
    }
}
