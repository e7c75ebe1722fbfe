package dev.safefile.client;

import dev.safefile.v1.Precondition;
import java.util.Optional;

/**
 * What must be true of a path; PRECONDITION_FAILED when it is not. Both hold when both are given.
 *
 * @param etag the file has exactly this etag; null is no check
 * @param ifRevision the file is exactly this revision, 0 means that nothing may be there; null is no check
 */
public record Condition(String etag, Long ifRevision) {
    public static final Condition NONE = new Condition(null, null);

    public static Condition etag(String value) {
        return NONE.andEtag(value);
    }

    public static Condition revision(long value) {
        return NONE.andRevision(value);
    }

    public Condition andEtag(String value) {
        return new Condition(value, ifRevision);
    }

    public Condition andRevision(long value) {
        return new Condition(etag, value);
    }

    /** Empty when there is none. */
    Optional<Precondition> message() {
        if (etag == null && ifRevision == null) return Optional.empty();
        Precondition.Builder message = Precondition.newBuilder();
        if (etag != null) message.setEtag(etag);
        if (ifRevision != null) message.setIfRevision(ifRevision);
        return Optional.of(message.build());
    }
}
