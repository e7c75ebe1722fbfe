package dev.safefile.conformance;

import dev.safefile.client.Watch;
import dev.safefile.v1.WatchFilesResponse;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/** A watch that goes on between commands. */
final class Watching {
    private final Watch<WatchFilesResponse> watch;
    private List<WatchFilesResponse> events = new ArrayList<>();
    private RuntimeException failure;
    private boolean ended;

    /** Returns once the first message has come. */
    Watching(Watch<WatchFilesResponse> watch) {
        this.watch = watch;
        Iterator<WatchFilesResponse> messages = watch.iterator();
        if (messages.hasNext()) events.add(messages.next());
        Thread thread = new Thread(() -> follow(messages));
        thread.setDaemon(true);
        thread.start();
    }

    private void follow(Iterator<WatchFilesResponse> messages) {
        try {
            while (messages.hasNext()) add(messages.next());
            end(null);
        } catch (RuntimeException failed) {
            end(failed);
        }
    }

    private synchronized void add(WatchFilesResponse event) {
        events.add(event);
        notifyAll();
    }

    private synchronized void end(RuntimeException why) {
        failure = why;
        ended = true;
        notifyAll();
    }

    /** All that came since the last time, with so many changes among them. */
    synchronized List<WatchFilesResponse> next(long changes) throws InterruptedException {
        while (events.stream().filter(WatchFilesResponse::hasChange).count() < changes) {
            if (failure != null) throw failure;
            if (ended) break;
            wait();
        }
        List<WatchFilesResponse> taken = events;
        events = new ArrayList<>();
        return taken;
    }

    void stop() {
        watch.close();
    }
}
