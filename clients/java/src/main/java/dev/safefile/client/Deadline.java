package dev.safefile.client;

import java.time.Duration;

/** When a call has to be over, by a monotonic clock. */
record Deadline(long startNanos, long lengthNanos) {
    static final Deadline NEVER = new Deadline(0, Long.MAX_VALUE);

    static Deadline in(Duration length) {
        return new Deadline(System.nanoTime(), Math.max(0, length.toNanos()));
    }

    long leftNanos() {
        if (lengthNanos == Long.MAX_VALUE) return Long.MAX_VALUE;
        return Math.max(0, lengthNanos - (System.nanoTime() - startNanos));
    }
}
