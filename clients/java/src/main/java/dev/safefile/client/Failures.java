package dev.safefile.client;

import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Makes the errors that a caller gets, with the outcome that follows when the service itself said none. */
final class Failures {
    /** Every other reason means that the file is unchanged, unless the error's own outcome says more. */
    private static final Set<String> OUTCOME_OPEN = Set.of("OUTCOME_UNKNOWN", "INTERNAL");

    private static final String CANCELLED = "The call was cancelled.";

    private Failures() {}

    /** The error of a call that changes nothing. */
    static SafefileException of(Status status, Metadata trailers) {
        SafefileException found = ErrorDetails.of(status, trailers);
        boolean ours = status.getCode() == Status.Code.CANCELLED
                && (Thread.currentThread().isInterrupted() || Context.current().isCancelled());
        if (!ours) return found;
        return new SafefileException(Status.Code.CANCELLED, CANCELLED, SafefileException.Facts.NONE, status.getCause());
    }

    /**
     * The error of a change: when it was never sent, or the server does not know it, it is NOT_COMMITTED; of any other
     * that the service did not answer it is `unanswered`. Without a request id the call is no change.
     */
    static SafefileException of(Status status, Metadata trailers, String requestId, boolean sent, Outcome unanswered) {
        SafefileException found = of(status, trailers);
        if (requestId == null) return found;
        boolean said = found.reason().isPresent()
                && !OUTCOME_OPEN.contains(found.reason().get());
        boolean refused = said || !sent || status.getCode() == Status.Code.UNIMPLEMENTED;
        Outcome outcome = found.outcome().orElse(refused ? Outcome.NOT_COMMITTED : unanswered);
        return found.with(outcome, Map.of("request_id", requestId));
    }

    /** The caller ended the call before anything was sent that could be committed. */
    static SafefileException cancelledBefore(String requestId) {
        Throwable cause = Context.current().cancellationCause();
        SafefileException error =
                new SafefileException(Status.Code.CANCELLED, CANCELLED, SafefileException.Facts.NONE, cause);
        return requestId == null ? error : error.with(Outcome.NOT_COMMITTED, Map.of("request_id", requestId));
    }

    /** The caller ended the call in the pause after `last`, which says what became of the file. */
    static SafefileException cancelled(SafefileException last, Throwable cause) {
        if (cause != null) last.addSuppressed(cause);
        SafefileException error =
                new SafefileException(Status.Code.CANCELLED, CANCELLED, SafefileException.Facts.NONE, last);
        return error.with(
                last.outcome().orElse(null),
                last.requestId().map(id -> Map.of("request_id", id)).orElse(Map.of()));
    }

    static SafefileException own(Status.Code code, String message, Map<String, String> metadata, Outcome outcome) {
        return new SafefileException(code, message, SafefileException.Facts.NONE.with(outcome, metadata), null);
    }

    /** What was asked is refused here; nothing was sent. */
    static SafefileException refused(String field, String problem, String requestId) {
        SafefileException.Facts facts = new SafefileException.Facts(
                "ARGUMENT_INVALID",
                Outcome.NOT_COMMITTED,
                Map.of("field", field, "problem", problem, "request_id", requestId),
                List.of(new SafefileException.FieldViolation(field, problem)),
                List.of(),
                null,
                null);
        String message = field + " " + problem + ". Nothing was changed.";
        return new SafefileException(Status.Code.INVALID_ARGUMENT, message, facts, null);
    }

    /** Whether the caller has ended the call, in either way. */
    static boolean isCancelled() {
        return Thread.currentThread().isInterrupted() || Context.current().isCancelled();
    }
}
