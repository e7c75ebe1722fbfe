package dev.safefile.client;

import dev.safefile.v1.AcquireLockRequest;
import dev.safefile.v1.BreakLockRequest;
import dev.safefile.v1.BreakLockResponse;
import dev.safefile.v1.ListLocksRequest;
import dev.safefile.v1.ListLocksResponse;
import dev.safefile.v1.Lock;
import dev.safefile.v1.LockEntry;
import dev.safefile.v1.LockServiceGrpc;
import dev.safefile.v1.ReleaseLockRequest;
import dev.safefile.v1.RenewLockRequest;
import io.grpc.Context;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.UUID;
import java.util.function.Consumer;

/** Locks over several calls. No change needs one: each locks for itself. */
public final class Locks {
    private final SafefileClient client;

    Locks(SafefileClient client) {
        this.client = client;
    }

    /** Locks a path, to the exclusion of all others. It lasts for its time to live. */
    public Lock acquire(String path) {
        return acquire(List.of(LockWish.of(path)), options -> {});
    }

    /** Locks all of the paths or none. It lasts for its time to live; whoever needs it longer renews it. */
    public Lock acquire(Collection<LockWish> wishes, Consumer<LockOptions> options) {
        return acquire(wishes, SafefileClient.filled(new LockOptions(), options));
    }

    private Lock acquire(Collection<LockWish> wishes, LockOptions given) {
        AcquireLockRequest.Builder request = AcquireLockRequest.newBuilder()
                .setVolume(client.volume(given))
                .addAllTargets(wishes.stream().map(LockWish::message).toList())
                .setPriority(given.priority)
                .setRequestId(given.requestId)
                .setOwnerName(given.owner)
                .setSession(given.session)
                .putAllLabels(given.labels);
        if (given.ttl != null) request.setTtl(Protos.duration(given.ttl));
        if (given.lockWait != null) request.setLockWait(Protos.duration(given.lockWait));
        Duration deadline = client.deadline(given, given.lockWait);
        return client.connection
                .unary(LockServiceGrpc.getAcquireLockMethod(), request.build(), deadline, null)
                .getLock();
    }

    /** Lets a lock last for its time to live from now on; the server's default when that is null. */
    public Lock renew(String lockId, Duration ttl) {
        return renew(lockId, ttl, options -> {});
    }

    /** Lets a lock last for `ttl` from now on. LOCK_LOST when it has ended. */
    public Lock renew(String lockId, Duration ttl, Consumer<CallOptions> options) {
        RenewLockRequest.Builder request = RenewLockRequest.newBuilder().setLockId(lockId);
        if (ttl != null) request.setTtl(Protos.duration(ttl));
        return client.call(LockServiceGrpc.getRenewLockMethod(), request.build(), options)
                .getLock();
    }

    /** Ends a lock. False when it had ended already. */
    public boolean release(String lockId) {
        return release(lockId, options -> {});
    }

    /** Ends a lock. False when it had ended already. */
    public boolean release(String lockId, Consumer<CallOptions> options) {
        ReleaseLockRequest request =
                ReleaseLockRequest.newBuilder().setLockId(lockId).build();
        return client.call(LockServiceGrpc.getReleaseLockMethod(), request, options)
                .getReleased();
    }

    /** Locks a path, and renews the lock until it is closed. */
    public HeldLock hold(String path) {
        return hold(List.of(LockWish.of(path)), options -> {});
    }

    /**
     * Locks, and renews the lock until it is closed, which releases it:
     * {@code try (var held = client.locks().hold("reports")) { … options.lockId(held.lockId()) … }}.
     */
    public HeldLock hold(Collection<LockWish> wishes, Consumer<LockOptions> options) {
        Lock acquired = acquire(wishes, options);
        Duration ttl = Protos.duration(acquired.getRemaining());
        // Nobody knows how long the answer was under way, but of a renewal it is known when it was asked for.
        long askedNanos = System.nanoTime();
        return new HeldLock(this, firstRenewal(acquired.getLockId(), ttl), ttl, askedNanos);
    }

    private Lock firstRenewal(String lockId, Duration ttl) {
        try {
            return renew(lockId, ttl);
        } catch (RuntimeException failure) {
            // Nobody else knows its id.
            try {
                releaseAnyway(lockId);
            } catch (RuntimeException unreleased) {
                failure.addSuppressed(unreleased);
            }
            throw failure;
        }
    }

    /** Also in a thread, or a context, that was told to end. */
    private boolean releaseAnyway(String lockId) {
        boolean interrupted = Thread.interrupted();
        Context before = Context.ROOT.attach();
        try {
            return release(lockId);
        } finally {
            Context.ROOT.detach(before);
            if (interrupted) Thread.currentThread().interrupt();
        }
    }

    /** Who holds and who waits, over all pages. */
    public Iterable<LockEntry> list() {
        return list(options -> {});
    }

    /** Who holds and who waits, over all pages. */
    public Iterable<LockEntry> list(Consumer<LockListOptions> options) {
        LockListOptions given = SafefileClient.filled(new LockListOptions(), options);
        ListLocksRequest request = ListLocksRequest.newBuilder()
                .setVolume(client.volume(given))
                .setPath(given.path)
                .setClientLocksOnly(given.clientLocksOnly)
                .setPageSize(given.pageSize)
                .build();
        return new Pages<>(
                token -> client.ask(
                        LockServiceGrpc.getListLocksMethod(),
                        request.toBuilder().setPageToken(token).build(),
                        given),
                ListLocksResponse::getLocksList,
                ListLocksResponse::getNextPageToken);
    }

    /** Ends somebody else's lock, and stops the change that uses it. `reason` is kept. */
    public BreakLockResponse breakLock(String lockId, String reason) {
        return breakLock(lockId, reason, options -> {});
    }

    /** Ends somebody else's lock, and stops the change that uses it. `reason` is kept. */
    public BreakLockResponse breakLock(String lockId, String reason, Consumer<CallOptions> options) {
        BreakLockRequest request = BreakLockRequest.newBuilder()
                .setLockId(lockId)
                .setReason(reason)
                .setRequestId(UUID.randomUUID().toString())
                .build();
        return client.call(LockServiceGrpc.getBreakLockMethod(), request, options);
    }
}
