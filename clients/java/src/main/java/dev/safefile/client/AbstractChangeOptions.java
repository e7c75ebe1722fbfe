package dev.safefile.client;

import dev.safefile.v1.MutationOptions;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;

/**
 * What every change takes.
 *
 * @param <O> the options themselves
 */
public abstract class AbstractChangeOptions<O extends AbstractChangeOptions<O>> extends AbstractCallOptions<O> {
    String requestId;
    boolean validateOnly;
    Condition condition = Condition.NONE;
    Duration lockWait;
    int priority;
    String lockId = "";
    final Map<String, String> labels = new LinkedHashMap<>();

    AbstractChangeOptions() {}

    /** Makes a repeat of the whole call safe. A random UUID unless given. */
    public O requestId(String id) {
        requestId = id;
        return self();
    }

    /** Check only, change nothing. */
    public O validateOnly(boolean value) {
        validateOnly = value;
        return self();
    }

    /** Only if the file has exactly this etag. */
    public O etag(String value) {
        condition = condition.andEtag(value);
        return self();
    }

    /** Only if the file is exactly this revision; 0 means that nothing may be there (else ALREADY_EXISTS). */
    public O ifRevision(long revision) {
        condition = condition.andRevision(revision);
        return self();
    }

    /** How long to wait for the path to be free. Zero does not wait; the server's default unless given. */
    public O lockWait(Duration length) {
        lockWait = length;
        return self();
    }

    /** Who goes first among those waiting: -100 to 100, higher first. */
    public O priority(int value) {
        priority = value;
        return self();
    }

    /** The lock under which the change is made; LOCK_LOST when it has ended. */
    public O lockId(String id) {
        lockId = id;
        return self();
    }

    /** Kept with the revision. No secrets. */
    public O label(String key, String value) {
        labels.put(key, value);
        return self();
    }

    /** Several labels. */
    public O labels(Map<String, String> more) {
        labels.putAll(more);
        return self();
    }

    /** The request's id is settled here, once for all attempts of the call. */
    MutationOptions message() {
        if (requestId == null) requestId = UUID.randomUUID().toString();
        MutationOptions.Builder message = MutationOptions.newBuilder()
                .setRequestId(requestId)
                .setValidateOnly(validateOnly)
                .setPriority(priority)
                .putAllLabels(labels)
                .setLockId(lockId);
        if (lockWait != null) message.setLockWait(Protos.duration(lockWait));
        condition.message().ifPresent(message::setPrecondition);
        return message.build();
    }
}
