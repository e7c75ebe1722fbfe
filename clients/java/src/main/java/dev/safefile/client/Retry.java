package dev.safefile.client;

import io.grpc.Context;
import io.grpc.Status;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.DoubleSupplier;

/** Counts the attempts of one call. */
final class Retry {
    private final RetryPolicy policy;
    private final DoubleSupplier random;
    private final Runnable reconnect;
    private int attempts = 1;
    private Long failedNanos;
    private SafefileException unsettled;

    /** `reconnect` is told that a repeat comes, so that the connection does not wait for longer than the call. */
    Retry(RetryPolicy policy, Runnable reconnect) {
        this(policy, reconnect, ThreadLocalRandom.current()::nextDouble);
    }

    Retry(RetryPolicy policy, Runnable reconnect, DoubleSupplier random) {
        this.policy = policy;
        this.reconnect = reconnect;
        this.random = random;
    }

    void after(SafefileException failure) {
        after(failure, Deadline.NEVER);
    }

    /** Returns after a pause when the call may be repeated; throws the error to report when it may not. */
    void after(SafefileException failure, Deadline deadline) {
        SafefileException error = settle(failure);
        if (error.code() != Status.Code.UNAVAILABLE) throw error;
        long pauseNanos = Math.max(
                backoffNanos(), error.retryAfter().map(Duration::toNanos).orElse(0L));
        long nowNanos = System.nanoTime();
        if (failedNanos == null) failedNanos = nowNanos;
        boolean tooLate =
                nowNanos + pauseNanos - failedNanos > policy.timeMax().toNanos() || pauseNanos >= deadline.leftNanos();
        if (attempts >= policy.attemptsMax() || tooLate) throw error;
        attempts++;
        reconnect.run();
        pause(pauseNanos, error);
    }

    /** Progress was made: the next failure is a first one again. */
    void reset() {
        attempts = 1;
        failedNanos = null;
    }

    /**
     * An attempt that may have committed is not settled by a later one that did not get through: only the service's own
     * answer to the same request id settles it.
     */
    SafefileException settle(SafefileException failure) {
        boolean answered = failure.reason().isPresent() && failure.code() != Status.Code.UNAVAILABLE;
        if (failure.outcome().orElse(null) == Outcome.UNKNOWN) unsettled = failure;
        else if (unsettled != null && !answered) return failure.with(Outcome.UNKNOWN, Map.of());
        return failure;
    }

    /** The last failure of an attempt that may have committed; null when there was none. */
    SafefileException unsettled() {
        return unsettled;
    }

    private long backoffNanos() {
        double doubled = policy.backoffMin().toNanos() * Math.pow(2, attempts - 1);
        return (long) (Math.min(policy.backoffMax().toNanos(), doubled) * (1 - random.getAsDouble() / 2));
    }

    /** Ends early, with CANCELLED, when the thread is interrupted or its context is cancelled. */
    private static void pause(long nanos, SafefileException error) {
        CountDownLatch cancelled = new CountDownLatch(1);
        Context context = Context.current();
        Context.CancellationListener listener = ended -> cancelled.countDown();
        context.addListener(listener, Runnable::run);
        try {
            if (cancelled.await(nanos, TimeUnit.NANOSECONDS)) {
                throw Failures.cancelled(error, context.cancellationCause());
            }
        } catch (InterruptedException interrupt) {
            Thread.currentThread().interrupt();
            throw Failures.cancelled(error, interrupt);
        } finally {
            context.removeListener(listener);
        }
    }
}
