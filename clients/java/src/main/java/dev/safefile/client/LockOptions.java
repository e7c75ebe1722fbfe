package dev.safefile.client;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;

/** How to lock. */
public final class LockOptions extends AbstractCallOptions<LockOptions> {
    Duration ttl;
    Duration lockWait;
    int priority;
    String requestId = UUID.randomUUID().toString();
    String owner = "";
    String session = "";
    final Map<String, String> labels = new LinkedHashMap<>();

    LockOptions() {}

    /** How long it lasts unless renewed; the server's default unless given. */
    public LockOptions ttl(Duration length) {
        ttl = length;
        return this;
    }

    /** How long to wait for it. Zero does not wait; the server's default unless given. */
    public LockOptions lockWait(Duration length) {
        lockWait = length;
        return this;
    }

    /** Who goes first among those waiting: -100 to 100, higher first. */
    public LockOptions priority(int value) {
        priority = value;
        return this;
    }

    /** Makes a repeat of the whole call safe. A random UUID unless given. */
    public LockOptions requestId(String id) {
        requestId = id;
        return this;
    }

    /** What the caller calls itself, for people. */
    public LockOptions owner(String name) {
        owner = name;
        return this;
    }

    /** The same for all locks that are held together, so that circles of waits are found. */
    public LockOptions session(String id) {
        session = id;
        return this;
    }

    /** Kept with the lock, for people. No secrets. */
    public LockOptions labels(Map<String, String> more) {
        labels.putAll(more);
        return this;
    }
}
