package dev.safefile.client;

import dev.safefile.v1.ErrorReason;
import io.grpc.Status;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A call that failed: why, and what that means for the file. */
public final class SafefileException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private static final String REASON_PREFIX = "ERROR_REASON_";

    /** A field of the request that was refused. */
    public record FieldViolation(String field, String description) {}

    /** A condition that does not hold. */
    public record ConditionViolation(String type, String subject, String description) {}

    /** What was not found, or was in the way. */
    public record Resource(String type, String name) {}

    private final Status.Code code;
    private final transient Facts facts;

    SafefileException(Status.Code code, String message, Facts facts, Throwable cause) {
        super(message, cause);
        this.code = code;
        this.facts = facts;
    }

    /** What an error's details hold. Nullable where the error may lack it. */
    record Facts(
            String reason,
            Outcome outcome,
            Map<String, String> metadata,
            List<FieldViolation> fieldViolations,
            List<ConditionViolation> conditionViolations,
            Resource resource,
            Duration retryAfter) {
        static final Facts NONE = new Facts(null, null, Map.of(), List.of(), List.of(), null, null);

        Facts with(Outcome newOutcome, Map<String, String> more) {
            Map<String, String> all = new HashMap<>(more);
            all.putAll(metadata);
            return new Facts(
                    reason, newOutcome, Map.copyOf(all), fieldViolations, conditionViolations, resource, retryAfter);
        }
    }

    /** The gRPC status code. */
    public Status.Code code() {
        return code;
    }

    /**
     * The name of an ErrorReason without its prefix: "LOCK_FENCED". Empty when the error is not of the service itself.
     * New ones come with new servers.
     */
    public Optional<String> reason() {
        return Optional.ofNullable(facts.reason);
    }

    /** Whether the service gave this reason. */
    public boolean is(ErrorReason reason) {
        return reason.name().equals(REASON_PREFIX + facts.reason);
    }

    /**
     * What happened to the file. Present for every failed change; a failed read may lack it. When it is UNKNOWN, repeat
     * the call with the same {@link #requestId()} to learn it.
     */
    public Optional<Outcome> outcome() {
        return Optional.ofNullable(facts.outcome);
    }

    /** The stage that failed, for example "lock". Empty when no stage ran. */
    public Optional<String> stage() {
        return Optional.ofNullable(facts.metadata.get("stage"));
    }

    /** Every dynamic value of the message, as text. The keys are in errors.proto. */
    public Map<String, String> metadata() {
        return facts.metadata;
    }

    /** Of a change: the id with which it can be repeated. */
    public Optional<String> requestId() {
        return Optional.ofNullable(facts.metadata.get("request_id"));
    }

    public List<FieldViolation> fieldViolations() {
        return facts.fieldViolations;
    }

    public List<ConditionViolation> conditionViolations() {
        return facts.conditionViolations;
    }

    public Optional<Resource> resource() {
        return Optional.ofNullable(facts.resource);
    }

    /** When the server says the call may be repeated. */
    public Optional<Duration> retryAfter() {
        return Optional.ofNullable(facts.retryAfter);
    }

    /** An error that came inside a message, as in RestoreItem. */
    public static SafefileException of(com.google.rpc.Status status) {
        Status.Code code = Status.fromCodeValue(status.getCode()).getCode();
        return new SafefileException(code, status.getMessage(), ErrorDetails.of(status), null);
    }

    /** The same error with another outcome, and more metadata where there was none. */
    SafefileException with(Outcome outcome, Map<String, String> metadata) {
        return copy(facts.with(outcome, metadata), getCause());
    }

    /** The same error with another cause. */
    SafefileException causedBy(Throwable cause) {
        return copy(facts, cause);
    }

    private SafefileException copy(Facts said, Throwable cause) {
        SafefileException copy = new SafefileException(code, getMessage(), said, cause);
        copy.setStackTrace(getStackTrace());
        return copy;
    }
}
