package dev.safefile.client;

import dev.safefile.v1.ErrorReason;
import dev.safefile.v1.Lock;
import io.grpc.Context;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** A lock that is renewed as long as somebody needs it. Closing it releases it. */
public final class HeldLock implements AutoCloseable {
    /** Tried again after this, as long as the lock may last. */
    private static final long RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

    private final Locks locks;
    private final Lock lock;
    private final Duration ttl;
    private final Context.CancellableContext context = Context.current().withCancellation();
    private final CountDownLatch ending = new CountDownLatch(1);
    private final Thread renewing;
    private volatile long endNanos;
    private volatile RuntimeException loss;

    /** `askedNanos` is when its last renewal was asked for: it lasts for `ttl` at least from then on. */
    HeldLock(Locks locks, Lock lock, Duration ttl, long askedNanos) {
        this.locks = locks;
        this.lock = lock;
        this.ttl = ttl;
        this.endNanos = askedNanos + ttl.toNanos();
        // Keeps no process alive: whoever holds a lock does something under it.
        renewing = new Thread(this::renew, "safefile-lock-" + lock.getLockId());
        renewing.setDaemon(true);
        renewing.start();
    }

    /** As it was when it was acquired. */
    public Lock lock() {
        return lock;
    }

    /** For the `lockId` of changes. */
    public String lockId() {
        return lock.getLockId();
    }

    /** The fencing token of the first path: strictly rising with every exclusive holder. */
    public long fencingToken() {
        return lock.getTargetsCount() == 0 ? 0 : lock.getTargets(0).getFencingToken();
    }

    /** Why the lock is lost, or may be: LOCK_LOST, or why it could not be renewed in time. Empty while it is held. */
    public Optional<RuntimeException> loss() {
        if (loss == null && System.nanoTime() - endNanos >= 0) lose(null);
        return Optional.ofNullable(loss);
    }

    /** Throws when the lock is lost, or may be. */
    public void check() {
        loss().ifPresent(found -> {
            throw found;
        });
    }

    /** Cancelled when the lock is lost: what is called in it, as by `context().run(…)`, ends then with CANCELLED. */
    public Context context() {
        return context;
    }

    /** Ends it. False when it had ended before. */
    public boolean release() {
        if (ending.getCount() == 0) return false;
        // Looked at for the last time: from now on its time may run out.
        loss();
        // Also in a thread, or a context, that was told to end.
        boolean interrupted = Thread.interrupted();
        Context before = Context.ROOT.attach();
        try {
            ending.countDown();
            renewing.interrupt();
            renewing.join();
            return locks.release(lockId());
        } catch (InterruptedException interrupt) {
            interrupted = true;
            return false;
        } finally {
            Context.ROOT.detach(before);
            context.cancel(null);
            if (interrupted) Thread.currentThread().interrupt();
        }
    }

    /** It ends by itself anyway: a release that fails is no failure of what was done. */
    @Override
    public void close() {
        try {
            release();
        } catch (RuntimeException unreleased) {
            // Its time to live ends it.
        }
    }

    private void renew() {
        RuntimeException failure = null;
        long pauseNanos = ttl.toNanos() / 3;
        while (loss == null) {
            try {
                if (ending.await(Math.min(pauseNanos, endNanos - System.nanoTime()), TimeUnit.NANOSECONDS)) return;
            } catch (InterruptedException released) {
                return;
            }
            long askedNanos = System.nanoTime();
            Duration left = Duration.ofNanos(endNanos - askedNanos);
            if (left.isNegative() || left.isZero()) {
                lose(failure);
                return;
            }
            try {
                locks.renew(lockId(), ttl, options -> options.deadline(left));
                endNanos = askedNanos + ttl.toNanos();
                pauseNanos = ttl.toNanos() / 3;
            } catch (RuntimeException failed) {
                if (ending.getCount() == 0) return;
                // Whatever it was, it may be over by the next attempt.
                failure = failed;
                if (failed instanceof SafefileException said && said.is(ErrorReason.ERROR_REASON_LOCK_LOST))
                    lose(failed);
                pauseNanos = RETRY_NANOS;
            }
        }
    }

    private synchronized void lose(RuntimeException why) {
        if (loss != null || ending.getCount() == 0) return;
        loss = why == null ? new IllegalStateException("the lock ran out before it was renewed") : why;
        context.cancel(loss);
    }
}
