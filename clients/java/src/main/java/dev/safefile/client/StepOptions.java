package dev.safefile.client;

import java.util.function.Consumer;

/** What a step of a transaction may be given besides. */
public final class StepOptions {
    Condition condition = Condition.NONE;
    Condition target = Condition.NONE;
    Integer mode;
    boolean overwrite;
    long revision;

    private StepOptions() {}

    static StepOptions of(Consumer<StepOptions> fill) {
        StepOptions options = new StepOptions();
        fill.accept(options);
        return options;
    }

    /** Only if this holds for the path. */
    public StepOptions condition(Condition value) {
        condition = value;
        return this;
    }

    /** Only if the file has exactly this etag. */
    public StepOptions etag(String value) {
        return condition(condition.andEtag(value));
    }

    /** Only if the file is exactly this revision; 0 means that nothing may be there. */
    public StepOptions ifRevision(long number) {
        return condition(condition.andRevision(number));
    }

    /** Of a write: the permission bits, 0 to 0777. */
    public StepOptions mode(int bits) {
        mode = bits;
        return this;
    }

    /** Of a move or copy: replace a file at the target. */
    public StepOptions overwrite(boolean value) {
        overwrite = value;
        return this;
    }

    /** Of a move or copy: only if this holds for the target. */
    public StepOptions target(Condition value) {
        target = value;
        return this;
    }

    /** Of a copy: which revision of the source. The live file unless given. */
    public StepOptions revision(long number) {
        revision = number;
        return this;
    }
}
