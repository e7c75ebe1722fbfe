package dev.safefile.client;

import io.grpc.Context;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.function.Function;

/**
 * Messages as they come: {@code for (var message : watch)} waits for each, until the service ends the stream or the
 * watch is closed, which any thread may do. When the service is UNAVAILABLE, because its replica drains for example, it
 * goes on behind the last message seen, on another replica where the client has several; attempts are counted from the
 * last message. It can be iterated once.
 *
 * @param <E> the message
 */
public final class Watch<E> implements Iterable<E>, AutoCloseable {
    /** Messages that may wait here to be read. */
    static final int PREFETCHED = 16;

    private final Function<String, MessageCall<?, E>> open;
    private final Function<E, String> positionOf;
    private final Retry retry;
    private final Context context = Context.current();
    private String position;
    private MessageCall<?, E> call;
    private boolean taken;
    private volatile boolean closed;

    /** `open` begins behind a position, `from` at first. */
    Watch(Function<String, MessageCall<?, E>> open, Function<E, String> positionOf, Retry retry, String from) {
        this.open = open;
        this.positionOf = positionOf;
        this.retry = retry;
        this.position = from;
        this.call = open.apply(from);
    }

    @Override
    public synchronized Iterator<E> iterator() {
        if (taken) throw new IllegalStateException("a watch can be iterated once");
        taken = true;
        return new Messages();
    }

    /** Ends it: whoever waits for a message is told that there is none. */
    @Override
    public synchronized void close() {
        closed = true;
        call.cancel();
    }

    private synchronized MessageCall<?, E> current() {
        return call;
    }

    private synchronized void reopen() {
        if (closed) return;
        Context before = context.attach();
        try {
            call = open.apply(position);
        } finally {
            context.detach(before);
        }
    }

    /** Null at the end. */
    private E take() {
        while (!closed) {
            MessageCall<?, E> now = current();
            E message = now.next(null);
            if (message != null) {
                position = positionOf.apply(message);
                retry.reset();
                return message;
            }
            if (closed || now.status().isOk()) break;
            retry.after(Failures.of(now.status(), now.trailers()));
            reopen();
        }
        closed = true;
        return null;
    }

    private final class Messages implements Iterator<E> {
        private E ahead;

        @Override
        public boolean hasNext() {
            if (ahead == null) ahead = take();
            return ahead != null;
        }

        @Override
        public E next() {
            if (!hasNext()) throw new NoSuchElementException("the watch has ended");
            E message = ahead;
            ahead = null;
            return message;
        }
    }
}
