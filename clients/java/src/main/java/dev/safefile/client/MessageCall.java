package dev.safefile.client;

import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;

/** One call with several messages, for a thread that waits. What is not asked for is not read from the connection. */
final class MessageCall<Q, A> {
    private final ClientCall<Q, A> call;
    private final Sent sent;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Deque<A> messages = new ArrayDeque<>();
    private Status status;
    private Metadata trailers;
    private boolean stalled;
    private Throwable interrupt;

    MessageCall(ClientCall<Q, A> call, Sent sent, int prefetched) {
        this.call = call;
        this.sent = sent;
        call.start(new Listener(), new Metadata());
        call.request(prefetched);
    }

    /** Whether anything of the call was written to a connection. */
    boolean wasSent() {
        return sent.any();
    }

    void send(Q message) {
        call.sendMessage(message);
    }

    /** Says that no message follows. */
    void end() {
        call.halfClose();
    }

    /** Ends it, if it has not ended. */
    void cancel() {
        call.cancel("Ended by the client.", null);
    }

    /** The next message; null when there is none any more, or none came for so long. Null as duration is for ever. */
    A next(Duration idleMax) {
        await(() -> !messages.isEmpty() || status != null, idleMax);
        lock.lock();
        try {
            A message = messages.poll();
            if (message != null) call.request(1);
            return message;
        } finally {
            lock.unlock();
        }
    }

    /** Returns when the connection takes more, or the call is over, or nothing moved for so long. */
    void awaitReady(Duration idleMax) {
        await(() -> status != null || call.isReady(), idleMax);
    }

    /** Whether a message is here to be taken, or the call is over. */
    boolean isAnswered() {
        lock.lock();
        try {
            return status != null || !messages.isEmpty();
        } finally {
            lock.unlock();
        }
    }

    /** Whether a message is here to be taken. */
    boolean hasMessage() {
        lock.lock();
        try {
            return !messages.isEmpty();
        } finally {
            lock.unlock();
        }
    }

    /** Whether a wait was in vain: then the call was cancelled here. */
    boolean stalled() {
        return stalled;
    }

    /** How it ended: OK also when that is not known yet. */
    Status status() {
        lock.lock();
        try {
            if (interrupt != null) return Status.CANCELLED.withCause(interrupt);
            return status == null ? Status.OK : status;
        } finally {
            lock.unlock();
        }
    }

    Metadata trailers() {
        return trailers;
    }

    private void await(BooleanSupplier holds, Duration idleMax) {
        // What follows an interrupt or a stall is only the end of the call.
        if (interrupt != null || stalled) return;
        long leftNanos = idleMax == null ? Long.MAX_VALUE : idleMax.toNanos();
        lock.lock();
        try {
            // Also when there is no need to wait: an interrupt ends the call at once.
            if (Thread.interrupted()) throw new InterruptedException();
            while (!holds.getAsBoolean()) {
                if (leftNanos <= 0) {
                    stalled = true;
                    call.cancel("Nothing moved.", null);
                    return;
                }
                leftNanos = changed.awaitNanos(leftNanos);
            }
        } catch (InterruptedException interrupted) {
            interrupt = interrupted;
            Thread.currentThread().interrupt();
            call.cancel("The thread was interrupted.", interrupted);
        } finally {
            lock.unlock();
        }
    }

    private final class Listener extends ClientCall.Listener<A> {
        @Override
        public void onMessage(A message) {
            change(() -> messages.add(message));
        }

        @Override
        public void onReady() {
            change(() -> {});
        }

        @Override
        public void onClose(Status end, Metadata found) {
            change(() -> {
                status = end;
                trailers = found;
            });
        }

        private void change(Runnable step) {
            lock.lock();
            try {
                step.run();
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }
    }
}
