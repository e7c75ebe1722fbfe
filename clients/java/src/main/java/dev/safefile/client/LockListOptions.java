package dev.safefile.client;

/** Which locks to list. */
public final class LockListOptions extends AbstractCallOptions<LockListOptions> {
    private static final int PAGE_SIZE = 1_000;

    String path = "";
    boolean clientLocksOnly;
    int pageSize = PAGE_SIZE;

    LockListOptions() {}

    /** Only those that cover, or lie at or below, this path. */
    public LockListOptions path(String value) {
        path = value;
        return this;
    }

    /** Not the leases of changes. */
    public LockListOptions clientLocksOnly(boolean value) {
        clientLocksOnly = value;
        return this;
    }

    /** Locks fetched at once. 1,000 unless given. */
    public LockListOptions pageSize(int locks) {
        pageSize = locks;
        return this;
    }
}
