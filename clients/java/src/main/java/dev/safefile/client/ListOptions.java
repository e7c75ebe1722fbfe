package dev.safefile.client;

/** How to list. */
public final class ListOptions extends AbstractCallOptions<ListOptions> {
    private static final int PAGE_SIZE = 1_000;

    boolean recursive;
    int pageSize = PAGE_SIZE;

    ListOptions() {}

    /** Also everything below, for entries of a directory. */
    public ListOptions recursive(boolean value) {
        recursive = value;
        return this;
    }

    /** Entries fetched at once. 1,000 unless given. */
    public ListOptions pageSize(int entries) {
        pageSize = entries;
        return this;
    }
}
