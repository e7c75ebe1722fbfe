package dev.safefile.client;

import java.time.Duration;

/**
 * What every call takes. Options are filled in by a lambda, and read once:
 * {@code client.write("a", bytes, options -> options.ifRevision(0).label("by", "deploy"))}.
 *
 * @param <O> the options themselves, so that setters can be chained
 */
public abstract class AbstractCallOptions<O extends AbstractCallOptions<O>> {
    String volume;
    Duration deadline;

    AbstractCallOptions() {}

    /** The volume; the client's own unless given. */
    public O volume(String name) {
        volume = name;
        return self();
    }

    /** How long the call may take, repeats included. For content, how long it may take from the last byte on. */
    public O deadline(Duration length) {
        deadline = length;
        return self();
    }

    @SuppressWarnings("unchecked")
    final O self() {
        return (O) this;
    }
}
